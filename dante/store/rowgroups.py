"""Parquet files whose row groups are made side by side, each by a thread, and put together.

Parquet's writers make one row group after the other, and making them takes as long as all the rest
of an ingest. So each is made as a file of its own, in memory; its bytes go into the file as they
are, and its part of the footer with the places moved to where it came to lie. The bytes are those
that the writer would have made in one go.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import polars as pl

from dante.store.ahead import side_by_side
from dante.store.compact import I64, LIST, STRUCT, Struct, read_struct, write_struct

__all__ = ["write_groups"]

_T = TypeVar("_T")
_MAGIC: Final = b"PAR1"

# Values that come again and again, yet not row after row. Of others the first bytes of all, then
# the second ones and so on are put together, which is done sooner, and packs better, for many of
# them are zero or the same as those of the row before.
_DICTIONARIES: Final = ("sensor", "tcp_window", "packets", "day", "reason")
# What is as good as random gets no smaller by being packed with more care.
_RANDOM: Final = ("ts", "dst", "sport", "ip_id", "tcp_seq")
_LEVEL, _LEVEL_OF_RANDOM = 1, -3
# Of what rows are in order by, a row group has some of all values; least and most of any other
# column would say nothing.
_IN_ORDER: Final = ("src", "ts", "day", "row")

# Fields of the footer, by the numbers that Parquet's parquet.thrift gives them.
_ROWS, _GROUPS = 3, 4
_COLUMNS, _GROUP_AT, _ORDINAL = 1, 5, 7
_COLUMN_AT, _COLUMN, _COLUMN_PLACES = 2, 3, (9, 10, 11)


@dataclass(frozen=True)
class _Group:
    """A row group.

    Attributes:
        body: its bytes.
        footer: of a file of it alone, where it begins behind the four bytes of the sign.
    """

    body: memoryview
    footer: Struct


def write_groups(
    path: Path,
    items: Iterable[_T],
    table: Callable[[_T], Any],
    schema: Mapping[str, pl.DataType],
) -> None:
    """Write a Parquet file of at least one row group.

    Args:
        path: the file.
        items: what each row group is made of, in order.
        table: makes the arrow table of a row group; called in several threads.
        schema: the columns.
    """
    with path.open("wb") as out:
        at = out.write(_MAGIC)
        groups: list[Struct] = []
        footer: Struct = {}
        for group in side_by_side(lambda item: _made(table(item), schema), items):
            footer = footer or group.footer
            (one,) = group.footer[_GROUPS][1][1]
            groups.append(_moved(one, at - len(_MAGIC), len(groups)))
            at += out.write(group.body)
        rows = sum(group[_ROWS][1] for group in groups)
        end = write_struct(footer | {_ROWS: (I64, rows), _GROUPS: (LIST, (STRUCT, groups))})
        out.write(end + len(end).to_bytes(4, "little") + _MAGIC)


def _made(table: Any, schema: Mapping[str, pl.DataType]) -> _Group:
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = [name for name in schema if name not in _DICTIONARIES]
    out = pa.BufferOutputStream()
    writer = pq.ParquetWriter(
        out,
        table.schema,
        compression="zstd",
        compression_level={
            name: _LEVEL_OF_RANDOM if name in _RANDOM else _LEVEL for name in table.schema.names
        },
        use_dictionary=[name for name in schema if name in _DICTIONARIES],
        column_encoding={name: "BYTE_STREAM_SPLIT" for name in plain if _is_number(schema[name])},
        write_statistics=[name for name in schema if name in _IN_ORDER],
        store_schema=False,
    )
    with writer:
        writer.write_table(table, row_group_size=table.num_rows)
    whole = memoryview(out.getvalue())
    size = int.from_bytes(whole[-8:-4], "little")
    return _Group(whole[len(_MAGIC) : -8 - size], read_struct(bytes(whole[-8 - size : -8])))


def _is_number(kind: pl.DataType) -> bool:
    return kind.is_integer() or isinstance(kind, pl.Datetime)


def _moved(group: Struct, by: int, number: int) -> Struct:
    """A row group's part of a footer, the group being the so-manyth, so many bytes further on."""
    for column in group[_COLUMNS][1][1]:
        _move(column, _COLUMN_AT, by)
        for place in _COLUMN_PLACES:
            _move(column[_COLUMN][1], place, by)
    _move(group, _GROUP_AT, by)
    if _ORDINAL in group:
        group[_ORDINAL] = group[_ORDINAL][0], number
    return group


def _move(fields: Struct, number: int, by: int) -> None:
    kind, place = fields.get(number, (I64, 0))
    if place:  # zero is none
        fields[number] = kind, place + by
