"""What may be asked with: types of parameters, all of them bounded, shared by pages and API."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Path, Query
from pydantic import BeforeValidator

from dante.errors import UsageError
from dante.web.addresses import AddressRange, read_range
from dante.web.members import Order

__all__ = ["Day", "Days", "Page", "SenderOrder", "Text", "Which", "within"]

Day = Annotated[
    date | None,
    BeforeValidator(lambda value: value or None),
    Query(description="a day as 2025-03-01; the newest if left out"),
]
Days = Annotated[int, Query(description="days to look back over", ge=1, le=400)]
Which = Annotated[str, Path(description="a track's number or name", max_length=200)]
Text = Annotated[str, Query(description="what to look for", max_length=200)]
Page = Annotated[int, Query(description="page of the list, from 1", ge=1, le=1_000_000)]
SenderOrder = Annotated[Order, Query(description="what the senders are sorted by")]


def within(text: str) -> AddressRange | None:
    """The addresses a list is narrowed to; None for all.

    Raises:
        UsageError: the text is no address and no network.
    """
    if not text.strip():
        return None
    found = read_range(text)
    if found is None:
        raise UsageError(
            f"{text[:60]!r} is no address and no network; write 203.0.113.7, 203.0.113.0/24, "
            "203.0.113 or 2001:db8::/48"
        )
    return found
