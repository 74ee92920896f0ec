"""Training ahead of the day that needs it."""

from datetime import date, timedelta

from prefect import flow

from dante.errors import NotEnoughDataError
from dante.pipeline import open_context
from tasks.day import model

__all__ = ["train"]


@flow(name="train")
def train(day: date | None = None, home: str = "dante-home") -> str:
    """Train the model a day will be judged with, if it is not there; its id.

    Args:
        day: the day to be judged; by default the one after the newest that has packets.
        home: the home's folder.
    """
    days = open_context(home).days
    if day is None and not days:
        raise NotEnoughDataError(f"{home} has no packets; ingest some first")
    return model(home, day if day is not None else days[-1] + timedelta(days=1))
