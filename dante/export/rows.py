"""Published views as CSV and Parquet, a day or track at a time, which bounds memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
import pyarrow.parquet as pq

from dante.errors import UsageError
from dante.store.home import Home, write_whole
from dante.store.publish import PUBLISHED, read_lineage

__all__ = ["VIEWS", "csv_of", "flat", "frames", "write_parquet"]

VIEWS: Final = PUBLISHED
# What spreadsheets take for the beginning of a formula, full-width forms included.
_FORMULA: Final = "^[=+\\-@\t\r\n＝＋－＠]"


def frames(con: duckdb.DuckDBPyConnection, view: str) -> Iterator[pl.DataFrame]:
    """The rows of a view in a total order, in frames of a day or track; at least one frame.

    Raises:
        UsageError: there is no such view.
    """
    if view not in VIEWS:
        raise UsageError(f"there is no view {view!r}; choose one of {', '.join(VIEWS)}")
    columns = [row[0] for row in con.execute(f"DESCRIBE {view}").fetchall()]
    part = next((name for name in ("day", "track_id") if name in columns), None)
    if part is None:
        yield con.sql(f"FROM {view} ORDER BY ALL").pl()
        return
    yield con.sql(f"FROM {view} WHERE {part} IS NULL ORDER BY ALL").pl()
    parts = con.execute(f"SELECT DISTINCT {part} FROM {view} WHERE {part} IS NOT NULL ORDER BY 1")
    for (each,) in parts.fetchall():
        yield con.sql(f"FROM {view} WHERE {part} = $1 ORDER BY ALL", params=[each]).pl()


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with lists and structs as JSON text."""
    return frame.with_columns(
        pl.Series(name, [None if v is None else json.dumps(v, default=str) for v in held.to_list()])
        for name, held in ((name, frame[name]) for name in frame.columns)
        if held.dtype.is_nested()
    )


def csv_of(home: Home, view: str, *, raw: bool = False) -> Iterator[str]:
    """A view as CSV, in pieces.

    Args:
        home: whose publication.
        view: one of `VIEWS`.
        raw: text stays as it is; otherwise text that a spreadsheet would take for a formula gets
            a `'` before it.

    Raises:
        NotEnoughDataError: nothing is published.
        UsageError: there is no such view.
    """
    with read_lineage(home) as con:
        for number, frame in enumerate(frames(con, view)):
            frame = flat(frame)
            if not raw:
                text = pl.col(pl.String)
                frame = frame.with_columns(text.str.replace(_FORMULA, "'${0}"))
            yield frame.write_csv(include_header=number == 0)


def write_parquet(home: Home, view: str, out: Path) -> None:
    """Write a view as Parquet, whole or not at all.

    Raises:
        NotEnoughDataError: nothing is published.
        UsageError: there is no such view.
    """
    with read_lineage(home) as con, write_whole(out) as path:
        writer = None
        try:
            for frame in frames(con, view):
                table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
                if writer is None:
                    writer = pq.ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
