"""Fields of lines → numbers, from the bytes of a whole block at once, without any text.

Only what is written in the one plain way is read here: numbers of digits alone, addresses of four
numbers, times in seconds and microseconds. Everything else is said to be not read, and is for
others to judge, who read what is read here as the same.

Eight bytes are taken at once: those that end where a field ends, of which the ones in front of
its start are masked. As little-endian numbers they are digits in order of their weight, so that
three multiplications add up all eight.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dante.sources.lines import MAX_LINE

__all__ = ["Grid", "cut_cells"]

_PAD: Final = 16
_FEED: Final = 10
_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]
_Bytes = npt.NDArray[np.uint8]

_ALL: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_ZEROS: Final = np.uint64(0x3030_3030_3030_3030)
_CARRY: Final = np.uint64(0x7676_7676_7676_7676)
_HIGH: Final = np.uint64(0x8080_8080_8080_8080)
_BYTE: Final = np.uint32(255)
# By the number of digits: bits that are none of theirs, and the least number written so.
_SHIFTS: Final = np.array([24, 24, 16, 8, 8], dtype=np.uint32)
_LEAST: Final = np.array([256, 0, 10, 100, 256], dtype=np.uint32)


@dataclass(frozen=True)
class Grid:
    """The lines of a block that have the right fields, cut.

    Attributes:
        data: the block's bytes behind a pad.
        begins: where each line of the block begins, and the last one ends.
        rows: which lines of the block these are, ascending.
        marks: of shape (rows, fields): where each field ends.
    """

    data: _Bytes
    begins: _Ints
    rows: _Ints
    marks: _Ints

    @property
    def lines(self) -> int:
        """How many lines the block has."""
        return self.begins.size - 1

    def text(self, chosen: _Ints) -> bytes:
        """These lines of the block, one after another."""
        cuts = zip(self.begins[chosen].tolist(), self.begins[chosen + 1].tolist(), strict=True)
        return b"".join(self.data[a:b].tobytes() for a, b in cuts)

    def _field(self, index: int) -> tuple[_Ints, _Ints]:
        end = self.marks[:, index]
        start = self.marks[:, index - 1] + 1 if index else self.begins[self.rows]
        return start, end

    def first_bytes(self, index: int) -> _Bytes:
        """The first byte of each field; of an empty one what stands behind it."""
        found: _Bytes = self.data[self._field(index)[0]]
        return found

    def words(self, index: int) -> tuple[_Words, _Bools]:
        """Fields of up to eight bytes as numbers that are equal for equal text."""
        start, end = self._field(index)
        return self._masked(end, end - start), end - start <= 8

    def numbers(self, index: int) -> tuple[_Words, _Bools]:
        """Whole numbers of one to eight digits."""
        start, end = self._field(index)
        return self._digits(end, end - start)

    def times(self, index: int) -> tuple[_Ints, _Bools]:
        """Seconds with six decimals as microseconds; of seconds there are one to ten digits."""
        start, end = self._field(index)
        size = end - start - 7
        point = self.data[np.maximum(end - 7, 0)] == 46
        micros, right = self._digits(end, np.full(end.size, 6))
        low, low_right = self._digits(end - 7, np.minimum(size, 8))
        high, high_right = self._digits(np.maximum(end - 15, 8), size - 8)
        right &= point & low_right & (size <= 10) & (high_right | (size <= 8))
        seconds = low + np.where(size > 8, high, np.uint64(0)) * np.uint64(100_000_000)
        return (seconds * np.uint64(1_000_000) + micros).astype(np.int64), right

    def addresses(self, index: int, dots: _Ints) -> tuple[_Words, _Bools]:
        """IPv4 addresses; `dots` are all places of dots in the data, and four beyond its end."""
        start, end = self._field(index)
        first = np.searchsorted(dots, start)
        stops = [dots[first], dots[first + 1], dots[first + 2], end]
        right = (stops[2] < end) & (dots[first + 3] >= end)
        number = np.zeros(start.size, dtype=np.uint32)
        for stop in stops:
            stop = np.where(right, stop, start + 1)
            octet, plain = self._octets(stop, stop - start)
            right &= plain
            number = (number << np.uint32(8)) | octet
            start = stop + 1
        return number.astype(np.uint64), right

    def _tail(self, end: _Ints, size: int) -> npt.NDArray[Any]:
        """The `size` bytes that end there, as a number."""
        # Plain views at every byte: numpy then copies each piece as one.
        every: npt.NDArray[Any] = np.ndarray(
            (self.data.size - size + 1,), dtype=f"V{size}", buffer=self.data, strides=(1,)
        )
        found: npt.NDArray[Any] = every[end - size].view(f"<u{size}")
        return found

    def _masked(self, end: _Ints, size: _Ints) -> _Words:
        shift = ((8 - np.clip(size, 1, 8)) * 8).astype(np.uint64)
        masked: _Words = np.where(size > 0, self._tail(end, 8) & (_ALL << shift), np.uint64(0))
        return masked

    def _digits(self, end: _Ints, size: _Ints) -> tuple[_Words, _Bools]:
        shift = ((8 - np.clip(size, 1, 8)) * 8).astype(np.uint64)
        mask = _ALL << shift
        digits = (self._tail(end, 8) ^ _ZEROS) & mask
        right = (((digits + _CARRY) | digits) & _HIGH == 0) & (size >= 1) & (size <= 8)
        return _sum(digits), right

    def _octets(self, end: _Ints, size: _Ints) -> tuple[npt.NDArray[np.uint32], _Bools]:
        size = np.clip(size, 0, 4)
        shift = _SHIFTS[size]
        digits = (self._tail(end, 4).astype(np.uint32) ^ np.uint32(0x3030_3030)) >> shift << shift
        right = ((digits + np.uint32(0x7676_7676)) | digits) & np.uint32(0x8080_8080) == 0
        ones, tens = digits >> np.uint32(24), (digits >> np.uint32(16)) & np.uint32(255)
        value = ones + tens * np.uint32(10) + ((digits >> np.uint32(8)) & _BYTE) * np.uint32(100)
        return value, right & (value >= _LEAST[size]) & (value < 256)


def _sum(digits: _Words) -> _Words:
    pairs = (digits * np.uint64(2561) >> np.uint64(8)) & np.uint64(0x00FF_00FF_00FF_00FF)
    fours = (pairs * np.uint64(6_553_601) >> np.uint64(16)) & np.uint64(0x0000_FFFF_0000_FFFF)
    return fours * np.uint64(42_949_672_960_001) >> np.uint64(32)


def cut_cells(block: bytes, separator: str, fields: int) -> Grid:
    """The lines of a block, which ends in a line feed, that are surely plain rows.

    They are ASCII, have the right number of fields, no carriage return at their end, and are
    shorter than `MAX_LINE`.
    """
    data = np.frombuffer(bytes(_PAD) + block, dtype=np.uint8)
    sign = ord(separator)
    # Where the separator is a tab, nothing else that is text is as small as it or a line feed.
    found = data[_PAD:] <= _FEED if sign == 9 else (data[_PAD:] == sign) | (data[_PAD:] == _FEED)
    marks = np.flatnonzero(found) + _PAD
    signs = data[marks]
    feeds = np.flatnonzero(signs == _FEED)
    ends = marks[feeds]
    begins = np.concatenate([[_PAD], ends + 1])
    counts = np.diff(feeds, prepend=-1)
    sizes = np.diff(begins)
    good = (counts == fields) & (sizes < MAX_LINE) & (data[ends - 1] != 13)
    strange = np.flatnonzero((signs != sign) & (signs != _FEED))
    if strange.size:
        good[np.searchsorted(feeds, strange)] = False
    if not block.isascii():
        high = np.flatnonzero(data >= 128)
        good[np.searchsorted(ends, high)] = False
    rows = np.flatnonzero(good)
    if rows.size == good.size:
        return Grid(data, begins, rows, marks.reshape(-1, fields))
    inside = np.repeat(good, counts)
    return Grid(data, begins, rows, marks[inside].reshape(-1, fields))
