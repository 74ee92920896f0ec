"""Frequent port sets, in the manner of Ban et al. of NICT (IJCNN 2015 and the papers around it).

A sender's ports of a day are a transaction; frequent item sets are mined; each is watched by the
series of its activity; sets whose series go together are one attack, known again by its sets.

Left open, since of these papers only abstracts and others' descriptions could be read, and chosen
in its favour:
- The support is as few senders as make a campaign for all rivals, five, not a share of the day:
  anything higher loses small campaigns.
- Candidates are the sets that senders show and what two of them have in common, so that a
  campaign whose senders each try a part of its ports is not lost in its power set; ports that
  fewer senders use than the support cannot be in a frequent set and are left out beforehand.
- A sender belongs to the largest frequent set that it contains; of those the one of most support.
- Sets are one attack if their activity by the hour goes together (Pearson's r) and one contains
  the other: activity alone joins whatever is awake by day.
- An attack goes on as the one that most of its senders' sets were yesterday, or ever before: sets
  of ports are known again on new addresses after any time.
- Of a sender of more than forty frequent ports the forty that fewest others use are looked at.
- Replies to forged packets are left out, as for all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.rivals.door import Day, DayAnswer, scans
from benchmarks.rivals.trivial import FEWEST

__all__ = ["Settings", "frequent_port_sets", "portsets"]

PortSet = frozenset[int]


@dataclass(frozen=True)
class Settings:
    """`support` in senders; `together` is Pearson's r of two activities by the hour."""

    support: int = FEWEST
    longest: int = 40
    together: float = 0.0


def frequent_port_sets(
    transactions: Mapping[int, PortSet], *, support: int, longest: int
) -> dict[PortSet, set[int]]:
    """Frequent sets of ports, each with the senders that have it as their largest.

    Args:
        transactions: each sender's ports.
        support: senders that contain a frequent set, at least.
        longest: ports of a sender that are looked at, at most; the seldom ones.
    """
    users = Counter(port for ports in transactions.values() for port in ports)
    cut = {
        src: frozenset(
            sorted((p for p in ports if users[p] >= support), key=lambda p: (users[p], p))[:longest]
        )
        for src, ports in sorted(transactions.items())
    }
    shown = Counter(ports for ports in cut.values() if ports)
    distinct = sorted(shown, key=lambda ports: (len(ports), sorted(ports)))
    candidates = set(distinct)
    for number, one in enumerate(distinct):
        for other in distinct[:number]:
            if common := one & other:
                candidates.add(common)
    counted = {
        ports: sum(n for theirs, n in shown.items() if ports <= theirs) for ports in candidates
    }  # fmt: skip
    frequent = sorted(
        (ports for ports, n in counted.items() if n >= support),
        key=lambda ports: (-len(ports), -counted[ports], sorted(ports)),
    )
    largest = {
        theirs: next((ports for ports in frequent if ports <= theirs), None) for theirs in distinct
    }  # fmt: skip
    found: dict[PortSet, set[int]] = {}
    for src, theirs in cut.items():
        mine = largest.get(theirs)
        if mine is not None:
            found.setdefault(mine, set()).add(src)
    return found


def portsets(days: Iterable[Day], settings: Settings | None = None) -> Iterator[DayAnswer]:
    """Tracks of each day's senders, by the attacks their port sets belong to."""
    wanted = settings or Settings()
    known: dict[PortSet, int] = {}
    born = 0
    for day in days:
        seen = scans(day.packets)
        ports = seen.group_by("src").agg(pl.col("word").unique())
        transactions = {src: frozenset(words) for src, words in ports.iter_rows()}
        found = frequent_port_sets(
            transactions, support=wanted.support, longest=wanted.longest
        )  # fmt: skip
        attacks = [
            attack
            for attack in _attacks(found, _hours(seen), wanted.together)
            if sum(len(found[ports]) for ports in attack) >= wanted.support
        ]
        tracks: dict[int, int] = {}
        taken: set[int] = set()
        for attack in sorted(attacks, key=lambda attack: -sum(len(found[p]) for p in attack)):
            votes: Counter[int] = Counter()
            for mine in attack:
                if mine in known and known[mine] not in taken:
                    votes[known[mine]] += len(found[mine])
            if votes:
                track = min(votes, key=lambda track: (-votes[track], track))
            else:
                track, born = born, born + 1
            taken.add(track)
            known.update(dict.fromkeys(attack, track))
            tracks.update({src: track for mine in attack for src in found[mine]})
        yield DayAnswer(tracks)


def _hours(seen: pl.DataFrame) -> dict[int, NDArray[np.float64]]:
    """Which hours each sender is active in, (24,) of 0 and 1."""
    found: dict[int, NDArray[np.float64]] = {}
    active = seen.select("src", hour=pl.col("ts").dt.hour().cast(pl.Int64)).unique().sort("src")
    for src, hour in active.iter_rows():
        found.setdefault(src, np.zeros(24))[hour] = 1
    return found


def _attacks(
    found: Mapping[PortSet, set[int]], hours: Mapping[int, NDArray[np.float64]], together: float
) -> list[list[PortSet]]:
    """Frequent sets put together: one within the other, and active at the same hours."""
    sets = sorted(found, key=lambda ports: (len(ports), sorted(ports)))
    series = {ports: sum((hours[src] for src in found[ports]), np.zeros(24)) for ports in sets}
    root = {ports: ports for ports in sets}

    def top(ports: PortSet) -> PortSet:
        while root[ports] != ports:
            ports = root[ports]
        return ports

    for number, larger in enumerate(sets):
        for smaller in sets[:number]:
            if smaller < larger and _correlation(series[smaller], series[larger]) >= together:
                root[top(larger)] = top(smaller)
    joined: dict[PortSet, list[PortSet]] = {}
    for ports in sets:
        joined.setdefault(top(ports), []).append(ports)
    return list(joined.values())


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's r; 0 where one of the two does not change."""
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0
