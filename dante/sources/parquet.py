"""Parquet files with canonical column names, or others by a mapping."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from dante.errors import SourceError
from dante.schema import PACKETS
from dante.sources.batch import MAX_RAW, Batch, gather, refuse
from dante.sources.columns import choose_columns
from dante.sources.format import Format, Head
from dante.sources.interpret import Rules, interpret, rules
from dante.sources.mapping import Mapping
from dante.sources.reading import Reading
from dante.sources.streams import FREE, RATIO

__all__ = ["FORMAT", "read_parquet"]

_BUFFER: Final = 1 << 20
_ROWS: Final = 1 << 17
_TEXTS: Final = 1 << 14
_SHORT: Final = 1 << 10
_FREE_ROWS: Final = 1 << 27


def read_parquet(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a Parquet file, at most `rows_per_batch` rows each.

    A refused row is kept as JSON of the columns that are read, under their names in the file.

    Raises:
        SourceError: it is no Parquet file or damaged before its first row, lacks a column, or a
            column has a type that cannot hold what is read from it.
        ConfigError: the reading's zone, default protocol or year is missing or unknown.
    """
    return gather(_batches(path, reading, rules(reading), rows_per_batch), rows_per_batch)


def _batches(path: Path, reading: Reading, rule: Rules, limit: int) -> Iterator[Batch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, buffer_size=_BUFFER)
        names = file.schema_arrow.names
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{path}: not a readable Parquet file ({_first(error)})") from error
    with file:
        chosen = {
            field: names[index]
            for field, index in choose_columns(path, names, reading.mapping or Mapping()).items()
        }
        columns = list(dict.fromkeys(chosen.values()))  # two fields may be read from one
        kinds = {name: file.schema_arrow.field(name).type for name in columns}
        for name, kind in kinds.items():  # Polars has no such type, and panics
            if pa.types.is_decimal256(kind):
                raise SourceError(f"{path}: column {name!r} is a decimal of 256 bits; 128 are read")
    texts = [name for name, kind in kinds.items() if _is_text(kind)]
    try:
        most = _check_size(path, file.metadata, set(columns))
    except (pa.ArrowException, OSError, ValueError) as error:  # a name may be no text
        raise SourceError(f"{path}: not a readable Parquet file ({_first(error)})") from error
    row = written = 0
    arrows = _arrows(path, columns, texts)
    while True:
        try:
            arrow = next(arrows, None)
            if arrow is None:
                return
            parts, bytes_written = _spelled(arrow, limit, most - written)
            wholes = [_frame(part) for part in parts]
        except (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
            yield _damaged(path, row, _first(error))
            return
        for whole in wholes:
            frame = whole.select(
                pl.int_range(row + 1, row + 1 + whole.height, dtype=pl.UInt64).alias("row"),
                *(_plain(path, f, name, whole.schema[name]) for f, name in chosen.items()),
            )
            yield interpret(frame, rule, _Json(whole, columns))
            row += frame.height
        written += bytes_written
        if written > most:
            yield _damaged(
                path, row, f"its texts are more than {most:,} bytes, the most that is read"
            )
            return


def _arrows(path: Path, columns: list[str], texts: list[str]) -> Iterator[Any]:
    """The file's record batches; texts are dictionaries where they may repeat long ones.

    Written out, a text of a megabyte that a million rows name by its number is a terabyte.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with (
        pq.ParquetFile(path, buffer_size=_BUFFER) as plain,
        pq.ParquetFile(path, buffer_size=_BUFFER, read_dictionary=texts) as packed,
    ):
        for group in range(plain.metadata.num_row_groups):
            longest = 0
            if texts:
                for first in packed.iter_batches(1, row_groups=[group], columns=texts):
                    lengths = [pc.binary_length(column.dictionary) for column in first.columns]
                    longest = max(pc.max(each).as_py() or 0 for each in lengths)
                    break
            file = packed if longest > _SHORT else plain
            size = _TEXTS if texts else _ROWS
            yield from file.iter_batches(size, row_groups=[group], columns=columns)


def _check_size(path: Path, metadata: Any, columns: set[str]) -> int:
    """How many bytes a file may expand to, which by its footer it does not exceed."""
    size = path.stat().st_size
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    expanded = sum(
        group.column(i).total_uncompressed_size
        for group in groups
        for i in range(group.num_columns)
        if group.column(i).path_in_schema in columns
    )
    most = max(FREE, RATIO * size)
    if expanded > most or metadata.num_rows > max(_FREE_ROWS, RATIO * size):
        raise SourceError(
            f"{path}: {size:,} bytes that expand to {metadata.num_rows:,} rows, or {expanded:,} "
            "bytes; this is more than is read of them"
        )
    return most


def _damaged(path: Path, row: int, why: str) -> Batch:
    if not row:
        raise SourceError(f"{path}: damaged before the first row ({why})")
    refused = refuse(
        pl.Series([None], dtype=pl.Date),
        pl.Series([row + 1], dtype=pl.UInt64),
        [""],
        pl.Series(
            [f"the file is damaged after row {row:,} or within the rows that follow ({why})"]
        ),
    )
    return Batch(pl.DataFrame(schema=PACKETS), refused)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(test(kind) for test in (*tests, pa.types.is_large_binary))


def _spelled(batch: Any, limit: int, most: int) -> tuple[list[Any], int]:
    """A batch with its texts written out, in parts of at most `limit` rows; their bytes.

    Where they are more than `most`, only the rows before.
    """
    import pyarrow as pa

    columns, weight = [], np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            column, lengths = _shortened(column)
            weight += lengths
        columns.append(column)
    total = np.cumsum(weight)
    rows = int(np.searchsorted(total, most, "right"))
    parts = [
        pa.RecordBatch.from_arrays(
            [
                part.dictionary_decode() if pa.types.is_dictionary(part.type) else part
                for part in (column.slice(start, min(limit, rows - start)) for column in columns)
            ],
            names=batch.schema.names,
        )
        for start in range(0, rows, limit)
    ]
    return parts, int(total[-1]) if total.size else 0


def _shortened(column: Any) -> tuple[Any, Any]:
    """A dictionary column with no text longer than is shown of it, and the bytes there were."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = column.dictionary.cast(pa.large_binary())
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
    if (lengths > MAX_RAW).any():
        # The end says that it is none: a long number must not become a short one.
        texts = (value.as_py() for value in values)
        short = [text[:MAX_RAW] + b"\xff" if len(text) > MAX_RAW else text for text in texts]
        values = pa.array(short, pa.large_binary())
    indices = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
    weight = lengths[indices] if lengths.size else np.zeros(len(column), dtype=np.int64)
    return pa.DictionaryArray.from_arrays(column.indices, values), weight


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
    import pyarrow as pa

    # A damaged page may hold text that is none, which Polars would take on trust.
    kinds = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
    columns = [column.cast(kinds.get(column.type, column.type)) for column in batch.columns]
    frame = pl.from_arrow(pa.RecordBatch.from_arrays(columns, names=batch.schema.names))
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(_text(c) for c in frame.get_columns() if c.dtype == pl.Binary)


def _first(error: Exception) -> str:
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return "".join(char if char.isprintable() else "?" for char in text)


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


def _looks(head: Head) -> bool:
    return head.data.startswith(b"PAR1") and head.packed is None


FORMAT: Final = Format("parquet", _looks, "begins with PAR1", read_parquet)
