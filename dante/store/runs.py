"""Packets of one source on their way into the lake: held, spilt sorted when they are many, merged.

What comes out is by day and, within a day, by `src`, then `ts`, then as it came. It depends
neither on how the packets were handed over nor on what was spilt.
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.store.order import stable_order
from dante.store.records import RECORD, Extent, Names, Packed, Records, joined, pack

__all__ = ["GROUP", "Runs"]

GROUP: Final = 131_072
"""Packets that are given at once where nothing was spilt."""

# Packets that are moved at once: they fit into a processor's cache.
_BLOCK: Final = 1 << 14
# Packets of all runs together that are merged at once.
_MERGED: Final = 1 << 19
_MOST_FILES: Final = 256
_DAY: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)
_BY: Final = ("src", "ts")
_Times = npt.NDArray[np.int64]
_Order = npt.NDArray[np.uint32]
_Counts = dict[int, int]


@dataclass
class Runs:
    """Takes canonical packets in the source's order and gives them back by day, sorted.

    Attributes:
        folder: where runs are spilt to.
        most_bytes: of packets held in memory; when they are spilt, as much is held besides, and
            a third more is needed while they are sorted.
        names: the texts that the packets' numbers stand for.
        rows: packets taken so far, by day.
        lacking: the bits of the columns that some packet taken so far lacks.
    """

    folder: Path
    most_bytes: int
    names: Names = field(default_factory=Names)
    rows: dict[date, int] = field(default_factory=dict)
    lacking: int = 0
    _size: int = 0
    _spilt: list[tuple[Path, _Counts]] = field(default_factory=list)
    _spilling: Future[tuple[Path, _Counts, Records]] | None = None
    _files: int = 0

    def __post_init__(self) -> None:
        """Nothing is held yet."""
        self._held = self._room()
        self._thread = ThreadPoolExecutor(1, "dante-spill")

    def _room(self) -> Records:
        # Memory that is asked for and never written to is not taken.
        room: Records = np.empty(max(1, self.most_bytes // RECORD.itemsize), RECORD)
        return room

    def add(self, packets: pl.DataFrame | Packed) -> None:
        """Take canonical packets, none of them without `ts` or `src`."""
        start = 0
        while start < packets.height:
            part = packets.slice(start, self._held.size - self._size)
            stop = self._size + part.height
            records = self._held[self._size : stop]
            whole = pack(part, self.names, records)
            self.lacking |= whole.some
            for day, count in _count_days(records["ts"], whole).items():
                known = _EPOCH + timedelta(days=day)
                self.rows[known] = self.rows.get(known, 0) + count
            self._size = stop
            start += part.height
            if self._size == self._held.size:
                self._spill()

    def _spill(self) -> None:
        """Have what is held written while more is taken."""
        free = self._settled()
        self._spilling = self._thread.submit(_written, self._held, self._file())
        self._held = self._room() if free is None else free
        self._size = 0
        if len(self._spilt) > _MOST_FILES:
            self._unite()

    def _settled(self) -> Records | None:
        """Wait for what is being spilt; its room, which is free again."""
        if self._spilling is None:
            return None
        path, counts, free = self._spilling.result()
        self._spilling = None
        self._spilt.append((path, counts))
        return free

    def close(self) -> None:
        """Wait until nothing is written any more."""
        self._thread.shutdown()

    def _file(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files += 1
        return self.folder / f"{self._files:06d}.run"

    def _unite(self) -> None:
        """Merge all that is spilt into one file: a merge holds a block of every file."""
        path = self._file()
        counts: _Counts = {}
        runs = [(_Spilt(file), of_file) for file, of_file in self._spilt]
        with path.open("wb") as out:
            for day, records in _merged(runs):
                counts[day] = counts.get(day, 0) + records.size
                records.tofile(out)
        for (file, _), (run, _) in zip(self._spilt, runs, strict=True):
            run.close()
            file.unlink()
        self._spilt = [(path, counts)]

    def merged(self) -> Generator[tuple[date, Records], None, None]:
        """All packets: every day once or several times in a row, sorted; days ascend.

        Nothing may be added afterwards.
        """
        self._settled()
        runs: list[tuple[_Run, _Counts]] = [(_Spilt(path), n) for path, n in self._spilt]
        if self._size:
            runs.append(_sorted(self._held[: self._size]))
        for day, records in _merged(runs):
            yield _EPOCH + timedelta(days=day), records


def _sorted(records: Records) -> tuple["_Sorted", _Counts]:
    """Packets as a run, and how many of them each day has."""
    times = np.ascontiguousarray(records["ts"])
    counts = _count_days(times, Extent(first=int(times.min()), last=int(times.max())))
    order = stable_order(times, records["src"], *([times // _DAY] if len(counts) > 1 else []))
    return _Sorted(records, order), counts


def _written(records: Records, path: Path) -> tuple[Path, _Counts, Records]:
    """Packets as a run in a file."""
    run, counts = _sorted(records)
    with path.open("wb") as out:
        for _ in range(0, records.size, _BLOCK):
            run.take(_BLOCK).tofile(out)
    return path, counts, records


class _Run(Protocol):
    """A sorted run, read from its start to its end."""

    def take(self, most: int) -> Records:
        """At least one more record and at most so many, if there is one."""
        ...


class _Sorted:
    """A run in memory."""

    def __init__(self, records: Records, order: _Order) -> None:
        self._records, self._order = records, order
        self._next = 0

    def take(self, most: int) -> Records:
        places = self._order[self._next : self._next + most]
        self._next += places.size
        # The places are known to be inside; "clip" only spares numpy a look at each.
        return self._records.take(places, mode="clip")


class _Spilt:
    """A run in a file."""

    def __init__(self, path: Path) -> None:
        # Not mapped: pages of a mapped file count as memory of the process.
        self._file = path.open("rb", buffering=0)

    def take(self, most: int) -> Records:
        return np.fromfile(self._file, RECORD, most)

    def close(self) -> None:
        self._file.close()


class _Part:
    """The packets of one day in one run, a block of them in memory."""

    def __init__(self, run: _Run, records: int) -> None:
        self._run = run
        self.left = records
        self.block: Records = np.empty(0, RECORD)

    def fill(self, records: int) -> None:
        """Have about so many, if there are so many left and the half of them is not held."""
        have = self.block.size
        if not self.left or 2 * have > records:
            return
        more = self._run.take(min(self.left, records - have))
        self.left -= more.size
        self.block = joined([self.block, more]) if have else more

    def last(self) -> tuple[int, ...]:
        """The keys of the last packet held."""
        return tuple(int(self.block[name][-1]) for name in _BY)

    def give(self, keys: tuple[int, ...] | None, *, equal: bool) -> Records:
        """Those held below these keys, or up to them; all if there are none."""
        start, stop = 0, self.block.size
        for name, key in zip(_BY, keys or (), strict=bool(keys)):
            inside = self.block[name][start:stop]
            value = inside.dtype.type(key)
            first = start + int(np.searchsorted(inside, value, "left"))
            stop = start + int(np.searchsorted(inside, value, "right"))
            start = first
        if keys is not None and not equal:
            stop = start
        given, self.block = self.block[:stop], self.block[stop:]
        return given


def _merged(runs: Sequence[tuple[_Run, _Counts]]) -> Iterator[tuple[int, Records]]:
    of_day: dict[int, list[_Part]] = {}
    for run, counts in runs:
        for day, records in counts.items():
            of_day.setdefault(day, []).append(_Part(run, records))
    for day in sorted(of_day):
        for block in _merge(of_day.pop(day)):
            yield day, block


def _merge(parts: list[_Part]) -> Iterator[Records]:
    """The packets of sorted parts in one order; of equal keys those of an earlier part come first.

    A block of each part is in memory. What lies before the least of the blocks' last packets is
    known to come before all that is not yet read.
    """
    if len(parts) == 1:
        (part,) = parts
        while part.left:
            part.fill(GROUP)
            yield part.give(None, equal=True)
        return
    size = max(_BLOCK, _MERGED // len(parts))
    while True:
        for part in parts:
            part.fill(size)
        ends = [(part.last(), i) for i, part in enumerate(parts) if part.left]
        keys, limit = min(ends) if ends else (None, 0)
        given = [part.give(keys, equal=i <= limit) for i, part in enumerate(parts)]
        whole = joined(given)
        if whole.size:
            # Of packets that came in the order of time those of a sender are in it already.
            by = _BY[:1] if _one_after_another([one for one in given if one.size]) else _BY
            yield whole.take(stable_order(*(whole[name] for name in reversed(by))), mode="clip")
        if not ends:
            return


def _one_after_another(parts: Sequence[Records]) -> bool:
    """Whether no packet of a part is earlier than any of a part before it."""
    times = [part["ts"] for part in parts]
    return all(one.max() <= other.min() for one, other in pairwise(times))


def _count_days(times: _Times, whole: Extent) -> _Counts:
    """How many packets each day has; days ascend."""
    first, last = whole.first // _DAY, whole.last // _DAY
    if first == last:
        return {first: times.size}
    found, counts = np.unique(times // _DAY, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
