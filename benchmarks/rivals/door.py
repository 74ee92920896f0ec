"""The one door of all rivals: canonical packets of days go in, memberships come out.

A rival is a function that takes days, one after the other, and yields an answer for each before
it takes the next. `answered` holds it to that: whoever looks ahead is refused.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from dante.errors import DanteError
from dante.schema import backscatter, packet_count, word_id

__all__ = ["LINEAGE", "MEMBERSHIPS", "Answer", "Day", "DayAnswer", "Rival", "answered", "scans"]

MEMBERSHIPS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "src": pl.UInt64(),
    "track": pl.Int64(),
}
"""Senders in a track; a sender that is not there is noise."""

LINEAGE: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "track": pl.Int64(),
    "event": pl.String(),
    "related": pl.Int64(),
}
"""`birth`, `recur`, and `split` (from `related`) or `merge` (into `related`)."""


@dataclass(frozen=True)
class Day:
    """A day's canonical packets (`dante.schema.PACKETS`)."""

    day: dt.date
    packets: pl.DataFrame


@dataclass(frozen=True)
class DayAnswer:
    """What a rival says of a day.

    Attributes:
        tracks: the track of every sender that is in one, by address.
        events: `(track, event, related)`, for systems that tell of births, returns and the rest.
    """

    tracks: dict[int, int]
    events: Sequence[tuple[int, str, int | None]] = field(default=())


Rival = Callable[[Iterable[Day]], Iterator[DayAnswer]]
"""Takes days in order of time; yields a day's answer before it takes the next."""


@dataclass(frozen=True)
class Answer:
    """All days' answers: frames of `MEMBERSHIPS` and, for systems that have it, `LINEAGE`."""

    memberships: pl.DataFrame
    lineage: pl.DataFrame | None


def answered(rival: Rival, days: Iterable[Day], *, lineage: bool = False) -> Answer:
    """What a rival says of some days.

    Args:
        rival: the system.
        days: in order of time.
        lineage: whether it tells events.

    Raises:
        DanteError: it took a day before it had answered the one before, or answered too few.
    """
    taken: list[dt.date] = []
    told: list[DayAnswer] = []

    def one_by_one() -> Iterator[Day]:
        for day in days:
            if len(told) != len(taken):
                raise DanteError(f"The rival looked at {day.day} before it answered {taken[-1]}.")
            taken.append(day.day)
            yield day

    for answer in rival(one_by_one()):
        told.append(answer)
        if len(told) != len(taken):
            raise DanteError(f"The rival gave {len(told)} answers for {len(taken)} days.")
    if len(told) != len(taken):
        raise DanteError(f"The rival gave {len(told)} answers for {len(taken)} days.")
    members = [
        (day, src, track)
        for day, answer in zip(taken, told, strict=True)
        for src, track in sorted(answer.tracks.items())
    ]
    events = [
        (day, *event) for day, answer in zip(taken, told, strict=True) for event in answer.events
    ]
    return Answer(
        pl.DataFrame(members, schema=MEMBERSHIPS, orient="row"),
        pl.DataFrame(events, schema=LINEAGE, orient="row") if lineage else None,
    )


def scans(packets: pl.DataFrame) -> pl.DataFrame:
    """A day's packets with intent: `src`, `ts`, `word` (UInt32), `packets`, by sender and time.

    Replies to forged packets are left out: what they are is known without any of these systems,
    and the measures leave their senders out as well.
    """
    return (
        packets.filter(~backscatter())
        .select("src", "ts", word_id(), packet_count())
        .sort("src", "ts", maintain_order=True)
    )
