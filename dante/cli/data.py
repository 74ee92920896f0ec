"""Commands that bring data in: `init`, `ingest`, `simulate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dante.cli.options import HomeOption, Jobs, home_words, parse_day
from dante.cli.output import clean, say

if TYPE_CHECKING:
    from dante.pipeline import Ingested
    from dante.store.home import Home

__all__ = ["ingest", "init", "refuse_useless", "simulate"]


def init(home: HomeOption = None) -> None:
    """Make a home with a settings file to edit."""
    from dante.config import default_home, load_settings, settings_template

    root = home if home is not None else default_home()
    file = root / "dante.toml"
    if file.exists():
        load_settings(root)
        say(f"{file} is there already and understood; nothing was changed")
        return
    root.mkdir(parents=True, exist_ok=True)
    file.write_text(settings_template(), encoding="utf-8")
    say(f"made {file}; next: dante ingest FILE {home_words(root).lstrip()}")


def ingest(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH…", help="Files, folders or globs of packets.")
    ],
    home: HomeOption = None,
    form: Annotated[
        str, typer.Option("--format", help="auto, csv or parquet; auto looks at the bytes.")
    ] = "auto",
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", help="TOML file that says what the columns are."),
    ] = None,
    sensor: Annotated[
        str | None, typer.Option("--sensor", help="Sensor name where the file has none.")
    ] = None,
    year: Annotated[int | None, typer.Option("--year", help="Year of times without one.")] = None,
    tz: Annotated[
        str | None, typer.Option("--tz", help="Time zone of times without one, e.g. Europe/Rome.")
    ] = None,
    jobs: Jobs = 1,
    again: Annotated[
        bool, typer.Option("--again", help="Read files even if they were ingested before.")
    ] = False,
) -> None:
    """Read files of packets into the lake; what cannot be read goes to quarantine."""
    from dante.cli.progress import progress
    from dante.pipeline import ingest_files, open_context
    from dante.sources import Reading, find_files, load_mapping

    context = open_context(home)
    reading = Reading(
        format=form,
        mapping=None if mapping is None else load_mapping(mapping),
        sensor=sensor,
        tz=tz,
        year=year,
    )
    files = [(path, reading) for path in find_files(paths)]
    with progress() as notify:
        results = ingest_files(context, files, jobs=jobs, again=again, notify=notify)
    kept = sum(result.rows for result in results if not result.already)
    refused = sum(result.quarantined for result in results if not result.already)
    known = sum(result.already for result in results)
    days = sorted({day for result in results for day in result.manifest.rows})
    parts = [f"{kept:,} packets kept, {refused:,} rows quarantined"]
    if refused and kept:
        worst = max(
            (result for result in results if not result.already),
            key=lambda result: result.quarantined,
        )
        parts.append(f"most often: {clean(_commonest(context.home, worst)[0])}")
    if known:
        parts.append(f"{known} of {len(results)} files were there already")
    if days:
        parts.append(f"days {days[0]} to {days[-1]}")
    say("; ".join(parts))
    refuse_useless(context.home, results)
    if days:
        say(f"next: dante backfill {days[0]} {days[-1]}{home_words(home)}")


def refuse_useless(home: "Home", results: "list[Ingested]") -> None:
    """Name each file of which every row was refused.

    Raises:
        SourceError: there is nothing but such files, besides those that were there already.
    """
    from dante.errors import SourceError

    useless = [result for result in results if result.quarantined and not result.rows]
    told = [f"{_why(home, result)}; give a --mapping that fits its columns" for result in useless]
    if useless and all(result.already or result in useless for result in results):
        raise SourceError(told[0])
    for sentence in told:
        say(clean(sentence))


def _why(home: "Home", result: "Ingested") -> str:
    reason, rows = _commonest(home, result)
    return (
        f"{result.source}: none of its rows could be read as packets, most often: {reason} "
        f"({rows:,} rows)"
    )


def _commonest(home: "Home", result: "Ingested") -> tuple[str, int]:
    """The reason most of a file's refused rows have, and how many."""
    import polars as pl

    digest = result.manifest.digest
    files = [home.quarantine(day, digest) for day in result.manifest.quarantined]
    reasons = pl.concat(
        [pl.read_parquet(file, glob=False, hive_partitioning=False) for file in files]
    )
    common = reasons.group_by("reason").len().sort("len", "reason", descending=[True, False])
    reason, rows = common.row(0)
    return str(reason), int(rows)


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.")],
    days: Annotated[int, typer.Option("--days", help="How many days.")] = 14,
    senders: Annotated[int, typer.Option("--senders", help="Senders a day, about.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")] = 7,
    first: Annotated[str, typer.Option("--first-day", help="The first day.")] = "2025-03-01",
) -> None:
    """Write packets of a simulated telescope with planted campaigns, and the truth beside it."""
    from dante.simulate import Scenario
    from dante.simulate import simulate as simulate_to

    first_day = parse_day(first)
    assert first_day is not None
    paths = simulate_to(Scenario(days=days, senders=senders, seed=seed, first_day=first_day), out)
    say(f"packets in {paths.packets}, the truth in {paths.members.parent}")
    say(f"next: dante ingest {paths.packets}")
