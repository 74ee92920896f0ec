"""Commands that do the work of days: `run`, `backfill`, `train`, `rewind`."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dante.cli.options import Day, Direct, Format, HomeOption, Jobs, parse_day
from dante.cli.output import emit, say

if TYPE_CHECKING:
    from dante.pipeline.context import Context

__all__ = ["backfill", "rewind", "run", "train"]


def _through_prefect(wanted: bool | None) -> bool:
    return bool(os.environ.get("PREFECT_API_URL")) if wanted is None else wanted


def run(day: Day, home: HomeOption = None, prefect: Direct = None) -> None:
    """Run one day; if it was run before it is replaced, and later days become stale."""
    from dante.cli.progress import progress
    from dante.pipeline.context import open_context
    from dante.pipeline.run import run_day

    wanted = parse_day(day)
    assert wanted is not None
    context = open_context(home)
    context.require(wanted)
    with progress():
        if _through_prefect(prefect):
            from flows.local import run_flow

            run_flow("day", day=wanted, home=str(context.home.root))
        else:
            run_day(context, wanted)
    _tell_day(context.home.root, wanted.isoformat())


def _tell_day(root: Path, day: str) -> None:
    from dante.store.home import Home
    from dante.store.publish import read_lineage

    with read_lineage(Home(root)) as con:
        row = con.execute(
            "SELECT packets, senders, clusters, tracks_active, births, "
            "(SELECT count(*) FROM threats WHERE day = daily.day) FROM daily WHERE day = ?",
            [day],
        ).fetchone()
    assert row is not None
    packets, senders, clusters, tracks, births, threats = row
    say(
        f"{day}: {packets:,} packets, {senders:,} senders, {clusters} clusters in {tracks} tracks, "
        f"{births} born, {threats} threats"
    )


def backfill(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="First day, as 2025-03-01.")],
    last: Annotated[str, typer.Argument(metavar="LAST", help="Last day, included.")],
    home: HomeOption = None,
    jobs: Jobs = 2,
    on_broken: Annotated[
        str,
        typer.Option(
            "--on-broken",
            metavar="stop|skip",
            help="At a day that breaks its contract: stop, or skip it and mark it broken.",
        ),
    ] = "stop",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, day by day.")
    ] = False,
    form: Format = "table",
    prefect: Direct = None,
) -> None:
    """Have every day of a span done; days already done are skipped."""
    from dante.cli.progress import progress
    from dante.pipeline.backfill import backfill as backfill_days
    from dante.pipeline.backfill import plan_backfill
    from dante.pipeline.context import open_context
    from dante.pipeline.declared import ingest_declared

    first_day, last_day = parse_day(first), parse_day(last)
    assert first_day is not None and last_day is not None
    if dry_run:
        _tell_plan(open_context(home), first_day, last_day, on_broken, form)
        return
    with progress() as notify:
        context = open_context(home)
        through = _through_prefect(prefect)
        # A flow takes in what arrived itself, where a cluster does it.
        here = not (through and context.settings.compute.spread == "dask")
        if here and context.settings.sources:
            ingest_declared(context, jobs=jobs, notify=notify)
            context = open_context(home)
        if through:
            from flows.local import run_flow

            before = plan_backfill(context, first_day, last_day, on_broken=on_broken)
            run_flow(
                "backfill",
                first=first_day,
                last=last_day,
                home=str(context.home.root),
                jobs=jobs,
                on_broken=on_broken,
            )
            # A flow gives back only how many days it ran: what is done now and was not did run.
            after = plan_backfill(open_context(home), first_day, last_day, on_broken=on_broken)
            early = [day for day in before.todo if day < first_day]
            new = [day for day in after.done if day not in set(before.done)]
            plan = replace(after, todo=(*early, *new), done=before.done)
        else:
            plan = backfill_days(
                context, first_day, last_day, jobs=jobs, on_broken=on_broken, notify=notify
            )
    skipped = set(plan.broken)
    ran = [day for day in plan.todo if day not in skipped]
    early = [day for day in ran if day < first_day]
    parts = [f"{len(ran)} days done, {len(plan.done)} were done already"]
    if skipped:
        parts.append(f"{len(skipped)} break their contract and were skipped (`dante status`)")
    if early:
        parts.append(f"{len(early)} stale days before {first_day} went first")
    if plan.missing:
        parts.append(
            f"{len(plan.missing)} days have no packets ({plan.missing[0]} to {plan.missing[-1]})"
        )
    say("; ".join(parts))


def _tell_plan(context: "Context", first: date, last: date, on_broken: str, form: str) -> None:
    """Show what a backfill would do with each day."""
    import polars as pl

    from dante.pipeline.backfill import plan_backfill
    from dante.pipeline.declared import pending_files

    plan = plan_backfill(context, first, last, on_broken=on_broken)
    acts = (
        ("run", plan.todo),
        ("skip, done", plan.done),
        ("skip, broken", plan.broken),
        ("take back, its packets are gone", plan.gone),
        ("none, no packets", plan.missing),
    )
    rows = sorted((day, act, context.packets(day)) for act, days in acts for day in days)
    schema = {"day": pl.Date, "action": pl.String, "packets": pl.Int64}
    emit(pl.DataFrame(rows, schema=schema, orient="row"), form, empty="no days")
    waiting = pending_files(context) if context.settings.sources else []
    if waiting:
        say(f"{len(waiting)} files of declared sources would be ingested first, and may add days")
    packets = sum(context.packets(day) for day in plan.todo)
    say(f"would run {len(plan.todo)} days of {packets:,} packets; nothing was changed")


def train(
    day: Annotated[
        str | None,
        typer.Argument(
            metavar="[DAY]", help="The day to judge; by default the day after the newest."
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Train the model a day will be judged with, if it is not there yet."""
    from datetime import timedelta

    from dante.errors import NotEnoughDataError
    from dante.pipeline.context import open_context
    from dante.pipeline.stages import model, plan_training

    context = open_context(home)
    wanted = parse_day(day)
    if wanted is None:
        if not context.days:
            raise NotEnoughDataError(f"{context.home.root} has no packets; ingest some first")
        wanted = context.days[-1] + timedelta(days=1)
    there = (context.home.models / plan_training(context, wanted).model_id).is_dir()
    model_id = model(context, wanted)
    say(f"{model_id} {'was there already' if there else 'trained'}; it judges {wanted}")


def rewind(day: Day, home: HomeOption = None) -> None:
    """Take back a day and all after it; packets and models stay, a backfill makes them again."""
    from dante.pipeline.context import open_context
    from dante.pipeline.run import rewind as rewind_to

    wanted = parse_day(day)
    assert wanted is not None
    gone = rewind_to(open_context(home), wanted)
    if gone:
        say(f"took back {len(gone)} days, {gone[0]} to {gone[-1]}")
    else:
        say(f"no day from {wanted} on was done; nothing was changed")
