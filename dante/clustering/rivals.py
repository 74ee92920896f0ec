"""Two actors on the same ports, or nearly, with the same tool: told apart by hours and networks.

Ports and headers put them into one cluster. Where one keeps to its own hours, one to its own
networks, or tries ports the other does not, the cluster is a mixture of two that say so: it is
split if two of the three differ clearly. One of them alone splits nothing, for a botnet's hosts too
are thicker in some networks, awake by day, and try their own part of its ports.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dante.clustering.evidence import HOURS, Evidence
from dante.clustering.likelihood import smooth_hours

__all__ = ["are_rivals", "split_rivals"]

_WINDOW: Final = 4  # hours of a shift that is tried as a beginning
_STEP: Final = 2
_INSIDE: Final = 0.8
_THICK: Final = 20  # times as many in a network as of anybody
_ROUNDS: Final = 6
_SAMPLE: Final = 4096
_HOURS_ALIKE: Final = 0.75  # Bhattacharyya coefficient of hours below which they differ
_NETWORKS_DIFFER: Final = 1.5  # mean log ratio of one's senders in its own networks to the other's
_GAIN: Final = 25.0  # log likelihood that two must be better than one
_HOUR: Final = 0.02
_PORTS_ALIKE: Final = 0.8
_CHANGING: Final = 6  # words of about half the senders that are tried as a beginning
_SOME: Final = 0.1
_WORDS: Final = 2 * 65_536


@dataclass(frozen=True)
class _Split:
    gain: float
    one: NDArray[np.int64]


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
    waiting = list(range(int(labels.max(initial=-1)) + 1))
    number = len(waiting)
    while waiting:
        label = waiting.pop()
        split = _two(evidence, np.flatnonzero(labels == label), min_senders)
        if split is not None:
            labels[split.one] = number
            waiting += [label, number]
            number += 1
    return labels


def _two(evidence: Evidence, everyone: NDArray[np.int64], least: int) -> _Split | None:
    """The better of two parts, if they are two actors; of a large cluster a sample decides."""
    rows = everyone[:: -(-len(everyone) // _SAMPLE)]
    if len(rows) < 2 * least:
        return None
    whole = _likelihood(evidence, rows, rows).sum()
    best: _Split | None = None
    for seed in _seeds(evidence, rows, least):
        inside = _settled(evidence, rows, seed, least)
        if inside is None:
            continue
        one, other = rows[inside], rows[~inside]
        shares = np.array([len(one), len(other)]) / len(rows)
        parts = _likelihood(evidence, one, one).sum() + _likelihood(evidence, other, other).sum()
        gain = float(parts + (shares * np.log(shares)).sum() * len(rows) - whole)
        if gain > (_GAIN if best is None else best.gain) and are_rivals(evidence, one, other):
            best = _Split(gain, one)
    if best is None or len(rows) == len(everyone):
        return best
    other = np.setdiff1d(rows, best.one)
    better = _likelihood(evidence, everyone, best.one) - _likelihood(evidence, everyone, other)
    one = everyone[better + np.log(len(best.one) / len(other)) > 0]
    # What two parts of a sample were may, of everybody, be one.
    return _Split(best.gain, one) if least <= len(one) <= len(everyone) - least else None


def _seeds(evidence: Evidence, rows: NDArray[np.int64], least: int) -> list[NDArray[np.bool_]]:
    """Parts to begin with: those in thick networks, those of a shift, those of both, and those
    that use a word about half of them use.
    """
    place = evidence.network[rows]
    seen = np.bincount(place, minlength=len(evidence.networks))[place]
    thick = (seen >= 2) & (seen / len(rows) > _THICK * evidence.network_odds[place])
    seeds = [thick]
    for first in range(0, HOURS, _STEP):
        shift = [(first + hour) % HOURS for hour in range(_WINDOW)]
        inside = evidence.hours[rows][:, shift].sum(axis=1) > _INSIDE
        if inside.sum() >= least:
            seeds += [inside & thick, inside]
    uses = evidence.uses[rows].tocsc()
    shares = np.diff(uses.indptr) / len(rows)
    half = np.argsort(np.abs(shares - 0.5), kind="stable")[:_CHANGING]
    for word in half[(shares[half] > _SOME) & (shares[half] < 1 - _SOME)].tolist():
        seed = np.zeros(len(rows), dtype=np.bool_)
        seed[uses.indices[uses.indptr[word] : uses.indptr[word + 1]]] = True
        seeds.append(seed)
    return seeds


def _settled(
    evidence: Evidence, rows: NDArray[np.int64], inside: NDArray[np.bool_], least: int
) -> NDArray[np.bool_] | None:
    """The two parts after everybody went to the likelier one; None if one is left too small."""
    for _ in range(_ROUNDS):
        one, other = rows[inside], rows[~inside]
        if min(len(one), len(other)) < least:
            return None
        better = _likelihood(evidence, rows, one) - _likelihood(evidence, rows, other)
        moved = better + np.log(len(one) / len(other)) > 0
        if (moved == inside).all():
            break
        inside = moved
    return inside if min(inside.sum(), (~inside).sum()) >= least else None


def _likelihood(
    evidence: Evidence, rows: NDArray[np.int64], part: NDArray[np.int64]
) -> NDArray[np.float64]:
    return (
        _networks(evidence, rows, part)
        + _hours(evidence, rows, part)
        + _ports(evidence, rows, part)
    )


def _networks(
    evidence: Evidence, rows: NDArray[np.int64], part: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log of how many times likelier than anybody rows are in their networks, were they of part.

    Nobody of the part is known by his own network.
    """
    counts = np.bincount(evidence.network[part], minlength=len(evidence.networks))
    new = min((int((counts == 1).sum()) + 0.5) / (len(part) + 1), 1.0)
    place = evidence.network[rows]
    others = counts[place] - np.isin(rows, part)
    odds = (1 - new) * others / len(part) / evidence.network_odds[place] + new
    return np.asarray(np.log(odds))


def _hours(
    evidence: Evidence, rows: NDArray[np.int64], part: NDArray[np.int64]
) -> NDArray[np.float64]:
    odds = (smooth_hours(evidence.hours[part].sum(axis=0)) + 1 / HOURS) / (len(part) + 1)
    return np.asarray(evidence.hours[rows] @ np.log(odds))


def _ports(
    evidence: Evidence, rows: NDArray[np.int64], part: NDArray[np.int64]
) -> NDArray[np.float64]:
    shares = np.asarray(evidence.shares[part].sum(axis=0)).ravel()
    odds = (shares + 1 / _WORDS) / (len(part) + 1)
    return np.asarray(evidence.telling[rows] @ np.log(odds))


def are_rivals(evidence: Evidence, one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether two parts of a day's senders (positions) differ clearly in two of ports, hours and
    networks.
    """
    hours = _alike(
        *(smooth_hours(evidence.hours[part].mean(axis=0)) + _HOUR for part in (one, other))
    )
    ports = _alike(
        *(np.asarray(evidence.shares[part].sum(axis=0)).ravel() for part in (one, other))
    )
    apart = [
        (_networks(evidence, mine, mine) - _networks(evidence, mine, others)).mean()
        for mine, others in ((one, other), (other, one))
    ]
    clear = [hours < _HOURS_ALIKE, ports < _PORTS_ALIKE, max(apart) > _NETWORKS_DIFFER]
    return bool(sum(clear) >= 2)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The Bhattacharyya coefficient of two histograms."""
    return float(np.sqrt(one / one.sum() * other / other.sum()).sum())
