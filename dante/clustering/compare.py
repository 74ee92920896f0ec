"""How alike groups of senders are, number by number, and the odds that makes of their being one."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
    rare_left, rare_right = _shares(left * weights), _shares(right * weights)
    numbers = {
        "ports": np.sqrt(left) @ np.sqrt(right).T,
        "rare_ports": np.sqrt(rare_left) @ np.sqrt(rare_right).T,
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


def _shares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = rows.sum(axis=1, keepdims=True)
    return np.asarray(rows / np.where(sums > 0, sums, 1))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _headers(
    ours: Sequence[Histogram], theirs: Sequence[Histogram]
) -> dict[str, NDArray[np.float64]]:
    keys = np.unique(np.concatenate([group.traits.keys for group in (*ours, *theirs)]))
    fields = field_of(keys)
    left, right = (counts_on(keys, side, lambda g: g.traits) for side in (ours, theirs))
    numbers = {}
    for name in HEADER_NUMBERS:
        mine = fields == COUNTED.index(name)
        a, b = left[:, mine], right[:, mine]
        both = (a.sum(axis=1) > 0)[:, None] & (b.sum(axis=1) > 0)[None, :]
        alike = np.sqrt(_common(a)) @ np.sqrt(_common(b)).T
        numbers[name] = np.where(both, np.log(np.maximum(alike, _UNLIKE)), 0.0)
    return numbers


def _common(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of values, with all that few of a group show in one place at the end.

    Mirai draws a window at its start: that its senders all have others is what they have in common.
    """
    shares = _shares(counts)
    rare = shares < _RARE
    return np.column_stack([np.where(rare, 0.0, shares), np.where(rare, shares, 0.0).sum(axis=1)])


def _hours(groups: Sequence[Histogram]) -> NDArray[np.float64]:
    shares = np.array([group.hours / group.senders for group in groups])
    return _shares(smooth_hours(shares) + _HOUR)


def _networks(
    ours: Sequence[Histogram], theirs: Sequence[Histogram], evidence: Evidence
) -> NDArray[np.float64]:
    keys = np.unique(np.concatenate([group.networks.keys for group in (*ours, *theirs)]))
    anybody = np.full(len(keys), evidence.unseen_network)
    place = np.searchsorted(evidence.networks, keys)
    inside = place < len(evidence.networks)
    inside[inside] = evidence.networks[place[inside]] == keys[inside]
    anybody[inside] = evidence.network_odds[place[inside]]
    left, right = (counts_on(keys, side, lambda g: g.networks) for side in (ours, theirs))
    new = np.array([new_network(group) for group in theirs])[:, None]
    senders = np.array([group.senders for group in theirs])[:, None]
    odds = np.log((1 - new) * right / senders / anybody + new)
    return np.asarray(np.clip(_shares(left) @ odds.T, *_NETWORKS))
