"""A group of senders taken for a mixture of two: how likely each is of a part, and where to begin.

Networks, hours and ports are kinds of evidence that know nothing of each other.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import HOURS
from dante.clustering.likelihood import smooth_hours

__all__ = ["Crowd", "beginnings", "bhattacharyya", "entropy"]

_WINDOW: Final = 4  # hours of a shift that is tried as a beginning
_STEP: Final = 2
_INSIDE: Final = 0.8
_THICK: Final = 20  # times as many in a network as of anybody
_CHANGING: Final = 6  # words of about half the senders that are tried as a beginning
_SOME: Final = 0.1
_WORDS: Final = 2 * 65_536


@dataclass(frozen=True)
class Crowd:
    """Some senders, with the words and networks they have and no others.

    Attributes:
        shares: (n, w) sparse float64: what each sender's words count in what a part has shown.
        telling: (n, w) sparse float64: what they count in saying whose the sender is.
        hours: (n, 24) float64: its hours, 1 for each day that counts.
        network: (n,) int64: each one's place among the networks of these senders.
        anybody: (n,) float64: how likely a sender of anybody is in the network of each.
    """

    shares: sparse.csr_array
    telling: sparse.csr_array
    hours: NDArray[np.float64]
    network: NDArray[np.int64]
    anybody: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.network)

    def kinds(self, part: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
        """How likely each is, were it of a part, by networks, hours and ports: (n,) logarithms."""
        return self.networks(part), self._hours(part), self._ports(part)

    @cached_property
    def whole(self) -> tuple[float, ...]:
        """How likely all are, were they one part: a logarithm for each kind."""
        everyone = np.ones(len(self), dtype=np.bool_)
        return tuple(float(kind.sum()) for kind in self.kinds(everyone))

    def apart(self, part: NDArray[np.bool_]) -> list[tuple[float, NDArray[np.float64]]]:
        """By kind: by how much a part and the rest are likelier than one, and each sender in the
        part than in the rest, (n,); logarithms.
        """
        return [
            (float(one[part].sum() + other[~part].sum() - whole), one - other)
            for one, other, whole in zip(
                self.kinds(part), self.kinds(~part), self.whole, strict=True
            )
        ]

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
        seen = self.hours[part].sum(axis=0)
        odds = (smooth_hours(seen) + 1 / HOURS) / (seen.sum() + 1)
        return np.asarray(self.hours @ np.log(odds))

    def _ports(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        seen = part.astype(np.float64) @ self.shares
        return np.asarray(self.telling @ np.log((seen + 1 / _WORDS) / (seen.sum() + 1)))


def beginnings(crowd: Crowd, least: int) -> list[NDArray[np.bool_]]:
    """Parts to begin with, (n,) bool each: those in thick networks, those of a shift, those of
    both, and those that use a word about half of them use.

    Args:
        crowd: senders whose hours sum to 1 each.
        least: the fewest senders of a shift.
    """
    seen = np.bincount(crowd.network)[crowd.network]
    thick = (seen >= 2) & (seen / len(crowd) > _THICK * crowd.anybody)
    found = [thick]
    for first in range(0, HOURS, _STEP):
        shift = [(first + hour) % HOURS for hour in range(_WINDOW)]
        inside = crowd.hours[:, shift].sum(axis=1) > _INSIDE
        if inside.sum() >= least:
            found += [inside & thick, inside]
    uses = crowd.shares.tocsc()
    users = np.diff(uses.indptr) / len(crowd)
    half = np.argsort(np.abs(users - 0.5), kind="stable")[:_CHANGING]
    for word in half[(users[half] > _SOME) & (users[half] < 1 - _SOME)].tolist():
        part = np.zeros(len(crowd), dtype=np.bool_)
        part[uses.indices[uses.indptr[word] : uses.indptr[word + 1]]] = True
        found.append(part)
    return found


def entropy(part: NDArray[np.bool_]) -> float:
    """What there is to tell of who is in a part, of all together; a natural logarithm."""
    shares = np.array([part.sum(), (~part).sum()]) / len(part)
    return float(-(shares * np.log(shares)).sum() * len(part))


def bhattacharyya(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How alike two histograms are, 0 to 1."""
    return float(np.sqrt(one / one.sum() * other / other.sum()).sum())
