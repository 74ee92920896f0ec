"""One day of tracking: the day's clusters and all that was known before make the day's events."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.clustering import (
    Evidence,
    Histogram,
    are_rivals,
    evidence_of,
    groups_of,
    one_activity,
)
from dante.clustering.histogram import histograms, mixed, scaled
from dante.config import Settings
from dante.embedding.model import PortModel
from dante.labels.names import track_name
from dante.labels.scanners import BenignNetworks
from dante.schema import address_text
from dante.tracking.assign import Assigned, assign
from dante.tracking.behaviour import Behaviour, similarity, top_word
from dante.tracking.decisions import day_decisions
from dante.tracking.match import (
    Matches,
    Overlap,
    match_clusters,
    probabilities,
    sender_overlap,
)
from dante.tracking.news import find_threats
from dante.tracking.sample import sample_senders
from dante.tracking.shapes import is_sweep
from dante.tracking.summary import top_networks, top_ports
from dante.tracking.tool import common_tool
from dante.tracking.track import TRACK_STATES, Event, Memory, Track

__all__ = ["LINEAGE", "DayTracks", "track_day"]

LINEAGE: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "track_id": pl.Int32(),
    "event": pl.String(),
    "related_track_id": pl.Int32(),
    "similarity": pl.Float64(),
    "shared_senders": pl.Int64(),
    "probability": pl.Float64(),
}

# How much today counts in a track's size and steadiness.
_NEW: Final = 0.3


@dataclass(frozen=True)
class DayTracks:
    """What one day of tracking found; each frame has the columns of its table.

    Attributes:
        states: tracks that changed, as rows of `pipeline.track_states`.
        lineage: the day's events.
        decisions: which clusters might have continued which tracks, and what was decided.
        memberships: every sender of the day, with its track or null.
        track_days: what each track of the day did.
        threats: births and returns that pass the test.
        held: those that pass it too, beyond the budget of the day.
    """

    states: pl.DataFrame
    lineage: pl.DataFrame
    decisions: pl.DataFrame
    memberships: pl.DataFrame
    track_days: pl.DataFrame
    threats: pl.DataFrame
    held: pl.DataFrame


@dataclass(frozen=True)
class _Day:
    """A day's activities beside the tracks before it.

    `members` has src, packets, activity (null: none) and strength of every sender; `shown` and
    `sizes` are of the activities, which are those with senders today; all arrays of pairs are
    (activities, tracks).
    """

    day: date
    members: pl.DataFrame
    activities: tuple[int, ...]
    assigned: Assigned
    shown: dict[int, Histogram]
    sizes: NDArray[np.int64]
    packets: NDArray[np.int64]
    alike: NDArray[np.float64]
    probability: NDArray[np.float64]
    overlap: Overlap
    decisions: pl.DataFrame


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
    born: list[Track] = []

    for activity in today.activities:
        column = int(today.assigned.tracks[activity])
        if column < 0:
            continue
        track = tracks[column]
        track_of[activity] = track.track_id
        changed[column] = _continue(track, column, activity, today, settings)
        event: Event = "recur" if track.state == "asleep" else "continue"
        events.append(_event(day, track, event, None, today, activity, column))

    alive = np.isin(np.arange(len(tracks)), list(changed))
    next_id = memory.next_id
    for activity in today.activities:
        if activity in track_of:
            continue
        track = _birth(next_id + len(born), activity, today, model, settings)
        born.append(track)
        track_of[activity] = track.track_id
        nearest = int(today.alike[activity].argmax()) if tracks else None
        events.append(_event(day, track, "birth", None, today, activity, nearest))
        if (parent := _parent(activity, today, alive, settings)) is not None:
            events.append(_event(day, track, "split", tracks[parent], today, activity, parent))

    for column, track in enumerate(tracks):
        if column in changed:
            continue
        fate = _fate(track, today, memory, settings)
        if fate is not None:
            changed[column], kind, into, shared = fate
            related = None if into is None else tracks[into]
            alike = None if into is None else _alike(track, tracks[into], model, settings)
            events.append(_told(day, track, kind, related, alike, shared, None))

    names = pl.DataFrame(
        {"activity": list(track_of), "track_id": list(track_of.values())},
        schema={"activity": pl.Int64, "track_id": pl.Int32},
    )
    followed = today.members.join(names, on="activity", how="left", maintain_order="left")
    clustered = followed.filter(pl.col("track_id").is_not_null())
    threats, held = find_threats(
        day, [*changed.values(), *born], senders, clustered, model, memory, settings, benign
    )
    raised = dict(threats.select("track_id", "senders").iter_rows())
    states = [
        replace(track, raised=raised.get(track.track_id, track.raised)).row(day)
        for track in [*changed.values(), *born]
    ]
    return DayTracks(
        states=pl.DataFrame(states, schema=TRACK_STATES).sort("track_id"),
        lineage=pl.DataFrame(events, schema=LINEAGE).sort("track_id", "event"),
        decisions=today.decisions,
        memberships=_memberships(day, followed),
        track_days=_track_days(day, senders, clustered),
        threats=threats,
        held=held,
    )


def _compare(
    day: date,
    senders: pl.DataFrame,
    members: pl.DataFrame,
    model: PortModel,
    memory: Memory,
    settings: Settings,
) -> _Day:
    chosen = senders.filter(~members["astray"])
    inside = members.filter(~pl.col("astray"))
    evidence = evidence_of(chosen)
    labels = inside["cluster_id"].fill_null(-1).to_numpy().astype(np.int64)
    groups = groups_of(evidence, labels)
    matches = _match(day, inside, evidence, labels, groups, model, memory, settings)
    assigned = assign(
        evidence,
        labels,
        groups,
        matches.track,
        memory.tracks,
        memory.members,
        day,
        settings.track,
        min_senders=settings.cluster.min_senders,
    )
    found = pl.DataFrame(
        {"src": chosen["src"], "activity": assigned.labels, "strength": assigned.strength},
        schema={"src": pl.UInt64, "activity": pl.Int64, "strength": pl.Float64},
    ).with_columns(pl.when(pl.col("activity") >= 0).then("activity"))
    everyone = members.select("src", "packets", "cluster_id").join(
        found, on="src", how="left", maintain_order="left"
    )
    number = len(assigned.tracks)
    totals = (
        everyone.filter(pl.col("activity").is_not_null())
        .group_by("activity")
        .agg(n=pl.len(), packets=pl.col("packets").sum())
        .sort("activity")
    )
    present = totals["activity"].to_list()
    sizes, packets = np.zeros(number, np.int64), np.zeros(number, np.int64)
    sizes[present], packets[present] = totals["n"].to_numpy(), totals["packets"].to_numpy()
    counted = histograms(evidence, assigned.labels, number)
    shown = {a: counted[a] for a in present}
    overlap = sender_overlap(
        found.drop_nulls("activity").select("src", cluster_id="activity"),
        sizes,
        memory.tracks,
        memory.members,
    )
    alike = np.zeros((number, len(memory.tracks)))
    alike[present] = similarity(
        [_behaviour(shown[a]) for a in present],
        [Behaviour(track.words, track.weights) for track in memory.tracks],
        model,
        everyday_share=settings.cluster.everyday_share,
    )
    return _Day(
        day=day,
        members=everyone,
        activities=tuple(present),
        assigned=assigned,
        shown=shown,
        sizes=sizes,
        packets=packets,
        alike=alike,
        probability=_by_activity(matches, assigned),
        overlap=overlap,
        decisions=day_decisions(day, matches, memory.tracks),
    )


def _match(
    day: date,
    members: pl.DataFrame,
    evidence: Evidence,
    labels: NDArray[np.int64],
    groups: list[Histogram],
    model: PortModel,
    memory: Memory,
    settings: Settings,
) -> Matches:
    if not groups or not memory.tracks:
        none = np.zeros((len(groups), len(memory.tracks)))
        return Matches(np.full(len(groups), -1, dtype=np.int64), none, {})
    everyday_share = settings.cluster.everyday_share
    clustered = members.drop_nulls("cluster_id").select("src", "cluster_id")
    sizes = np.bincount(labels[labels >= 0]).astype(np.int64)
    overlap = sender_overlap(clustered, sizes, memory.tracks, memory.members)
    probability, numbers = probabilities(
        groups,
        memory.tracks,
        overlap,
        model,
        evidence,
        day,
        everyday_share=everyday_share,
        min_senders=settings.cluster.min_senders,
    )
    same_day = one_activity(evidence, labels, groups, model, everyday_share=everyday_share)
    for one, other in np.argwhere(np.triu(same_day, 1) > settings.track.same_day).tolist():
        if are_rivals(evidence, np.flatnonzero(labels == one), np.flatnonzero(labels == other)):
            same_day[one, other] = same_day[other, one] = 0.0
    return match_clusters(probability, numbers, same_day, settings.track)


def _by_activity(matches: Matches, assigned: Assigned) -> NDArray[np.float64]:
    """The probability of the best cluster behind each activity, for each track; NaN without one."""
    table = np.full((len(assigned.tracks), matches.probability.shape[1]), np.nan)
    for activity, (track, cluster) in enumerate(
        zip(assigned.tracks.tolist(), assigned.clusters.tolist(), strict=True)
    ):
        rows = np.flatnonzero(matches.track == track) if track >= 0 else np.array([cluster])
        if len(rows):
            table[activity] = matches.probability[rows].max(axis=0)
    return table


def _behaviour(shown: Histogram) -> Behaviour:
    return Behaviour(shown.words.keys.astype(np.uint32), shown.words.weights)


def _continue(track: Track, column: int, activity: int, today: _Day, settings: Settings) -> Track:
    returned = track.state == "asleep"
    size = int(today.sizes[activity])
    kept = float(today.overlap.of_track[activity, column])
    return replace(
        track,
        state="active",
        last_day=today.day,
        days_active=track.days_active + 1,
        packets=track.packets + int(today.packets[activity]),
        peak_senders=max(track.peak_senders, size),
        size=(1 - _NEW) * track.size + _NEW * size,
        shown=mixed(scaled(track.shown, settings.track.keep), today.shown[activity]),
        senders=np.empty(0, dtype=np.uint64),
        news_day=today.day if returned else track.news_day,
        news_away=(today.day - track.last_day).days if returned else track.news_away,
        raised=0 if returned else track.raised,
        stability=(1 - _NEW) * track.stability + _NEW * kept,
    )


def _birth(
    track_id: int, activity: int, today: _Day, model: PortModel, settings: Settings
) -> Track:
    shown = today.shown[activity]
    behaviour = _behaviour(shown)
    told_by = (
        None
        if is_sweep(behaviour)
        else top_word(behaviour, model, everyday_share=settings.cluster.everyday_share)
    )
    size = int(today.sizes[activity])
    return Track(
        track_id=track_id,
        name=track_name(told_by, common_tool(shown), track_id),
        state="active",
        first_day=today.day,
        last_day=today.day,
        days_active=1,
        packets=int(today.packets[activity]),
        peak_senders=size,
        size=float(size),
        shown=shown,
        senders=np.empty(0, dtype=np.uint64),
        news_day=today.day,
        news_away=None,
        raised=0,
        stability=0.0,
    )


def _parent(activity: int, today: _Day, alive: NDArray[np.bool_], settings: Settings) -> int | None:
    """Position of the track most of a newborn's senders come from, if it lives on today."""
    share = np.where(alive, today.overlap.of_cluster[activity], 0)
    if not len(share) or share.max() < settings.track.shared:
        return None
    parent = int(share.argmax())
    enough = today.overlap.shared[activity, parent] >= settings.cluster.min_senders
    return parent if enough else None


def _fate(
    track: Track, today: _Day, memory: Memory, settings: Settings
) -> tuple[Track, Event, int | None, int] | None:
    """What becomes of a track without senders today: the track, event, heir, shared senders."""
    away = (today.day - track.last_day).days
    if track.state == "active":
        heir = _heir(track, today, memory, settings) if away else None
        if heir is not None and away >= settings.track.merge_after:
            return replace(track, state="ended"), "merge", heir[0], heir[1]
        if away > settings.track.sleep_after:
            return replace(track, state="asleep", senders=_sample(track, memory)), "sleep", None, 0
    elif track.state == "asleep" and away > settings.track.end_after:
        return replace(track, state="ended", senders=np.empty(0, np.uint64)), "end", None, 0
    return None


def _heir(track: Track, today: _Day, memory: Memory, settings: Settings) -> tuple[int, int] | None:
    """The track that most of a silent track's last senders work for today, and how many do."""
    last = memory.members.filter(
        (pl.col("track_id") == track.track_id) & (pl.col("last_day") == track.last_day)
    )
    now = last.join(today.members.select("src", "activity"), on="src")
    heirs: dict[int, int] = {}
    for activity, n in (
        now.drop_nulls("activity").group_by("activity").len().sort("activity").rows()
    ):
        heir = int(today.assigned.tracks[activity])
        if heir >= 0:
            heirs[heir] = heirs.get(heir, 0) + n
    if not heirs:
        return None
    best = max(heirs, key=lambda heir: (heirs[heir], -heir))
    # Most of those seen today, who must be a fair part of all: a few of many prove nothing.
    most = settings.track.shared * max(now.height, last.height / 2)
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
    today: _Day,
    activity: int,
    column: int | None,
) -> dict[str, object]:
    """An event of an activity and the track at `column`, or the one most like it."""
    if column is None:
        return _told(day, track, event, related, 0.0, 0, 0.0)
    shared = 0 if event == "birth" else int(today.overlap.shared[activity, column])
    alike, probability = today.alike[activity, column], today.probability[activity, column]
    # Senders that were known may go on without a cluster, and then nothing was held against it.
    known = None if np.isnan(probability) else float(probability)
    return _told(day, track, event, related, alike, shared, known)


def _told(
    day: date,
    track: Track,
    event: Event,
    related: Track | None,
    alike: float | None,
    shared: int,
    probability: float | None,
) -> dict[str, object]:
    return {
        "day": day,
        "track_id": track.track_id,
        "event": event,
        "related_track_id": None if related is None else related.track_id,
        "similarity": None if alike is None else round(float(alike), 4),
        "shared_senders": shared,
        "probability": None if probability is None else round(float(probability), 4),
    }


def _memberships(day: date, followed: pl.DataFrame) -> pl.DataFrame:
    return followed.select(
        pl.lit(day).alias("day"),
        address_text(followed["src"]),
        "track_id",
        "cluster_id",
        "packets",
        pl.when(pl.col("track_id").is_not_null())
        .then(pl.col("strength").round(6))
        .otherwise(0.0)
        .alias("strength"),
        followed["src"].alias("address"),
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
