"""What a group of senders shows, counted: the form in which clusters and tracks are remembered.

Counts are by sender: each counts 1 in all, shared by its words and by its hours, so that the loud
do not outweigh the many. Because words are kept and not vectors, a histogram can be embedded in any
later model. A histogram is bounded: what its rarest words and networks were is forgotten.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dante.clustering.evidence import HOURS, Evidence

__all__ = ["Counts", "Histogram", "counts_on", "histogram", "mixed", "scaled"]

LONGEST: Final = 1024
"""Words kept; a full sweep has 65,536."""
NETWORKS: Final = 256
"""Networks kept."""

# An old count that has faded to this is gone.
_FADED: Final = 0.02
_ONCE: Final = 1 + 1e-9


@dataclass(frozen=True)
class Counts:
    """Some keys (uint64, sorted, each once) and how much of each there is (float64, positive)."""

    keys: NDArray[np.uint64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """A group of senders.

    Attributes:
        senders: how many; not whole where older ones count less.
        words: words, each sender's sharing 1.
        users: senders that use each of these words, (len(words.keys),) float64.
        traits: senders that show each trait value (codes of `dante.clustering.evidence`).
        hours: (24,) float64, UTC, each sender's sharing 1.
        networks: senders in each network.
        forgotten: senders in networks that are no longer told apart.
    """

    senders: float
    words: Counts
    users: NDArray[np.float64]
    traits: Counts
    hours: NDArray[np.float64]
    networks: Counts
    forgotten: float

    @property
    def lone(self) -> float:
        """Senders in networks that, as far as is known, no other of them is in."""
        weights = self.networks.weights
        return float(weights[weights <= _ONCE].sum()) + self.forgotten


def histogram(evidence: Evidence, rows: NDArray[np.int64]) -> Histogram:
    """The histogram of some of a day's senders (positions in the evidence, at least one)."""
    weights = np.asarray(evidence.shares[rows].sum(axis=0)).ravel()
    users = np.asarray(evidence.uses[rows].sum(axis=0)).ravel()
    used = np.flatnonzero(users)
    shown = np.asarray(evidence.shows[rows].sum(axis=0)).ravel()
    networks = np.bincount(evidence.network[rows], minlength=len(evidence.networks))
    return _bounded(
        float(len(rows)),
        Counts(evidence.words[used].astype(np.uint64), weights[used]),
        users[used],
        _present(evidence.traits, shown),
        evidence.hours[rows].sum(axis=0),
        _present(evidence.networks, networks.astype(np.float64)),
        0.0,
    )


def scaled(old: Histogram, by: float) -> Histogram:
    """A histogram in which every sender counts `by`."""
    return Histogram(
        old.senders * by,
        Counts(old.words.keys, old.words.weights * by),
        old.users * by,
        Counts(old.traits.keys, old.traits.weights * by),
        old.hours * by,
        Counts(old.networks.keys, old.networks.weights * by),
        old.forgotten * by,
    )


def mixed(old: Histogram, new: Histogram) -> Histogram:
    """Both groups together."""
    words = _sum(old.words, new.words)
    users = counts_on(words.keys, [old, new], _users).sum(axis=0)
    return _bounded(
        old.senders + new.senders,
        words,
        users,
        _sum(old.traits, new.traits),
        old.hours + new.hours,
        _sum(old.networks, new.networks),
        old.forgotten + new.forgotten,
    )


def counts_on(
    keys: NDArray[np.uint64],
    groups: Sequence[Histogram],
    what: Callable[[Histogram], Counts],
) -> NDArray[np.float64]:
    """One kind of counts of several histograms, (len(groups), len(keys)), on keys in order."""
    table = np.zeros((len(groups), len(keys)))
    for row, group in enumerate(groups):
        counts = what(group)
        place = np.searchsorted(keys, counts.keys)
        inside = place < len(keys)
        inside[inside] = keys[place[inside]] == counts.keys[inside]
        table[row, place[inside]] = counts.weights[inside]
    return table


def _users(group: Histogram) -> Counts:
    return Counts(group.words.keys, group.users)


def _present(keys: NDArray[np.uint64], weights: NDArray[np.float64]) -> Counts:
    there = np.flatnonzero(weights)
    return Counts(keys[there], weights[there])


def _sum(one: Counts, other: Counts) -> Counts:
    keys = np.union1d(one.keys, other.keys)
    weights = np.zeros(len(keys))
    weights[np.searchsorted(keys, one.keys)] += one.weights
    weights[np.searchsorted(keys, other.keys)] += other.weights
    return Counts(keys, weights)


def _bounded(
    senders: float,
    words: Counts,
    users: NDArray[np.float64],
    traits: Counts,
    hours: NDArray[np.float64],
    networks: Counts,
    forgotten: float,
) -> Histogram:
    assert len(hours) == HOURS
    kept = _largest(users, LONGEST)
    near = _largest(networks.weights, NETWORKS)
    shown = traits.weights > _FADED
    return Histogram(
        senders,
        Counts(words.keys[kept], words.weights[kept]),
        users[kept],
        Counts(traits.keys[shown], traits.weights[shown]),
        hours,
        Counts(networks.keys[near], networks.weights[near]),
        forgotten + float(np.delete(networks.weights, near).sum()),
    )


def _largest(weights: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Places of the largest weights that have not faded, in order of place."""
    order = np.argsort(-weights, kind="stable")[:most]
    return np.sort(order[weights[order] > _FADED])
