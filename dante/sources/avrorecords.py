"""The records of an Avro file as columns: fast where they are plain, to the byte where not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from dante.sources.avro import AvroSource, Block
from dante.sources.avrocolumns import Run, is_plain, read_run
from dante.sources.avroschema import Kind, NotThereError, read_record

__all__ = ["RecordReader", "Records"]

# Bytes that are read as columns at once.
_WINDOW: Final = 1 << 21


@dataclass(frozen=True)
class Records:
    """A run of records, or (`frame` is empty) a place where the file is damaged.

    Attributes:
        frame: a column of Int64 for each field asked for; of an array its first item.
        damage: what is wrong, and where, or None.
    """

    frame: pl.DataFrame
    damage: str | None = None


class RecordReader:
    """Reads records of one type; several pieces of a file may be read at a time."""

    def __init__(self, kind: Kind, wanted: Sequence[str]) -> None:
        """`kind` is the type, `wanted` are the fields asked for."""
        self._kind = kind
        self._wanted = tuple(wanted)
        self._plain = is_plain(kind)

    def pieces(self, source: AvroSource) -> Iterator["list[Block] | Records"]:
        """A file in order: blocks as many as are read at once, or of a larger or damaged one the
        records, run after run.
        """
        held: list[Block] = []
        size = 0
        for block in source.blocks(self.fits):
            alone = block.damage is not None or len(block.data) > _WINDOW
            if held and (alone or size + len(block.data) > _WINDOW):
                yield held
                held, size = [], 0
            if alone:
                yield from self._one(block)
            elif block.count or block.data:
                held.append(block)
                size += len(block.data)
        if held:
            yield held

    def read(self, piece: "list[Block] | Records") -> Iterable[Records]:
        """The records of a piece in order, with the damage where it stands."""
        return (piece,) if isinstance(piece, Records) else self._several(piece)

    def fits(self, data: bytes, count: int) -> bool:
        """Whether data is exactly so many records."""
        rows = 0
        for part in self._parts(data):
            rows += part.frame.height
            if part.damage is not None:
                return False
        return rows == count

    def _several(self, blocks: list[Block]) -> Iterator[Records]:
        """Blocks with nothing known to be wrong, at once if their records fill them."""
        data = blocks[0].data if len(blocks) == 1 else b"".join(block.data for block in blocks)
        run = None
        if self._plain and data:
            run = read_run(self._kind, self._wanted, data)
        counts = np.cumsum([0, *(block.count for block in blocks)])
        if run is not None and run.size == len(data) and counts[-1] == run.begins.size:
            first = run.begins[np.minimum(counts[:-1], run.begins.size - 1)]
            sizes = np.cumsum([0, *(len(block.data) for block in blocks)])
            if np.array_equal(first, sizes[:-1]):
                yield self._plainly(run)
                return
        for block in blocks:
            yield from self._one(block)

    def _one(self, block: Block) -> Iterator[Records]:
        """A block as far as it holds records, and what is wrong with it, if anything is."""
        rows = 0
        wrong = [block.damage] if block.damage is not None else []
        for part in self._parts(block.data):
            rows += part.frame.height
            if part.damage is None:
                yield part
            else:
                wrong.append(part.damage)
        if rows != block.count and not wrong:
            wrong.append(f"it is said to hold {block.count:,} records, and {rows:,} were found")
        if wrong:
            shown = f"the Avro block at byte {block.offset:,} is damaged: {'; '.join(wrong)}"
            yield self._records([], shown)

    def _parts(self, data: bytes) -> Iterator[Records]:
        """The records in data, and at its end, if they do not fill it, what is wrong."""
        at = 0
        while at < len(data):
            window = data[at : at + _WINDOW]
            end = at + len(window)
            run = read_run(self._kind, self._wanted, window) if self._plain else None
            if run is not None:
                yield self._plainly(run)
                at += run.size
                if run.size > len(window) // 2 and end < len(data):
                    continue
            values: list[list[int | None]] = []
            why = None
            while at < end and why is None:
                try:
                    record, at = read_record(self._kind, data, at)
                except NotThereError as error:
                    why = f"no {error} at byte {at:,} of its records"
                    break
                values.append([_number(record[name]) for name in self._wanted])
            if values:
                yield self._records(values)
            if why is not None:
                yield self._records([], why)
                return

    def _plainly(self, run: Run) -> Records:
        columns = run.columns
        frame = pl.DataFrame({name: columns[name].values for name in self._wanted})
        nulls = {name: column.null for name, column in columns.items() if column.null is not None}
        if nulls:
            masks = pl.DataFrame({f"={name}": null for name, null in nulls.items()})
            frame = pl.concat([frame, masks], how="horizontal").select(
                pl.when(~pl.col(f"={n}")).then(n).alias(n) if n in nulls else pl.col(n)
                for n in self._wanted
            )
        return Records(frame)

    def _records(self, values: list[list[int | None]], damage: str | None = None) -> Records:
        schema = dict.fromkeys(self._wanted, pl.Int64())
        return Records(pl.DataFrame(values, schema=schema, orient="row"), damage)


def _number(value: Any) -> int | None:
    """A whole number, or the first of a list."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, int) else None
