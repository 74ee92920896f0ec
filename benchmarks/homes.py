"""What a home holds, so that two of them, or one before and after, can be told to be equal."""

import hashlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["View", "file_digests", "published", "say"]

_PARTS: Final = ("lake/packets", "lake/quarantine", "lake/profiles", "models")
_NOTHING: Final[Mapping[str, str]] = {}


class View(NamedTuple):
    """The rows of a published view, in an order of their own, and its columns' names."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def published(home: Path, only: Mapping[str, str] = _NOTHING) -> dict[str, View]:
    """The views of a home in which nothing of a run's time is, by name.

    Args:
        home: its folder.
        only: by name of a view, a WHERE clause that its rows must meet.
    """
    from dante.store.home import Home
    from dante.store.publish import PUBLISHED, read_lineage

    found = {}
    with read_lineage(Home(home)) as con:
        for view in PUBLISHED:
            if view == "runs":
                continue
            less = "EXCLUDE (ingested_at)" if view == "ingests" else ""
            rows = con.execute(f"SELECT * {less} FROM {view} {only.get(view, '')} ORDER BY ALL")
            columns = tuple(column[0] for column in rows.description or ())
            found[view] = View(columns, rows.fetchall())
    return found


def file_digests(home: Path) -> dict[str, str]:
    """Digests of the files that nothing of a run's time is in, by path in the home."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in _PARTS
        for path in sorted((home / part).rglob("*"))
        if path.is_file()
    }


def say(what: str, began: float) -> None:
    """Print what happened, and how many seconds after `began` (of `time.monotonic`)."""
    print(f"{time.monotonic() - began:6.0f} s  {what}", file=sys.stderr, flush=True)
