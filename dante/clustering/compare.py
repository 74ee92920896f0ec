"""How alike groups of senders are, number by number, and the odds that makes of their being one."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import COUNTED, Evidence, field_of
from dante.clustering.histogram import Histogram, counts_on
from dante.clustering.likelihood import new_network, smooth_hours
from dante.embedding import PortModel, rarity

__all__ = ["HEADER_NUMBERS", "Likeness", "compare", "log_odds"]

Likeness = Mapping[str, NDArray[np.float64]]
"""Named (a, b) arrays of float64, one number a pair of groups."""

HEADER_NUMBERS: Final = ("tool", "ttl", "tcp_length", "window", "ip_id", "one_sport")
"""Those of `compare` that a source without headers leaves at 0."""

# Logarithms of coefficients are cut here: below it they all mean "not alike".
_UNLIKE: Final = 0.01
_NETWORKS: Final = (-3.0, 6.0)
_HOUR: Final = 0.02
_RARE: Final = 0.05


def compare(
    ours: Sequence[Histogram],
    theirs: Sequence[Histogram],
    model: PortModel,
    evidence: Evidence,
    *,
    everyday_share: float,
) -> dict[str, NDArray[np.float64]]:
    """The numbers of all pairs, each (len(ours), len(theirs)) float64.

    `ports`: the Bhattacharyya coefficient of the port histograms, in 0..1; `rare_ports`: the same
    with ports weighing by how seldom they are used; `trade`: the cosine of the so weighted vectors
    in the model (below 0 counts as 0), for a port may give way to one of the same trade;
    `ports_twice`: the product of the first two. The header traits by name, and `hours`: logarithms
    of the coefficients, 0 where one side has none. `networks_of_ours`: the mean over our senders of
    the logarithm of how many times likelier theirs are in that network than anybody; and
    `networks_of_theirs` the other way round; `networks_apart` the lower of both, at most 0.

    Args:
        ours, theirs: at least one each.
        model: of the day.
        evidence: of the day, which says how common networks are.
        everyday_share: a word this share of senders use counts half.
    """
    keys = np.unique(np.concatenate([group.words.keys for group in (*ours, *theirs)]))
    words = keys.astype(np.uint32)
    weights = rarity(model, words, everyday_share=everyday_share)
    vectors = model.word_vectors(words)
    left, right = (_shares(counts_on(keys, side, lambda g: g.words)) for side in (ours, theirs))
    rare = sparse.diags_array(weights)
    rare_left, rare_right = _shares(left @ rare), _shares(right @ rare)
    numbers = {
        "ports": _alike(left, right),
        "rare_ports": _alike(rare_left, rare_right),
        "trade": np.maximum(_unit(rare_left @ vectors) @ _unit(rare_right @ vectors).T, 0),
    }
    numbers["ports_twice"] = numbers["ports"] * numbers["rare_ports"]
    numbers |= _headers(ours, theirs)
    hours_left, hours_right = (_hours(side) for side in (ours, theirs))
    numbers["hours"] = np.log(np.sqrt(hours_left) @ np.sqrt(hours_right).T)
    numbers["networks_of_ours"] = _networks(ours, theirs, evidence)
    numbers["networks_of_theirs"] = _networks(theirs, ours, evidence).T
    lower = np.minimum(numbers["networks_of_ours"], numbers["networks_of_theirs"])
    numbers["networks_apart"] = np.minimum(lower, 0)
    return numbers


def log_odds(likeness: Likeness, weights: Mapping[str, float]) -> NDArray[np.float64]:
    """The logistic model's log odds of each pair; `weights` has one for each number it reads, and
    the intercept under `1`.
    """
    total = np.full(next(iter(likeness.values())).shape, weights["1"])
    for name, weight in weights.items():
        if name != "1":
            total = total + weight * likeness[name]
    return total


def _shares(table: sparse.csr_array) -> sparse.csr_array:
    """Rows that sum to 1, but for empty ones."""
    sums = np.asarray(table.sum(axis=1)).ravel()
    data = table.data / np.repeat(np.where(sums > 0, sums, 1), np.diff(table.indptr))
    return sparse.csr_array((data, table.indices, table.indptr), shape=table.shape)


def _alike(left: sparse.csr_array, right: sparse.csr_array) -> NDArray[np.float64]:
    """The Bhattacharyya coefficients of rows of shares."""
    return np.asarray((np.sqrt(left) @ np.sqrt(right).T).toarray())


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _headers(
    ours: Sequence[Histogram], theirs: Sequence[Histogram]
) -> dict[str, NDArray[np.float64]]:
    keys = np.unique(np.concatenate([group.traits.keys for group in (*ours, *theirs)]))
    fields = field_of(keys)
    left, right = (counts_on(keys, side, lambda g: g.traits).tocsc() for side in (ours, theirs))
    numbers = {}
    for name in HEADER_NUMBERS:
        mine = np.flatnonzero(fields == COUNTED.index(name))
        (a, rare_a), (b, rare_b) = (_common(side[:, mine].tocsr()) for side in (left, right))
        both = (np.diff(a.indptr) > 0)[:, None] & (np.diff(b.indptr) > 0)[None, :]
        alike = _alike(a, b) + np.sqrt(np.outer(rare_a, rare_b))
        numbers[name] = np.where(both, np.log(np.maximum(alike, _UNLIKE)), 0.0)
    return numbers


def _common(counts: sparse.csr_array) -> tuple[sparse.csr_array, NDArray[np.float64]]:
    """Shares of values, 0 for those that few of a group show, and the share of all of these.

    Mirai draws a window at its start: that its senders all have others is what they have in common.
    """
    shares = _shares(counts)
    few = shares.data < _RARE
    row = np.repeat(np.arange(shares.shape[0]), np.diff(shares.indptr))
    rare = np.bincount(row[few], shares.data[few], minlength=shares.shape[0])
    shares.data = np.where(few, 0.0, shares.data)
    return shares, np.asarray(rare, dtype=np.float64)


def _hours(groups: Sequence[Histogram]) -> NDArray[np.float64]:
    shares = np.array([group.hours / group.senders for group in groups])
    hours = smooth_hours(shares) + _HOUR
    return np.asarray(hours / hours.sum(axis=1, keepdims=True))


def _networks(
    ours: Sequence[Histogram], theirs: Sequence[Histogram], evidence: Evidence
) -> NDArray[np.float64]:
    keys = np.unique(np.concatenate([group.networks.keys for group in (*ours, *theirs)]))
    anybody = evidence.odds_of(keys)
    left, right = (counts_on(keys, side, lambda g: g.networks) for side in (ours, theirs))
    left = _shares(left)
    new = np.array([new_network(group) for group in theirs])
    known = (1 - new) / np.array([group.placed for group in theirs])
    # Most of a group's networks the other is not in, and that says the same of each of them.
    them = np.repeat(np.arange(len(theirs)), np.diff(right.indptr))
    right.data = np.log1p(right.data * (known / new)[them] / anybody[right.indices])
    odds = (left @ right.T).toarray()
    odds += np.asarray(left.sum(axis=1)).ravel()[:, None] * np.log(new)[None, :]
    return np.asarray(np.clip(odds, *_NETWORKS))
