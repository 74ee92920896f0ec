"""What the tracker knows: one record a track, a function of the days before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["MEMBERS", "TRACK_STATES", "Event", "Memory", "Track", "TrackState"]

TrackState = Literal["active", "asleep", "ended"]
Event = Literal["birth", "continue", "split", "merge", "sleep", "recur", "end"]

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
    "words": pl.List(pl.UInt32()),
    "weights": pl.List(pl.Float64()),
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


@dataclass(frozen=True)
class Track:
    """One track as it was after the last day that changed it.

    Attributes:
        track_id: counts from 1 in order of birth.
        name: what people call it, for life.
        state: `active` (awake), `asleep` or `ended`.
        first_day, last_day: first and newest day with a cluster.
        days_active: days with a cluster.
        packets: of all its days.
        peak_senders: most senders on one day.
        words: (k,) uint32, sorted: the ports it is known by.
        weights: (k,) float64, sums to 1: its port histogram, senders counting alike, newer days
            counting more. Because it is in words, it can be embedded in any later model.
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
    words: NDArray[np.uint32]
    weights: NDArray[np.float64]
    senders: NDArray[np.uint64]
    news_day: date
    news_away: int | None
    raised: int
    stability: float

    def row(self, day: date) -> dict[str, object]:
        """The track as a row of `pipeline.track_states`."""
        return {
            "track_id": self.track_id,
            "day": day,
            "name": self.name,
            "state": self.state,
            "first_day": self.first_day,
            "last_day": self.last_day,
            "days_active": self.days_active,
            "packets": self.packets,
            "peak_senders": self.peak_senders,
            "words": self.words.tolist(),
            "weights": self.weights.tolist(),
            "senders": self.senders.tolist(),
            "news_day": self.news_day,
            "news_away": self.news_away,
            "raised": self.raised,
            "stability": self.stability,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> "Track":
        """The track a row of `pipeline.track_states` describes."""
        values = {key: value for key, value in row.items() if key != "day"}
        values["words"] = np.asarray(values["words"], dtype=np.uint32)
        values["weights"] = np.asarray(values["weights"], dtype=np.float64)
        values["senders"] = np.asarray(values["senders"], dtype=np.uint64)
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Memory:
    """All the tracker knows before a day; nothing in it is of that day or later.

    Attributes:
        tracks: every track, in order of its id.
        members: frame of `MEMBERS`: senders of awake tracks in the days of the window, each with
            the newest day it was a member.
        days: committed days before.
    """

    tracks: tuple[Track, ...]
    members: pl.DataFrame
    days: int

    @property
    def next_id(self) -> int:
        """The id of the next track to be born."""
        return max((track.track_id for track in self.tracks), default=0) + 1
