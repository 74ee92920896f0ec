"""Which other track works on with a track's senders, once these have gone over to it."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.config import Settings
from dante.tracking.track import Memory

__all__ = ["gone_over", "most_are_of"]

# A track that has so little of its size left has dwindled.
_LEFT: Final = 0.25
# Days before its last full one that a track's senders are looked for: not all come every day.
_BEFORE: Final = 1


def gone_over(
    day: date, activities: pl.DataFrame, of: NDArray[np.int64], memory: Memory, settings: Settings
) -> NDArray[np.int64]:
    """The heirs of tracks that dwindled by yesterday as their senders went over to another.

    That a few are left hides a merger from a look at silent tracks: a sender of one packet is
    still of the track that it was of before.

    Args:
        day: the day.
        activities: `src` and `cluster_id` of the day's senders.
        of: (clusters,) position of the track that each continues, -1 for none.
        memory: what was known before.
        settings: thresholds.

    Returns:
        (tracks,) int64: the position of each one's heir, -1 for none.
    """
    heirs = np.full(len(memory.tracks), -1, dtype=np.int64)
    yesterday = day - timedelta(days=1)
    place = {track.track_id: column for column, track in enumerate(memory.tracks)}
    going_on = set(of.tolist())
    newest = memory.members.filter(pl.col("last_day") == yesterday)
    clustered = activities.drop_nulls("cluster_id")
    working = of[clustered["cluster_id"].to_numpy()]
    for track_id, (full, size) in _dwindled(yesterday, memory, settings).items():
        # One that others carry on, or that is back, has not gone over.
        if (working == place[track_id]).sum() > _LEFT * size:
            continue
        last = memory.members.filter(
            (pl.col("track_id") == track_id)
            & pl.col("last_day").is_between(full - timedelta(days=_BEFORE), full)
        ).select("src")
        working_for = last.join(newest, on="src")["track_id"].to_list()
        found = most_are_of(working_for, last.height, settings)
        if found is None or (heir := place[found[0]]) not in going_on:
            continue
        theirs = working[clustered["src"].is_in(last["src"].implode()).to_numpy()]
        if (theirs == heir).sum() >= settings.track.shared * max(1, theirs.size):
            heirs[place[track_id]] = heir
    # An heir is one who goes on.
    heirs[(heirs >= 0) & (heirs[heirs] >= 0)] = -1
    return heirs


def _dwindled(yesterday: date, memory: Memory, settings: Settings) -> dict[int, tuple[date, int]]:
    """The tracks that had few of their senders left yesterday; when they still had them, and how
    many.
    """
    awake = {track.track_id for track in memory.tracks if track.state == "active"}
    first = yesterday - timedelta(days=settings.track.merge_after)
    past = memory.past.filter(pl.col("day") >= first).group_by("track_id", maintain_order=True)
    found: dict[int, tuple[date, int]] = {}
    for track_id, days, sizes in past.agg("day", "senders").iter_rows():
        if track_id in awake and days[-1] == yesterday:
            known = zip(days, sizes, strict=True)
            full = [(one, size) for one, size in known if size * _LEFT >= sizes[-1]]
            if full:
                found[track_id] = full[-1]
    return found


def most_are_of(tracks: Sequence[int], whole: int, settings: Settings) -> tuple[int, int] | None:
    """The track that most of the senders seen are of, and how many; None where they prove nothing.

    `tracks` is of each sender seen, -1 for none; they must be a fair part of the `whole`.
    """
    counts = Counter(track for track in tracks if track >= 0)
    if not counts:
        return None
    best = min(counts, key=lambda track: (-counts[track], track))
    # A few of many prove nothing.
    most = settings.track.shared * max(len(tracks), whole / 2)
    return (best, counts[best]) if counts[best] >= max(settings.cluster.min_senders, most) else None
