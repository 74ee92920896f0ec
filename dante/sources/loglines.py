"""Blocks of a system log → packets without any text, where lines are of shapes that were learnt.

The rest of the lines is left to the general reading, and so is each line that is said to repeat
another, with that other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import PACKETS, empty_packets
from dante.sources.interpret import Rules
from dante.sources.lines import MAX_LINE
from dante.sources.logfronts import Front, Times, learn_front
from dante.sources.logged import is_foreign
from dante.sources.logtails import Found, Tail, begins_of, learn_tail
from dante.sources.logvalues import read_values
from dante.sources.marked import Marked, mark_lines
from dante.sources.times import parse_times

__all__ = ["Part", "Shapes"]

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]
_S = TypeVar("_S")

# Shapes that are kept, and tries to learn one: each costs as much as some hundred lines.
_KEPT: Final = 64
_TRIES: Final = 32
_LINES_A_TRY: Final = 4096
# Lines of one length that are tried in vain in a part.
_FAILED: Final = 3
# Fewer lines are read as text sooner.
_MANY: Final = 64
# Of "message repeated".
_REPEATED: Final = np.uint64(int.from_bytes(b" repeate", "little"))


@dataclass(frozen=True)
class Part:
    """Lines of a log, some of them read.

    Attributes:
        lines: all of them.
        number: for each line which it is of those that are not blank, from 1.
        read: lines that are read, ascending.
        packets: what they are, with all columns of `PACKETS`; where the year is not told, the day
            is the first of 1970.
        dates: for each of these month · 100 + day where the year is not told, else 0.
        rest: the other lines that are not blank, ascending.
    """

    lines: Marked
    number: _Ints
    read: _Ints
    packets: pl.DataFrame
    dates: _Ints
    rest: _Ints

    @property
    def rows(self) -> int:
        """How many lines are not blank."""
        return self.read.size + self.rest.size

    def unread(self) -> "Part":
        """The same lines, none of them read."""
        none = np.zeros(0, dtype=np.int64)
        rest = np.sort(np.concatenate([self.read, self.rest]))
        return Part(self.lines, self.number, none, empty_packets(), none, rest)


@dataclass
class Shapes:
    """Shapes of lines, learnt while they are read: which are known changes no packet.

    Attributes:
        rule: how values are read; None: all lines are left.
    """

    rule: Rules | None
    _tails: dict[Tail, int] = field(default_factory=dict)
    _fronts: dict[Front, int] = field(default_factory=dict)
    _tries: int = _TRIES

    def read(self, block: bytes) -> Part:
        """What can be read of a block, which ends in a line feed."""
        lines = mark_lines(block)
        sizes = np.diff(lines.begins)
        blank = (sizes == 1) | ((sizes == 2) & (lines.data[lines.begins[:-1]] == 13))
        number = np.cumsum(~blank)
        left = ~blank
        none = np.zeros(0, dtype=np.int64)
        if self.rule is None or lines.lines < _MANY:
            return Part(lines, number, none, empty_packets(), none, np.flatnonzero(left))
        usable = left & (sizes < MAX_LINE)
        usable[_repeated(lines, np.flatnonzero(left))] = False
        self._tries = min(_TRIES, self._tries + lines.lines // _LINES_A_TRY)
        packets, read, dates = self._packets(lines, usable, self.rule)
        left[read] = False
        return Part(lines, number, read, packets, dates, np.flatnonzero(left))

    def _packets(
        self, lines: Marked, usable: _Bools, rule: Rules
    ) -> tuple[pl.DataFrame, _Ints, _Ints]:
        """Packets, the lines that they are of, ascending, and their dates."""
        begin = begins_of(lines)
        found = self._find_tails(lines, np.flatnonzero(usable & (begin >= 0)), begin, rule)
        nothing = np.zeros(0, dtype=np.int64)
        if not found:
            return empty_packets(), nothing, nothing
        rows = np.concatenate([one.rows for one in found])
        fronts, code, times = self._find_fronts(lines, rows)
        values = read_values(lines, found)
        good, ts = values.right & (code >= 0), times.micros
        for at, front in enumerate(fronts):
            mine = good & (code == at)
            if front.zoned is not None and mine.any():
                ts, good = _in_zone(ts, good, mine, front.zoned, rule.tz)
        place = np.full(lines.lines, -1, dtype=np.int64)
        place[rows[good]] = np.flatnonzero(good)
        read = np.flatnonzero(place >= 0)
        pick = place[read]
        sensors = [rule.sensor if front.sensor is None else front.sensor for front in fronts]
        made = values.series(pick)
        made["ts"] = pl.Series(ts[pick]).cast(PACKETS["ts"])
        made["sensor"] = _named(sensors, code[pick]) if read.size else pl.Series(dtype=pl.String)
        for name, kind in PACKETS.items():
            if name not in made:
                made[name] = pl.Series([None], dtype=kind).new_from_index(0, read.size)
        return pl.DataFrame({name: made[name] for name in PACKETS}), read, times.dates[pick]

    def _find_tails(self, lines: Marked, rows: _Ints, begin: _Ints, rule: Rules) -> list[Found]:
        counts = lines.last[rows] - begin[rows]
        known, sizes = np.unique(counts, return_counts=True)
        found: list[Found] = []

        def take(tail: Tail, left: _Ints) -> _Ints:
            one = tail.find(lines, left, begin[left])
            if not one.rows.size:
                return left
            found.append(one)
            return _less(left, one.rows)

        for count in known[np.argsort(-sizes, kind="stable")[:_KEPT]].tolist():

            def learn(sample: _Ints, count: int = count) -> Tail | None:
                tail = learn_tail(lines.text(sample), rule.proto_names)
                return tail if tail and tail.count == count else None

            of_length = [tail for tail in self._tails if tail.count == count]
            self._share_out(rows[counts == count], self._tails, of_length, learn, take)
        self._tails = _often(self._tails)
        return found

    def _find_fronts(self, lines: Marked, rows: _Ints) -> tuple[list[Front], _Ints, Times]:
        """Heads; which of them each line has (-1: none of a firewall's); and the lines' times."""
        code = np.full(rows.size, -1, dtype=np.int64)
        micros, dates = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)
        used: list[Front] = []

        def take(front: Front, left: _Ints) -> _Ints:
            chosen, times = front.find(lines, rows[left])
            mine = left[chosen]
            if mine.size and not is_foreign(front.program):
                code[mine] = len(used)
                micros[mine], dates[mine] = times.micros, times.dates
                used.append(front)
            return np.delete(left, chosen)

        def learn(sample: _Ints) -> Front | None:
            return learn_front(lines.text(rows[sample]))

        self._share_out(np.arange(rows.size), self._fronts, list(self._fronts), learn, take)
        self._fronts = _often(self._fronts)
        return used, code, Times(micros, dates)

    def _share_out(
        self,
        left: _Ints,
        found: dict[_S, int],
        known: Sequence[_S],
        learn: Callable[[_Ints], _S | None],
        take: Callable[[_S, _Ints], _Ints],
    ) -> None:
        """Give rows to the shapes they have, and learn more shapes from those that are left over.

        Args:
            left: the rows.
            found: how often each shape was found; it is changed.
            known: shapes that are tried first.
            learn: the shape of one row.
            take: gives a shape its rows, and says which are not.
        """
        for shape in known:
            if left.size:
                rest = take(shape, left)
                found[shape] += left.size - rest.size
                left = rest
        failed = 0
        while left.size and self._tries > 0 and failed < _FAILED:
            self._tries -= 1
            new = learn(left[failed * left.size // _FAILED :][:1])
            rest = left if new is None else take(new, left)
            if new is None or rest.size == left.size:
                failed += 1
            else:
                found[new] = left.size - rest.size
                left = rest


def _often(shapes: dict[_S, int]) -> dict[_S, int]:
    """The shapes that were found most often, those first."""
    return dict(sorted(shapes.items(), key=lambda item: -item[1])[:_KEPT])


def _less(rows: _Ints, gone: _Ints) -> _Ints:
    """Rows without some of them; both ascend."""
    if not gone.size:
        return rows
    return np.delete(rows, np.searchsorted(rows, gone))


def _repeated(lines: Marked, every: _Ints) -> _Ints:
    """Lines that may be said to repeat others, and the line in front of each, of `every` line."""
    which = np.searchsorted(lines.last, np.flatnonzero(lines.words == _REPEATED))
    if not which.size:
        return which
    order = np.searchsorted(every, which)
    return np.concatenate([which, every[np.maximum(order - 1, 0)]])


def _in_zone(ts: _Ints, good: _Bools, mine: _Bools, zoned: bool, zone: str) -> tuple[_Ints, _Bools]:
    """Times in UTC, those that are `mine` from a zone, and which are good that are times."""
    local = pl.Series(ts[mine]).cast(pl.Datetime("us", "UTC" if zoned else None))
    utc = parse_times(local, tz=zone)
    ts, good = ts.copy(), good.copy()
    ts[mine] = utc.to_physical().fill_null(0).to_numpy()
    good[mine] = utc.is_not_null().to_numpy()
    return ts, good


def _named(names: list[str | None], code: _Ints) -> pl.Series:
    """For each line the name of its sensor."""
    if len(set(names)) == 1:
        return pl.Series(names[:1], dtype=pl.String).new_from_index(0, code.size)
    return pl.Series(names, dtype=pl.String).gather(code)
