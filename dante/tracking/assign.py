"""Which track each sender of a day is of, by all it shows and by where it was before.

A cluster says what an activity does today; a track what it has done. Each sender is judged anew
against both together, so that a sender of one packet goes where its header, hours, network and
yesterday put it, and two tracks on the same ports share a cluster out between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import Evidence
from dante.clustering.histogram import Histogram, histograms, mixed, scaled
from dante.clustering.likelihood import Nobody, likeliest
from dante.clustering.refine import MARGIN
from dante.config import TrackSettings
from dante.tracking.track import Track

__all__ = ["Assigned", "assign"]

_ROUNDS: Final = 3
# Where two tracks are one cluster, all of it was put into one of them: what they did before must
# say whose it is before today's senders do.
_AT_FIRST: Final = 0.2
# Log bonus of a member of a newborn's cluster, and of a sender for the track it was in.
_NEWBORN: Final = 3.0
_RETURNING: Final = 50.0
_LEAST_STEADY: Final = 0.1
# A track that was not seen for some days is expected to be this much smaller for each.
_FADES: Final = 0.8
_EXPECTED: Final = 0.5


@dataclass(frozen=True)
class Assigned:
    """A day's activities and their senders.

    Attributes:
        tracks: (a,) int64: position of the track each activity continues, -1 for a newborn.
        clusters: (a,) int64: the cluster a newborn began as, -1 for others.
        labels: (n,) int64: the activity of each of the day's senders, -1 for none.
        strength: (n,) float64: how probably it is of that, or of none.
    """

    tracks: NDArray[np.int64]
    clusters: NDArray[np.int64]
    labels: NDArray[np.int64]
    strength: NDArray[np.float64]


def assign(
    evidence: Evidence,
    labels: NDArray[np.int64],
    groups: Sequence[Histogram],
    continued: NDArray[np.int64],
    together: NDArray[np.int64],
    taken: NDArray[np.bool_],
    tracks: Sequence[Track],
    members: pl.DataFrame,
    day: date,
    settings: TrackSettings,
    *,
    min_senders: int,
) -> Assigned:
    """Share a day's senders out among the tracks awake, those met again, and the newborn.

    Args:
        evidence: the day's senders.
        labels: (n,) their clusters, -1 for noise.
        groups: the clusters' histograms.
        continued: (clusters,) position of the track each continues, -1 for none.
        together: (clusters,) the cluster that each new one begins with.
        taken: (tracks,) bool: those another has taken over, which nobody is of any more.
        tracks: all tracks.
        members: frame of `dante.tracking.track.MEMBERS`, each sender once.
        day: the day.
        settings: of tracking.
        min_senders: the fewest of a newborn, and of a track met again.
    """
    met = set(continued[continued >= 0].tolist())
    awake = [
        track.state == "active" and not gone for track, gone in zip(tracks, taken, strict=True)
    ]
    live = [c for c, is_awake in enumerate(awake) if is_awake or c in met]
    newborn = np.unique(together[continued < 0])
    of_track = np.array([*live, *[-1] * len(newborn)], dtype=np.int64)
    of_cluster = np.array([*[-1] * len(live), *newborn.tolist()], dtype=np.int64)
    if not len(of_track):
        return Assigned(of_track, of_cluster, np.full(evidence.n, -1), np.ones(evidence.n))
    place = {track: activity for activity, track in enumerate(live)}
    activity = np.array([place[c] for c in continued[continued >= 0].tolist()], dtype=np.int64)
    of_label = np.empty(len(groups), dtype=np.int64)
    of_label[continued >= 0] = activity
    of_label[continued < 0] = len(live) + np.searchsorted(newborn, together[continued < 0])
    now = np.where(labels >= 0, of_label[labels], -1) if len(groups) else labels
    bonus = _bonus(evidence, now, [tracks[c] for c in live], len(newborn), members)
    remembered = [scaled(tracks[c].shown, settings.keep) for c in live]
    expected = np.array(
        [_EXPECTED * tracks[c].size * _FADES ** (day - tracks[c].last_day).days for c in live]
        + [0.0] * len(newborn)
    )
    strength = np.ones(evidence.n)
    born = [groups[c] for c in newborn.tolist()]
    for turn in range(_ROUNDS):
        weight = 1.0 if turn else _AT_FIRST
        shown = _shown(evidence, now, remembered, born, weight)
        counts = np.bincount(now[now >= 0], minlength=len(of_track))
        sizes = np.maximum(counts, expected)
        nobody = Nobody(now < 0, MARGIN)
        now, strength = likeliest(evidence, shown, sizes, nobody, now, bonus, weight)
    enough = np.array(
        [
            settings.few if c >= 0 and tracks[c].state == "active" else min_senders
            for c in of_track.tolist()
        ]
    )
    counts = np.bincount(now[now >= 0], minlength=len(of_track))
    now = np.where((now >= 0) & (counts >= enough)[now], now, -1)
    return Assigned(of_track, of_cluster, now, strength)


def _shown(
    evidence: Evidence,
    now: NDArray[np.int64],
    remembered: Sequence[Histogram],
    newborn: Sequence[Histogram],
    weight: float,
) -> list[Histogram]:
    """What each activity has shown, today's senders with it, for tracks by a weight."""
    before = [*remembered, *newborn]
    today = histograms(evidence, now, len(before))
    shown = []
    for activity, (old, new) in enumerate(zip(before, today, strict=True)):
        if not new.senders:
            shown.append(old)
        else:
            shown.append(mixed(old, scaled(new, weight)) if activity < len(remembered) else new)
    return shown


def _bonus(
    evidence: Evidence,
    now: NDArray[np.int64],
    live: Sequence[Track],
    newborn: int,
    members: pl.DataFrame,
) -> sparse.csr_array:
    """What speaks for senders beside what they show today: that they were there before.

    The steadier a track, the more. Whoever is in a newborn's cluster is not held back by that.
    """
    column = {track.track_id: activity for activity, track in enumerate(live)}
    known = members.filter(pl.col("track_id").is_in(list(column)))
    src, track_id = known["src"].to_numpy(), known["track_id"].to_numpy()
    place = evidence.places(src)
    rows, ids = place[place >= 0], track_id[place >= 0]
    free = now[rows] < len(live)
    rows, ids = rows[free], ids[free]
    columns = np.array([column[each] for each in ids.tolist()], dtype=np.int64)
    steady = np.array([max(track.stability, _LEAST_STEADY) for track in live])
    values = np.log1p(_RETURNING * steady[columns]) if len(columns) else np.empty(0)
    born = np.flatnonzero(now >= len(live))
    return sparse.csr_array(
        (
            np.concatenate([values, np.full(len(born), _NEWBORN)]),
            (np.concatenate([rows, born]), np.concatenate([columns, now[born]])),
        ),
        shape=(evidence.n, len(live) + newborn),
    )
