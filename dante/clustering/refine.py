"""Senders put where all they show puts them, given where their ports put most of them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dante.clustering.evidence import Evidence
from dante.clustering.histogram import Histogram, histograms
from dante.clustering.likelihood import Nobody, beyond_chance, likeliest

__all__ = ["MARGIN", "add_clusters", "coherent", "groups_of", "refine"]

MARGIN: Final = 2.0
"""How much likelier than chance, as a logarithm, a group must make a sender."""
_ROUNDS: Final = 3
_SHARED: Final = 0.5 - 1e-9


def groups_of(evidence: Evidence, labels: NDArray[np.int64]) -> list[Histogram]:
    """The histogram of each label from 0 on; labels must be 0 to some number, or -1."""
    return histograms(evidence, labels, int(labels.max(initial=-1)) + 1)


def refine(evidence: Evidence, labels: NDArray[np.int64], *, min_senders: int) -> NDArray[np.int64]:
    """Labels after each sender went to the cluster, or the noise, that it is likeliest of.

    Three rounds at most of assigning everybody and counting clusters anew (classification EM,
    Celeux and Govaert 1992). A cluster left with fewer than `min_senders` is noise.

    Args:
        evidence: the day's senders.
        labels: (n,) clusters to begin with, numbered from 0; -1 is noise.
        min_senders: the fewest of a cluster.
    """
    elsewhere = np.zeros(evidence.n, dtype=np.bool_)
    labels = _without_chance(evidence, _numbered(labels), elsewhere, min_senders=min_senders)
    return _settled(evidence, labels, min_senders=min_senders)


def add_clusters(
    evidence: Evidence,
    labels: NDArray[np.int64],
    more: NDArray[np.int64],
    *,
    least: int,
    min_senders: int,
) -> NDArray[np.int64]:
    """Labels with more clusters, of senders that had none, as far as chance does not explain those.

    Everybody is assigned anew if there are such, as by `refine`.

    Args:
        evidence: the day's senders.
        labels: (n,) from `refine`.
        more: (n,) the other clusters, numbered from 0; -1 for everybody else.
        least: the fewest of those to be added.
        min_senders: the fewest of a cluster.
    """
    more = _without_chance(evidence, _numbered(more), labels >= 0, min_senders=least)
    if more.max(initial=-1) < 0:
        return labels
    joined = np.where(more >= 0, more + labels.max() + 1, labels)
    return _settled(evidence, joined, min_senders=min_senders)


def _settled(
    evidence: Evidence, labels: NDArray[np.int64], *, min_senders: int
) -> NDArray[np.int64]:
    for _ in range(_ROUNDS):
        labels = _numbered(labels)
        if labels.max(initial=-1) < 0:
            return labels
        sizes = np.bincount(labels[labels >= 0]).astype(np.float64)
        nobody = Nobody(labels < 0, MARGIN)
        best, _ = likeliest(evidence, groups_of(evidence, labels), sizes, nobody, labels)
        if (best == labels).all():
            break
        labels = best
    return coherent(evidence, labels, min_senders=min_senders)


def _without_chance(
    evidence: Evidence, labels: NDArray[np.int64], elsewhere: NDArray[np.bool_], *, min_senders: int
) -> NDArray[np.int64]:
    """Labels without senders that chance explains as well as their cluster does, and without what
    is too small then; `elsewhere`, (n,), are senders of other clusters than these.

    Of a large day density finds clusters by the hundred that are none; held each against chance
    they go for the price of one look at every sender, and not of one at each pair.
    """
    for _ in range(_ROUNDS):
        number = int(labels.max(initial=-1)) + 1
        if not number:
            break
        nobody = Nobody((labels < 0) & ~elsewhere, MARGIN)
        stays = beyond_chance(evidence, groups_of(evidence, labels), nobody, labels)
        kept = _large_enough(np.where(stays, labels, -1), min_senders)
        if int(kept.max(initial=-1)) + 1 == number:
            break
        labels = kept
    return labels


def _large_enough(labels: NDArray[np.int64], min_senders: int) -> NDArray[np.int64]:
    """Labels numbered anew without what has fewer than `min_senders`."""
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    return _numbered(np.where((labels >= 0) & (sizes[labels] >= min_senders), labels, -1))


def coherent(
    evidence: Evidence, labels: NDArray[np.int64], *, min_senders: int
) -> NDArray[np.int64]:
    """Labels without senders of whose words less than half are shared in their cluster, and without
    what is too small then.

    Headers, hours and networks alone make no company: an activity is what its members do alike.
    """
    labels = _numbered(labels)
    members = np.flatnonzero(labels >= 0)
    if not len(members):
        return labels
    # Pairs of cluster and word: a table of them, or of words a member might share, grows with the
    # square of a cluster whose senders each try ports of their own besides.
    used = evidence.uses[members]
    sender = np.repeat(np.arange(len(members)), np.diff(used.indptr))
    pair = labels[members][sender] * len(evidence.words) + used.indices
    _, place, users = np.unique(pair, return_inverse=True, return_counts=True)
    shared = np.bincount(sender, users[place] >= 2, minlength=len(members))
    labels = labels.copy()
    labels[members[shared < _SHARED * np.diff(used.indptr)]] = -1
    return _large_enough(labels, min_senders)


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same labels counted from 0, in the same order, with noise left -1."""
    known, place = np.unique(labels, return_inverse=True)
    return place.astype(np.int64) - int(len(known) > 0 and known[0] == -1)
