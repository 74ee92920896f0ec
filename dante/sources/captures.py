"""Captures of any kind → batches: frames and damage, numbered as rows in the file's order."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.sources.batch import Batch, refuse
from dante.sources.frames import Frames
from dante.sources.ipheaders import read_frames
from dante.sources.mended import Damage
from dante.sources.octets import Integers, OctetSource, Window
from dante.store.ahead import ahead

__all__ = ["Capture", "Found", "read_windows"]

# Damaged places in front of the first packet after which none is looked for any more.
_MOST_DAMAGE: Final = 1000


@dataclass(frozen=True)
class Found:
    """What a window holds.

    Attributes:
        at, kept, ts, untimed, link: as in `Frames`.
        damage: places that cannot be read.
        end: where the next window goes on.
        lost: damage that was not passed yet, as an offset in the file.
    """

    at: Integers
    kept: Integers
    ts: Integers
    untimed: npt.NDArray[np.bool_] | None
    link: int | Integers
    damage: list[Damage]
    end: int
    lost: int | None


class Capture(Protocol):
    """A kind of capture."""

    def find(self, window: Window, start: int, lost: int | None) -> Found:
        """The frames of a window from `start` on, where something may be `lost` already."""
        ...


def read_windows(
    source: OctetSource,
    window: Window,
    start: int,
    capture: Capture,
    sensor: str | None,
    limit: int,
) -> Iterator[Batch]:
    """Batches of at most `limit` rows, from `start` in the file's first window on.

    Raises:
        SourceError: it is damaged, and not one frame can be read.
    """
    row = 0
    damaged: list[str] = []  # in front of the first frame: a file without any is an error
    # Where frames begin in the next window is found while those of this one are read.
    with closing(ahead(_found(source, window, start, capture))) as windows:
        for window, found in windows:
            whole = window.last and found.lost is None and source.damage is None
            places = [(place.before, _told(place)) for place in found.damage]
            if window.last:
                places += _at_end(source, window, found)
            # Half a packet is what a file may end with that is still written to.
            if row or found.at.size or whole:
                places = [(0, told) for told in damaged] + places
                damaged = []
                for batch in _rows(window, found, places, row, sensor, limit):
                    yield batch
                    row += batch.rows
            else:
                damaged += [told for _, told in places]
            if len(damaged) > _MOST_DAMAGE:
                break
    if damaged:
        raise source.unreadable(f"not one packet can be read: {damaged[0]}")


def _found(
    source: OctetSource, window: Window, start: int, capture: Capture
) -> Iterator[tuple[Window, Found]]:
    """A file's windows, and what each holds."""
    lost = None
    while True:
        found = capture.find(window, start, lost)
        yield window, found
        if window.last:
            return
        lost = found.lost
        window, start = source.window(window, found.end), 0


def _told(place: Damage) -> str:
    if place.end is None:
        return f"the capture is damaged at byte {place.offset:,}, and nothing is read behind it"
    return f"the capture is damaged at byte {place.offset:,}; reading goes on at byte {place.end:,}"


def _at_end(source: OctetSource, window: Window, found: Found) -> list[tuple[int, str]]:
    """What is wrong with the end of the file."""
    why = f" ({source.damage})" if source.damage is not None else ""
    if found.lost is not None:
        return [(found.at.size, _told(Damage(0, found.lost, None)) + why)]
    if found.end < window.size:
        place = window.offset + found.end
        return [(found.at.size, f"the capture ends within a record, at byte {place:,}{why}")]
    if why:
        return [(found.at.size, f"the capture is damaged after {source.read:,} bytes{why}")]
    return []


def _rows(
    window: Window,
    found: Found,
    places: list[tuple[int, str]],
    before: int,
    sensor: str | None,
    limit: int,
) -> Iterator[Batch]:
    frames = np.arange(found.at.size)
    spots = np.array([spot for spot, _ in places], dtype=np.int64)
    number = frames + (before + 1)
    if places:
        number += np.searchsorted(spots, frames, "right")
    damaged = spots + np.arange(spots.size) + (before + 1)
    every = Frames(
        found.at, found.kept, found.ts, found.untimed, found.link, number.astype(np.uint64)
    )
    last = before + frames.size + spots.size
    for first in range(before + 1, last + 1, limit):
        ends = (first, first + limit)
        batch = read_frames(window, every.some(slice(*np.searchsorted(number, ends))), sensor)
        marks = slice(*np.searchsorted(damaged, ends).tolist())
        if damaged[marks].size:
            texts = [told for _, told in places[marks]]
            batch = _with(batch, damaged[marks], texts)
        yield batch


def _with(batch: Batch, rows: Integers, reasons: list[str]) -> Batch:
    """A batch with more refused rows, in order."""
    size = len(reasons)
    more = refuse(
        pl.Series([None] * size, dtype=pl.Date),
        pl.Series(rows.astype(np.uint64)),
        [""] * size,
        pl.Series(reasons, dtype=pl.String),
    )
    return Batch(batch.given, pl.concat([batch.refused, more]).sort("row"))
