"""Parquet files with canonical column names, or others by a mapping."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from dante.errors import SourceError
from dante.sources.batch import Batch
from dante.sources.columns import choose_columns
from dante.sources.interpret import interpret, rules
from dante.sources.mapping import Mapping
from dante.sources.reading import Reading

__all__ = ["read_parquet"]


def read_parquet(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a Parquet file, at most `rows_per_batch` rows each.

    A refused row is kept as JSON of the columns that are read, under their names in the file.

    Raises:
        SourceError: it is no Parquet file or damaged, lacks a column, or a column has a type
            that cannot hold what is read from it.
        ConfigError: the reading's zone, default protocol or year is missing or unknown.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rule = rules(reading)
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{path}: not a readable Parquet file ({_first(error)})") from error
    with file:
        names = file.schema_arrow.names
        chosen = {
            field: names[index]
            for field, index in choose_columns(path, names, reading.mapping or Mapping()).items()
        }
        columns = list(dict.fromkeys(chosen.values()))  # two fields may be read from one
        for name in columns:  # Polars has no such type, and panics
            if pa.types.is_decimal256(file.schema_arrow.field(name).type):
                raise SourceError(f"{path}: column {name!r} is a decimal of 256 bits; 128 are read")
        row = 0
        batches = file.iter_batches(batch_size=rows_per_batch, columns=columns, use_threads=True)
        while True:
            try:
                arrow = next(batches, None)
                if arrow is None:
                    return
                whole = _frame(arrow)
            except (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
                raise SourceError(
                    f"{path}: damaged after row {row:,} ({_first(error)}); none of it can be used"
                ) from error
            frame = whole.select(
                pl.int_range(row + 1, row + 1 + whole.height, dtype=pl.UInt64).alias("row"),
                *(_plain(path, field, name, whole.schema[name]) for field, name in chosen.items()),
            )
            if frame.height:
                yield interpret(frame, rule, _Json(whole, columns))
            row += frame.height


class _Json:
    """Rows of a frame as compact JSON."""

    def __init__(self, frame: pl.DataFrame, names: list[str]) -> None:
        self._frame = frame
        self._names = names

    def __call__(self, positions: pl.Series) -> list[str]:
        if not positions.len():
            return []
        rows = self._frame.select(self._names)[positions]
        return rows.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()


def _frame(batch: Any) -> pl.DataFrame:
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(_text(c) for c in frame.get_columns() if c.dtype == pl.Binary)


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _text(values: pl.Series) -> pl.Series:
    """Bytes as text; what is not UTF-8 becomes U+FFFD, so that the row is refused, not lost."""
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [None if v is None else v.decode("utf-8", errors="replace") for v in values]
        return pl.Series(values.name, texts, dtype=pl.String)


def _plain(path: Path, field: str, name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as text, whole numbers, floats or (`ts` only) datetimes."""
    column = pl.col(name).alias(field)
    if dtype == pl.String or dtype.is_integer() or dtype.is_float():
        return column.cast(pl.String) if field == "sensor" else column
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Decimal) or dtype == pl.Null:
        return column.cast(pl.String)
    if field == "ts" and isinstance(dtype, pl.Datetime):
        return column
    raise SourceError(f"{path}: column {name!r} is {dtype}, which cannot be read as {field!r}")
