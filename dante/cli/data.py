"""Commands that bring data in: `init`, `ingest`."""

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from dante.cli.options import HomeOption, Jobs, home_words
from dante.cli.output import say
from dante.cli.refusals import kept_and_refused, refuse_useless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dante.store.home import Home

__all__ = ["IngestCommand", "ingest", "init"]

_STDIN = "-"


class IngestCommand(TyperCommand):
    """`ingest`, whose help names the formats: only then are their readers loaded."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Say the help."""
        from dante.sources import FORMATS

        for parameter in self.params:
            if parameter.name == "form" and isinstance(parameter, TyperOption):
                parameter.help = f"{', '.join(FORMATS)}; auto looks at the bytes."
        super().format_help(ctx, formatter)


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
        list[str], typer.Argument(metavar="PATH…", help="Files, folders or globs; - is stdin.")
    ],
    home: HomeOption = None,
    form: Annotated[str, typer.Option("--format", help="auto looks at the bytes.")] = "auto",
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
    from dante.pipeline.context import open_context
    from dante.pipeline.ingest import Ingested, ingest_each, refuse_unread
    from dante.sources import Reading, find_files, load_mapping

    context = open_context(home)
    reading = Reading(
        format=form,
        mapping=None if mapping is None else load_mapping(mapping),
        sensor=sensor,
        tz=tz,
        year=year,
    )
    with ExitStack() as stack:
        names = {}
        if _STDIN in paths:
            names[stack.enter_context(_piped(context.home))] = "stdin"
        named = [path for path in paths if path != _STDIN]
        files = [(path, reading) for path in [*names, *(find_files(named) if named else [])]]
        notify = stack.enter_context(progress())
        every = ingest_each(context, files, jobs=jobs, again=again, notify=notify, names=names)
    results = [result for result in every if isinstance(result, Ingested)]
    parts = kept_and_refused(context.home, [result for result in results if not result.already])
    known = sum(result.already for result in results)
    days = sorted({day for result in results for day in result.manifest.rows})
    if known:
        parts.append(f"{known} of {len(results)} files were there already")
    if days:
        parts.append(f"days {days[0]} to {days[-1]}")
    if results:
        say("; ".join(parts))
    refuse_unread(every)
    refuse_useless(context.home, results)
    if days:
        say(f"next: dante backfill {days[0]} {days[-1]}{home_words(home)}")


@contextmanager
def _piped(home: "Home") -> "Iterator[Path]":
    """A file of what is piped in, while it is used."""
    from dante.errors import UsageError
    from dante.pipeline.spool import spooled

    if sys.stdin.isatty():
        raise UsageError("- reads what is piped in, and nothing is: zcat FILE | dante ingest -")
    with spooled(home, sys.stdin.buffer, "stdin") as path:
        yield path
