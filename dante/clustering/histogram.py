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
from scipy import sparse

from dante.clustering.evidence import HOURS, Evidence

__all__ = ["Counts", "Histogram", "counts_on", "histogram", "histograms", "mixed", "scaled"]

LONGEST: Final = 1024
"""Words kept; a full sweep has 65,536."""
NETWORKS: Final = 256
"""Networks kept."""
ONCE: Final = 1 + 1e-9
"""What at most one sender showed counts no more."""

# An old count that has faded to this is gone.
_FADED: Final = 0.02


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
    def placed(self) -> float:
        """Senders in networks, each as often as it counts there."""
        return float(self.networks.weights.sum()) + self.forgotten

    @property
    def lone(self) -> float:
        """Senders in networks that, as far as is known, no other of them is in."""
        weights = self.networks.weights
        return float(weights[weights <= ONCE].sum()) + self.forgotten


def histogram(evidence: Evidence, rows: NDArray[np.int64]) -> Histogram:
    """The histogram of some of a day's senders (positions in the evidence, at least one)."""
    labels = np.full(evidence.n, -1, dtype=np.int64)
    labels[rows] = 0
    return histograms(evidence, labels, 1)[0]


def histograms(evidence: Evidence, labels: NDArray[np.int64], number: int) -> list[Histogram]:
    """The histograms of the groups 0 to `number` - 1, of all in one reading of the day.

    Args:
        evidence: the day's senders.
        labels: (n,) the group of each, -1 for none; a group may have nobody.
        number: of groups.
    """
    members = np.flatnonzero(labels >= 0)
    group = labels[members]
    sizes = np.bincount(group, minlength=number)
    # A row of ones for each group: products with it are sums over members, in order of senders.
    of = _table(group, members, (number, evidence.n))
    weights, users = (_ordered(of @ counted) for counted in (evidence.shares, evidence.uses))
    shape = (number, evidence.combinations.shape[0])
    traits = _ordered(_table(group, evidence.combination[members], shape) @ evidence.combinations)
    networks = _table(group, evidence.network[members], (number, len(evidence.networks)))
    hours = of @ evidence.hours
    words = evidence.words.astype(np.uint64)
    return [
        _bounded(
            float(sizes[row]),
            _row(words, weights, row),
            _row(words, users, row).weights,
            _row(evidence.traits, traits, row),
            hours[row],
            _row(evidence.networks, networks, row),
            0.0,
        )
        for row in range(number)
    ]


def _table(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    """How often each pair of row and column is given."""
    return sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=shape).tocsr()


def _ordered(table: sparse.csr_array) -> sparse.csr_array:
    table.sort_indices()
    return table


def _row(keys: NDArray[np.uint64], table: sparse.csr_array, row: int) -> Counts:
    here = slice(table.indptr[row], table.indptr[row + 1])
    return Counts(keys[table.indices[here]], table.data[here])


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
    """What a group has shown before and what it shows now.

    A network counts the larger of both: who stays for days is not many there, and says nothing of
    where the next one will be.
    """
    words = _sum(old.words, new.words)
    users = _sum(Counts(old.words.keys, old.users), Counts(new.words.keys, new.users)).weights
    return _bounded(
        old.senders + new.senders,
        words,
        users,
        _sum(old.traits, new.traits),
        old.hours + new.hours,
        _larger(old.networks, new.networks),
        max(old.forgotten, new.forgotten),
    )


def counts_on(
    keys: NDArray[np.uint64],
    groups: Sequence[Histogram],
    what: Callable[[Histogram], Counts],
) -> sparse.csr_array:
    """One kind of counts of several histograms, sparse (len(groups), len(keys)), on sorted keys."""
    counts = [what(group) for group in groups]
    row = np.repeat(np.arange(len(groups)), [len(each.keys) for each in counts])
    mine = np.concatenate([each.keys for each in counts])
    weights = np.concatenate([each.weights for each in counts])
    place = np.searchsorted(keys, mine)
    inside = place < len(keys)
    inside[inside] = keys[place[inside]] == mine[inside]
    table = (weights[inside], (row[inside], place[inside]))
    return sparse.csr_array(table, shape=(len(groups), len(keys)))


def _sum(one: Counts, other: Counts) -> Counts:
    keys = np.union1d(one.keys, other.keys)
    weights = np.zeros(len(keys))
    weights[np.searchsorted(keys, one.keys)] += one.weights
    weights[np.searchsorted(keys, other.keys)] += other.weights
    return Counts(keys, weights)


def _larger(one: Counts, other: Counts) -> Counts:
    keys = np.union1d(one.keys, other.keys)
    weights = np.zeros(len(keys))
    weights[np.searchsorted(keys, one.keys)] = one.weights
    place = np.searchsorted(keys, other.keys)
    weights[place] = np.maximum(weights[place], other.weights)
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
