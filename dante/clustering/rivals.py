"""Two actors on the same ports, or nearly, with the same tool: told apart by hours and networks.

Ports and headers put them into one cluster. Where one keeps to its own hours, one to its own
networks, or tries ports the other does not, the cluster is a mixture of two that say so: it is
split if two of the three differ clearly. One of them alone splits nothing, for a botnet's hosts too
are thicker in some networks, awake by day, and try their own part of its ports.
"""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import Evidence
from dante.clustering.mixture import Crowd, beginnings, entropy, told_apart

__all__ = ["are_rivals", "split_rivals"]

_ROUNDS: Final = 6
_SAMPLE: Final = 4096
_GAIN: Final = 25.0  # log likelihood that two must be better than one


@dataclass(frozen=True)
class _Split:
    gain: float
    one: NDArray[np.int64]


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
        split = _two(evidence, everyone, min_senders)
        if split is not None:
            labels[split.one] = number
            waiting += [np.setdiff1d(everyone, split.one, assume_unique=True), split.one]
            number += 1
    return labels


def _two(evidence: Evidence, everyone: NDArray[np.int64], least: int) -> _Split | None:
    """The better of two parts, if they are two actors; of a large cluster a sample decides."""
    rows = everyone[:: max(-(-len(everyone) // _SAMPLE), 1)]
    if len(rows) < 2 * least:
        return None
    few = _crowd(evidence, rows)
    gain, best = _GAIN, None
    tried: dict[bytes, NDArray[np.bool_]] = {}
    ends: set[bytes] = set()
    for seed in beginnings(few, least):
        inside = _settled(few, seed, least, tried)
        if inside is None or inside.tobytes() in ends:
            continue
        ends.add(inside.tobytes())
        better = sum(told for told, _ in few.apart(inside)) - entropy(inside)
        if better > gain and told_apart(few, inside).sure:
            gain, best = better, inside
    if best is None or len(rows) == len(everyone):
        return None if best is None else _Split(gain, rows[best])
    all_of_them = _crowd(evidence, everyone)
    sampled = np.zeros((2, len(everyone)), dtype=np.bool_)
    sampled[:, :: -(-len(everyone) // _SAMPLE)] = best, ~best
    likelier = _likelihood(all_of_them, sampled[0]) - _likelihood(all_of_them, sampled[1])
    one = everyone[likelier + np.log(best.sum() / (~best).sum()) > 0]
    # What two parts of a sample were may, of everybody, be one.
    return _Split(gain, one) if least <= len(one) <= len(everyone) - least else None


def _settled(
    few: Crowd, inside: NDArray[np.bool_], least: int, tried: dict[bytes, NDArray[np.bool_]]
) -> NDArray[np.bool_] | None:
    """The two parts after everybody went to the likelier one; None if one is left too small.

    Args:
        few: everybody.
        inside: (r,) who is in the one part to begin with.
        least: the fewest of a part.
        tried: parts that were met before, and what became of them: many beginnings end alike.
    """
    for _ in range(_ROUNDS):
        size = int(inside.sum())
        if min(size, len(few) - size) < least:
            return None
        key = inside.tobytes()
        if key not in tried:
            better = _likelihood(few, inside) - _likelihood(few, ~inside)
            tried[key] = better + np.log(size / (len(few) - size)) > 0
        moved = tried[key]
        if (moved == inside).all():
            break
        inside = moved
    return inside if min(inside.sum(), (~inside).sum()) >= least else None


def are_rivals(evidence: Evidence, one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether two parts of a day's senders (positions) are surely two actors."""
    both = np.union1d(one, other)
    return told_apart(_crowd(evidence, both), np.isin(both, one, assume_unique=True)).sure
