"""Two actors on the same ports, or nearly, with the same tool: told apart by hours and networks.

Ports and headers put them into one cluster. Where one keeps to its own hours, one to its own
networks, or tries ports the other does not, the cluster is a mixture of two that say so: it is
split if two of the three tell most of whose a sender is. One of them alone splits nothing, but for
ports that say it more than once: a botnet's hosts too are thicker in some networks, awake by day,
and try their own part of its ports.
"""

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import Evidence
from dante.clustering.mixture import Crowd, beginnings, settle, told_apart

__all__ = ["are_rivals", "split_rivals"]

_ROUNDS: Final = 6
_SAMPLE: Final = 4096
_GAIN: Final = 25.0  # log likelihood that two must be better than one


def _crowd(evidence: Evidence, rows: NDArray[np.int64]) -> Crowd:
    """Those at these positions of a day."""
    network = evidence.network[rows]
    return Crowd(
        _narrow(evidence.shares[rows]),
        _narrow(evidence.telling[rows]),
        evidence.hours[rows],
        np.unique(network, return_inverse=True)[1],
        evidence.network_odds[network],
    )


def _likelihood(few: Crowd, part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logarithms of how likely each is, were it of a part, (r,)."""
    networks, hours, ports = few.kinds(part)
    return networks + hours + ports


def _narrow(table: sparse.csr_array) -> sparse.csr_array:
    """A table without its empty columns."""
    used, columns = np.unique(table.indices, return_inverse=True)
    return sparse.csr_array((table.data, columns, table.indptr), shape=(table.shape[0], len(used)))


def _stride(senders: int) -> int:
    """One in how many of so many senders is in a sample."""
    return max(-(-senders // _SAMPLE), 1)


def split_rivals(
    evidence: Evidence, labels: NDArray[np.int64], *, min_senders: int
) -> NDArray[np.int64]:
    """Labels in which clusters of two actors are two, and again as long as parts are.

    Args:
        evidence: the day's senders.
        labels: (n,) clusters numbered from 0, -1 for noise.
        min_senders: the fewest of a part.
    """
    labels = labels.copy()
    members = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[members], np.arange(int(labels.max(initial=-1)) + 2))
    waiting = [members[a:b] for a, b in itertools.pairwise(bounds.tolist())]
    number = len(waiting)
    while waiting:
        everyone = waiting.pop()
        one = _one_of_two(evidence, everyone, min_senders)
        if one is not None:
            labels[one] = number
            waiting += [np.setdiff1d(everyone, one, assume_unique=True), one]
            number += 1
    return labels


def _one_of_two(
    evidence: Evidence, everyone: NDArray[np.int64], least: int
) -> NDArray[np.int64] | None:
    """One of the best two parts, if they are two actors; of a large cluster a sample decides."""
    rows = everyone[:: _stride(len(everyone))]
    if len(rows) < 2 * least:
        return None
    few = _crowd(evidence, rows)
    gain, best = _GAIN, None
    taken: dict[bytes, tuple[NDArray[np.bool_], None]] = {}
    ends: set[bytes] = set()

    def step(part: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], None]:
        better = _likelihood(few, part) - _likelihood(few, ~part)
        return better + np.log(part.sum() / (~part).sum()) > 0, None

    for seed in beginnings(few, least):
        settled = settle(seed, step, taken, least=least, rounds=_ROUNDS)
        if settled is None or settled[0].tobytes() in ends:
            continue
        inside, _ = settled
        ends.add(inside.tobytes())
        told = told_apart(few, inside)
        if told.gain > gain and told.sure:
            gain, best = told.gain, inside
    if best is None or len(rows) == len(everyone):
        return None if best is None else rows[best]
    all_of_them = _crowd(evidence, everyone)
    sampled = np.zeros((2, len(everyone)), dtype=np.bool_)
    sampled[:, :: _stride(len(everyone))] = best, ~best
    likelier = _likelihood(all_of_them, sampled[0]) - _likelihood(all_of_them, sampled[1])
    one = everyone[likelier + np.log(best.sum() / (~best).sum()) > 0]
    # What two parts of a sample were may, of everybody, be one.
    return one if least <= len(one) <= len(everyone) - least else None


def are_rivals(evidence: Evidence, one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether two parts of a day's senders (positions) are surely two actors; of large ones samples
    decide.
    """
    every = _stride(len(one) + len(other))
    one = one[::every]
    both = np.union1d(one, other[::every])
    return told_apart(_crowd(evidence, both), np.isin(both, one, assume_unique=True)).sure
