"""The order in which rows lie in the lake, found with sorts of plain integers."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["stable_order"]

_Ints = npt.NDArray[Any]


def stable_order(*keys: _Ints) -> npt.NDArray[np.uint32]:
    """Positions that sort rows by the last key, then the one before it, and so on, then by place.

    As `numpy.lexsort`, for fewer than 2^32 rows and keys of 64-bit integers. A key and the place
    of its row are packed into one number, so that an unstable sort of numbers, which processors
    do many at a time, is a stable sort of rows; a key too wide for that is sorted in digits.
    """
    size = keys[0].size
    place = np.arange(size, dtype=np.uint64)
    if size < 2:
        return place.astype(np.uint32)
    bits = np.uint64(int(size - 1).bit_length())
    places = np.uint64((1 << int(bits)) - 1)
    order = place
    for key in keys:
        # Of a field of records every look is a way through all of their memory: one is enough.
        key = np.ascontiguousarray(key)
        if order is place and _ascending(key):
            continue
        # The difference of two signed numbers is right even where it does not fit its sign.
        rest = (key - key.min()).view(np.uint64)
        most = int(rest.max())
        while most:
            digit = rest << bits  # what does not fit is shifted out, and is the next digit
            if order is not place:
                digit = digit[order]
            if not _ascending(digit):
                digit |= place
                digit.sort()
                digit &= places
                order = digit if order is place else order[digit]
            left = np.uint64(64) - bits
            rest = rest >> left
            most >>= int(left)
    return order.astype(np.uint32)


def _ascending(values: _Ints) -> bool:
    return bool((values[1:] >= values[:-1]).all())
