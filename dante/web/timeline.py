"""The tracks of a span as lanes: which are shown, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dante.errors import UsageError
from dante.report import queries
from dante.report.timeline import choose
from dante.web.publication import Reader
from dante.web.today import published_day

__all__ = ["Event", "Filters", "Found", "Timeline", "TimelineTrack", "Verdict", "answer", "find"]

State = Literal["", "active", "asleep", "ended"]
Order = Literal["birth", "senders", "days", "threat", "last"]

_ORDERS: Final[dict[str, tuple[list[str], list[bool]]]] = {
    "birth": (["first_day", "born", "track_id"], [False, False, False]),
    "senders": (["peak_senders", "track_id"], [True, False]),
    "days": (["days_active", "peak_senders", "track_id"], [True, True, False]),
    "threat": (["score", "first_day", "track_id"], [True, True, False]),
    "last": (["last_day", "first_day", "track_id"], [True, True, False]),
}


class Filters(BaseModel):
    """Which tracks of which days are asked for."""

    model_config = ConfigDict(frozen=True)

    first: date | None = Field(None, description="first day; the first published if left out")
    last: date | None = Field(None, description="last day; the newest if left out")
    state: State = Field("", description="only tracks in this state on the last day")
    port: str = Field("", max_length=200, description="only tracks with this port: 23/tcp, 23")
    q: str = Field("", max_length=200, description="only names or labels with this in them")
    threats: bool = Field(False, description="only tracks called a threat in the span")
    least: int = Field(0, ge=0, le=2**62, description="only with so many senders on a day")
    order: Order = Field("birth", description="what the lanes are sorted by")
    lanes: int = Field(80, ge=1, le=500, description="at most so many tracks")

    @model_validator(mode="before")
    @classmethod
    def _left_out(cls, values: Any) -> Any:
        # A form sends its empty fields, too.
        return {key: value for key, value in dict(values).items() if value != ""}


@dataclass(frozen=True)
class TimelineTrack:
    """One lane: a track as it was in the span.

    Attributes:
        born: its first day of all.
        score: of its highest threat in the span.
        days, senders, packets_by_day: of each day of the span it was at work.
    """

    track_id: int
    name: str
    state: str
    born: date
    first_day: date
    last_day: date
    days_active: int
    peak_senders: int
    packets: int
    score: float | None
    days: list[date]
    senders: list[int]
    packets_by_day: list[int]


@dataclass(frozen=True)
class Event:
    """A row of `lineage` that is not `continue`."""

    day: date
    track_id: int
    event: str
    related_track_id: int | None
    similarity: float | None
    shared_senders: int | None


@dataclass(frozen=True)
class Verdict:
    """A day a track was called a threat."""

    day: date
    track_id: int
    kind: str
    score: float


@dataclass(frozen=True)
class Timeline:
    """The lanes of a span; `of` tracks pass the filters, of `known` at work in it."""

    first: date
    last: date
    first_day: date
    newest_day: date
    of: int
    known: int
    tracks: list[TimelineTrack]
    events: list[Event]
    threats: list[Verdict]


@dataclass(frozen=True)
class Found:
    """The same as frames of `dante.report.queries`, which is what lanes are drawn from."""

    span: tuple[date, date]
    published: tuple[date, date]
    of: int
    known: int
    tracks: pl.DataFrame
    days: pl.DataFrame
    events: pl.DataFrame
    threats: pl.DataFrame


def find(reader: Reader, filters: Filters) -> Found:
    """The tracks that pass.

    Raises:
        NotEnoughDataError: no day is published.
        UsageError: the first day is after the last.
    """
    _, oldest, newest = published_day(reader, None)
    first = max(filters.first or oldest, oldest)
    last = min(filters.last or newest, newest)
    if first > last:
        raise UsageError(
            f"no day of {filters.first or oldest} to {filters.last or newest} is published; "
            f"the days are {oldest} to {newest}"
        )
    span = queries.Span(first, last, last)
    every = queries.tracks(reader.con, span)
    passing = _passing(reader, every, filters, first, last)
    columns, descending = _ORDERS[filters.order]
    chosen = choose(passing, filters.lanes).sort(columns, descending=descending, nulls_last=True)
    return Found(
        span=(first, last),
        published=(oldest, newest),
        of=passing.height,
        known=every.height,
        tracks=chosen,
        days=queries.track_days(reader.con, span, chosen["track_id"].to_list()),
        events=queries.events(reader.con, span),
        threats=queries.threats(reader.con, span),
    )


def _passing(
    reader: Reader, tracks: pl.DataFrame, filters: Filters, first: date, last: date
) -> pl.DataFrame:
    keep = pl.lit(True)
    if filters.state:
        keep &= pl.col("state") == filters.state
    if filters.threats:
        keep &= pl.col("score").is_not_null()
    if filters.least:
        keep &= pl.col("peak_senders") >= filters.least
    if filters.q:
        known = reader.frame(
            "SELECT track_id FROM tracks "
            "WHERE contains(lower(name), lower($1)) OR contains(lower(label), lower($1))",
            filters.q.strip(),
        )
        keep &= pl.col("track_id").is_in(known["track_id"].to_list())
    if filters.port:
        port = filters.port.strip().lower()
        known = reader.frame(
            "SELECT DISTINCT track_id FROM track_ports WHERE day BETWEEN $1 AND $2 "
            "AND (port = $3 OR starts_with(port, $3 || '/'))",
            first,
            last,
            port,
        )
        keep &= pl.col("track_id").is_in(known["track_id"].to_list())
    return tracks.filter(keep)


def answer(found: Found) -> Timeline:
    """What was found, as plain records."""
    shown = found.tracks["track_id"].to_list()
    of_shown = pl.col("track_id").is_in(shown)
    by_track = {
        key[0]: part for key, part in found.days.partition_by("track_id", as_dict=True).items()
    }
    events = found.events.filter(of_shown | pl.col("related_track_id").is_in(shown))
    verdicts = found.threats.filter(of_shown).select("day", "track_id", "kind", "score")
    return Timeline(
        first=found.span[0],
        last=found.span[1],
        first_day=found.published[0],
        newest_day=found.published[1],
        of=found.of,
        known=found.known,
        tracks=[
            TimelineTrack(
                **row,
                days=by_track[row["track_id"]]["day"].to_list(),
                senders=by_track[row["track_id"]]["senders"].to_list(),
                packets_by_day=by_track[row["track_id"]]["packets"].to_list(),
            )
            for row in found.tracks.to_dicts()
        ],
        events=[Event(**row) for row in events.select(list(Event.__dataclass_fields__)).to_dicts()],
        threats=[Verdict(**row) for row in verdicts.to_dicts()],
    )
