"""Lines cut at blanks and dots, and looks at many of them at once.

A look is a text that stands at a place: as eight bytes are compared at once, a longer text is
several looks, and of a shorter one the rest is masked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dante.sources.spans import PAD, pieces, text_of

__all__ = ["Looks", "Marked", "mark_lines", "runs"]

_BLANK: Final = 32
_DOT: Final = 46
_FEED: Final = 10
# Behind the last line stand as many bytes as a look at its end may take.
_BEHIND: Final = 256
_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Marked:
    """Whole lines.

    Attributes:
        data: their bytes, between pads; the last byte of the pad in front of them is a `0`.
        begins: where each begins, and the last one ends.
        marks: all places of blanks, control characters and dots, and so of line feeds.
        words: for each mark the eight bytes that begin there: what ends one word, and the next one.
        last: for each line which mark is its line feed.
    """

    data: _Bytes
    begins: _Ints
    marks: _Ints
    words: _Words
    last: _Ints

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return self.last.size

    def text(self, chosen: _Ints) -> bytes:
        """These lines, one after another, each with its line feed."""
        return text_of(self.data, self.begins, chosen)


def mark_lines(block: bytes) -> Marked:
    """A block, which ends in a line feed."""
    data = np.frombuffer(b"0".rjust(PAD, b"\0") + block + bytes(_BEHIND), dtype=np.uint8)
    own = data[PAD : PAD + len(block)]
    found = own <= _BLANK
    found |= own == _DOT
    marks = np.flatnonzero(found)
    marks += PAD
    words = pieces(data, marks, 8).view("<u8")
    last = np.flatnonzero(words & np.uint64(255) == _FEED)
    begins = np.empty(last.size + 1, dtype=np.int64)
    begins[0] = PAD
    np.add(marks[last], 1, out=begins[1:])
    return Marked(data, begins, marks, words, last)


@dataclass(frozen=True)
class Looks:
    """Texts that stand where they are looked for.

    Attributes:
        of: for each look which place it is counted from.
        skip: bytes from there on.
        value, mask: what stands there, as a number.
    """

    of: _Ints
    skip: _Ints
    value: _Words
    mask: _Words

    @staticmethod
    def at(texts: Sequence[tuple[int, int, bytes]]) -> "Looks":
        """Texts, of one byte or more, so many bytes behind the place of this number."""
        rows: list[tuple[int, int, int, int]] = []
        for place, skip, text in texts:
            # The last piece of a longer text overlaps the one before it.
            cuts = [*range(0, len(text) - 7, 8), max(len(text) - 8, 0)]
            for cut in dict.fromkeys(cuts):
                piece = text[cut : cut + 8]
                mask = (1 << 8 * len(piece)) - 1
                rows.append((place, skip + cut, int.from_bytes(piece, "little"), mask))
        of, skips, values, masks = zip(*rows, strict=True)
        numbers = (np.array(column, dtype=np.uint64) for column in (values, masks))
        return Looks(np.array(of), np.array(skips), *numbers)

    def hold(self, data: _Bytes, places: _Ints) -> _Bools:
        """For each column of `places` (a row a place) whether all texts stand there."""
        held = np.ones(places.shape[1], dtype=np.bool_)
        for of, skip, value, mask in zip(self.of, self.skip, self.value, self.mask, strict=True):
            found = pieces(data, places[of] + skip, 8).view("<u8")
            held &= (found ^ value) & mask == 0
        return held


def runs(array: npt.NDArray[Any], first: _Ints, size: int) -> npt.NDArray[Any]:
    """So many items from each place on: of shape (places, size)."""
    whole = pieces(array.view(np.uint8), first * array.itemsize, size * array.itemsize)
    found: npt.NDArray[Any] = whole.view(array.dtype).reshape(-1, size)
    return found
