"""Interfaces of a capture of blocks: the link each is on, and how each counts time."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dante.sources.octets import Integers

__all__ = ["Interface", "read_interface", "times"]

_MICROSECONDS: Final = 6
_RESOLUTION, _OFFSET = 9, 14
_BINARY: Final = 0x80
# Years 1 to 9999, in seconds since 1970: what a date can say.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
_FAR: Final = 1 << 40

_Units = npt.NDArray[np.uint64]
_Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Interface:
    """What an interface's block says.

    Attributes:
        link: the link type.
        snap: the most bytes captured of a packet; 0 is no limit.
        resolution: units of time, as `if_tsresol` has them.
        offset: seconds that times are behind what is written, as `if_tsoffset` has them.
    """

    link: int
    snap: int
    resolution: int = _MICROSECONDS
    offset: int = 0


def read_interface(block: bytes, order: str) -> Interface:
    """An interface from its whole block, of at least 20 bytes."""
    link, _, snap = struct.unpack_from(order + "HHI", block, 8)
    resolution, offset = _MICROSECONDS, 0
    at, end = 16, len(block) - 4
    while at + 4 <= end:
        code, size = struct.unpack_from(order + "HH", block, at)
        value = block[at + 4 : at + 4 + size]
        if code == 0 or at + 4 + size > end:
            break
        if code == _RESOLUTION and size == 1:
            resolution = value[0]
        elif code == _OFFSET and size == 8:
            offset = struct.unpack(order + "q", value)[0]
        at += 4 + (size + 3) // 4 * 4
    return Interface(link, snap, resolution, offset)


def times(units: _Units, number: Integers, table: Sequence[Interface]) -> tuple[Integers, _Bits]:
    """Times as µs since 1970, rounded down, and which are out of range (those are 0).

    `number` says for each which interface of the table it is of.
    """
    codes = {interface.resolution for interface in table}
    if len(codes) == 1:
        seconds, part = _split(units, codes.pop())
    else:
        code = np.array([interface.resolution for interface in table])[number]
        seconds, part = np.zeros_like(units), np.zeros_like(units)
        for one in codes:
            rows = code == one
            seconds[rows], part[rows] = _split(units[rows], one)
    out = seconds > _FAR
    whole = np.where(out, 0, seconds).astype(np.int64)
    if any(interface.offset for interface in table):
        offset = np.array([interface.offset for interface in table])[number]
        out |= (offset > _FAR) | (offset < -_FAR)
        whole += np.where(out, 0, offset)
    out |= (whole < _EARLIEST) | (whole > _LATEST)
    whole *= 1_000_000
    whole += part.view(np.int64)
    whole[out] = 0
    return whole, out


def _split(units: _Units, code: int) -> tuple[_Units, _Units]:
    """Seconds, and µs in addition."""
    power = code & ~_BINARY
    if not code & _BINARY:
        if power > 19:  # more than 64 bits hold: all of them are less than a second
            most = power - _MICROSECONDS
            return np.zeros_like(units), units // 10**most if most <= 19 else np.zeros_like(units)
        seconds, rest = np.divmod(units, np.uint64(10**power))
        if power <= _MICROSECONDS:
            return seconds, rest * np.uint64(10 ** (_MICROSECONDS - power))
        return seconds, rest // np.uint64(10 ** (power - _MICROSECONDS))
    seconds = units >> np.uint64(power) if power < 64 else np.zeros_like(units)
    rest = units - (seconds << np.uint64(min(power, 63)))
    # In two halves, for a million times the whole is more than 64 bits hold.
    million, half = np.uint64(1_000_000), np.uint64(32)
    low = rest & np.uint64(0xFFFF_FFFF)
    if power <= 32:
        return seconds, low * million >> np.uint64(power)
    high = (rest >> half) * million + (low * million >> half)
    left = power - 32
    return seconds, high >> np.uint64(left) if left < 64 else np.zeros_like(units)
