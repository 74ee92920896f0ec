"""Packets as records of a fixed size: what is sorted, spilt and merged on its way to the lake.

A row of a data frame lies in a dozen places, so to put rows in order costs as many misses of the
processor's cache for each; a record is moved in one piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import PACKETS

__all__ = [
    "BIT",
    "RECORD",
    "Extent",
    "Names",
    "Packed",
    "Records",
    "blocks",
    "joined",
    "pack",
    "to_table",
]

Records = npt.NDArray[Any]
_Array = npt.NDArray[Any]

_NULLS: Final = "nulls"
_LATEST: Final = (1 << 63) - 1
# Packets whose fields are written or read one field after the other: they fit into a processor's
# cache.
_BLOCK: Final = 1 << 13
BIT: Final = {name: np.uint16(1 << place) for place, name in enumerate(PACKETS)}
"""What the field `nulls` of a record has for each column that is null."""


# A text is its number in `Names`. Nothing is asked of Polars here: its threads would be started by
# an import, and a process forked after that hangs.
_FIELDS: Final[dict[type, np.dtype[Any]]] = {
    pl.String: np.dtype(np.uint32),
    pl.Datetime: np.dtype(np.int64),
}


def _record() -> np.dtype[Any]:
    """A field for each column, the widest first, and one of a bit for each column that is null."""
    kinds = {
        name: _FIELDS.get(type(kind)) or np.dtype(str(kind).lower())
        for name, kind in PACKETS.items()
    }
    kinds[_NULLS] = np.dtype(np.uint16)
    widest = sorted(kinds.items(), key=lambda field: -field[1].itemsize)
    return np.dtype(widest, align=True)


RECORD: Final = _record()
"""A packet; a field that is null has any value."""

_PLAIN: Final = np.dtype(f"V{RECORD.itemsize}")
"""A record as nothing but its bytes: numpy copies those at once, where it would copy the fields of
a record one by one, which takes twenty times as long."""

_TEXTS: Final = tuple(name for name, kind in PACKETS.items() if kind == pl.String)


@dataclass
class Names:
    """Numbers for texts, in the order in which they were met."""

    texts: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def numbers(self, column: pl.Series) -> int | _Array:
        """The number of each text, or of all if they are one; of a null any."""
        if not column.null_count() and bool((column == column[0]).all()):
            return self.number(column[0])
        import pyarrow as pa

        arrow = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        encoded: Any = arrow.dictionary_encode()
        known = [self.number(text) for text in encoded.dictionary.to_pylist()]
        places = encoded.indices.fill_null(pa.scalar(0, encoded.indices.type)).to_numpy()
        found: _Array = np.array(known, np.uint32)[places]
        return found

    def number(self, text: str) -> int:
        """The number of a text."""
        number = self._numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number


@dataclass(frozen=True)
class Extent:
    """What can be told of records as a whole.

    Attributes:
        some: the bits of the columns of which some values are null.
        every: of those that all are.
        first, last: the earliest and the latest `ts`; with no records, the latest is earlier.
    """

    some: int = 0
    every: int = (1 << 16) - 1
    first: int = _LATEST
    last: int = -_LATEST

    @classmethod
    def of(cls, nulls: _Array, ts: _Array) -> "Extent":
        """That of records with these values."""
        if not ts.size:
            return cls()
        some, every = np.bitwise_or.reduce(nulls), np.bitwise_and.reduce(nulls)
        return cls(int(some), int(every), int(ts.min()), int(ts.max()))

    def __or__(self, other: "Extent") -> "Extent":
        """That of both together."""
        return Extent(
            self.some | other.some,
            self.every & other.every,
            min(self.first, other.first),
            max(self.last, other.last),
        )


@dataclass(frozen=True)
class Packed:
    """Canonical packets as records.

    Attributes:
        records: of the type `RECORD`.
        texts: what their numbers of texts stand for.
        known: their extent, if whoever made them has looked: later it is a way through memory.
    """

    records: Records
    texts: Sequence[str]
    known: Extent | None = None

    @property
    def height(self) -> int:
        """How many there are."""
        return self.records.size

    def slice(self, start: int, length: int) -> "Packed":
        """At most so many of them, from `start` on."""
        if not start and length >= self.height:
            return self
        return Packed(self.records[start : start + length], self.texts)

    def frame(self, *columns: str) -> pl.DataFrame:
        """These columns of the packets; all, if none is named."""
        frame = pl.from_arrow(to_table(self.records, self.texts, columns or tuple(PACKETS)))
        assert isinstance(frame, pl.DataFrame), "a table is a frame"
        return frame

    def without(self, rows: npt.NDArray[np.int64], known: Extent | None = None) -> "Packed":
        """All but these rows; `known` is the extent of the others."""
        kept = np.ones(self.height, np.bool_)
        kept[rows] = False
        return Packed(self.records.view(_PLAIN)[kept].view(RECORD), self.texts, known)

    @cached_property
    def extent(self) -> Extent:
        """What can be told of all of them."""
        return self.known or Extent.of(self.records[_NULLS], self.records["ts"])


def pack(packets: pl.DataFrame | Packed, names: Names, records: Records) -> Extent:
    """Write canonical packets into as many records; their extent."""
    if isinstance(packets, Packed):
        records.view(_PLAIN)[:] = packets.records.view(_PLAIN)
        known = [names.number(text) for text in packets.texts]
        if known != list(range(len(known))):
            for name in _TEXTS:
                records[name] = np.array(known, RECORD[name])[records[name]]
        return packets.extent
    columns: dict[str, int | _Array] = {}
    nulls: _Array | None = None
    every = np.uint16(0)
    for name in PACKETS:
        column = packets[name]
        lost = column.null_count()
        if lost == packets.height:
            every |= BIT[name]
            continue
        if column.dtype == pl.String:
            columns[name] = names.numbers(column)
        else:
            columns[name] = _values(column, RECORD[name])
        if lost:
            own = column.is_null().to_numpy() * BIT[name]
            nulls = own if nulls is None else nulls | own
    columns[_NULLS] = bits = int(every) if nulls is None else nulls | every
    for part in blocks(packets.height):
        block = records[part]
        for name, values in columns.items():
            block[name] = values if isinstance(values, int) else values[part]
    return Extent.of(np.atleast_1d(bits), records["ts"])


def _values(column: pl.Series, kind: np.dtype[Any]) -> _Array:
    """The numbers of a column as they lie; of a null any."""
    if not column.null_count():
        return column.to_physical().to_numpy()
    # Polars gives numpy floats where there are nulls; arrow has the numbers beside them.
    arrow: Any = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    found: _Array = np.frombuffer(arrow.buffers()[1], kind)
    return found[arrow.offset : arrow.offset + len(arrow)]


def joined(parts: Sequence[Records]) -> Records:
    """Records one after the other."""
    found: Records = np.concatenate([part.view(_PLAIN) for part in parts]).view(RECORD)
    return found


def blocks(size: int) -> list[slice]:
    """So many records in parts that fit into a processor's cache."""
    return [slice(start, start + _BLOCK) for start in range(0, size, _BLOCK)]


def to_table(
    records: Records,
    texts: Sequence[str],
    names: Sequence[str] = tuple(PACKETS),
    lacking: int = (1 << len(PACKETS)) - 1,
) -> Any:
    """Records as an arrow table with the columns and types of canonical packets, or some of them.

    `texts` are what the records' numbers of texts stand for. A column whose bit is not in
    `lacking` has no null, and the table's schema says so.
    """
    import pyarrow as pa

    size = records.size
    columns = _columns(records, (*names, _NULLS))
    nulls = columns[_NULLS]
    some, every = np.bitwise_or.reduce(nulls), np.bitwise_and.reduce(nulls)
    kinds = pl.DataFrame(schema={name: PACKETS[name] for name in names})
    schema = kinds.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    schema = pa.schema([one.with_nullable(bool(lacking & BIT[one.name])) for one in schema])
    made = []
    for name, kind in zip(schema.names, schema.types, strict=True):
        if every & BIT[name]:
            made.append(pa.nulls(size, kind))
            continue
        valid = None
        if some & BIT[name]:
            valid = pa.py_buffer(np.packbits((nulls & BIT[name]) == 0, bitorder="little"))
        values = columns[name]
        if PACKETS[name] == pl.String:
            made.append(_texts(values, valid, texts, kind))
        else:
            made.append(pa.Array.from_buffers(kind, size, [valid, pa.py_buffer(values)]))
    return pa.Table.from_arrays(made, schema=schema)


def _columns(records: Records, names: Sequence[str]) -> dict[str, _Array]:
    columns = {name: np.empty(records.size, RECORD[name]) for name in names}
    for part in blocks(records.size):
        block = records[part]
        for name, column in columns.items():
            column[part] = block[name]
    return columns


def _texts(numbers: _Array, valid: Any, texts: Sequence[str], kind: Any) -> Any:
    import pyarrow as pa

    if valid is None and numbers.size and bool((numbers == numbers[0]).all()):
        return pa.repeat(pa.scalar(texts[int(numbers[0])], kind), numbers.size)
    # Only those that occur: a file may have more texts than a part of it needs.
    found, places = np.unique(numbers, return_inverse=True)
    known = [texts[number] if number < len(texts) else None for number in found.tolist()]
    indices = pa.Array.from_buffers(
        pa.int64(), places.size, [valid, pa.py_buffer(np.ascontiguousarray(places, np.int64))]
    )
    return pa.array(known, kind).take(indices)
