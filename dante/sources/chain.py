"""Records that follow one another, each telling its length: where does each begin?

One can only walk: the place of a record is known when the one before it is. Walked in Python that
takes longer than everything else together. So guesses are made of where records begin, one every
few kilobytes, and numpy walks from all guesses at once, a step of each at a time. A walk that
began at a true beginning stays true; one is true if the walk before it ends where it began, and
the first begins at the start. Where that fails, as after a wrong guess, the records are walked
one by one until a guess is met. So guesses decide the speed, never the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from dante.sources.octets import Integers, Window

__all__ = ["REACH", "Chain", "Guess", "Lengths", "across", "walk"]

REACH: Final = 256
"""Bytes behind each lane's beginning in which its guess lies."""

# Bytes between guesses. Shorter lanes are walked in fewer steps, but guesses cost too. No power of
# two: a processor's cache keeps few places that lie such a one apart.
_LANE: Final = 4160
# Fewer lanes than this are walked one by one sooner than together.
_LANES: Final = 32

_NONE: Final = np.empty(0, np.int64)


@dataclass(frozen=True)
class Lengths:
    """How a record tells where the next one begins.

    Attributes:
        order: `<` or `>`: the byte order of its length.
        place: where in the record its length stands, four bytes.
        more: how many bytes the record has besides those its length counts.
        least: a smaller length is damage.
        most: a larger length is damage.
        step: so is a length that is no multiple of this.
    """

    order: str
    place: int
    more: int
    least: int
    most: int
    step: int


@dataclass(frozen=True)
class Chain:
    """Whole records that follow one another.

    Attributes:
        at: where each begins.
        end: where the last one ends.
        bad: what begins there is no record; else it is cut by the end of the window, or lies
            behind where the walk was to end.
    """

    at: Integers
    end: int
    bad: bool


Guess = Callable[[Window, Integers], Integers]
"""Of each lane's beginning, a place in the `REACH` bytes behind it where a record may begin, or
-1."""


def across(window: Window, lanes: Integers, byte: int, step: int) -> npt.NDArray[np.uint8]:
    """Byte `byte` of a record that would begin at each `step`th place in each lane's reach.

    Of shape (lanes, `REACH` / `step`); the lanes are evenly spaced.
    """
    seen: npt.NDArray[np.uint8] = np.ndarray(
        (len(lanes), REACH // step),
        np.uint8,
        buffer=window.data,
        offset=int(lanes[0]) + byte,
        strides=(int(lanes[1] - lanes[0]), step),
    )
    return seen


def walk(window: Window, start: int, lengths: Lengths, guess: Guess, until: int) -> Chain:
    """The whole records of a window from `start` on that begin before `until`."""
    until = min(until, window.size)
    lanes = np.arange(start, until - REACH - 128, _LANE, dtype=np.int64)
    if len(lanes) < _LANES:
        return _joined(*_steps(window, start, lengths, until))
    seeds = guess(window, lanes)
    seeds[0] = start
    seeds = seeds[seeds >= 0]
    visited, ends = _together(window, seeds, lengths, until)
    bounds = np.searchsorted(visited, np.append(seeds, window.size))
    # Lanes whose end is not where the next one begins.
    breaks = np.append(np.flatnonzero(ends[:-1] != seeds[1:]), len(seeds) - 1)
    found: list[Integers] = []
    position, bad, lane = start, False, 0
    while lane < len(seeds) and not bad:
        if position < seeds[lane]:
            more, position, bad = _steps(window, position, lengths, int(seeds[lane]))
            found += more
            if position < seeds[lane]:  # what begins there ends behind the window, or is none
                return _joined(found, position, bad)
        elif position > seeds[lane]:
            lane += 1
        else:
            last = int(breaks[np.searchsorted(breaks, lane)])
            found.append(visited[bounds[lane] : bounds[last + 1]])
            position, lane = int(ends[last]), last + 1
    if not bad:
        more, position, bad = _steps(window, position, lengths, until)
        found += more
    return _joined(found, position, bad)


def _joined(found: list[Integers], end: int, bad: bool) -> Chain:
    return Chain(np.concatenate([_NONE, *found]), end, bad)


def _steps(
    window: Window, position: int, lengths: Lengths, stop: int
) -> tuple[list[Integers], int, bool]:
    """Walk one by one, as far as there are whole records that begin before `stop`."""
    unpack = Struct(lengths.order + "I").unpack_from
    data, size, place, more = window.data, window.size, lengths.place, lengths.more
    least, most, step = lengths.least, lengths.most, lengths.step
    at: list[int] = []
    bad = False
    while position < stop and position + place + 4 <= size:
        length = unpack(data, position + place)[0]
        if not least <= length <= most or length % step:
            bad = True
            break
        after = position + more + length
        if after > size:
            break
        at.append(position)
        position = after
    return [np.array(at, dtype=np.int64)], position, bad


def _together(
    window: Window, seeds: Integers, lengths: Lengths, until: int
) -> tuple[Integers, Integers]:
    """Walk from all seeds, each up to the next one.

    Returns:
        The places passed by any of them, ascending, and where each stands at last: at or behind
        the next seed, or where there was no whole record or no company any more.
    """
    place = lengths.place
    every = np.ndarray(
        (window.size + 64,), lengths.order + "u4", window.data, offset=place, strides=(1,)
    )
    position, lane = seeds, np.arange(len(seeds))
    stop = np.append(seeds[1:], until)
    ends = seeds.copy()
    visited: list[tuple[Integers, Integers]] = []
    counts = np.zeros_like(seeds)
    # A longer record than this ends behind the next seed in any case.
    wide = int((stop - seeds).max()) > lengths.most
    while len(position) >= _LANES:
        length = every[position]
        after = position + length
        after += lengths.more
        on = after < stop
        if wide:
            on &= length <= lengths.most
        if lengths.least:
            on &= length >= lengths.least
        if lengths.step > 1:
            on &= length % np.uint32(lengths.step) == 0
        if on.all():
            visited.append((lane, position))
            position = after
            continue
        whole = (after <= window.size) & (length >= lengths.least) & (length <= lengths.most)
        whole &= length % np.uint32(lengths.step) == 0
        counts[lane] = len(visited) + whole
        visited.append((lane[whole], position[whole]))
        ends[lane] = np.where(whole, after, position)
        on &= whole
        position, stop, lane = after[on], stop[on], lane[on]
    ends[lane], counts[lane] = position, len(visited)
    # Every lane passes one place a step, and all of its places come before the next lane's.
    at = np.empty(counts.sum(), np.int64)
    begins = np.cumsum(counts) - counts
    for step, (lane, position) in enumerate(visited):
        at[begins[lane] + step] = position
    return at, ends
