"""How likely each sender of a day is one of each of some groups, or of none.

A naive Bayes classifier over ports, traits, hours and network, with the priors that counts of so
few senders need: what a group has not shown yet is possible in the measure in which it shows new
things (Good and Turing; Good, Biometrika 40, 1953), and otherwise as common as in everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import HOURS, Evidence
from dante.clustering.histogram import Histogram, counts_on

__all__ = ["Nobody", "likeliest", "new_network", "smooth_hours"]

# TCP and UDP ports; a word of chance is any of them.
_WORDS: Final = 2 * 65_536
# The part of chance that falls on what others look for as well.
_POPULAR: Final = 0.05
# A group of few is never sure to have shown all its words.
_MOST_NEW: Final = 0.1
_LEAST: Final = 1e-9
_ROWS: Final = 50_000  # senders judged at once


@dataclass(frozen=True)
class Nobody:
    """Those of a day's senders that are of no group so far.

    Attributes:
        senders: (n,) bool.
        margin: how much likelier than chance, as a logarithm, a group must make a sender.
    """

    senders: NDArray[np.bool_]
    margin: float


def smooth_hours(hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hours (…, 24) with a quarter of each given to both its neighbours."""
    return np.asarray(hours / 2 + np.roll(hours, 1, axis=-1) / 4 + np.roll(hours, -1, axis=-1) / 4)


def new_network(group: Histogram) -> float:
    """How likely the next sender of a group is in a network none of it was in."""
    return min((group.lone + 0.5) / (group.senders + 1), 1.0)


def likeliest(
    evidence: Evidence,
    groups: Sequence[Histogram],
    sizes: NDArray[np.float64],
    nobody: Nobody,
    own: NDArray[np.int64],
    bonus: sparse.csr_array | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The group each sender is likeliest of, or -1 for none, and how probable that is, (n,) each.

    Args:
        evidence: the day's senders.
        groups: histograms of at least a fraction of a sender each, at least one.
        sizes: (len(groups),) how many senders of today each is expected to have.
        nobody: who is of none.
        own: (n,) the group each sender is counted in, or -1: nobody is known by his own network.
        bonus: (n, len(groups)) what else speaks for a group, as a logarithm.
    """
    words = _words(evidence, groups)
    traits = _traits(evidence, groups, nobody)
    hours = _hours(groups)
    strangers = max(int(nobody.senders.sum()), 1)
    prior = np.append(np.maximum(sizes, _LEAST), strangers)
    prior = np.log(prior / prior.sum())
    prior[-1] += nobody.margin
    seen = counts_on(evidence.networks, groups, lambda group: group.networks).T
    new = np.array([new_network(group) for group in groups])
    known = (1 - new) / np.array([max(group.senders, 1.0) for group in groups])
    best = np.empty(evidence.n, dtype=np.int64)
    strength = np.empty(evidence.n)
    for first in range(0, evidence.n, _ROWS):
        rows = slice(first, first + _ROWS)
        table = evidence.telling[rows] @ words
        table += evidence.shows[rows] @ traits
        table += evidence.hours[rows] @ hours
        table += prior
        anybody = evidence.network_odds[evidence.network[rows]]
        counts = seen[evidence.network[rows]]
        counted = np.flatnonzero(own[rows] >= 0)
        mine = (counted, own[rows][counted])
        counts[mine] = np.maximum(counts[mine] - 1, 0)
        table[:, :-1] += np.log(counts * known + new * anybody[:, None])
        table[:, -1] += np.log(anybody)
        if bonus is not None:
            table[:, :-1] += bonus[rows].toarray()
        best[rows] = table.argmax(axis=1)
        highest = table.max(axis=1, keepdims=True)
        strength[rows] = 1 / np.exp(table - highest).sum(axis=1)
    best[best == len(groups)] = -1
    return best, strength


def _words(evidence: Evidence, groups: Sequence[Histogram]) -> NDArray[np.float64]:
    """(w, groups + 1) logarithms."""
    odds = counts_on(evidence.words.astype(np.uint64), groups, lambda group: group.words)
    for row, group in enumerate(groups):
        once = group.users[group.users <= 1 + _LEAST].sum()
        new = min((once + 0.5) / (group.users.sum() + 1), _MOST_NEW)
        # What a sweep tries beyond the words that are kept may be any word.
        beyond = max(0.0, 1 - group.words.weights.sum() / group.senders)
        other = new + (1 - new) * beyond
        odds[row] = (1 - new) * odds[row] / group.senders + other / _WORDS
    chance = (1 - _POPULAR) / _WORDS + _POPULAR * evidence.word_shares
    return np.ascontiguousarray(np.log(np.vstack([odds, chance])).T)


def _traits(evidence: Evidence, groups: Sequence[Histogram], nobody: Nobody) -> NDArray[np.float64]:
    """(t, groups + 1) logarithms."""
    counts = np.vstack(
        [
            counts_on(evidence.traits, groups, lambda group: group.traits),
            np.asarray(evidence.shows[nobody.senders].sum(axis=0)).reshape(1, -1),
        ]
    )
    everybody = np.asarray(evidence.shows.sum(axis=0)).ravel()
    odds = np.empty_like(counts)
    for field in np.unique(evidence.fields):
        mine = evidence.fields == field
        common = everybody[mine] / everybody[mine].sum()
        shown = counts[:, mine].sum(axis=1, keepdims=True)
        odds[:, mine] = (counts[:, mine] + common) / (shown + 1)
    return np.ascontiguousarray(np.log(odds).T)


def _hours(groups: Sequence[Histogram]) -> NDArray[np.float64]:
    """(24, groups + 1) logarithms."""
    hours = smooth_hours(np.array([group.hours for group in groups]))
    senders = np.array([group.senders for group in groups])
    odds = (hours + 1 / HOURS) / (senders[:, None] + 1)
    return np.asarray(np.log(np.vstack([odds, np.full((1, HOURS), 1 / HOURS)])).T)
