"""One day, stage by stage."""

from datetime import date

from prefect import flow

from dante.pipeline.context import open_context
from dante.pipeline.run import recorded
from tasks import day as stage
from tasks.policy import ensure_writer_slot, writer

__all__ = ["day", "go_through"]


def go_through(home: str, day: date, flow_name: str, *, prepared: bool = False) -> int:
    """Take one day through its stages as tasks; how many threats it had.

    Args:
        home: the home's folder.
        day: the day.
        flow_name: what `runs` shall say ran it.
        prepared: check and sequences were made just before.
    """
    context = open_context(home)
    with recorded(context, day, flow_name, keep=prepared) as clock:
        if not prepared:
            stage.check(home, day)
            stage.sequences(home, day)
        stage.model(home, day)
        stage.cluster(home, day)
        return stage.track(home, day, clock.record("completed"))


@flow(name="day", flow_run_name="day {day}", validate_parameters=True)
def day(day: date, home: str | None = None) -> int:
    """Run one day again or for the first time, and publish; how many threats it had."""
    context = open_context(home)
    place = str(context.home.root)
    context.require(day)
    ensure_writer_slot()
    with writer(), context.home.lock("pipeline", wait=60):
        try:
            return go_through(place, day, "day")
        finally:
            stage.publish(place)
