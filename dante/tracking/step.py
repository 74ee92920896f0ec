"""One day of tracking: the day's clusters and all that was known before make the day's events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.config import Settings
from dante.embedding.model import PortModel
from dante.labels.ports import service_name
from dante.labels.scanners import BenignNetworks
from dante.schema import address_text
from dante.tracking.behaviour import Behaviour, cluster_behaviours, learn, similarity, top_word
from dante.tracking.match import Matches, Overlap, match_clusters, sender_overlap
from dante.tracking.news import find_threats
from dante.tracking.sample import sample_senders
from dante.tracking.summary import top_networks, top_ports
from dante.tracking.threats import THREATS
from dante.tracking.track import TRACK_STATES, Event, Memory, Track

__all__ = ["LINEAGE", "DayTracks", "track_day"]

LINEAGE: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "track_id": pl.Int32(),
    "event": pl.String(),
    "related_track_id": pl.Int32(),
    "similarity": pl.Float64(),
    "shared_senders": pl.Int64(),
}


@dataclass(frozen=True)
class DayTracks:
    """What one day of tracking found; each frame has the columns of its table.

    Attributes:
        states: tracks that changed, as rows of `pipeline.track_states`.
        lineage: the day's events.
        memberships: every sender of the day, with its track or null.
        track_days: what each track of the day did.
        threats: births and returns that pass the test.
    """

    states: pl.DataFrame
    lineage: pl.DataFrame
    memberships: pl.DataFrame
    track_days: pl.DataFrame
    threats: pl.DataFrame


@dataclass(frozen=True)
class _Day:
    """A day's clusters beside the tracks before it."""

    day: date
    senders: pl.DataFrame
    clustered: pl.DataFrame
    sizes: NDArray[np.int64]
    packets: NDArray[np.int64]
    behaviours: list[Behaviour]
    alike: NDArray[np.float64]
    overlap: Overlap
    matches: Matches


def track_day(
    day: date,
    senders: pl.DataFrame,
    members: pl.DataFrame,
    model: PortModel,
    memory: Memory,
    settings: Settings,
    benign: BenignNetworks,
) -> DayTracks:
    """Follow the tracks through one day.

    Args:
        day: the day.
        senders: its frame of `dante.sequences.SENDERS`.
        members: its frame of `dante.clustering.day.CLUSTERED`.
        model: the model the day is judged with.
        memory: what was known before.
        settings: thresholds.
        benign: networks of known benign scanners.
    """
    today = _compare(day, senders, members, model, memory, settings)
    tracks = list(memory.tracks)
    changed: dict[int, Track] = {}
    events: list[dict[str, object]] = []
    track_of: dict[int, int] = {}

    for column, track in enumerate(tracks):
        rows = np.flatnonzero(today.matches.track == column)
        if not len(rows):
            continue
        best = int(rows[np.argmax(today.matches.score[rows, column])])
        track_of.update(dict.fromkeys(rows.tolist(), track.track_id))
        changed[column] = _continue(track, column, today, rows, settings)
        event: Event = "recur" if track.state == "asleep" else "continue"
        shared = int(today.overlap.shared[rows, column].sum())
        events.append(_event(day, track, event, None, today.alike[best, column], shared))

    next_id = memory.next_id
    born: list[Track] = []
    for row in np.flatnonzero(today.matches.track < 0).tolist():
        track = _birth(next_id + len(born), row, today, model, settings)
        born.append(track)
        track_of[row] = track.track_id
        nearest = today.alike[row].max() if tracks else 0.0
        events.append(_event(day, track, "birth", None, nearest, 0))
        if (parent := _parent(row, today, settings)) is not None:
            shared = int(today.overlap.shared[row, parent])
            events.append(
                _event(day, track, "split", tracks[parent], today.alike[row, parent], shared)
            )

    for column, track in enumerate(tracks):
        if column in changed:
            continue
        fate = _fate(column, track, today, memory, settings)
        if fate is not None:
            changed[column], event, into, shared = fate
            related = None if into is None else tracks[into]
            alike = None if into is None else _alike(track, tracks[into], model, settings)
            events.append(_event(day, track, event, related, alike, shared))

    clustered = today.clustered.with_columns(
        track_id=pl.col("cluster_id").replace_strict(
            list(track_of), list(track_of.values()), return_dtype=pl.Int32
        )
        if track_of
        else pl.lit(None, dtype=pl.Int32)
    )
    threats = find_threats(
        day, [*changed.values(), *born], senders, clustered, model, memory, settings, benign
    )
    raised = {threat["track_id"]: threat["senders"] for threat in threats}
    states = [
        replace(track, raised=raised.get(track.track_id, track.raised)).row(day)
        for track in [*changed.values(), *born]
    ]
    return DayTracks(
        states=pl.DataFrame(states, schema=TRACK_STATES).sort("track_id"),
        lineage=pl.DataFrame(events, schema=LINEAGE).sort("track_id", "event"),
        memberships=_memberships(day, members, clustered),
        track_days=_track_days(day, senders, clustered),
        threats=pl.DataFrame(threats, schema=THREATS).sort(
            "score", "track_id", descending=[True, False]
        ),
    )


def _compare(
    day: date,
    senders: pl.DataFrame,
    members: pl.DataFrame,
    model: PortModel,
    memory: Memory,
    settings: Settings,
) -> _Day:
    clustered = members.filter(pl.col("cluster_id").is_not_null())
    totals = (
        clustered.group_by("cluster_id")
        .agg(n=pl.len(), p=pl.col("packets").sum())
        .sort("cluster_id")
    )
    sizes = totals["n"].to_numpy().astype(np.int64)
    behaviours = cluster_behaviours(senders, members)
    alike = similarity(
        behaviours,
        [Behaviour(track.words, track.weights) for track in memory.tracks],
        model,
        everyday_share=settings.cluster.everyday_share,
    )
    overlap = sender_overlap(
        clustered.select("src", "cluster_id"), sizes, memory.tracks, memory.members
    )
    matches = match_clusters(
        alike,
        overlap,
        memory.tracks,
        settings.track,
        min_senders=settings.cluster.min_senders,
    )
    packets = totals["p"].to_numpy().astype(np.int64)
    return _Day(day, senders, clustered, sizes, packets, behaviours, alike, overlap, matches)


def _pooled(today: _Day, rows: Sequence[int] | NDArray[np.intp]) -> Behaviour:
    """The behaviour of several clusters together, each by its senders."""
    pooled, weight = today.behaviours[rows[0]], int(today.sizes[rows[0]])
    for row in rows[1:]:
        size = int(today.sizes[row])
        pooled = learn(pooled, today.behaviours[row], size / (weight + size))
        weight += size
    return pooled


def _continue(
    track: Track, column: int, today: _Day, rows: NDArray[np.intp], settings: Settings
) -> Track:
    returned = track.state == "asleep"
    kept = float(today.overlap.of_track[rows, column].sum())
    behaviour = learn(
        Behaviour(track.words, track.weights), _pooled(today, rows), settings.track.learn
    )
    return replace(
        track,
        state="active",
        last_day=today.day,
        days_active=track.days_active + 1,
        packets=track.packets + int(today.packets[rows].sum()),
        peak_senders=max(track.peak_senders, int(today.sizes[rows].sum())),
        words=behaviour.words,
        weights=behaviour.weights,
        senders=np.empty(0, dtype=np.uint64),
        news_day=today.day if returned else track.news_day,
        news_away=(today.day - track.last_day).days if returned else track.news_away,
        raised=0 if returned else track.raised,
        stability=(1 - settings.track.learn) * track.stability + settings.track.learn * kept,
    )


def _birth(track_id: int, row: int, today: _Day, model: PortModel, settings: Settings) -> Track:
    behaviour = today.behaviours[row]
    told_by = top_word(behaviour, model, everyday_share=settings.cluster.everyday_share)
    return Track(
        track_id=track_id,
        name=f"{service_name(told_by)}-{track_id}",
        state="active",
        first_day=today.day,
        last_day=today.day,
        days_active=1,
        packets=int(today.packets[row]),
        peak_senders=int(today.sizes[row]),
        words=behaviour.words,
        weights=behaviour.weights,
        senders=np.empty(0, dtype=np.uint64),
        news_day=today.day,
        news_away=None,
        raised=0,
        stability=0.0,
    )


def _parent(row: int, today: _Day, settings: Settings) -> int | None:
    """Position of the track most of a new cluster's senders come from, if it lives on today."""
    alive = np.isin(np.arange(today.alike.shape[1]), today.matches.track)
    share = np.where(alive, today.overlap.of_cluster[row], 0)
    if not len(share) or share.max() < settings.track.shared:
        return None
    parent = int(share.argmax())
    enough = today.overlap.shared[row, parent] >= settings.cluster.min_senders
    return parent if enough else None


def _fate(
    column: int, track: Track, today: _Day, memory: Memory, settings: Settings
) -> tuple[Track, Event, int | None, int] | None:
    """What becomes of a track without a cluster today: the track, event, heir, shared senders."""
    away = (today.day - track.last_day).days
    if track.state == "active":
        heir = _heir(column, track, today, memory, settings) if away else None
        if heir is not None and away >= settings.track.merge_after:
            return replace(track, state="ended"), "merge", heir[0], heir[1]
        if away > settings.track.sleep_after:
            return replace(track, state="asleep", senders=_sample(track, memory)), "sleep", None, 0
    elif track.state == "asleep" and away > settings.track.end_after:
        return replace(track, state="ended", senders=np.empty(0, np.uint64)), "end", None, 0
    return None


def _heir(
    column: int, track: Track, today: _Day, memory: Memory, settings: Settings
) -> tuple[int, int] | None:
    """The track that most of a silent track's last senders work for today, and how many do."""
    last = memory.members.filter(
        (pl.col("track_id") == track.track_id) & (pl.col("last_day") == track.last_day)
    )
    seen = last.join(today.senders.select("src"), on="src", how="semi").height
    heirs: dict[int, int] = {}
    for src_cluster, n in (
        last.join(today.clustered.select("src", "cluster_id"), on="src")
        .group_by("cluster_id")
        .len()
        .sort("cluster_id")
        .iter_rows()
    ):
        heir = int(today.matches.track[src_cluster])
        if heir >= 0:
            heirs[heir] = heirs.get(heir, 0) + n
    if not heirs:
        return None
    best = max(heirs, key=lambda heir: (heirs[heir], -heir))
    # Most of those seen today, who must be a fair part of all: a few of many prove nothing.
    most = settings.track.shared * max(seen, last.height / 2)
    enough = heirs[best] >= max(settings.cluster.min_senders, most)
    return (best, heirs[best]) if enough else None


def _sample(track: Track, memory: Memory) -> NDArray[np.uint64]:
    """A bounded sample of a track's senders, the ones with the smallest hashes (bottom-k)."""
    senders = memory.members.filter(pl.col("track_id") == track.track_id)["src"].to_numpy()
    return sample_senders(senders)


def _alike(one: Track, other: Track, model: PortModel, settings: Settings) -> float:
    both = similarity(
        [Behaviour(one.words, one.weights)],
        [Behaviour(other.words, other.weights)],
        model,
        everyday_share=settings.cluster.everyday_share,
    )
    return float(both[0, 0])


def _event(
    day: date,
    track: Track,
    event: Event,
    related: Track | None,
    alike: float | None,
    shared: int,
) -> dict[str, object]:
    return {
        "day": day,
        "track_id": track.track_id,
        "event": event,
        "related_track_id": None if related is None else related.track_id,
        "similarity": None if alike is None else round(float(alike), 4),
        "shared_senders": shared,
    }


def _memberships(day: date, members: pl.DataFrame, clustered: pl.DataFrame) -> pl.DataFrame:
    joined = members.join(
        clustered.select("src", "track_id"), on="src", how="left", maintain_order="left"
    )
    return joined.select(
        pl.lit(day).alias("day"),
        address_text(joined["src"]),
        "track_id",
        "cluster_id",
        "packets",
        "strength",
        joined["src"].alias("address"),
    )


def _track_days(day: date, senders: pl.DataFrame, clustered: pl.DataFrame) -> pl.DataFrame:
    members = clustered.select("src", "track_id")
    return (
        clustered.group_by("track_id")
        .agg(senders=pl.len().cast(pl.Int64), packets=pl.col("packets").sum())
        .join(top_ports(senders, members), on="track_id")
        .join(top_networks(members), on="track_id")
        .select(
            pl.lit(day).alias("day"), "track_id", "senders", "packets", "top_ports", "top_networks"
        )
        .sort("track_id")
    )
