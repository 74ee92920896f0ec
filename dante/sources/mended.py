"""Records that follow one another, damaged in places: walked up to the damage and on behind it.

What is damaged cannot be walked over, for it does not tell where the next record begins. So the
bytes behind are searched for a place where plausible records follow one another again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from dante.sources.chain import Lengths, walk
from dante.sources.octets import Integers, Window

__all__ = ["Damage", "Form", "Mended", "Places", "follow", "places", "walk_mended"]

# Behind damage, more damage may be near: so many bytes are walked at first, then twice as many.
_NEAR: Final = 1 << 10
_PIECE: Final = 1 << 20

_NONE: Final = np.empty(0, np.int64)


@dataclass(frozen=True)
class Damage:
    """A place of a file that cannot be read.

    Attributes:
        before: how many of the records found in the window stand in front of it.
        offset: where in the file it begins.
        end: where reading goes on; None if nowhere.
    """

    before: int
    offset: int
    end: int | None


@dataclass(frozen=True)
class Places:
    """Where records may begin.

    Attributes:
        at: ascending.
        known: from here on the window's bytes are too few to tell.
    """

    at: Integers
    known: int

    @classmethod
    def of(cls, window: Window, found: Integers, verdict: Integers, known: int) -> "Places":
        """Those found that `follow` found good, and up to where that is known."""
        if window.last:
            return cls(found[verdict > 0], window.size)
        unknown = found[verdict == 0]
        known = int(unknown[0]) if unknown.size else known
        return cls(found[(verdict > 0) & (found < known)], known)


class Form(Protocol):
    """How records look."""

    @property
    def lengths(self) -> Lengths:
        """How they tell their length."""
        ...

    @property
    def header(self) -> int:
        """Bytes by which a record is known."""
        ...

    def guess(self, window: Window, lanes: Integers) -> Integers:
        """As `dante.sources.chain.Guess`."""
        ...

    def wrong(self, window: Window, at: Integers) -> int:
        """The first of some records that is none, or how many there are."""
        ...

    def turn(self, window: Window, at: int) -> bool:
        """Whether what begins here is a record of another length, which is right from now on."""
        ...

    def places(self, window: Window, start: int) -> Places:
        """Where in the window, from `start` on, records may begin after damage."""
        ...


@dataclass
class Mended:
    """The records of a window.

    Attributes:
        at: where each begins, ascending.
        damage: places between them that cannot be read.
        end: where the next window goes on.
        lost: the damage that was not passed yet, as an offset in the file.
    """

    at: Integers
    damage: list[Damage]
    end: int
    lost: int | None


def walk_mended(window: Window, start: int, form: Form, lost: int | None) -> Mended:
    """The records of a window from `start` on, where something may be `lost` already."""
    found: list[Integers] = [_NONE]
    damage: list[Damage] = []
    count, position, until, near = 0, start, window.size, _NEAR
    ahead: Places | None = None
    while True:
        if lost is not None:
            ahead = ahead or form.places(window, position)
            place = int(np.searchsorted(ahead.at, position))
            if place == ahead.at.size:
                position = max(position, ahead.known)
                break
            position = int(ahead.at[place])
            damage.append(Damage(count, lost, window.offset + position))
            if form.turn(window, position):
                ahead = None
            lost, near = None, _NEAR
            until = position + near
        chain = walk(window, position, form.lengths, form.guess, until)
        fine = form.wrong(window, chain.at)
        found.append(chain.at[:fine])
        count += fine
        bad = fine < chain.at.size
        position = int(chain.at[fine]) if bad else chain.end
        if bad or chain.bad:
            if not window.last and position + form.header > window.size:
                break
            if not form.turn(window, position):
                lost = window.offset + position
                position += 1
        elif position < until or until >= window.size:
            if not window.last:
                break
            # What the end of the file cuts is no record if some follow in what it says is its own.
            ahead = ahead or form.places(window, position + 1)
            if ahead.at.max(initial=0) <= position:
                break
            lost, position = window.offset + position, position + 1
        else:
            near *= 2
            until = position + near
    return Mended(np.concatenate(found), damage, position, lost)


def places(start: int, stop: int, sieve: Callable[[int, int], Integers]) -> Integers:
    """What `sieve` lets through of the places from `start` to `stop`, asked piece by piece."""
    found = [_NONE]
    for first in range(start, stop, _PIECE):
        found.append(sieve(first, min(first + _PIECE, stop)))
    return np.concatenate(found)


def follow(
    window: Window,
    starts: Integers,
    enough: int,
    header: int,
    look: Callable[[Window, Integers], tuple[npt.NDArray[np.bool_], Integers]],
) -> Integers:
    """Whether so many records follow one another from each place on.

    `look` is whether what begins at places has the look of a record, and where it ends; `header`
    bytes are needed for that. Where the file ends exactly behind a record, one is enough; where it
    ends within one, two whole ones in front of it are.

    Returns:
        1 where they do, -1 where they do not, 0 where the window is too short to tell.
    """
    verdict = np.zeros(starts.size, np.int64)
    rows, position = np.arange(starts.size), starts
    for count in range(enough):
        there = position + header <= window.size
        fine, after = look(window, np.where(there, position, 0))
        on = there & fine & (after <= window.size)
        verdict[rows[there & ~fine]] = -1
        if window.last:
            ended = ~there | (fine & ~on)
            exact = (position == window.size) & (count > 0)
            verdict[rows[ended]] = np.where(exact | (count > 1), 1, -1)[ended]
        rows, position = rows[on], after[on]
    verdict[rows] = 1
    return verdict
