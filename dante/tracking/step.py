"""One day of tracking: the day's clusters and all that was known before make the day's events."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.clustering.histogram import mixed, scaled
from dante.config import Settings
from dante.embedding.model import PortModel
from dante.labels.names import track_name
from dante.labels.scanners import BenignNetworks
from dante.schema import address_text
from dante.tracking.behaviour import behaviour_of, similarity, top_word
from dante.tracking.heirs import most_are_of
from dante.tracking.news import find_threats
from dante.tracking.parting import Earlier, nothing_earlier
from dante.tracking.sample import sample_senders
from dante.tracking.shapes import is_sweep
from dante.tracking.summary import top_networks, top_ports
from dante.tracking.today import Today, compare_day
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


def track_day(
    day: date,
    senders: pl.DataFrame,
    members: pl.DataFrame,
    model: PortModel,
    memory: Memory,
    settings: Settings,
    benign: BenignNetworks,
    earlier: Earlier = nothing_earlier,
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
        earlier: what senders did on the days before.
    """
    today = compare_day(day, senders, members, model, memory, earlier, settings)
    tracks = list(today.tracks)
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
        if (part := today.parted.get(activity)) is not None:
            if part.new:
                events.append(_event(day, track, "birth", None, today, activity, part.parent))
            else:
                old = tracks[part.parent]
                events.append(_event(day, track, "split", old, today, activity, part.parent))
            continue
        if (parent := _parent(activity, today, alive, settings)) is not None:
            events.append(_event(day, track, "split", tracks[parent], today, activity, parent))
            continue
        nearest = int(today.alike[activity].argmax()) if tracks else None
        events.append(_event(day, track, "birth", None, today, activity, nearest))

    for column, track in enumerate(tracks):
        if column in changed:
            continue
        fate = _fate(track, column, today, memory, settings)
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


def _continue(track: Track, column: int, activity: int, today: Today, settings: Settings) -> Track:
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
    track_id: int, activity: int, today: Today, model: PortModel, settings: Settings
) -> Track:
    shown = today.shown[activity]
    behaviour = behaviour_of(shown)
    told_by = (
        None
        if is_sweep(behaviour)
        else top_word(behaviour, model, everyday_share=settings.cluster.everyday_share)
    )
    size = int(today.sizes[activity])
    part = today.parted.get(activity)
    parent = None if part is None or part.new else today.tracks[part.parent]
    if part is not None and part.mine is not None:
        shown = mixed(scaled(part.mine, settings.track.keep), shown)
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
        news_day=today.day if parent is None else parent.news_day,
        news_away=None if parent is None else parent.news_away,
        raised=0 if parent is None else parent.raised,
        stability=0.0 if parent is None else parent.stability,
    )


def _parent(
    activity: int, today: Today, alive: NDArray[np.bool_], settings: Settings
) -> int | None:
    """Position of the track most of a newborn's senders come from, if it lives on today."""
    share = np.where(alive, today.overlap.of_cluster[activity], 0)
    if not len(share) or share.max() < settings.track.shared:
        return None
    parent = int(share.argmax())
    enough = today.overlap.shared[activity, parent] >= settings.cluster.min_senders
    return parent if enough else None


def _fate(
    track: Track, column: int, today: Today, memory: Memory, settings: Settings
) -> tuple[Track, Event, int | None, int] | None:
    """What becomes of a track without senders today: the track, event, heir, shared senders."""
    away = (today.day - track.last_day).days
    elder = int(today.heir[column])
    if elder >= 0 and (activity := _activity(elder, today)) is not None:
        shared = int(today.overlap.shared[activity, column])
        return replace(track, state="ended"), "merge", elder, shared
    if track.state == "active":
        silent = 1 + sum(track.last_day < before for before in memory.days)
        gone = silent >= settings.track.merge_after
        heir = _heir(track, today, memory, settings) if gone else None
        if heir is not None:
            return replace(track, state="ended"), "merge", heir[0], heir[1]
        if away > settings.track.sleep_after:
            return replace(track, state="asleep", senders=_sample(track, memory)), "sleep", None, 0
    elif track.state == "asleep" and away > settings.track.end_after:
        return replace(track, state="ended", senders=np.empty(0, np.uint64)), "end", None, 0
    return None


def _heir(track: Track, today: Today, memory: Memory, settings: Settings) -> tuple[int, int] | None:
    """The track that most of a silent track's last senders have worked for since, and how many do.

    Not all of them come every day, so each is asked for the last of these days that it was a member
    of anything on, and for today.
    """
    theirs = memory.members.filter(pl.col("track_id") == track.track_id)
    last = theirs.filter(pl.col("last_day") == track.last_day).select("src")
    place = {other.track_id: column for column, other in enumerate(memory.tracks)}
    since = {
        src: place[track_id]
        for src, track_id in memory.newest.filter(pl.col("last_day") > track.last_day)
        .join(last, on="src", how="semi")
        .select("src", "track_id")
        .iter_rows()
    }
    now = today.members.join(last, on="src", how="semi").select("src", "activity")
    for src, activity in now.iter_rows():
        since[src] = -1 if activity is None else int(today.assigned.tracks[activity])
    found = most_are_of(list(since.values()), last.height, settings)
    return None if found is None or _activity(found[0], today) is None else found


def _activity(column: int, today: Today) -> int | None:
    """The activity by which a track goes on today."""
    return next((a for a in today.activities if int(today.assigned.tracks[a]) == column), None)


def _sample(track: Track, memory: Memory) -> NDArray[np.uint64]:
    """A bounded sample of a track's senders, the ones with the smallest hashes (bottom-k)."""
    senders = memory.members.filter(pl.col("track_id") == track.track_id)["src"].to_numpy()
    return sample_senders(senders)


def _alike(one: Track, other: Track, model: PortModel, settings: Settings) -> float:
    both = similarity(
        [behaviour_of(one.shown)],
        [behaviour_of(other.shown)],
        model,
        everyday_share=settings.cluster.everyday_share,
    )
    return float(both[0, 0])


def _event(
    day: date,
    track: Track,
    event: Event,
    related: Track | None,
    today: Today,
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
