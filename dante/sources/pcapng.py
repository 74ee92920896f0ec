"""Captures of blocks (pcapng): sections, each with a byte order, interfaces and packets of its own.

Blocks have their length in front and at their end: where the two differ there is damage, and
behind it reading goes on at the next place that is a block by both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from dante.sources.batch import Batch
from dante.sources.captures import Found, read_windows
from dante.sources.chain import Lengths, across
from dante.sources.format import Format, Head
from dante.sources.frames import NOWHERE
from dante.sources.interfaces import Interface, read_interface, times
from dante.sources.mended import Damage, Places, follow, places, walk_mended
from dante.sources.octets import Integers, OctetSource, Window
from dante.sources.reading import Reading

__all__ = ["FORMAT", "read_pcapng"]

_SECTION: Final = 0x0A0D0D0A  # the same in both byte orders
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_MAGIC, _TURNED = 0x1A2B3C4D, 0x4D3C2B1A
_NAMES: Final[dict[str, Literal["little", "big"]]] = {"<": "little", ">": "big"}
_INTERFACE, _OLD, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_LEAST: Final = {_SECTION: 28, _INTERFACE: 20, _OLD: 32, _SIMPLE: 16, _ENHANCED: 32}
_SMALLEST: Final = 12
# No block is longer: what libpcap holds to.
_MOST: Final = 1 << 24
# Interfaces of a section that are known at most.
_MOST_INTERFACES: Final = 1 << 16


def read_pcapng(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a capture, at most `rows_per_batch` rows each.

    A refused row is kept as the first 2,048 captured bytes, in hexadecimal.

    Raises:
        SourceError: it is no capture, or it is damaged in front of its first packet.
    """
    source = OctetSource(path)
    window = source.window()
    order = _ORDERS.get(window.piece(8, 12))
    if order is None or window.piece(0, 4) != _SECTION.to_bytes(4):
        raise source.unreadable("not a capture of blocks, which begins with 0a0d0d0a")
    yield from read_windows(source, window, 0, _Blocks(order), reading.sensor, rows_per_batch)


@dataclass(frozen=True)
class _Packets:
    """The packets among blocks.

    Attributes:
        block: which of the blocks they are.
        at, kept, ts, untimed, link: as in `Found`.
    """

    block: Integers
    at: Integers
    kept: Integers
    ts: Integers
    untimed: npt.NDArray[np.bool_]
    link: Integers


class _Blocks:
    """Blocks as `Capture` and as `Form`."""

    header = _SMALLEST

    def __init__(self, order: str) -> None:
        self._interfaces: list[Interface] = []  # of the section that is being read
        self._turns: list[tuple[int, str]] = []
        self._set(order)

    def _set(self, order: str) -> None:
        self._order = order
        self.lengths = Lengths(order, 4, 0, _SMALLEST, _MOST, 4)
        word = order + "u4"
        names = ("type", "size", "first", "high", "low", "kept", "whole")
        self._head = np.dtype([(name, word) for name in names])

    def find(self, window: Window, start: int, lost: int | None) -> Found:
        """The packets of a window's blocks."""
        self._turns = [(0, self._order)]
        mended = walk_mended(window, start, self, lost)
        turns = self._turns
        bounds = np.searchsorted(mended.at, [at for at, _ in turns[1:]]).tolist()
        found = []
        for first, stop, (_, order) in zip(
            [0, *bounds], [*bounds, mended.at.size], turns, strict=True
        ):
            self._set(order)
            found.append(self._packets(window, mended.at[first:stop], first))
        block, at, kept, ts, untimed, link = (
            np.concatenate([getattr(part, field.name) for part in found])
            for field in fields(_Packets)
        )
        damage = [
            Damage(int(np.searchsorted(block, place.before)), place.offset, place.end)
            for place in mended.damage
        ]
        alike = link.size > 0 and bool((link == link[0]).all())
        return Found(
            at=at,
            kept=kept,
            ts=ts,
            untimed=untimed if untimed.any() else None,
            link=int(link[0]) if alike else link,
            damage=damage,
            end=mended.end,
            lost=mended.lost,
        )

    def _packets(self, window: Window, at: Integers, before: int) -> _Packets:
        """The packets of blocks of one byte order, `before` others being in front of them."""
        head = window.fields(self._head, at)
        kind = head["type"]
        block = np.flatnonzero((kind == _ENHANCED) | (kind == _SIMPLE) | (kind == _OLD))
        described, sections = np.flatnonzero(kind == _INTERFACE), np.flatnonzero(kind == _SECTION)
        head, kind, start = head[block], kind[block], at[block]
        simple = kind == _SIMPLE
        number = np.where(simple, 0, head["first"].astype(np.int64))
        number = np.where(kind == _OLD, self._short(number), number)

        size = head["size"].astype(np.int64)
        table = self._interfaces
        table = table + [self._described(window, int(place)) for place in at[described]]
        # Where the interfaces of each section begin in the table, and how many are known so far.
        begins = np.append(0, np.searchsorted(described, sections) + len(self._interfaces))
        number += begins[np.searchsorted(sections, block)]
        known = number < np.searchsorted(described, block) + len(self._interfaces)
        self._interfaces = table[int(begins[-1]) :][:_MOST_INTERFACES]
        table = table or [Interface(NOWHERE, 0)]
        number[~known] = 0

        units = head["high"].astype(np.uint64) << np.uint64(32) | head["low"]
        ts, untimed = times(units, number, table)
        kept = np.minimum(head["kept"].astype(np.int64), size - 32)
        if simple.any():
            snap = np.array([interface.snap for interface in table])[number]
            whole = np.minimum(head["first"].astype(np.int64), size - 16)
            whole = np.where(snap > 0, np.minimum(whole, snap), whole)
            kept, untimed = np.where(simple, whole, kept), untimed | simple
        link = np.array([interface.link for interface in table])[number]
        link[~known] = NOWHERE
        return _Packets(
            block=block + before,
            at=start + np.where(simple, 12, 28),
            kept=kept,
            ts=ts,
            untimed=untimed,
            link=link,
        )

    def _short(self, number: Integers) -> Integers:
        """An interface's number that is 16 bits, with another 16 behind it."""
        return number & 0xFFFF if self._order == "<" else number >> 16

    def _described(self, window: Window, at: int) -> Interface:
        size = int.from_bytes(window.piece(at + 4, at + 8), _NAMES[self._order])
        return read_interface(window.piece(at, at + size), self._order)

    def guess(self, window: Window, lanes: Integers) -> Integers:
        """Where a packet block of plain numbers would begin."""
        little = self._order == "<"
        found = across(window, lanes, 0 if little else 3, 4) == _ENHANCED
        for word, zeros in ((0, 3), (4, 2), (8, 2), (20, 2), (24, 2)):
            for byte in range(4 - zeros, 4) if little else range(zeros):
                found &= across(window, lanes, word + byte, 4) == 0
        place = found.argmax(axis=1)
        return np.where(found[np.arange(lanes.size), place], lanes + 4 * place, -1)

    def wrong(self, window: Window, at: Integers) -> int:
        """The first block whose lengths differ, or that is too short for its kind."""
        fine, _ = self._fine(window, at, turns=False)
        return at.size if fine.all() else int(fine.argmin())

    def turn(self, window: Window, at: int) -> bool:
        """Whether a section of the other byte order begins here."""
        if window.piece(at, at + 4) != _SECTION.to_bytes(4) or at + 12 > window.size:
            return False
        order = _ORDERS.get(window.piece(at + 8, at + 12), self._order)
        if order == self._order:
            return False
        self._set(order)
        self._turns.append((at, order))
        return True

    def places(self, window: Window, start: int) -> Places:
        """Where something is a block by its kind and both its lengths."""
        every = np.ndarray((window.size + 64,), self._order + "u4", window.data, strides=(1,))

        def sieve(first: int, stop: int) -> Integers:
            kind = every[first:stop]
            found = np.flatnonzero((kind - 1 < _ENHANCED) | (kind == _SECTION)) + first
            return found[self._fine(window, found)[0]]

        known = window.size - _SMALLEST + 1
        found = places(start, known, sieve)
        return Places.of(window, found, follow(window, found, 1, _SMALLEST, self._fine), known)

    def _fine(
        self, window: Window, at: Integers, turns: bool = True
    ) -> tuple[npt.NDArray[np.bool_], Integers]:
        """Whether blocks are some, as far as the window tells, and where they end.

        A section in the other byte order is, if `turns`.
        """
        head = window.fields(self._head, at)
        kind, size = head["type"], head["size"]
        section = kind == _SECTION
        fine = ~section
        if section.any():  # which has a byte order of its own
            magic = head["first"]
            turned = section & (magic == _TURNED) & turns
            fine |= (magic == _MAGIC) | turned
            size = np.where(turned, size.byteswap(), size)
        short = size < max(_LEAST.values())
        if short.any():
            for number, least in _LEAST.items():
                fine[short] &= (kind[short] != number) | (size[short] >= least)
        fine &= (size >= _SMALLEST) & (size <= _MOST) & (size & 3 == 0)
        after = at + size.astype(np.int64)
        whole = np.flatnonzero(fine & (after <= window.size))
        ends = window.fields(np.dtype(self._order + "u4"), after[whole] - 4)
        fine[whole] = ends == head["size"][whole]
        return fine, after


def _looks(head: Head) -> bool:
    return head.data[:4] == _SECTION.to_bytes(4) and head.data[8:12] in _ORDERS


FORMAT: Final = Format(
    "pcapng", _looks, "a capture of blocks, beginning with 0a0d0d0a", read_pcapng
)
