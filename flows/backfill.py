"""Many days: prepared in parallel, tracked in order."""

from datetime import date

from prefect import flow

from dante.errors import ContractBrokenError
from dante.pipeline.backfill import forget_days, plan_backfill, publish_if_needed
from dante.pipeline.context import Context, open_context
from dante.pipeline.declared import pending_files
from dante.pipeline.progress import Step
from flows.day import go_through
from flows.spread import ingest_spread, prepare_spread
from tasks import day as stage
from tasks.policy import ensure_writer_slot, writer
from tasks.prepare import prepare
from tasks.progress import shown
from tasks.sources import ingest
from tasks.spread import dask

__all__ = ["backfill", "catch_up", "take_in"]


@flow(name="backfill", flow_run_name="backfill {first} to {last}")
def backfill(
    first: date, last: date, home: str | None = None, jobs: int = 2, on_broken: str = "stop"
) -> int:
    """Have every day of a span done, both ends included; how many days were run.

    Days already done are skipped, stale days before the span go first, and after a fault the
    same parameters go on where it stopped. A day that breaks its contract stops it, or is marked
    and skipped with `on_broken` = skip.
    """
    ensure_writer_slot()
    context = take_in(open_context(home), jobs)
    return catch_up(str(context.home.root), first, last, "backfill", jobs, on_broken)


def take_in(context: Context, jobs: int) -> Context:
    """Ingest what is new in the declared sources; the home as it is then."""
    if not context.settings.sources:
        return context
    place = str(context.home.root)
    if context.settings.compute.spread == "dask":
        files = pending_files(context)
        runner = dask(context.settings.compute, jobs)
        ingest_spread.with_options(task_runner=runner)(place, files, jobs)
    else:
        ingest(place, jobs)
    return open_context(place)


def catch_up(
    home: str, first: date, last: date, flow_name: str, jobs: int, on_broken: str = "stop"
) -> int:
    """Run what is not done of a span, in order, and publish; how many days were run."""
    context = open_context(home)
    # Held for all days: taking it anew for each costs two seconds a day.
    with writer(), context.home.lock("pipeline", wait=60):
        plan = plan_backfill(context, first, last, on_broken=on_broken)
        if plan.nothing:
            context.require(first)
        done = broken = 0
        try:
            forget_days(context, plan.gone)
            ready: set[date] = set()
            spread = context.settings.compute.spread == "dask" and bool(plan.todo)
            if spread:
                runner = dask(context.settings.compute, jobs)
                over = prepare_spread.with_options(task_runner=runner)
                ready = set(over(home, list(plan.todo), jobs))
            with shown(f"{flow_name}-progress", len(plan.todo)) as notify:
                for chunk in plan.chunks():
                    if not spread:
                        ready = set(prepare(home, list(chunk), jobs))
                    for day in chunk:
                        done += 1
                        try:
                            threats = go_through(home, day, flow_name, prepared=day in ready)
                            note = f"{day}" + (f", threats: {threats}" if threats else "")
                        except ContractBrokenError:
                            if on_broken == "stop":
                                raise
                            broken += 1
                            note = f"{day} breaks its contract: skipped"
                        notify(Step("track", done, len(plan.todo), context.packets(day), note))
                    if done < len(plan.todo):
                        stage.publish(home)
        finally:
            if plan.todo or plan.gone:
                stage.publish(home)
            publish_if_needed(context)
    return done - broken
