"""Rows of one source on their way into the lake: held, spilt sorted when they are many, merged.

What comes out is by day and, within a day, in one order: by the sort columns, then as it came.
It depends neither on how the rows were handed over nor on what was spilt.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.store.order import stable_order

__all__ = ["Runs"]

_RUN: Final = 1 << 20
_RUN_BYTES: Final = 96 << 20
_BLOCK: Final = 1 << 14
_MOST_FILES: Final = 256
_NO_DAY: Final = -(1 << 31)
_DAY: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)
_Days = npt.NDArray[np.int64]
_Counts = dict[int, int]


@dataclass
class Runs:
    """Takes frames in the source's order and gives their rows back by day.

    Attributes:
        folder: where runs are spilt to.
        day: a Datetime or Date column that says the day; null days come first.
        by: columns of 64 bits, never null, that sort a day's rows, the weightiest first.
        most_bytes: of rows held in memory; a run more is needed while one is sorted.
        rows: rows taken so far, by day.
    """

    folder: Path
    day: str
    by: tuple[str, ...]
    most_bytes: int
    rows: dict[date | None, int] = field(default_factory=dict)
    _fresh: list[tuple[pl.DataFrame, _Days]] = field(default_factory=list)
    _fresh_rows: int = 0
    _fresh_bytes: int = 0
    _held: list[tuple["_Held", _Counts]] = field(default_factory=list)
    _held_bytes: int = 0
    _spilt: list[tuple[Path, _Counts]] = field(default_factory=list)
    _files: int = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows; all frames have the same schema."""
        if not frame.height:
            return
        days = _days(frame[self.day])
        for day, rows in _count(days).items():
            known = _date(day)
            self.rows[known] = self.rows.get(known, 0) + rows
        self._fresh.append((frame, days))
        self._fresh_rows += frame.height
        self._fresh_bytes += int(frame.estimated_size())
        most = min(_RUN_BYTES, self.most_bytes)
        if self._fresh_rows >= _RUN or self._fresh_bytes >= most:
            self._sort()

    def _sort(self) -> None:
        """Make a run of what came last; spill the runs if they are too much to hold."""
        run = pl.concat([frame for frame, _ in self._fresh], rechunk=True)
        days = np.concatenate([days for _, days in self._fresh])
        self._fresh, self._fresh_rows, self._fresh_bytes = [], 0, 0
        counts = _count(days)
        keys = [_key(run, name) for name in reversed(self.by)]
        if len(counts) > 1:
            keys.append(days)
        if keys:
            run = _ordered(run, stable_order(*keys))
        self._held.append((_Held(run), counts))
        self._held_bytes += int(run.estimated_size())
        if self._held_bytes > self.most_bytes:
            self._spill()

    def _spill(self) -> None:
        for run, counts in self._held:
            path = self._file()
            run.frame.write_ipc(path, compression="lz4", record_batch_size=_BLOCK)
            self._spilt.append((path, counts))
        self._held, self._held_bytes = [], 0
        if len(self._spilt) > _MOST_FILES:
            self._unite()

    def _file(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files += 1
        return self.folder / f"{self._files:06d}.arrow"

    def _unite(self) -> None:
        """Merge all that is spilt into one file: a merge holds a block of every file."""
        import pyarrow as pa

        path = self._file()
        counts: _Counts = {}
        with pa.OSFile(str(path), "wb") as out:
            writer = None
            for day, frame in self._merged([(_Spilt(file), n) for file, n in self._spilt]):
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

    def merged(self) -> Generator[tuple[date | None, pl.DataFrame], None, None]:
        """All rows: every day once or several times in a row, its rows in order; days ascend.

        Nothing may be added afterwards.
        """
        if self._fresh:
            self._sort()
        spilt: list[tuple[_Run, _Counts]] = [(_Spilt(path), n) for path, n in self._spilt]
        for day, frame in self._merged([*spilt, *self._held]):
            yield _date(day), frame

    def _merged(self, runs: Sequence[tuple["_Run", _Counts]]) -> Iterator[tuple[int, pl.DataFrame]]:
        of_day: dict[int, list[_Part]] = {}
        for run, counts in runs:
            for day, rows in counts.items():
                of_day.setdefault(day, []).append(_Part(run, rows, self.by))
        for day in sorted(of_day):
            for frame in _merge(of_day.pop(day), self.by):
                yield day, frame


class _Run(Protocol):
    """A sorted run, read from its start to its end."""

    def take(self, rows: int) -> pl.DataFrame:
        """At least one and at most `rows` more rows."""
        ...


class _Held:
    """A run in memory."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self._next = 0

    def take(self, rows: int) -> pl.DataFrame:
        taken = self.frame.slice(self._next, rows)
        self._next += taken.height
        return taken


class _Spilt:
    """A run in a file."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        # Not mapped: pages of a mapped file count as memory of the process.
        self._file = pa.ipc.open_file(pa.OSFile(str(path)))
        self._next = 0
        self._rest: pl.DataFrame | None = None

    def take(self, rows: int) -> pl.DataFrame:
        if self._rest is None or not self._rest.height:
            batch: Any = self._file.get_batch(self._next)
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            self._rest = frame
            self._next += 1
        head, self._rest = self._rest.head(rows), self._rest.slice(rows)
        return head


class _Part:
    """The rows of one day in one run, a block of them in memory."""

    def __init__(self, run: _Run, rows: int, by: Sequence[str]) -> None:
        self._run = run
        self._by = by
        self.left = rows
        self.block: pl.DataFrame | None = None
        self.keys: list[npt.NDArray[Any]] = []

    def fill(self, rows: int) -> None:
        """Have about so many rows, if there are so many left and the half of them is not held."""
        have = 0 if self.block is None else self.block.height
        if not self.left or 2 * have > rows:
            return
        frames = [] if self.block is None else [self.block]
        while self.left and have < rows:
            frames.append(self._run.take(min(self.left, rows - have)))
            have += frames[-1].height
            self.left -= frames[-1].height
        self._hold(frames[0] if len(frames) == 1 else pl.concat(frames, rechunk=True))

    def _hold(self, block: pl.DataFrame) -> None:
        self.block = block if block.height else None
        self.keys = [_key(block, name) for name in self._by]

    def last(self) -> tuple[int, ...]:
        """The keys of the last row held."""
        return tuple(int(key[-1]) for key in self.keys)

    def give(self, keys: tuple[int, ...] | None, *, equal: bool) -> pl.DataFrame | None:
        """The rows held below these keys, or up to them; all if there are none."""
        block = self.block
        if block is None:
            return None
        start, stop = 0, block.height
        if keys is not None:
            for column, key in zip(self.keys, keys, strict=True):
                inside = column[start:stop]
                value = column.dtype.type(key)
                first = start + int(np.searchsorted(inside, value, "left"))
                stop = start + int(np.searchsorted(inside, value, "right"))
                start = first
            stop = stop if equal else start
        self._hold(block.slice(stop))
        return block.head(stop)


def _merge(parts: list[_Part], by: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    """The rows of sorted parts in one order, those of an earlier part first where keys are equal.

    A block of each part is in memory. What lies before the least of the blocks' last rows is
    known to come before all that is not yet read.
    """
    if not by or len(parts) == 1:
        for part in parts:
            while part.left:
                part.fill(_RUN)
                frame = part.give(None, equal=True)
                assert frame is not None
                yield frame
        return
    block = max(_BLOCK, _RUN // len(parts))
    while True:
        for part in parts:
            part.fill(block)
        ends = [(part.last(), i) for i, part in enumerate(parts) if part.left]
        keys, limit = min(ends) if ends else (None, 0)
        given = [part.give(keys, equal=i <= limit) for i, part in enumerate(parts)]
        frames = [frame for frame in given if frame is not None and frame.height]
        if frames:
            whole = pl.concat(frames, rechunk=True)
            order = stable_order(*(_key(whole, name) for name in reversed(by)))
            yield _ordered(whole, order)
        if not ends:
            return


def _ordered(frame: pl.DataFrame, order: npt.NDArray[np.uint32]) -> pl.DataFrame:
    """The rows of a frame in an order. Columns of one value, as many are, stay as they are."""
    moved = [name for name in frame.columns if not _is_one_value(frame[name])]
    return frame.with_columns(frame.select(moved)[pl.Series(order)].get_columns())


def _is_one_value(column: pl.Series) -> bool:
    if column.null_count():
        return column.null_count() == column.len()
    return column.dtype == pl.String and bool((column == column[0]).all())


def _days(column: pl.Series) -> _Days:
    """Days since 1970; `_NO_DAY` where there is none."""
    if column.dtype != pl.Date and not column.null_count():
        times = column.to_physical().to_numpy()
        first, last = int(times.min()) // _DAY, int(times.max()) // _DAY
        return np.full(times.size, first) if first == last else times // _DAY
    days = column.dt.epoch("d") if column.dtype == pl.Date else column.dt.date().to_physical()
    return days.fill_null(_NO_DAY).to_numpy().astype(np.int64)


def _key(frame: pl.DataFrame, name: str) -> npt.NDArray[Any]:
    return frame[name].to_physical().to_numpy()


def _count(days: _Days) -> _Counts:
    """How often each day occurs, ascending."""
    if days.min() == days.max():
        return {int(days[0]): days.size}
    found, counts = np.unique(days, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _date(day: int) -> date | None:
    return None if day == _NO_DAY else _EPOCH + timedelta(days=day)
