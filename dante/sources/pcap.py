"""Classic captures (pcap): the file header, and records that follow one another.

After damage reading goes on at the next place where records with plausible headers follow one
another; the bytes in between are one refused row.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from dante.sources.batch import Batch
from dante.sources.captures import Found, read_windows
from dante.sources.chain import Lengths, across
from dante.sources.format import Format, Head
from dante.sources.frames import LINKS
from dante.sources.mended import Places, follow, places, walk_mended
from dante.sources.octets import Integers, OctetSource, Window
from dante.sources.reading import Reading

__all__ = ["FORMAT", "read_pcap"]

_HEADER: Final = 24
_MICRO, _NANO, _MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
_MAGICS: Final = {
    struct.pack(order + "I", magic): (order, magic)
    for order in "<>"
    for magic in (_MICRO, _NANO, _MODIFIED)
}
_LINK: Final = 0x03FF_FFFF
# No packet is longer: what tcpdump and Wireshark hold to.
_MOST: Final = 262_144
# Headers in a row that are believed behind damage.
_ENOUGH: Final = 3
_MONTH: Final = 30 * 86_400
_EVER: Final = (631_152_000, 4_102_444_800)  # 1990 to 2100, in seconds


@dataclass(frozen=True)
class _Kind:
    """What a file's header says.

    Attributes:
        order: `<` or `>`.
        unit: parts of a second that times are counted in.
        size: bytes of a record's header.
        link: the link type of all records.
    """

    order: str
    unit: int
    size: int
    link: int


def read_pcap(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a capture, at most `rows_per_batch` rows each.

    A refused row is kept as the first 2,048 captured bytes, in hexadecimal.

    Raises:
        SourceError: it is no capture, or of a link type that is not read, or it is damaged in
            front of its first record.
    """
    source = OctetSource(path)
    window = source.window()
    records = _Records(_kind(source, window))
    yield from read_windows(source, window, _HEADER, records, reading.sensor, rows_per_batch)


def _kind(source: OctetSource, window: Window) -> _Kind:
    known = _MAGICS.get(window.piece(0, 4))
    if known is None:
        raise source.unreadable("not a capture, which begins with a1b2c3d4 in some byte order")
    if window.size < _HEADER:
        raise source.unreadable(f"the capture ends within its header, which has {_HEADER} bytes")
    order, magic = known
    link = struct.unpack_from(order + "I", window.data, 20)[0] & _LINK
    if link not in LINKS:
        raise source.unreadable(
            f"captured on a link of type {link}, which is not read; read are "
            + ", ".join(map(str, LINKS))
        )
    unit = 1_000_000_000 if magic == _NANO else 1_000_000
    return _Kind(order, unit, 24 if magic == _MODIFIED else 16, link)


class _Records:
    """Records of one kind of file, as `Capture` and as `Form`."""

    def __init__(self, kind: _Kind) -> None:
        self._kind = kind
        self.header = kind.size
        self.lengths = Lengths(kind.order, 8, kind.size, 0, _MOST, 1)
        word = kind.order + "u4"
        self._header = np.dtype([("s", word), ("part", word), ("kept", word), ("size", word)])
        # Places of the bytes of the four numbers, those of most weight first.
        little = kind.order == "<"
        self._byte = [[4 * n + (3 - k if little else k) for k in range(4)] for n in range(4)]
        self._seconds: tuple[int, int] | None = None

    def find(self, window: Window, start: int, lost: int | None) -> Found:
        mended = walk_mended(window, start, self, lost)
        head = window.fields(self._header, mended.at)
        part = head["part"]
        untimed = part >= self._kind.unit
        ts = head["s"].astype(np.int64)
        ts *= 1_000_000
        ts += part if self._kind.unit == 1_000_000 else part // 1000
        return Found(
            at=mended.at + self._kind.size,
            kept=head["kept"].astype(np.int64),
            ts=ts,
            untimed=untimed if untimed.any() else None,
            link=self._kind.link,
            damage=mended.damage,
            end=mended.end,
            lost=mended.lost,
        )

    def guess(self, window: Window, lanes: Integers) -> Integers:
        """Where the time begins as the first record's does, and lengths are below 65,536."""
        seconds, part, kept, size = self._byte
        first = window.data[int(lanes[0]) + seconds[0]]
        found = across(window, lanes, seconds[0], 1) == first
        found &= across(window, lanes, part[0], 1) <= (self._kind.unit - 1) >> 24
        for byte in (*kept[:2], *size[:2]):
            found &= across(window, lanes, byte, 1) == 0
        place = found.argmax(axis=1)
        return np.where(found[np.arange(lanes.size), place], lanes + place, -1)

    def wrong(self, window: Window, at: Integers) -> int:
        """Zeros, which a crash leaves at the end of a file, are no records."""
        if not at.size:
            return 0
        # Records of no bytes are rare, and only they are looked at.
        none = np.append(np.flatnonzero(np.diff(at) == self._kind.size), at.size - 1)
        head = window.fields(self._header, at[none])
        zeros = none[(head["size"] == 0) & (head["kept"] == 0) & (head["s"] == 0)]
        fine = int(zeros[0]) if zeros.size else at.size
        if fine:
            ends = window.fields(self._header, at[[0, fine - 1]])["s"].astype(np.int64)
            known = self._seconds or (int(ends[0]), int(ends[0]))
            self._seconds = min(known[0], int(ends.min())), max(known[1], int(ends.max()))
        return fine

    def turn(self, window: Window, at: int) -> bool:
        return False

    def places(self, window: Window, start: int) -> Places:
        """Where `_ENOUGH` headers follow one another, or as many as there are up to the end."""
        size = self._kind.size
        byte = np.frombuffer(window.data, np.uint8)
        top = (self._kind.unit - 1) >> 24

        def sieve(first: int, stop: int) -> Integers:
            def at(place: int) -> npt.NDArray[np.uint8]:
                return byte[first + place : stop + place]

            _, part, kept, whole = self._byte
            some = (at(kept[0]) == 0) & (at(whole[0]) == 0) & (at(part[0]) <= top)
            some &= at(kept[1]) <= _MOST >> 16
            found = np.flatnonzero(some) + first
            return found[self._plausible(window, found)[0]]

        known = window.size - size + 1
        found = places(start, known, sieve)
        good = follow(window, found, _ENOUGH, size, self._plausible)
        return Places.of(window, found, good, known)

    def _plausible(self, window: Window, at: Integers) -> tuple[npt.NDArray[np.bool_], Integers]:
        """Whether headers may be some, and where the next ones begin."""
        head = window.fields(self._header, at)
        early, late = _EVER
        if self._seconds is not None:
            early, late = self._seconds[0] - _MONTH, self._seconds[1] + _MONTH
        fine = (head["kept"] > 0) & (head["kept"] <= _MOST) & (head["kept"] <= head["size"])
        fine &= (head["part"] < self._kind.unit) & (head["s"] >= early) & (head["s"] <= late)
        return fine, at + self._kind.size + head["kept"]


def _looks(head: Head) -> bool:
    return head.data[:4] in _MAGICS


FORMAT: Final = Format("pcap", _looks, "a classic capture, beginning with a1b2c3d4", read_pcap)
