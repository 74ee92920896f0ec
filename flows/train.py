"""Training ahead of the day that needs it."""

from datetime import date, timedelta

from prefect import flow

from dante.errors import NotEnoughDataError
from dante.pipeline.context import open_context
from tasks.day import model

__all__ = ["train"]


@flow(name="train")
def train(day: date | None = None, home: str | None = None) -> str:
    """Train the model a day will be judged with, if it is not there; its id.

    Args:
        day: the day to be judged; by default the one after the newest that has packets.
        home: the home's folder; by default DANTE_HOME of the worker.
    """
    context = open_context(home)
    days, place = context.days, str(context.home.root)
    if day is None and not days:
        raise NotEnoughDataError(f"{place} has no packets; ingest some first")
    return model(place, day if day is not None else days[-1] + timedelta(days=1))
