"""The order in which rows lie in the lake, found with sorts of plain integers."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["stable_order"]

_Ints = npt.NDArray[Any]

# Rows whose places are put in at once: they fit into a processor's cache.
_BLOCK: Final = 1 << 14
_PLACES: Final = np.arange(_BLOCK, dtype=np.uint64)


def stable_order(*keys: _Ints) -> npt.NDArray[np.uint32]:
    """Positions that sort rows by the last key, then the one before it, and so on, then by place.

    As `numpy.lexsort`, for fewer than 2^32 rows and keys of 64-bit integers. A key and the place
    of its row are packed into one number, so that an unstable sort of numbers, which processors
    do many at a time, is a stable sort of rows; a key too wide for that is sorted in digits.
    """
    size = keys[0].size
    if size < 2:
        return np.arange(size, dtype=np.uint32)
    bits = np.uint64(int(size - 1).bit_length())
    left = np.uint64(64) - bits
    places = np.uint64((1 << int(bits)) - 1)
    order: _Ints | None = None
    for key in keys:
        # A copy, which is worked on in place: new memory takes as long as what is done in it. Of
        # a field of records every look is a way through all of their memory: one is enough.
        key = np.array(key)
        if order is None and _ascending(key):
            continue
        # The difference of two signed numbers is right even where it does not fit its sign.
        key -= key.min()
        rest = key.view(np.uint64)
        most = int(rest.max())
        while most:
            # What does not fit is shifted out, and is the next digit.
            more = most >> int(left)
            digit = rest << bits if more else np.left_shift(rest, bits, out=rest)
            if order is not None:
                digit = digit[order]
            if not _ascending(digit):
                for start in range(0, size, _BLOCK):
                    digit[start : start + _BLOCK] |= _PLACES[: size - start] + np.uint64(start)
                digit.sort()
                digit &= places
                order = digit if order is None else order[digit]
            if more:
                rest >>= left
            most = more
    return np.arange(size, dtype=np.uint32) if order is None else order.astype(np.uint32)


def _ascending(values: _Ints) -> bool:
    return bool((values[1:] >= values[:-1]).all())
