"""The command that shows what was refused: `quarantine`."""

from typing import Annotated

import typer

from dante.cli.options import Format, HomeOption, parse_day
from dante.cli.output import emit, say
from dante.errors import UsageError

__all__ = ["quarantine"]

_SHOWN = 100


def quarantine(
    day: Annotated[
        str | None, typer.Argument(metavar="[DAY]", help="A day as 2025-03-01; all days if none.")
    ] = None,
    home: HomeOption = None,
    form: Format = "table",
    source: Annotated[
        str | None, typer.Option("--source", help="Only of the file of this name.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many reasons.")] = 50,
) -> None:
    """Rows that were refused: each reason, how many rows have it, and one of them as it came."""
    import polars as pl

    from dante.pipeline.context import open_context
    from dante.store.refused import count_refused

    context = open_context(home)
    manifests = [m for m in context.manifests if source is None or m.source == source]
    if source is not None and not manifests:
        raise UsageError(
            f"no file named {source!r} was ingested; "
            'dante query "SELECT DISTINCT source FROM ingests" lists those that were'
        )
    frame = count_refused(context.home, manifests, parse_day(day))
    if frame.height > limit:
        say(f"{frame.height - limit:,} rarer reasons are not shown (--limit)")
    if form == "table":
        frame = frame.with_columns(pl.col("example").str.slice(0, _SHOWN))
    emit(frame.head(limit), form, empty="nothing was refused")
