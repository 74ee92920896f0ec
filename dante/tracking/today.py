"""A day's activities: its clusters beside the tracks, and who is of which."""

from dataclasses import dataclass, replace
from datetime import date

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
from dante.clustering.histogram import histogram, histograms
from dante.config import Settings
from dante.embedding.model import PortModel
from dante.tracking.assign import Assigned, assign
from dante.tracking.behaviour import behaviour_of, similarity
from dante.tracking.decisions import day_decisions
from dante.tracking.heirs import gone_over
from dante.tracking.match import (
    Matches,
    Overlap,
    match_clusters,
    probabilities,
    sender_overlap,
)
from dante.tracking.parting import Earlier, Parted, part_tracks
from dante.tracking.track import Memory, Track

__all__ = ["Today", "compare_day"]


@dataclass(frozen=True)
class Today:
    """A day's activities beside the tracks before it.

    `members` has src, packets, activity (null: none) and strength of every sender; `tracks` are as
    they were before today, but for those that were `parted`; `heir` is as in `Matches`; `shown` and
    `sizes` are of the activities, which are those with senders today; all arrays of pairs are
    (activities, tracks).
    """

    day: date
    members: pl.DataFrame
    tracks: tuple[Track, ...]
    parted: dict[int, Parted]
    activities: tuple[int, ...]
    assigned: Assigned
    heir: NDArray[np.int64]
    shown: dict[int, Histogram]
    sizes: NDArray[np.int64]
    packets: NDArray[np.int64]
    alike: NDArray[np.float64]
    probability: NDArray[np.float64]
    overlap: Overlap
    decisions: pl.DataFrame


def compare_day(
    day: date,
    senders: pl.DataFrame,
    members: pl.DataFrame,
    model: PortModel,
    memory: Memory,
    earlier: Earlier,
    settings: Settings,
) -> Today:
    """The activities of a day; arguments as of `dante.tracking.track_day`."""
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
        matches.together,
        matches.heir >= 0,
        memory.tracks,
        memory.newest,
        day,
        settings.track,
        min_senders=settings.cluster.min_senders,
    )
    assigned = _without_likes(assigned, evidence, memory, model, settings)
    assigned, parted = part_tracks(
        day, chosen, evidence, labels, assigned, memory, model, earlier, settings
    )
    tracks = list(memory.tracks)
    for part in parted.values():
        if part.theirs is not None:
            tracks[part.parent] = replace(tracks[part.parent], shown=part.theirs)
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
        [behaviour_of(shown[a]) for a in present],
        [behaviour_of(track.shown) for track in tracks],
        model,
        everyday_share=settings.cluster.everyday_share,
    )
    return Today(
        day=day,
        members=everyone,
        tracks=tuple(tracks),
        parted=parted,
        activities=tuple(present),
        assigned=assigned,
        heir=matches.heir,
        shown=shown,
        sizes=sizes,
        packets=packets,
        alike=alike,
        probability=_by_activity(matches, assigned),
        overlap=overlap,
        decisions=day_decisions(day, matches, memory.tracks),
    )


def _without_likes(
    assigned: Assigned, evidence: Evidence, memory: Memory, model: PortModel, settings: Settings
) -> Assigned:
    """The activities without newborns of few senders that do what a track does.

    A handful that lies apart on one day is a splinter of what is known; if it is more than that,
    more will come.
    """
    sizes = np.bincount(assigned.labels[assigned.labels >= 0], minlength=len(assigned.tracks))
    few = np.flatnonzero(
        (assigned.tracks < 0) & (sizes > 0) & (sizes < settings.track.newcomer)
    ).tolist()
    known = [behaviour_of(track.shown) for track in memory.tracks if track.state != "ended"]
    if not few or not known:
        return assigned
    shown = [histogram(evidence, np.flatnonzero(assigned.labels == a)) for a in few]
    alike = similarity(
        [behaviour_of(group) for group in shown],
        known,
        model,
        everyday_share=settings.cluster.everyday_share,
    ).max(axis=1)
    likes = [a for a, most in zip(few, alike.tolist(), strict=True) if most >= settings.track.like]
    return replace(assigned, labels=np.where(np.isin(assigned.labels, likes), -1, assigned.labels))


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
        nobody = np.full(len(memory.tracks), -1, dtype=np.int64)
        # Without a past all are new, and that two are says nothing of them.
        fresh = np.full(len(groups), -1, dtype=np.int64)
        return Matches(fresh, nobody, np.arange(len(groups)), none, {})
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
    least = min(settings.track.same_day, settings.track.piece, settings.track.newborn)
    for one, other in np.argwhere(np.triu(same_day, 1) > least).tolist():
        if are_rivals(evidence, np.flatnonzero(labels == one), np.flatnonzero(labels == other)):
            same_day[one, other] = same_day[other, one] = 0.0
    usual = np.array([track.size for track in memory.tracks])
    grown = np.log((sizes[:, None] + 1) / (usual[None, :] + 1))
    since = np.array([track.first_day.toordinal() for track in memory.tracks])
    found = match_clusters(probability, numbers, same_day, overlap, grown, since, settings.track)
    gone = gone_over(day, members, found.track, memory, settings)
    # Of two that merge today neither goes over to a third, nor a third to the one that ends.
    gone[(found.heir >= 0) | np.isin(np.arange(len(gone)), found.heir)] = -1
    gone[(gone >= 0) & (found.heir[gone] >= 0)] = -1
    track = np.where((found.track >= 0) & (gone[found.track] >= 0), gone[found.track], found.track)
    return replace(found, track=track, heir=np.maximum(found.heir, gone))


def _by_activity(matches: Matches, assigned: Assigned) -> NDArray[np.float64]:
    """The probability of the best cluster behind each activity, for each track; NaN without one."""
    table = np.full((len(assigned.tracks), matches.probability.shape[1]), np.nan)
    for activity, (track, cluster) in enumerate(
        zip(assigned.tracks.tolist(), assigned.clusters.tolist(), strict=True)
    ):
        rows = np.flatnonzero(matches.track == track) if track >= 0 else np.array([cluster])
        rows = rows[rows >= 0]
        if len(rows):
            table[activity] = matches.probability[rows].max(axis=0)
    return table
