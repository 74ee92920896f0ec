"""Numbers, days and ports as people read them, the same in every locale."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dante.labels.ports import SERVICES
from dante.schema import PROTOCOL_NAMES

__all__ = [
    "MONTHS",
    "Port",
    "clean",
    "counted",
    "day_ranges",
    "day_text",
    "percent",
    "read_ports",
    "span_text",
    "thousands",
]

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_PROTOCOLS: Final = {name: number for number, name in PROTOCOL_NAMES.items()}
_LONGEST: Final = 600


def clean(text: str) -> str:
    """Text without control, line and direction characters, at most 600 long."""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text
    )
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"


def thousands(number: int) -> str:
    """A count with commas between thousands: `451,581`."""
    return f"{number:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A count with its noun: `1 day`, `1,200 days`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """A share of a whole: `2.9%`; `under 0.1%` where it would round to nothing."""
    if not whole or not part:
        return "0%"
    if 1000 * part < whole:
        return "under 0.1%"
    share = 100 * part / whole
    return f"{share:.0f}%" if share >= 10 else f"{share:.1f}%"


def day_text(day: date) -> str:
    """A day in full: `8 September 2013`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def span_text(first: date, last: date) -> str:
    """Both ends of a span, what they share said once: `3 to 8 March 2013`."""
    if first == last:
        return day_text(last)
    start = f"{first.day} {MONTHS[first.month - 1]} {first.year}"
    if first.year == last.year:
        start = str(first.day) if first.month == last.month else start[:-5]
    return f"{start} to {day_text(last)}"


def day_ranges(days: Sequence[date]) -> list[str]:
    """Days, in order, as the fewest spans: `3 to 5 March 2013`, `9 March 2013`."""
    runs: list[list[date]] = []
    for day in days:
        if runs and (day - runs[-1][1]).days == 1:
            runs[-1][1] = day
        else:
            runs.append([day, day])
    return [span_text(first, last) for first, last in runs]


@dataclass(frozen=True)
class Port:
    """One port of a track.

    Attributes:
        port: `8000/tcp`, or what stood there if it is no port.
        service: `http-alt`, empty where none is known.
        share: of the senders that tried it, `41%`, or empty.
    """

    port: str
    service: str
    share: str


def read_ports(text: str | None) -> list[Port]:
    """The ports of a published line such as `23/tcp 100%, 2323/tcp 41%`, named."""
    parts = [part.strip() for part in (text or "").split(",")]
    return [_read_port(part) for part in parts if part]


def _read_port(part: str) -> Port:
    port, _, share = part.partition(" ")
    found = re.fullmatch(r"([0-9]{1,5})/([a-z0-9]{1,10})", port)
    if found is None:
        return Port(part, "", "")
    proto = _PROTOCOLS.get(found[2])
    service = "" if proto is None else SERVICES.get(proto * 65536 + int(found[1]), "")
    return Port(port, service, share)
