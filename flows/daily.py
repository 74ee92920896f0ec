"""What runs every day after it closes: take in what arrived, then do what is not done."""

from datetime import UTC, date, datetime, timedelta

from prefect import flow
from prefect.runtime import flow_run

from dante.errors import NotEnoughDataError
from dante.pipeline.backfill import first_undone, record_missing, refuse_broken
from dante.pipeline.context import open_context
from dante.pipeline.retention import prune
from flows.backfill import catch_up, take_in
from tasks.policy import ensure_writer_slot
from tasks.sources import wait_for
from tasks.webhook import tell

__all__ = ["daily"]


def _run_name() -> str:
    return f"daily {flow_run.parameters.get('day') or _yesterday()}"


@flow(name="daily", flow_run_name=_run_name)
def daily(
    day: date | None = None, home: str | None = None, jobs: int = 1, on_broken: str = "skip"
) -> int:
    """Ingest, then run the day and whatever before it is missed or stale; how many days ran.

    Days before it are caught up first. Then late sources are waited for, up to `arrival.wait_hours`
    after the day's end; the day is run with what is there, and `quality` says what was not.

    Args:
        day: the day to have done; by default the one before the scheduled start, in UTC.
        home: the home's folder; by default DANTE_HOME of the worker.
        jobs: processes that ingest and prepare.
        on_broken: what to do about a day that breaks its contract: skip it and go on, or stop.

    Raises:
        ContractBrokenError: the day itself breaks its contract.
        NotEnoughDataError: it has no packets; the days before it are done.
    """
    ensure_writer_slot()
    wanted = day if day is not None else _yesterday()
    before = wanted - timedelta(days=1)
    context = take_in(open_context(home), jobs)
    place = str(context.home.root)
    first = first_undone(context, before)
    ran = 0 if first is None else catch_up(place, first, before, "daily", jobs, on_broken)
    while wait_for(place, wanted):
        context = take_in(context, jobs)
    try:
        context.require(wanted)
    except NotEnoughDataError as error:
        record_missing(context, wanted, "daily", str(error))
        raise
    # Late packets may also have come for days before it.
    first = first_undone(context, wanted)
    ran += catch_up(place, first or wanted, wanted, "daily", jobs, on_broken)
    if context.settings.webhook.url:
        tell(place)
    prune(context)
    refuse_broken(context, wanted)
    return ran


def _yesterday() -> date:
    start = flow_run.scheduled_start_time or datetime.now(UTC)
    return start.astimezone(UTC).date() - timedelta(days=1)
