"""Fields of lines → numbers, from the bytes of a whole block at once, without any text.

Only what is written in the one plain way is read here: numbers of digits alone, addresses of four
numbers, times in seconds and microseconds. Everything else is said to be not read, and is for
others to judge, who read what is read here as the same.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dante.sources.lines import MAX_LINE
from dante.sources.spans import PAD, digits, long_digits, masked, octets, text_of

__all__ = ["Grid", "cut_cells"]

_FEED: Final = 10
_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]
_Bytes = npt.NDArray[np.uint8]


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
        return text_of(self.data, self.begins, chosen)

    def _field(self, index: int) -> tuple[_Ints, _Ints]:
        end = self.marks[:, index]
        start = self.marks[:, index - 1] + 1 if index else self.begins[self.rows]
        return start, end

    def first_bytes(self, index: int) -> _Bytes:
        """The first byte of each field; of an empty one what stands behind it."""
        found: _Bytes = self.data[self._field(index)[0]]
        return found

    def sizes(self, index: int) -> _Ints:
        """How many bytes each field has."""
        start, end = self._field(index)
        return end - start

    def words(self, index: int) -> tuple[_Words, _Bools]:
        """Fields of up to eight bytes as numbers that are equal for equal text."""
        start, end = self._field(index)
        return masked(self.data, end, end - start), end - start <= 8

    def numbers(self, index: int) -> tuple[_Words, _Bools]:
        """Whole numbers of one to eight digits."""
        start, end = self._field(index)
        size = end - start
        if size.size and size.max() == 1:  # counts, mostly
            number = self.data[start] - np.uint8(48)
            return number.astype(np.uint64), (number < 10) & (size == 1)
        return digits(self.data, end, size)

    def times(self, index: int) -> tuple[_Ints, _Bools]:
        """Seconds with six decimals as microseconds; of seconds there are one to ten digits."""
        start, end = self._field(index)
        point = self.data[np.maximum(end - 7, 0)] == 46
        micros, right = digits(self.data, end, np.full(end.size, 6))
        seconds, plain = long_digits(self.data, end - 7, end - start - 7)
        right &= point & plain
        return (seconds * np.uint64(1_000_000) + micros).astype(np.int64), right

    def addresses(self, index: int, dots: _Ints) -> tuple[_Words, _Bools]:
        """IPv4 addresses; `dots` are all places of dots in the data, and four beyond its end."""
        start, end = self._field(index)
        first = np.searchsorted(dots, start)
        stops = [dots[first], dots[first + 1], dots[first + 2], end]
        right = (stops[2] < end) & (dots[first + 3] >= end)
        every = bool(right.all())
        number = np.zeros(start.size, dtype=np.uint32)
        for stop in stops:
            if not every:
                stop = np.where(right, stop, start + 1)
            octet, plain = octets(self.data, stop, stop - start)
            right &= plain
            number = (number << np.uint32(8)) | octet
            start = stop + 1
        return number.astype(np.uint64), right


def cut_cells(block: bytes, separator: str, fields: int) -> Grid:
    """The lines of a block, which ends in a line feed, that are surely plain rows.

    They are ASCII, have the right number of fields, no carriage return at their end, and are
    shorter than `MAX_LINE`.
    """
    data = np.frombuffer(bytes(PAD) + block, dtype=np.uint8)
    sign = ord(separator)
    # Where the separator is a tab, nothing else that is text is as small as it or a line feed.
    found = data[PAD:] <= _FEED if sign == 9 else (data[PAD:] == sign) | (data[PAD:] == _FEED)
    marks = np.flatnonzero(found) + PAD
    signs = data[marks]
    feeds = np.flatnonzero(signs == _FEED)
    ends = marks[feeds]
    begins = np.concatenate([[PAD], ends + 1])
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
