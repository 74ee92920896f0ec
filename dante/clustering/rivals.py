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


@dataclass(frozen=True)
class _Few:
    """Some of a day's senders, with the words and networks they have and no others.

    Attributes:
        shares, telling: as of `Evidence`, (r, words of these senders).
        hours: (r, 24).
        network: (r,) each one's place among the networks of these senders.
        anybody: (r,) how likely a sender of anybody is in the network of each.
    """

    shares: sparse.csr_array
    telling: sparse.csr_array
    hours: NDArray[np.float64]
    network: NDArray[np.int64]
    anybody: NDArray[np.float64]

    @classmethod
    def of(cls, evidence: Evidence, rows: NDArray[np.int64]) -> "_Few":
        """Those at these positions of a day."""
        network = evidence.network[rows]
        return cls(
            _narrow(evidence.shares[rows]),
            _narrow(evidence.telling[rows]),
            evidence.hours[rows],
            np.unique(network, return_inverse=True)[1],
            evidence.network_odds[network],
        )

    def __len__(self) -> int:
        return len(self.network)

    def likelihood(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Logarithms of how likely each is, were it of a part, (r,)."""
        return self.networks(part) + self._hours(part) + self._ports(part)

    def networks(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Log of how many times likelier than anybody each is in its network, were it of a part.

        Nobody of the part is known by his own network.
        """
        size = int(part.sum())
        seen = np.bincount(self.network[part], minlength=int(self.network.max()) + 1)
        new = min((int((seen == 1).sum()) + 0.5) / (size + 1), 1.0)
        odds = (1 - new) * (seen[self.network] - part) / size / self.anybody + new
        return np.asarray(np.log(odds))

    def _hours(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        odds = (smooth_hours(self.hours[part].sum(axis=0)) + 1 / HOURS) / (part.sum() + 1)
        return np.asarray(self.hours @ np.log(odds))

    def _ports(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        shares = part.astype(np.float64) @ self.shares
        return np.asarray(self.telling @ np.log((shares + 1 / _WORDS) / (part.sum() + 1)))


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
    few = _Few.of(evidence, rows)
    whole = few.likelihood(np.ones(len(rows), dtype=np.bool_)).sum()
    gain, best = _GAIN, None
    tried: dict[bytes, NDArray[np.bool_]] = {}
    ends: set[bytes] = set()
    for seed in _seeds(evidence, few, rows, least):
        inside = _settled(few, seed, least, tried)
        if inside is None or inside.tobytes() in ends:
            continue
        ends.add(inside.tobytes())
        shares = np.array([inside.sum(), (~inside).sum()]) / len(rows)
        parts = few.likelihood(inside)[inside].sum() + few.likelihood(~inside)[~inside].sum()
        better = float(parts + (shares * np.log(shares)).sum() * len(rows) - whole)
        if better > gain and are_rivals(evidence, rows[inside], rows[~inside]):
            gain, best = better, inside
    if best is None or len(rows) == len(everyone):
        return None if best is None else _Split(gain, rows[best])
    all_of_them = _Few.of(evidence, everyone)
    sampled = np.zeros((2, len(everyone)), dtype=np.bool_)
    sampled[:, :: -(-len(everyone) // _SAMPLE)] = best, ~best
    likelier = all_of_them.likelihood(sampled[0]) - all_of_them.likelihood(sampled[1])
    one = everyone[likelier + np.log(best.sum() / (~best).sum()) > 0]
    # What two parts of a sample were may, of everybody, be one.
    return _Split(gain, one) if least <= len(one) <= len(everyone) - least else None


def _seeds(
    evidence: Evidence, few: _Few, rows: NDArray[np.int64], least: int
) -> list[NDArray[np.bool_]]:
    """Parts to begin with: those in thick networks, those of a shift, those of both, and those
    that use a word about half of them use.
    """
    seen = np.bincount(few.network)[few.network]
    thick = (seen >= 2) & (seen / len(rows) > _THICK * few.anybody)
    seeds = [thick]
    for first in range(0, HOURS, _STEP):
        shift = [(first + hour) % HOURS for hour in range(_WINDOW)]
        inside = few.hours[:, shift].sum(axis=1) > _INSIDE
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
    few: _Few, inside: NDArray[np.bool_], least: int, tried: dict[bytes, NDArray[np.bool_]]
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
            better = few.likelihood(inside) - few.likelihood(~inside)
            tried[key] = better + np.log(size / (len(few) - size)) > 0
        moved = tried[key]
        if (moved == inside).all():
            break
        inside = moved
    return inside if min(inside.sum(), (~inside).sum()) >= least else None


def are_rivals(evidence: Evidence, one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether two parts of a day's senders (positions) differ clearly in two of ports, hours and
    networks.
    """
    both = np.union1d(one, other)
    few, inside = _Few.of(evidence, both), np.isin(both, one, assume_unique=True)
    parts = (inside, ~inside)
    hours = _alike(*(smooth_hours(few.hours[part].mean(axis=0)) + _HOUR for part in parts))
    ports = _alike(*(part.astype(np.float64) @ few.shares for part in parts))
    towards = [few.networks(part) for part in parts]
    apart = [(towards[mine] - towards[1 - mine])[part].mean() for mine, part in enumerate(parts)]
    clear = [hours < _HOURS_ALIKE, ports < _PORTS_ALIKE, max(apart) > _NETWORKS_DIFFER]
    return bool(sum(clear) >= 2)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The Bhattacharyya coefficient of two histograms."""
    return float(np.sqrt(one / one.sum() * other / other.sum()).sum())
