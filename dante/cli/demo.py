"""`dante demo`: the whole of it, on a simulated telescope or on a file."""

from pathlib import Path
from typing import Annotated

import typer

from dante.cli import look
from dante.cli.output import say
from dante.cli.refusals import refuse_useless

__all__ = ["demo"]


def demo(
    source: Annotated[
        str | None,
        typer.Option("--input", help="A file or folder of packets; without it they are simulated."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="What the columns of a CSV are.")
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where to put everything.")] = Path(
        "demo"
    ),
    days: Annotated[int, typer.Option("--days", min=2, help="Days to simulate.")] = 14,
    senders: Annotated[int, typer.Option("--senders", help="Senders a day, about.")] = 2000,
    prefect: Annotated[
        bool, typer.Option("--prefect/--no-prefect", help="Backfill as a Prefect flow.")
    ] = True,
) -> None:
    """Simulate a telescope (or take a file), find its campaigns, show the threats."""
    from dante.cli.progress import progress
    from dante.pipeline.backfill import backfill
    from dante.pipeline.context import open_context
    from dante.pipeline.ingest import ingest_files
    from dante.report import write_report
    from dante.sources import Reading, find_files, load_mapping
    from dante.store.publish import read_lineage

    home = folder / "home"
    if source is None:
        packets = _simulated(folder, days, senders)
    else:
        packets = source
        home = folder / "home-of-input"
    reading = Reading(mapping=None if mapping is None else load_mapping(mapping))
    with progress() as notify:
        context = open_context(home)
        files = [(path, reading) for path in find_files([packets])]
        results = ingest_files(context, files, notify=notify)
        context = open_context(home)
        span = context.days
        refuse_useless(context.home, results)
        if prefect:
            say("starting a Prefect server of its own for the backfill (about 20 seconds) …")
            from flows.local import run_flow

            run_flow("backfill", first=span[0], last=span[-1], home=str(home), jobs=1)
        else:
            backfill(context, span[0], span[-1], jobs=1, notify=notify)
    kept, refused = (sum(getattr(r, k) for r in results) for k in ("rows", "quarantined"))
    say(f"\n{kept:,} packets of {len(span)} days, {refused:,} rows in quarantine. The threats:\n")
    look.threats(home=home, form="table", day=None, since=None, limit=12)
    with read_lineage(context.home) as con:
        row = con.execute(
            "SELECT name FROM tracks ORDER BY track_id IN (SELECT track_id FROM lineage "
            "WHERE event IN ('recur', 'split', 'merge')) DESC, senders DESC, track_id LIMIT 1"
        ).fetchone()
    if row is not None:
        say("\nThe life of one track:\n")
        look.lineage(row[0], home=home, form="table", every=False)
    report = folder / ("report.html" if source is None else "report-of-input.html")
    write_report(context.home, report)
    say(f"\nThe report: open {report} in a browser. What to type next:")
    say(f"  .venv/bin/dante tracks --home {home}")
    say(f"  .venv/bin/dante query 'SELECT * FROM daily' --home {home}")
    if source is None:
        say(f"  .venv/bin/dante evaluate {folder / 'telescope' / 'truth'} --home {home}")


def _simulated(folder: Path, days: int, senders: int) -> str:
    from dante.simulate import Scenario, simulate

    telescope = folder / "telescope"
    packets = telescope / "packets"
    if not packets.is_dir():
        say(f"simulating a telescope: {days} days, about {senders:,} senders a day …")
        simulate(Scenario(days=days, senders=senders), telescope)
    return str(packets)
