"""Captured frames: where in each the IP header begins, by the link they were captured on."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dante.sources.octets import Integers, Window

__all__ = [
    "CUT",
    "FAMILY",
    "IPV4",
    "IPV6",
    "LINK",
    "LINKS",
    "NOWHERE",
    "RAW",
    "Frames",
    "Inside",
    "inside",
]

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
RAW: Final = 0
"""In place of an ethertype: IP, of the version that its header says."""
CUT: Final = 1 << 32
"""In place of an ethertype: the link's header was not captured."""
FAMILY: Final = 2 << 32
"""In place of an ethertype, added to an address family that is none of IP."""
LINK: Final = 3 << 32
"""In place of an ethertype, added to a link type that is not read."""
NOWHERE: Final = 1 << 16
"""In place of a link type: it is not known."""

# Tags of VLANs (802.1Q, 802.1ad, and what was used before it), and how many of a frame are read.
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS: Final = 8
# Below this an Ethernet frame has its length where others have their type (802.3).
_FIRST_TYPE: Final = 0x0600
_SNAP: Final = 0xAAAA_0300_0000
_FAMILIES: Final = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}


@dataclass(frozen=True)
class _Link:
    """How a link's header says what follows it: an ethertype at `place`, or always `kind`."""

    size: int
    place: int | None = None
    kind: int = RAW


LINKS: Final = {
    0: _Link(4),
    1: _Link(14, 12),
    12: _Link(0),
    14: _Link(0),
    101: _Link(0),
    108: _Link(4),
    113: _Link(16, 14),
    228: _Link(0, kind=IPV4),
    229: _Link(0, kind=IPV6),
    276: _Link(20, 0),
}
"""Link types that are read (tcpdump.org's numbers): BSD loopback, Ethernet, raw IP by three
numbers, OpenBSD loopback, Linux cooked, IPv4, IPv6, Linux cooked 2."""
_LOOPBACKS: Final = (0, 108)
_ETHERNET: Final = 1


@dataclass(frozen=True)
class Frames:
    """Frames of a window, in order.

    Attributes:
        at: where each begins.
        kept: how many bytes of it were captured.
        ts: µs since 1970.
        untimed: those without a time, or with one that is none; None if all have one.
        link: the link type of all, or of each.
        row: their numbers among the rows of the file, from 1, ascending.
    """

    at: Integers
    kept: Integers
    ts: Integers
    untimed: npt.NDArray[np.bool_] | None
    link: int | Integers
    row: npt.NDArray[np.uint64]

    def some(self, chosen: slice) -> "Frames":
        """A run of them."""
        return Frames(
            self.at[chosen],
            self.kept[chosen],
            self.ts[chosen],
            None if self.untimed is None else self.untimed[chosen],
            self.link if isinstance(self.link, int) else self.link[chosen],
            self.row[chosen],
        )


@dataclass(frozen=True)
class Inside:
    """What frames hold.

    Attributes:
        at: where the IP header begins, if there is one; at most the size of the window.
        have: how many bytes were captured from there on; less than 0 where not even the link's
            header was.
        kind: the ethertype, or what stands in its place; one for all, or of each.
    """

    at: Integers
    have: Integers
    kind: int | Integers


def inside(window: Window, frames: Frames) -> Inside:
    """Pass over the link headers."""
    if isinstance(frames.link, int):
        return _of_link(window, frames.at, frames.kept, frames.link)
    links = np.unique(frames.link)
    if links.size == 1:
        return _of_link(window, frames.at, frames.kept, int(links[0]))
    at, have = frames.at.copy(), frames.kept.copy()
    kind = LINK + frames.link
    for link in LINKS:
        rows = np.flatnonzero(frames.link == link)
        if rows.size:
            found = _of_link(window, frames.at[rows], frames.kept[rows], link)
            at[rows], have[rows], kind[rows] = found.at, found.have, found.kind
    return Inside(at, have, kind)


def _of_link(window: Window, at: Integers, kept: Integers, number: int) -> Inside:
    link = LINKS.get(number)
    if link is None:
        return Inside(at, kept, LINK + number)
    if not link.size:
        return Inside(at, kept, link.kind)
    inner, have = np.minimum(at + link.size, window.size), kept - link.size
    if link.place is None:
        kind = _family(window, at)
    else:
        kind = _uint16(window, at + link.place)
        if number == _ETHERNET:
            _unwrap_snap(window, inner, have, kind)
        _unwrap_tags(window, inner, have, kind)
    kind[have < 0] = CUT
    return Inside(inner, have, kind)


def _gather(window: Window, at: Integers, kind: str) -> npt.NDArray[Any]:
    return window.fields(np.dtype(kind), np.minimum(at, window.size))


def _uint16(window: Window, at: Integers) -> Integers:
    return _gather(window, at, ">u2").astype(np.int64)


def _family(window: Window, at: Integers) -> Integers:
    """The ethertype of an address family, in whichever byte order it was written."""
    family = _gather(window, at, "<u4")
    family = np.where(family > 0xFFFF, family.byteswap(), family).astype(np.int64)
    kind = family + FAMILY
    for number, ethertype in _FAMILIES.items():
        kind[family == number] = ethertype
    return kind


def _unwrap_snap(window: Window, inner: Integers, have: Integers, kind: Integers) -> None:
    """802.3 frames with a SNAP header, which has an ethertype too (RFC 1042)."""
    rows = np.flatnonzero((kind < _FIRST_TYPE) & (have >= 8))
    if rows.size:
        head = _gather(window, inner[rows], ">u8")
        snap = head >> 16 == _SNAP
        _advance(window, rows[snap], 8, inner, have)
        kind[rows[snap]] = (head[snap] & 0xFFFF).astype(np.int64)


def _unwrap_tags(window: Window, inner: Integers, have: Integers, kind: Integers) -> None:
    rows = np.flatnonzero(np.isin(kind, _TAGS))
    for _ in range(_MOST_TAGS):
        if not rows.size:
            return
        kind[rows] = _uint16(window, inner[rows] + 2)
        _advance(window, rows, 4, inner, have)
        rows = rows[np.isin(kind[rows], _TAGS) & (have[rows] >= 0)]


def _advance(window: Window, rows: Integers, size: int, inner: Integers, have: Integers) -> None:
    inner[rows] = np.minimum(inner[rows] + size, window.size)
    have[rows] -= size
