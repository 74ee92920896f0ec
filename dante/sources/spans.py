"""Spans of a block's bytes → numbers, many at once, without any text.

Only what is written in the one plain way is read here: digits alone, octets without a zero in
front. Everything else is said to be not read, and is for others to judge, who read what is read
here as the same.

Eight bytes are taken at once: those that end where a span ends, of which the ones in front of its
start are masked. As little-endian numbers they are digits in order of their weight, so that three
multiplications add up all eight. In front of the first span stand at least `PAD` bytes.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["PAD", "digits", "digits_of", "long_digits", "masked", "octets", "pieces", "text_of"]

PAD: Final = 16
"""Bytes that data has in front of the first span."""

_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]
_Bytes = npt.NDArray[np.uint8]

_ZEROS: Final = np.uint64(0x3030_3030_3030_3030)
_CARRY: Final = np.uint64(0x7676_7676_7676_7676)
_HIGH: Final = np.uint64(0x8080_8080_8080_8080)
_BYTE: Final = np.uint32(255)
_EIGHT: Final = np.uint64(10**8)
# Of digits pairs, of pairs fours, of fours the whole.
_STEPS: Final = tuple(
    (np.uint64(factor), np.uint64(shift), np.uint64(mask))
    for factor, shift, mask in (
        (2561, 8, 0x00FF_00FF_00FF_00FF),
        (6_553_601, 16, 0x0000_FFFF_0000_FFFF),
        (42_949_672_960_001, 32, 0xFFFF_FFFF),
    )
)
# By the number of bytes: the bits that are theirs.
_MASKS: Final = np.array(
    [0, *((2**64 - 1) << 8 * (8 - size) & (2**64 - 1) for size in range(1, 9))], dtype=np.uint64
)
# By the number of digits: bits that are none of theirs, and the least number written so.
_SHIFTS: Final = np.array([24, 24, 16, 8, 8], dtype=np.uint32)
_LEAST: Final = np.array([256, 0, 10, 100, 256], dtype=np.uint32)


def pieces(data: _Bytes, begin: _Ints, size: int) -> npt.NDArray[Any]:
    """The `size` bytes that begin at each place, as void scalars of so many bytes."""
    # A view at every byte: numpy then copies each piece as one.
    every: npt.NDArray[Any] = np.ndarray(
        (data.size - size + 1,), dtype=f"V{size}", buffer=data, strides=(1,)
    )
    found: npt.NDArray[Any] = every[begin]
    return found


def text_of(data: _Bytes, begins: _Ints, chosen: _Ints) -> bytes:
    """Some lines, one after another; `begins` is where each begins, and the last one ends."""
    cuts = zip(begins[chosen].tolist(), begins[chosen + 1].tolist(), strict=True)
    view = data.data
    return b"".join(view[a:b] for a, b in cuts)


def masked(data: _Bytes, end: _Ints, size: _Ints) -> _Words:
    """Spans of up to eight bytes as numbers that are equal for equal text; longer ones by their
    last eight bytes.
    """
    words: _Words = pieces(data, end - 8, 8).view("<u8")
    words &= _MASKS.take(size, mode="clip")
    return words


def digits(data: _Bytes, end: _Ints, size: _Ints) -> tuple[_Words, _Bools]:
    """Whole numbers of one to eight digits, and which spans are such."""
    return digits_of(pieces(data, end - 8, 8).view("<u8"), size)


def digits_of(words: _Words, size: _Ints | int) -> tuple[_Words, _Bools]:
    """As `digits`, from the eight bytes that end where the spans end, which are written over."""
    words ^= _ZEROS
    words &= _MASKS.take(size, mode="clip")
    wrong = words + _CARRY
    wrong |= words
    wrong &= _HIGH
    right: _Bools = wrong == 0
    if isinstance(size, np.ndarray) and size.size and not 1 <= size.min() <= size.max() <= 8:
        right &= (size >= 1) & (size <= 8)
    return _sum(words), right


def long_digits(data: _Bytes, end: _Ints, size: _Ints) -> tuple[_Words, _Bools]:
    """Whole numbers of one to ten digits, and which spans are such."""
    number, right = digits(data, end, np.minimum(size, 8))
    high, more = digits(data, np.maximum(end - 8, 8), size - 8)
    long = size > 8
    right &= (more & (size <= 10)) | ~long
    high[~long] = 0
    number += high * _EIGHT
    return number, right


def octets(data: _Bytes, end: _Ints, size: _Ints) -> tuple[npt.NDArray[np.uint32], _Bools]:
    """Numbers from 0 to 255 as an address has them, and which spans are such."""
    shift = _SHIFTS.take(size, mode="clip")
    found = pieces(data, end - 4, 4).view("<u4")
    found ^= np.uint32(0x3030_3030)
    found >>= shift
    found <<= shift
    right: _Bools = ((found + np.uint32(0x7676_7676)) | found) & np.uint32(0x8080_8080) == 0
    ones, tens = found >> np.uint32(24), (found >> np.uint32(16)) & _BYTE
    value = ones + tens * np.uint32(10) + ((found >> np.uint32(8)) & _BYTE) * np.uint32(100)
    right &= (value >= _LEAST.take(size, mode="clip")) & (value < 256)
    return value, right


def _sum(found: _Words) -> _Words:
    """Eight digits added up by their weight, in place."""
    for factor, shift, mask in _STEPS:
        found *= factor
        found >>= shift
        found &= mask
    return found
