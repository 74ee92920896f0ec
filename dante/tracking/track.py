"""What the tracker knows: one record a track, a function of the days before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.clustering.histogram import Counts, Histogram

__all__ = ["MEMBERS", "PAST", "TRACK_STATES", "Event", "Memory", "Track", "TrackState"]

TrackState = Literal["active", "asleep", "ended"]
Event = Literal["birth", "continue", "split", "merge", "sleep", "recur", "end"]

_HISTOGRAM: Final[dict[str, pl.DataType]] = {
    "heard": pl.Float64(),
    "words": pl.List(pl.UInt32()),
    "weights": pl.List(pl.Float64()),
    "users": pl.List(pl.Float64()),
    "traits": pl.List(pl.UInt64()),
    "trait_senders": pl.List(pl.Float64()),
    "hours": pl.List(pl.Float64()),
    "networks": pl.List(pl.UInt64()),
    "network_senders": pl.List(pl.Float64()),
    "forgotten": pl.Float64(),
}

TRACK_STATES: Final[dict[str, pl.DataType]] = {
    "track_id": pl.Int32(),
    "day": pl.Date(),
    "name": pl.String(),
    "state": pl.String(),
    "first_day": pl.Date(),
    "last_day": pl.Date(),
    "days_active": pl.Int32(),
    "packets": pl.Int64(),
    "peak_senders": pl.Int64(),
    "size": pl.Float64(),
    **_HISTOGRAM,
    "senders": pl.List(pl.UInt64()),
    "news_day": pl.Date(),
    "news_away": pl.Int32(),
    "raised": pl.Int64(),
    "stability": pl.Float64(),
}

MEMBERS: Final[dict[str, pl.DataType]] = {
    "src": pl.UInt64(),
    "track_id": pl.Int32(),
    "last_day": pl.Date(),
}

PAST: Final[dict[str, pl.DataType]] = {
    "track_id": pl.Int32(),
    "day": pl.Date(),
    "senders": pl.Int64(),
}


@dataclass(frozen=True)
class Track:
    """One track as it was after the last day that changed it.

    Attributes:
        track_id: counts from 1 in order of birth.
        name: what people call it, for life.
        state: `active` (awake), `asleep` or `ended`.
        first_day, last_day: first and newest day with senders.
        days_active: days with senders.
        packets: of all its days.
        peak_senders: most senders on one day.
        size: senders a day, newer days counting more.
        shown: all its senders have shown, older days counting less.
        senders: (s,) uint64: a sample of its last senders, kept while it sleeps.
        news_day: day of its birth or newest return.
        news_away: days it was away before that return; None for a birth.
        raised: its senders when it was last called a threat since `news_day`, 0 if it was not.
        stability: the share of its senders that it has again on its next day, 0..1, newer days
            counting more.
    """

    track_id: int
    name: str
    state: TrackState
    first_day: date
    last_day: date
    days_active: int
    packets: int
    peak_senders: int
    size: float
    shown: Histogram
    senders: NDArray[np.uint64]
    news_day: date
    news_away: int | None
    raised: int
    stability: float

    def row(self, day: date) -> dict[str, object]:
        """The track as a row of `pipeline.track_states`."""
        shown = self.shown
        values: dict[str, Any] = {
            name: getattr(self, name)
            for name in TRACK_STATES
            if name not in _HISTOGRAM and name != "day"
        }
        return values | {
            "day": day,
            "senders": self.senders.tolist(),
            "heard": shown.senders,
            "words": shown.words.keys.tolist(),
            "weights": shown.words.weights.tolist(),
            "users": shown.users.tolist(),
            "traits": shown.traits.keys.tolist(),
            "trait_senders": shown.traits.weights.tolist(),
            "hours": shown.hours.tolist(),
            "networks": shown.networks.keys.tolist(),
            "network_senders": shown.networks.weights.tolist(),
            "forgotten": shown.forgotten,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Track":
        """The track a row of `pipeline.track_states` describes."""
        own = {name: row[name] for name in TRACK_STATES if name not in _HISTOGRAM and name != "day"}
        shown = Histogram(
            senders=row["heard"],
            words=_counts(row["words"], row["weights"]),
            users=np.asarray(row["users"], dtype=np.float64),
            traits=_counts(row["traits"], row["trait_senders"]),
            hours=np.asarray(row["hours"], dtype=np.float64),
            networks=_counts(row["networks"], row["network_senders"]),
            forgotten=row["forgotten"],
        )
        own["senders"] = np.asarray(row["senders"], dtype=np.uint64)
        return cls(shown=shown, **own)


def _counts(keys: object, weights: object) -> Counts:
    return Counts(np.asarray(keys, dtype=np.uint64), np.asarray(weights, dtype=np.float64))


@dataclass(frozen=True)
class Memory:
    """All the tracker knows before a day; nothing in it is of that day or later.

    Attributes:
        tracks: every track, in order of its id.
        members: frame of `MEMBERS`: senders of awake tracks in the days of the window, each with
            the newest day it was a member.
        days: the days of the window: so many of the committed ones before, in order. A day without
            data is none, so that an outage makes nobody forgotten, nor silent.
        past: frame of `PAST`: how many senders each track had on the days of the window, by
            track and day.
    """

    tracks: tuple[Track, ...]
    members: pl.DataFrame
    days: tuple[date, ...]
    past: pl.DataFrame

    @cached_property
    def newest(self) -> pl.DataFrame:
        """`members` with each sender once, as of the track it was of last."""
        return self.members.sort("last_day", "track_id").unique(
            "src", keep="last", maintain_order=True
        )

    @property
    def next_id(self) -> int:
        """The id of the next track to be born."""
        return max((track.track_id for track in self.tracks), default=0) + 1
