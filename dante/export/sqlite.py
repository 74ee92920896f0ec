"""A SQLite copy, for datasette and whatever else does not speak DuckDB."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import UsageError
from dante.export.rows import VIEWS, flat, frames
from dante.store.home import Home, write_whole
from dante.store.publish import read_lineage

__all__ = ["write_sqlite"]

_INDEXES: Final = {
    "memberships": ("src, day", "track_id, day"),
    "lineage": ("track_id, day",),
    "track_days": ("track_id, day", "day"),
    "threats": ("day", "track_id"),
}


def write_sqlite(home: Home, out: Path, views: Sequence[str] = VIEWS) -> None:
    """Write views as the tables of a SQLite database, whole or not at all.

    Days and times are ISO text. `track_id` refers to `tracks`, so that datasette links them.

    Raises:
        NotEnoughDataError: nothing is published.
        UsageError: there is no such view.
    """
    for view in views:
        if view not in VIEWS:
            raise UsageError(f"there is no view {view!r}; choose from {', '.join(VIEWS)}")
    with (
        read_lineage(home) as con,
        write_whole(out) as path,
        closing(sqlite3.connect(path, isolation_level=None)) as copy,
    ):
        # The file is nobody's until it is whole: no journal is needed.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        for view in views:
            copy.execute("BEGIN")
            made = False
            for frame in frames(con, view):
                if not made:
                    copy.execute(_table(view, frame.schema, linked="tracks" in views))
                    made = True
                marks = ", ".join("?" * frame.width)
                copy.executemany(f"INSERT INTO {view} VALUES ({marks})", _plain(frame).iter_rows())
            copy.execute("COMMIT")
            for number, columns in enumerate(_INDEXES.get(view, ())):
                copy.execute(f"CREATE INDEX {view}_{number} ON {view} ({columns})")


def _table(view: str, schema: pl.Schema, *, linked: bool) -> str:
    parts = []
    for name, dtype in schema.items():
        kind = "TEXT"
        if dtype.is_integer() or dtype == pl.Boolean:
            kind = "INTEGER"
        elif dtype.is_float():
            kind = "REAL"
        part = f'"{name}" {kind}'
        if name == "track_id" and view == "tracks":
            part += " PRIMARY KEY"
        elif name in ("track_id", "related_track_id") and linked:
            part += " REFERENCES tracks(track_id)"
        parts.append(part)
    return f"CREATE TABLE {view} ({', '.join(parts)})"


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Only what SQLite knows; its integers are signed, and no global address needs the 64th bit."""
    return flat(frame).with_columns(
        pl.col(pl.Date).dt.to_string("iso"),
        pl.col(pl.Datetime).dt.to_string("iso:strict"),
        pl.col(pl.Boolean).cast(pl.Int8),
        pl.col(pl.UInt64).reinterpret(signed=True),
    )
