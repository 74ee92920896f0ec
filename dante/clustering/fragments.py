"""Clusters of one day that are pieces of one activity.

Where senders pick a few ports of a long list, density falls apart between those that picked
others; what holds the pieces together are headers, hours, networks, and that the ports of one are
among the other's.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.compare import Likeness, compare, log_odds
from dante.clustering.evidence import Evidence
from dante.clustering.histogram import Histogram
from dante.clustering.refine import groups_of
from dante.embedding import PortModel

__all__ = ["join_fragments", "one_activity", "same_day_likeness"]

WITH_HEADERS: Final = {
    "1": -2.813, "ports": 2.528, "rare_ports": 3.898, "trade": -0.113, "tool": 0.932,
    "ttl": 1.455, "tcp_length": 1.095, "window": 0.159, "ip_id": 0.032, "one_sport": 0.29,
    "hours": 3.702, "networks_low": 0.375, "networks_high": -0.09, "networks_apart": 0.872,
    "used_low": -1.212, "used_high": -0.516, "held_low": -0.527, "held_high": -0.53,
    "held_smaller": -0.103, "held_high_4": 2.201, "held_smaller_4": 1.082, "few": 3.331,
    "ports_of_few": 2.438,
}  # fmt: skip
PORTS_ONLY: Final = {
    "1": -4.88, "ports": 1.947, "rare_ports": 2.873, "trade": 1.543, "hours": 2.799,
    "networks_low": 0.905, "networks_high": -0.071, "networks_apart": 0.287, "used_low": -1.359,
    "used_high": -0.018, "held_low": 0.835, "held_high": -0.188, "held_smaller": 0.355,
    "held_high_4": 0.863, "held_smaller_4": 1.217, "few": 2.439, "ports_of_few": 2.028,
}  # fmt: skip
"""Weights of logistic models, fitted by `benchmarks/calibrate.py`."""

_MAIN: Final = 0.3  # a word this share of a cluster's senders use is one of its main words
_HELD: Final = 0.05  # so is one in its reach, if two senders use it
# Tools and systems write these alike: clusters that differ here are not pieces of one.
_HARD: Final = ("tool", "ttl", "tcp_length")
_DIFFERS: Final = float(np.log(0.3))
# Nor are those that have next to nothing to do with each other's ports.
_SOME_PORTS: Final = 0.02
_SOME_USERS: Final = 0.05
_ROUNDS: Final = 4


def one_activity(
    evidence: Evidence,
    labels: NDArray[np.int64],
    groups: list[Histogram],
    model: PortModel,
    *,
    everyday_share: float,
) -> NDArray[np.float64]:
    """The probability that two clusters of a day are one activity, (k, k) symmetric.

    Args:
        evidence: the day's senders.
        labels: (n,) clusters numbered from 0, -1 for noise.
        groups: their histograms.
        model: the day's.
        everyday_share: as in `compare`.
    """
    likeness = same_day_likeness(evidence, labels, groups, model, everyday_share=everyday_share)
    odds = log_odds(likeness, WITH_HEADERS if evidence.with_headers else PORTS_ONLY)
    apart = np.minimum.reduce([likeness[name] for name in _HARD]) < _DIFFERS
    apart |= (likeness["ports"] < _SOME_PORTS) & (likeness["used_high"] < _SOME_USERS)
    return np.where(apart, 0.0, 1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def join_fragments(
    evidence: Evidence,
    labels: NDArray[np.int64],
    model: PortModel,
    *,
    everyday_share: float,
    surely: float,
) -> NDArray[np.int64]:
    """Labels after clusters that are one activity with probability `surely` were joined.

    The likeliest pair first, each cluster once a round, four rounds at most.
    """
    for _ in range(_ROUNDS):
        if labels.max(initial=-1) < 1:
            break
        groups = groups_of(evidence, labels)
        odds = one_activity(evidence, labels, groups, model, everyday_share=everyday_share)
        pairs = _disjoint(np.triu(odds, 1), surely)
        if not pairs:
            break
        into = np.arange(len(groups))
        for one, other in pairs:
            into[other] = one
        _, number = np.unique(into, return_inverse=True)
        labels = np.where(labels >= 0, number[labels], -1)
    return labels


def _disjoint(odds: NDArray[np.float64], surely: float) -> list[tuple[int, int]]:
    taken: set[int] = set()
    pairs = []
    for place in np.argsort(-odds, axis=None, kind="stable").tolist():
        one, other = divmod(place, odds.shape[1])
        if odds[one, other] <= surely:
            break
        if one not in taken and other not in taken:
            pairs.append((one, other))
            taken |= {one, other}
    return pairs


def same_day_likeness(
    evidence: Evidence,
    labels: NDArray[np.int64],
    groups: list[Histogram],
    model: PortModel,
    *,
    everyday_share: float,
) -> Likeness:
    """The numbers of all pairs of a day's clusters, each (k, k): those of `compare`, and what one's
    senders have to do with the other's ports. Arguments as of `one_activity`.
    """
    numbers = compare(groups, groups, model, evidence, everyday_share=everyday_share)
    ours, theirs = numbers["networks_of_ours"], numbers["networks_of_theirs"]
    numbers["networks_low"], numbers["networks_high"] = (
        np.minimum(ours, theirs),
        np.maximum(ours, theirs),
    )
    used, held = _reach(evidence, labels, len(groups))
    numbers["used_low"], numbers["used_high"] = np.minimum(used, used.T), np.maximum(used, used.T)
    numbers["held_low"], numbers["held_high"] = np.minimum(held, held.T), np.maximum(held, held.T)
    sizes = np.array([group.senders for group in groups])
    smaller = sizes[:, None] < sizes[None, :]
    numbers["held_smaller"] = np.where(smaller, held, held.T)
    numbers["held_high_4"] = numbers["held_high"] ** 4
    numbers["held_smaller_4"] = numbers["held_smaller"] ** 4
    numbers["few"] = 1 / np.sqrt(np.minimum(sizes[:, None], sizes[None, :]))
    numbers["ports_of_few"] = numbers["ports"] * numbers["few"]
    return numbers


def _reach(
    evidence: Evidence, labels: NDArray[np.int64], number: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each cluster (rows) as to each other: the share of its senders that use one of the
    other's main words, and the part of what it does that is within the other's words.
    """
    members = np.flatnonzero(labels >= 0)
    of = sparse.csr_array(
        (np.ones(len(members)), (labels[members], members)), shape=(number, evidence.n)
    )
    sizes = np.bincount(labels[members], minlength=number).astype(np.float64)[:, None]
    users = (of @ evidence.uses).tocoo()
    share = users.data / sizes[users.row, 0]
    main = _chosen(users, share >= _MAIN)
    hits = evidence.uses @ main.T.tocsc()
    hits.data = np.ones_like(hits.data)
    used = (of @ hits).toarray() / sizes
    does = of @ evidence.shares
    held = _chosen(users, (users.data >= 2) & (share >= _HELD))
    return used, (does @ held.T).toarray() / sizes


def _chosen(users: sparse.coo_array, which: NDArray[np.bool_]) -> sparse.csr_array:
    """1 at some of the places of a sparse matrix."""
    row, column = users.row[which], users.col[which]
    return sparse.csr_array((np.ones(len(row)), (row, column)), shape=users.shape)
