"""What runs every day after it closes: take in what arrived, then do what is not done."""

from datetime import UTC, date, datetime, timedelta

from prefect import flow
from prefect.runtime import flow_run

from dante.pipeline import open_context
from dante.store.state import open_state
from flows.backfill import catch_up
from tasks.policy import ensure_writer_slot
from tasks.sources import ingest

__all__ = ["daily"]


def _run_name() -> str:
    return f"daily {flow_run.parameters.get('day') or 'for yesterday'}"


@flow(name="daily", flow_run_name=_run_name)
def daily(day: date | None = None, home: str | None = None, jobs: int = 1) -> int:
    """Ingest, then run the day and whatever before it is missed or stale; how many days ran.

    Args:
        day: the day to have done; by default the one before the scheduled start, in UTC.
        home: the home's folder; by default DANTE_HOME of the worker.
        jobs: processes that ingest and prepare.
    """
    ensure_writer_slot()
    context = open_context(home)
    place = str(context.home.root)
    if context.settings.sources:
        ingest(place, jobs)
        context = open_context(home)
    wanted = day if day is not None else _yesterday()
    context.require(wanted)
    with open_state(context.home, wait=60) as state:
        done = [known for known in state.committed_days() if known < wanted]
    # From the first day there is, for a day in between may have come late.
    return catch_up(place, min([*done, wanted]), wanted, "daily", jobs)


def _yesterday() -> date:
    start = flow_run.scheduled_start_time or datetime.now(UTC)
    return start.astimezone(UTC).date() - timedelta(days=1)
