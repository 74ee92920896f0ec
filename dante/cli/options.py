"""Options and arguments that several commands share."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dante.errors import DanteError, UsageError

if TYPE_CHECKING:
    from dante.store.home import Home

__all__ = [
    "Day",
    "Direct",
    "Format",
    "HomeOption",
    "Jobs",
    "home_words",
    "parse_day",
    "published_home",
    "understood",
]


def parse_day(text: str | None) -> date | None:
    """A day as ISO text.

    Raises:
        UsageError: it is no day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day; write it as 2025-03-01") from None


def home_words(home: Path | None) -> str:
    """The words that name the same home in the next command, with a space before them."""
    return "" if home is None else f" --home {shlex.quote(str(home))}"


def published_home(home: Path | None) -> "Home":
    """The home whose publication is asked."""
    from dante.config import load_settings
    from dante.store.home import Home

    return Home(load_settings(home).home)


@contextmanager
def understood(home: "Home") -> Iterator[None]:
    """Say of a published database that refuses our own questions what it is and what to do."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise DanteError(
            f"{home.lineage} is damaged or not ours ({str(error).splitlines()[0][:200]}); "
            "delete it and run `dante backfill`, which publishes it anew"
        ) from None


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="The folder everything is kept in (or DANTE_HOME).",
        show_default="dante-home",
    ),
]
Format = Annotated[
    str,
    typer.Option("--format", help="How to print: table, json or csv.", metavar="table|json|csv"),
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Processes that work at the same time.")]
Day = Annotated[str, typer.Argument(metavar="DAY", help="A day as 2025-03-01.")]
Direct = Annotated[
    bool | None,
    typer.Option(
        "--prefect/--no-prefect",
        help="Run as a Prefect flow, or directly. By default a flow where PREFECT_API_URL is set.",
        show_default=False,
    ),
]
