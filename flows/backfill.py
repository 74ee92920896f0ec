"""Many days: prepared in parallel, tracked in order."""

from datetime import date

from prefect import flow

from dante.pipeline import open_context, plan_backfill
from dante.pipeline.backfill import forget_days, publish_if_needed
from dante.pipeline.progress import LISTENER, Step
from flows.day import go_through
from tasks import day as stage
from tasks.policy import ensure_writer_slot, writer
from tasks.prepare import prepare
from tasks.sources import ingest

__all__ = ["backfill", "catch_up"]

# Days prepared at a time: what one task does, and what is lost when it is stopped.
_CHUNK = 30


@flow(name="backfill", flow_run_name="backfill {first} to {last}")
def backfill(first: date, last: date, home: str | None = None, jobs: int = 2) -> int:
    """Have every day of a span done, both ends included; how many days were run.

    Days already done are skipped, stale days before the span go first, and after a fault the
    same parameters go on where it stopped.
    """
    ensure_writer_slot()
    context = open_context(home)
    place = str(context.home.root)
    if context.settings.sources:
        ingest(place, jobs)
    return catch_up(place, first, last, "backfill", jobs)


def catch_up(home: str, first: date, last: date, flow_name: str, jobs: int) -> int:
    """Run what is not done of a span, in order, and publish; how many days were run."""
    context = open_context(home)
    # Held for all days: taking it anew for each costs two seconds a day.
    with writer(), context.home.lock("pipeline", wait=60):
        plan = plan_backfill(context, first, last)
        if not plan.todo and not plan.done and not plan.gone:
            context.require(first)
        try:
            forget_days(context, plan.gone)
            for start in range(0, len(plan.todo), _CHUNK):
                chunk = list(plan.todo[start : start + _CHUNK])
                ready = set(prepare(home, chunk, jobs))
                for done, day in enumerate(chunk, start + 1):
                    threats = go_through(home, day, flow_name, prepared=day in ready)
                    note = f"{day}" + (f", threats: {threats}" if threats else "")
                    LISTENER.get()(Step("track", done, len(plan.todo), context.packets(day), note))
        finally:
            if plan.todo or plan.gone:
                stage.publish(home)
            publish_if_needed(context, changed=False)
    return len(plan.todo)
