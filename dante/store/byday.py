"""Refused rows of one source on their way into the lake: held, spilt when they are many, by day.

What comes out is by day and, within a day, as it came. It depends neither on how the rows were
handed over nor on what was spilt.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl

__all__ = ["ByDay"]

# Rows of a block of a file: refused rows are up to 16 KiB each.
_BLOCK: Final = 1 << 12
_MOST_FILES: Final = 256
_Counts = dict[date | None, int]


@dataclass
class ByDay:
    """Takes frames in the source's order and gives their rows back by day.

    Attributes:
        folder: where rows are spilt to.
        most_bytes: of rows held in memory.
        rows: rows taken so far, by day; None where a row has no day.
    """

    folder: Path
    most_bytes: int
    rows: _Counts = field(default_factory=dict)
    _held: list[pl.DataFrame] = field(default_factory=list)
    _held_bytes: int = 0
    _spilt: list[tuple[Path, _Counts]] = field(default_factory=list)
    _files: int = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows with a `day`; all frames have the same schema."""
        if not frame.height:
            return
        for day, rows in _count(frame).items():
            self.rows[day] = self.rows.get(day, 0) + rows
        self._held.append(frame)
        self._held_bytes += int(frame.estimated_size())
        if self._held_bytes > self.most_bytes:
            self._spill()

    def merged(self) -> Generator[tuple[date | None, pl.DataFrame], None, None]:
        """All rows: every day once or several times in a row; days ascend, the unknown one first.

        Nothing may be added afterwards.
        """
        yield from _merged([_Spilt(path, counts) for path, counts in self._spilt], self._run())

    def _run(self) -> pl.DataFrame | None:
        """What is held, by day."""
        if not self._held:
            return None
        run = pl.concat(self._held, rechunk=True)
        self._held, self._held_bytes = [], 0
        return run.sort("day", nulls_last=False, maintain_order=True)

    def _spill(self) -> None:
        run = self._run()
        assert run is not None, "something is held"
        path = self._file()
        run.write_ipc(path, compression="lz4", record_batch_size=_BLOCK)
        self._spilt.append((path, _count(run)))
        if len(self._spilt) > _MOST_FILES:
            self._unite()

    def _unite(self) -> None:
        """Make one file of all that is spilt: of each file a block is held while they are read."""
        import pyarrow as pa

        path = self._file()
        counts: _Counts = {}
        with pa.OSFile(str(path), "wb") as out:
            writer = None
            for day, frame in _merged([_Spilt(*spilt) for spilt in self._spilt], None):
                counts[day] = counts.get(day, 0) + frame.height
                table = frame.to_arrow()
                if writer is None:
                    options = pa.ipc.IpcWriteOptions(compression="lz4")
                    writer = pa.ipc.new_file(out, table.schema, options=options)
                writer.write_table(table, max_chunksize=_BLOCK)
            if writer is not None:
                writer.close()
        for file, _ in self._spilt:
            file.unlink()
        self._spilt = [(path, counts)]

    def _file(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files += 1
        return self.folder / f"{self._files:06d}.arrow"


class _Spilt:
    """A file of rows by day, read from its start to its end."""

    def __init__(self, path: Path, counts: _Counts) -> None:
        import pyarrow as pa

        # Not mapped: pages of a mapped file count as memory of the process.
        self._file = pa.ipc.open_file(pa.OSFile(str(path)))
        self.counts = counts
        self._next = 0
        self._rest: pl.DataFrame | None = None

    def of_day(self, day: date | None) -> Iterator[pl.DataFrame]:
        """The rows of the next day there are rows of."""
        left = self.counts.get(day, 0)
        while left:
            if self._rest is None or not self._rest.height:
                batch: Any = self._file.get_batch(self._next)
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                self._rest = frame
                self._next += 1
            head, self._rest = self._rest.head(left), self._rest.slice(left)
            left -= head.height
            yield head


def _merged(
    spilt: list[_Spilt], held: pl.DataFrame | None
) -> Generator[tuple[date | None, pl.DataFrame], None, None]:
    of_held = {} if held is None else _count(held)
    start = 0
    for day in sorted({*of_held, *(day for one in spilt for day in one.counts)}, key=_first):
        for one in spilt:
            for frame in one.of_day(day):
                yield day, frame
        rows = of_held.get(day, 0)
        if held is not None and rows:
            yield day, held.slice(start, rows)
            start += rows


def _first(day: date | None) -> tuple[bool, date]:
    return day is not None, day or date.min


def _count(frame: pl.DataFrame) -> _Counts:
    """How often each day occurs."""
    counted = frame.group_by("day", maintain_order=True).len()
    return dict(counted.iter_rows())
