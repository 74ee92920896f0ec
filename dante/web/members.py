"""The senders of a track, a page or a download of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from dante.web.addresses import AddressRange, address_words
from dante.web.publication import Reader

__all__ = ["Order", "Sender", "Senders", "as_senders", "sender_pages", "senders"]

_CHUNK: Final = 20_000
_FOUND: Final = """
    FROM track_senders
    WHERE track_id = ? AND address BETWEEN CAST(? AS UBIGINT) AND CAST(? AS UBIGINT)
"""
_FIELDS: Final = "address, first_day, last_day, days, packets"
_PAGED: Final = 1000
"""Senders that can be paged through: each page further is a longer list to sort."""


@dataclass(frozen=True)
class Sender:
    """A sender of a track: its days in it, and its packets on them."""

    src: str
    first_day: date
    last_day: date
    days: int
    packets: int


@dataclass(frozen=True)
class Senders:
    """A page of a track's senders; `of` fit what was asked for, not all of which have pages."""

    track_id: int
    of: int
    page: int
    pages: int
    senders: list[Sender]


def as_senders(rows: Sequence[tuple[Any, ...]]) -> list[Sender]:
    """Rows of an address as a number and the other fields of a sender, in their order."""
    texts = address_words([row[0] for row in rows])
    return [Sender(text, *row[1:]) for text, row in zip(texts, rows, strict=True)]


Order = Literal["packets", "days", "first_day", "last_day", "address"]
_ORDERS: Final[dict[Order, str]] = {
    "packets": "packets DESC, address",
    "days": "days DESC, packets DESC, address",
    "first_day": "first_day, packets DESC, address",
    "last_day": "last_day DESC, packets DESC, address",
    "address": "address",
}


def senders(
    reader: Reader,
    track_id: int,
    within: AddressRange | None = None,
    order: Order = "packets",
    page: int = 1,
    size: int = 50,
) -> Senders:
    """A page of the senders of a track, or of those in a range of addresses.

    There are pages for the first 1,000; a download has all.
    """
    low, high = _bounds(within)
    of = reader.one(f"SELECT count(*) {_FOUND}", track_id, low, high)
    pages = max(1, -(-min(of, _PAGED) // size))
    page = min(page, pages)
    rows = reader.con.execute(
        f"SELECT {_FIELDS} {_FOUND} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?",
        [track_id, low, high, size, (page - 1) * size],
    ).fetchall()
    return Senders(track_id, of, page, pages, as_senders(rows))


def sender_pages(
    reader: Reader, track_id: int, within: AddressRange | None, after: int
) -> tuple[list[Sender], int | None]:
    """The next senders of a track after an address, in order of addresses, and the last of them.

    What a download is made of: each part is a short question, however large the whole.
    """
    low, high = _bounds(within)
    rows = reader.con.execute(
        f"SELECT {_FIELDS} {_FOUND} ORDER BY address LIMIT ?",
        [track_id, max(low, after), high, _CHUNK],
    ).fetchall()
    return as_senders(rows), rows[-1][0] + 1 if len(rows) == _CHUNK else None


def _bounds(within: AddressRange | None) -> tuple[int, int]:
    return (0, 2**64 - 1) if within is None else (within.first, within.last)
