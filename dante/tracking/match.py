"""Which of a day's clusters continue which tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.config import TrackSettings
from dante.tracking.sample import scale
from dante.tracking.track import Track

__all__ = ["Matches", "Overlap", "match_clusters", "sender_overlap"]

# Of two equally good tracks the one awake is continued.
_ASLEEP = 0.95
# A track that keeps its senders and meets none of them again must be that much more alike, as a
# share of what is left between the threshold and identity.
_STRANGER = 0.6


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
        score: (clusters, tracks) float64: how well each pair fits.
    """

    track: NDArray[np.int64]
    score: NDArray[np.float64]


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
            "last_day": [t.last_day for t in asleep for _ in t.senders],
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


def match_clusters(
    alike: NDArray[np.float64],
    overlap: Overlap,
    tracks: Sequence[Track],
    settings: TrackSettings,
    *,
    min_senders: int,
) -> Matches:
    """Choose the track each cluster continues.

    A pair may match by behaviour alone or by senders alone, for campaigns return on new
    addresses and keep addresses while changing ports. But a track awake that is known to keep
    its senders does not change all of them and its ports in one day. First every track gets at
    most one cluster so that the sum of scores is largest; then clusters left over join a track
    they can hardly be told from.

    Args:
        alike: (clusters, tracks) similarity of behaviour.
        overlap: senders in common.
        tracks: the tracks, ended ones included (they never match).
        settings: thresholds.
        min_senders: fewer shared senders than this say nothing.
    """
    from scipy.optimize import linear_sum_assignment

    moved = (overlap.mutual >= settings.shared) & (overlap.shared >= min_senders)
    wakeful = np.array(
        [{"active": 1.0, "asleep": _ASLEEP, "ended": 0.0}[track.state] for track in tracks]
    )
    score = (1 - (1 - alike) * (1 - overlap.mutual)) * wakeful[None, :]
    steady = np.array([t.stability if t.state == "active" else 0.0 for t in tracks])
    lost = np.maximum(steady[None, :] - overlap.of_track, 0)
    needed = settings.match + (1 - settings.match) * _STRANGER * lost
    allowed = ((alike >= needed) | moved) & (wakeful > 0)[None, :]
    track = np.full(len(alike), -1, dtype=np.int64)
    if allowed.any():
        rows, columns = linear_sum_assignment(np.where(allowed, score, 0), maximize=True)
        good = allowed[rows, columns]
        track[rows[good]] = columns[good]
        taken = np.zeros(len(tracks), dtype=bool)
        taken[columns[good]] = True
        for row in np.flatnonzero(track < 0):
            near = np.where(allowed[row] & taken & (alike[row] >= settings.fragment), score[row], 0)
            if near.any():
                track[row] = int(near.argmax())
    return Matches(track, score)
