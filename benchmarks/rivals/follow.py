"""A tracker by shared members: what DANTE's paper has, lent to rivals that have none.

A day's clusters meet those of the day before, and those of earlier days by the addresses they had
when last seen; what shares enough members goes on under the old number.
"""

import datetime as dt
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

__all__ = ["Followed", "Memory", "follow", "groups"]

_FEWEST = 3
"""Members in common that make a match: an address that comes by again is nobody's return."""


@dataclass(frozen=True)
class Memory:
    """What is known of the tracks.

    Attributes:
        born: how many tracks there were, which is the next one's number.
        last: of each track the day it was last seen and its addresses then.
    """

    born: int = 0
    last: Mapping[int, tuple[dt.date, Set[int]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Followed:
    """The track of each of a day's clusters, and the memory for the next day."""

    tracks: Mapping[int, int]
    memory: Memory


def groups(sources: list[int], labels: list[int]) -> dict[int, set[int]]:
    """The addresses of each label; -1 is none."""
    found: dict[int, set[int]] = {}
    for src, label in zip(sources, labels, strict=True):
        if label >= 0:
            found.setdefault(label, set()).add(src)
    return found


def follow(
    clusters: Mapping[int, Set[int]],
    memory: Memory,
    day: dt.date,
    *,
    share: float,
    days: int,
    before: Mapping[int, Set[int]] | None = None,
) -> Followed:
    """Give a day's clusters the tracks they continue, the best matches first.

    Args:
        clusters: today's addresses of each cluster.
        memory: of the days before.
        day: today.
        share: a match has at least this share of the smaller one's members in common.
        days: a track not seen for longer is forgotten.
        before: where windows overlap, the addresses whose traffic of yesterday is in each cluster;
            these, not today's, are then held against yesterday's tracks.
    """
    known = {
        track: seen for track, seen in memory.last.items() if (day - seen[0]).days <= days
    }  # fmt: skip
    yesterday = day - dt.timedelta(days=1)
    pairs = []
    for label, members in clusters.items():
        for track, (last, theirs) in known.items():
            ours = members if before is None or last < yesterday else before.get(label, frozenset())
            common = len(ours & theirs)
            if common >= _FEWEST and common >= share * min(len(ours), len(theirs)):
                alike = common / (len(ours) + len(theirs) - common)
                pairs.append((last == yesterday, alike, common, -label, track))
    tracks: dict[int, int] = {}
    taken: set[int] = set()
    for *_, minus, track in sorted(pairs, reverse=True):
        if -minus not in tracks and track not in taken:
            tracks[-minus] = track
            taken.add(track)
    born = memory.born
    for label in sorted(set(clusters) - set(tracks)):
        tracks[label] = born
        born += 1
    now = {tracks[label]: (day, members) for label, members in clusters.items()}
    return Followed(tracks, Memory(born, {**known, **now}))
