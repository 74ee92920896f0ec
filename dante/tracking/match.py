"""Which of a day's clusters continue which tracks, and how probably."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.clustering.compare import Likeness, compare, log_odds
from dante.clustering.evidence import Evidence
from dante.clustering.histogram import Histogram
from dante.config import TrackSettings
from dante.embedding import PortModel
from dante.tracking.sample import scale
from dante.tracking.track import Track

__all__ = ["Matches", "Overlap", "match_clusters", "probabilities", "sender_overlap"]

WITH_HEADERS: Final = {
    "1": -8.102, "ports": 3.214, "rare_ports": 3.534, "trade": 0.416, "tool": 0.508, "ttl": 0.539,
    "tcp_length": 0.93, "window": 0.202, "ip_id": 0.697, "one_sport": 1.173, "hours": 2.395,
    "networks_of_ours": 0.938, "networks_of_theirs": -0.786, "of_cluster": 0.417,
    "of_track": -0.067, "mutual": 3.739, "ports_twice": 3.339, "away": -0.027,
    "networks_apart": 3.217, "few": 1.803, "ports_of_few": 2.7, "strangers": 0.034,
}  # fmt: skip
PORTS_ONLY: Final = {
    "1": -10.19, "ports": 2.417, "rare_ports": 3.305, "trade": 1.107, "hours": 3.589,
    "networks_of_ours": 1.031, "networks_of_theirs": -0.702, "of_cluster": 3.023,
    "of_track": -1.056, "mutual": 5.292, "ports_twice": 2.829, "away": 0.979,
    "networks_apart": 3.33, "few": 1.109, "ports_of_few": 1.84, "strangers": 1.881,
}  # fmt: skip
"""Weights of logistic models, fitted by `benchmarks/calibrate.py`."""

# Groups that have next to no port in common are not one, whatever else speaks for it.
_SOME_PORTS: Final = 0.02
_NEVER: Final = -9.0
_LONG_AWAY: Final = 2  # days
_MOVED: Final = 0.5
_SURE: Final = 0.99
# What a track loses in log odds for each factor e that a cluster is larger or smaller than it was.
_SIZE: Final = 0.5
# Networks this much likelier in a track than in anybody, as a logarithm, are the track's.
_AT_HOME: Final = 3.0
_LEAST: Final = 1e-3  # the part of them that it keeps in any case
# How alike in ports a cluster of two tracks that merge is to each at least, and to the one most.
_OF_BOTH: Final = 0.5
_OF_ONE: Final = 0.8


@dataclass(frozen=True)
class Overlap:
    """Senders that clusters and tracks have in common; all arrays are (clusters, tracks).

    Attributes:
        shared: senders of the cluster that the track had in its window.
        of_cluster: `shared` as a share of the cluster's senders.
        of_track: the share of the track's senders of its last day that are in the cluster.
    """

    shared: NDArray[np.int64]
    of_cluster: NDArray[np.float64]
    of_track: NDArray[np.float64]

    @property
    def mutual(self) -> NDArray[np.float64]:
        """The smaller of both shares."""
        return np.minimum(self.of_cluster, self.of_track)


@dataclass(frozen=True)
class Matches:
    """The clusters' tracks.

    Attributes:
        track: (clusters,) int64: position of the track each cluster continues, -1 for none.
        heir: (tracks,) int64: position of the track that each one's senders work for now, which
            ends by that; -1 for none.
        together: (clusters,) int64: of those that continue none, the first that is new today with
            each and one activity with it; any other's own place.
        probability: (clusters, tracks) float64 that a cluster is the track.
        likeness: the numbers behind it, each (clusters, tracks).
    """

    track: NDArray[np.int64]
    heir: NDArray[np.int64]
    together: NDArray[np.int64]
    probability: NDArray[np.float64]
    likeness: Likeness


def sender_overlap(
    clustered: pl.DataFrame, sizes: NDArray[np.int64], tracks: Sequence[Track], known: pl.DataFrame
) -> Overlap:
    """Count the senders that a day's clusters share with tracks.

    Args:
        clustered: src and cluster_id of the day's members, noise left out.
        sizes: (clusters,) senders of each.
        tracks: all tracks.
        known: frame of `dante.tracking.track.MEMBERS` of awake tracks.
    """
    asleep = [track for track in tracks if track.state == "asleep" and len(track.senders)]
    sampled = pl.DataFrame(
        {
            "src": np.concatenate([t.senders for t in asleep] or [np.empty(0, np.uint64)]),
            "track_id": np.repeat([t.track_id for t in asleep], [len(t.senders) for t in asleep]),
            "last_day": np.repeat(
                np.array([t.last_day for t in asleep], dtype="datetime64[D]"),
                [len(t.senders) for t in asleep],
            ),
        },
        schema=known.schema,
    )
    members = pl.concat([known, sampled])
    last = pl.DataFrame(
        {"track_id": [t.track_id for t in tracks], "last": [t.last_day for t in tracks]},
        schema={"track_id": pl.Int32, "last": pl.Date},
    ).with_row_index("column")
    members = members.join(last, on="track_id").with_columns(
        newest=pl.col("last_day") == pl.col("last")
    )
    counts = (
        clustered.join(members, on="src")
        .group_by("cluster_id", "column")
        .agg(shared=pl.len(), newest=pl.col("newest").sum())
    )
    shape = (len(sizes), len(tracks))
    shared = np.zeros(shape, dtype=np.int64)
    newest = np.zeros(shape, dtype=np.int64)
    place = (counts["cluster_id"].to_numpy(), counts["column"].to_numpy())
    shared[place] = counts["shared"].to_numpy()
    newest[place] = counts["newest"].to_numpy()
    on_last_day = np.zeros(len(tracks), dtype=np.int64)
    per_track = members.filter("newest").group_by("column").len()
    on_last_day[per_track["column"].to_numpy()] = per_track["len"].to_numpy()
    # What a sleeper's sample shares stands for what all its senders would.
    whole = np.array([scale(track.senders) if track.state == "asleep" else 1.0 for track in tracks])
    shared = np.minimum(np.rint(shared * whole[None, :]).astype(np.int64), sizes[:, None])
    return Overlap(
        shared,
        shared / np.maximum(sizes, 1)[:, None],
        newest / np.maximum(on_last_day, 1)[None, :],
    )


def probabilities(
    groups: Sequence[Histogram],
    tracks: Sequence[Track],
    overlap: Overlap,
    model: PortModel,
    evidence: Evidence,
    day: date,
    *,
    everyday_share: float,
    min_senders: int,
) -> tuple[NDArray[np.float64], Likeness]:
    """The probability that each cluster is each track, (clusters, tracks), and the numbers behind.

    Calibrated: of the pairs it gives 0.8, eight in ten are one activity, on simulated telescopes.
    Tracks that ended are never met again.

    Args:
        groups: the day's clusters, at least one.
        tracks: all tracks, at least one.
        overlap: senders in common.
        model: the day's.
        evidence: the day's.
        day: the day.
        everyday_share: as in `compare`.
        min_senders: fewer senders in common than this prove nothing by themselves.
    """
    theirs = [track.shown for track in tracks]
    numbers = compare(groups, theirs, model, evidence, everyday_share=everyday_share)
    away = np.array([(day - track.last_day).days > _LONG_AWAY for track in tracks], dtype=float)
    few = 1 / np.sqrt([group.senders for group in groups])
    numbers |= {
        "of_cluster": overlap.of_cluster,
        "of_track": overlap.of_track,
        "mutual": overlap.mutual,
        "away": np.repeat(away[None, :], len(groups), axis=0),
        "few": np.repeat(few[:, None], len(tracks), axis=1),
        "ports_of_few": numbers["ports"] * few[:, None],
        "strangers": (overlap.mutual == 0) * (1 - away)[None, :],
    }
    odds = log_odds(numbers, WITH_HEADERS if evidence.with_headers else PORTS_ONLY)
    gone = np.array([track.state == "ended" for track in tracks])
    odds = np.where(numbers["ports"] < _SOME_PORTS, _NEVER, odds)
    probability = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    # Who keeps its addresses may change its ports.
    moved = (overlap.mutual >= _MOVED) & (overlap.shared >= min_senders)
    probability = np.where(moved, np.maximum(probability, _SURE * overlap.mutual), probability)
    return np.where(gone[None, :], 1 / (1 + np.exp(-_NEVER)), probability), numbers


def match_clusters(
    probability: NDArray[np.float64],
    likeness: Likeness,
    same_day: NDArray[np.float64],
    overlap: Overlap,
    grown: NDArray[np.float64],
    since: NDArray[np.int64],
    settings: TrackSettings,
) -> Matches:
    """Choose the track each cluster continues.

    First every track gets at most one cluster so that the sum of log odds is largest, less what
    speaks against a cluster of another size; of two tracks that merge, whose cluster does what
    neither did alone, the older goes on; then clusters left over join the track that most of
    their senders were in, the likeliest of those that nothing continues and most of whose senders
    they have, the one they likeliest are of, unless they are plainly another activity than what
    continues that track today, or the one of whose cluster they are a piece today. New ones that
    are one activity begin together. Whether a track is then two is told by several days
    (`dante.tracking.parting`).

    Args:
        probability: (clusters, tracks), from `probabilities`.
        likeness: the numbers behind it.
        same_day: (clusters, clusters) that two of the day's clusters are one activity.
        overlap: senders in common.
        grown: (clusters, tracks) logarithm of how much larger the cluster is than the track was.
        since: (tracks,) a number of each track's first day.
        settings: thresholds.
    """
    from scipy.optimize import linear_sum_assignment

    track = np.full(len(probability), -1, dtype=np.int64)
    heir = np.full(probability.shape[1], -1, dtype=np.int64)
    if not probability.size:
        return Matches(track, heir, np.arange(len(track)), probability, likeness)
    odds = np.log(probability) - np.log1p(-probability)
    surplus = np.maximum(odds - np.log(settings.match / (1 - settings.match + 1e-9)), 0)
    # Of several tracks that it may be, a cluster is rather one of its size.
    surplus = np.maximum(surplus - _SIZE * np.abs(grown), _LEAST * surplus)
    rows, columns = linear_sum_assignment(surplus, maximize=True)
    good = surplus[rows, columns] > 0
    track[rows[good]] = columns[good]
    for row, elder in _elders(track, probability, likeness["ports"], overlap, since, settings):
        heir[track[row]] = elder
        track[row] = elder
    main = {int(track[row]): row for row in rows[good].tolist()}
    going_on = np.isin(np.arange(probability.shape[1]), list(main))
    left = np.flatnonzero(track < 0)
    for row in left[np.argsort(-probability[left].max(axis=1), kind="stable")].tolist():
        theirs = overlap.of_cluster[row] * going_on
        if theirs.max() >= settings.shared:
            track[row] = theirs.argmax()
            continue
        # Two that merge are neither's by most of the senders: it is rather who does the same.
        taken_over = ~going_on & (overlap.of_track[row] >= settings.shared)
        if taken_over.any():
            track[row] = np.where(taken_over, probability[row], 0).argmax()
            main.setdefault(int(track[row]), row)
            continue
        likeliest = int(probability[row].argmax())
        with_main = likeliest in main and same_day[row, main[likeliest]] > settings.same_day
        at_home = likeness["networks_of_ours"][row, likeliest] >= _AT_HOME
        probable = probability[row, likeliest] >= settings.fragment
        if (probable and likeliest not in main) or (with_main and (probable or at_home)):
            track[row] = likeliest
            main.setdefault(likeliest, row)
            continue
        closest = max(main, key=lambda c: float(same_day[row, main[c]]), default=-1)
        if closest >= 0 and same_day[row, main[closest]] > settings.piece:
            track[row] = closest
    # Nobody is of a track any more that goes over to an elder one today.
    joined = track >= 0
    track[joined] = np.where(heir[track] >= 0, heir[track], track)[joined]
    return Matches(track, heir, _together(track, same_day, settings), probability, likeness)


def _together(
    track: NDArray[np.int64], same_day: NDArray[np.float64], settings: TrackSettings
) -> NDArray[np.int64]:
    """The first cluster that each new one begins with; the others' own places.

    Two of the same ports that are both new today need less to be one than any two of a day.
    """
    from scipy.sparse.csgraph import connected_components

    new = track < 0
    one = new[:, None] & new[None, :] & (same_day > settings.newborn)
    _, group = connected_components(one, directed=False)
    _, first = np.unique(group, return_index=True)
    return np.asarray(first[group], dtype=np.int64)


def _elders(
    track: NDArray[np.int64],
    probability: NDArray[np.float64],
    ports: NDArray[np.float64],
    overlap: Overlap,
    since: NDArray[np.int64],
    settings: TrackSettings,
) -> list[tuple[int, int]]:
    """The clusters that do what two tracks did and neither alone, each with the oldest track whose
    senders it has besides those of the track that it would continue.
    """
    senders = (overlap.of_track >= settings.shared) & (overlap.shared >= settings.few)
    merging = senders & (ports >= _OF_BOTH) & (ports < _OF_ONE)
    merging[:, track[track >= 0]] = False
    found: dict[int, int] = {}
    for row, column in enumerate(track.tolist()):
        if column < 0 or not senders[row, column] or ports[row, column] >= _OF_ONE:
            continue
        older = np.flatnonzero(merging[row] & (since < since[column])).tolist()
        if older:
            found[row] = min(older, key=lambda c: (since[c], -probability[row, c]))
    chosen = list(found.values())
    return [(row, elder) for row, elder in found.items() if chosen.count(elder) == 1]
