"""A group of senders taken for a mixture of two: how likely each is of a part, and where to begin.

Networks, hours and ports are kinds of evidence that know nothing of each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import HOURS
from dante.clustering.likelihood import smooth_hours, unseen

__all__ = ["Crowd", "Told", "beginnings", "entropy", "settle", "told_apart"]

_Part = NDArray[np.bool_]
_T = TypeVar("_T")

_WINDOW: Final = 4  # hours of a shift that is tried as a beginning
_STEP: Final = 2
_INSIDE: Final = 0.8
_THICK: Final = 20  # times as many in a network as of anybody
_CHANGING: Final = 6  # words of about half the senders that are tried as a beginning
_SOME: Final = 0.1
_WORDS: Final = 2 * 65_536
# Nats that a kind of evidence tells of whose a sender is, as a share of all there are to tell.
_NETWORKS_TELL: Final = 0.6
_HOURS_TELL: Final = 0.5
# Hours that tell less do beside networks, if all together tell so much more than there is to tell.
_HOURS_BESIDE: Final = 0.3
_CLEARLY: Final = 0.2
_PORTS_TELL: Final = 0.35
# Ports alone do if they tell it more than once: the one port a sender tries would tell it once.
# With it goes the most that the Bhattacharyya coefficient of both parts' ports may be.
_PORTS_ALONE: Final = ((1.15, 0.4), (1.3, 0.5))
# The part of that which they must tell on one day of several, too.
_ON_A_DAY: Final = 1 / 3


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
        """How likely each is, were it of a part, by networks, hours and ports: (n,) logarithms.

        Nobody of the part is known by what he shows himself: of a few, that would tell each as one
        of his own part, whatever the parts.
        """
        return self._networks(part), self._hours(part), self._ports(part)

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

    def _networks(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Log of how many times likelier than anybody each is in its network, were it of a part."""
        size = int(part.sum())
        seen = np.bincount(self.network[part], minlength=int(self.network.max()) + 1)
        new = unseen(int((seen == 1).sum()), size)
        odds = (1 - new) * (seen[self.network] - part) / size / self.anybody + new
        return np.asarray(np.log(odds))

    def _hours(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        seen = self.hours[part].sum(axis=0) - self.hours * part[:, None]
        odds = (smooth_hours(np.maximum(seen, 0)) + 1 / HOURS) / (seen.sum(axis=1) + 1)[:, None]
        return np.asarray((self.hours * np.log(odds)).sum(axis=1))

    def _ports(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        counted = self._counted(part)
        seen, users = self._by_word(counted), self._by_word(counted > 0)
        whole = float(seen.sum())
        new = unseen(float(seen[users == 1].sum()), whole)
        others = np.maximum(seen[self.shares.indices] - counted, 0)
        told = self.telling.data * np.log((1 - new) * others / whole + new / _WORDS)
        return np.asarray(np.bincount(self._shown, told, minlength=len(self)), dtype=np.float64)

    def does(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How much of each word a part shows, (w,)."""
        return self._by_word(self._counted(part))

    def _counted(self, part: NDArray[np.bool_]) -> NDArray[np.float64]:
        """What each entry of `shares` counts in a part: 0 for those of the rest."""
        return np.asarray(self.shares.data * part[self._shown], dtype=np.float64)

    def _by_word(self, entries: NDArray[np.float64 | np.bool_]) -> NDArray[np.float64]:
        """The sum of a number for each entry of `shares`, by word, (w,)."""
        sums = np.bincount(self.shares.indices, entries, minlength=self.shares.shape[1])
        return np.asarray(sums, dtype=np.float64)

    @cached_property
    def _shown(self) -> NDArray[np.int64]:
        """The sender of each entry of `shares`."""
        return np.repeat(np.arange(len(self)), np.diff(self.shares.indptr))


@dataclass(frozen=True)
class Told:
    """What tells two parts of a crowd apart.

    Attributes:
        there: what there is to tell of whose all the senders are; a logarithm.
        networks, hours, ports: the share of that which each kind tells. Networks that are thick
            within a part, and ports that one part alone tries, may tell it more than once.
        alike: Bhattacharyya coefficient of both parts' ports.
    """

    there: float
    networks: float
    hours: float
    ports: float
    alike: float

    @property
    def gain(self) -> float:
        """The log likelihood by which two are better than one."""
        return self.there * self._surplus

    @property
    def sure(self) -> bool:
        """Whether that is enough to call them two."""
        # Two kinds that say so prove nothing where the third says the contrary of as much.
        return self._by_ports or (sum(self._tell) >= 2 and self._surplus > 0)

    def seen_in(self, day: "Told") -> bool:
        """Whether what makes these two sure tells them apart on one of the days, too.

        What one actor changes from one day to the next parts his days, and not his senders.
        """
        on_the_day = (
            day.networks >= _ON_A_DAY * _NETWORKS_TELL,
            day.hours >= _ON_A_DAY * _HOURS_BESIDE,
            day.ports >= _ON_A_DAY * _PORTS_TELL,
        )
        both = [here and there for here, there in zip(self._tell, on_the_day, strict=True)]
        return sum(both) >= 2 or (self._by_ports and both[-1])

    @property
    def _surplus(self) -> float:
        """What all kinds tell beyond what there is to tell, as a share of it; networks tell no more
        than that.
        """
        return min(self.networks, 1) + self.hours + self.ports - 1

    @property
    def _by_ports(self) -> bool:
        return any(self.ports >= told and self.alike <= most for told, most in _PORTS_ALONE)

    @property
    def _tell(self) -> tuple[bool, ...]:
        """Whether networks, hours and ports each tell what they must."""
        networks = self.networks >= _NETWORKS_TELL
        beside = networks and self._surplus >= _CLEARLY
        hours = self.hours >= (_HOURS_BESIDE if beside else _HOURS_TELL)
        return networks, hours, self.ports >= _PORTS_TELL


def told_apart(crowd: Crowd, part: NDArray[np.bool_]) -> Told:
    """What tells a part, (n,), and the rest of a crowd apart; neither may be empty.

    Args:
        crowd: senders that count once each.
        part: some of them.
    """
    there = entropy(part)
    networks, hours, ports = (told / there for told, _ in crowd.apart(part))
    alike = _bhattacharyya(crowd.does(part), crowd.does(~part))
    return Told(there, networks, hours, ports, alike)


def settle(
    part: _Part,
    step: Callable[[_Part], tuple[_Part, _T]],
    taken: dict[bytes, tuple[_Part, _T]],
    *,
    least: int,
    rounds: int,
) -> tuple[_Part, _T] | None:
    """The part that steps from another end at, or have come to after some rounds, and what the last
    of them said beside; None if a part or the rest is left too small.

    Args:
        part: (n,) bool, who is in the one part to begin with.
        step: who is likelier of a part than of the rest, and anything beside.
        taken: steps that were taken before; it is added to, for many beginnings lead the same way.
        least: the fewest of a part.
        rounds: the most steps.
    """

    def follow(part: _Part) -> tuple[_Part, _T]:
        key = part.tobytes()
        if key not in taken:
            taken[key] = step(part)
        return taken[key]

    def small(part: _Part) -> bool:
        return bool(min(part.sum(), (~part).sum()) < least)

    if small(part):
        return None
    moved, said = follow(part)
    for _ in range(rounds - 1):
        if (moved == part).all():
            break
        part = moved
        if small(part):
            return None
        moved, said = follow(part)
    return None if small(moved) else (moved, said)


def beginnings(crowd: Crowd, least: int) -> list[NDArray[np.bool_]]:
    """Parts to begin with, (n,) bool each: those in thick networks, those of a shift, those in
    thick networks most of whose senders are of it, and those that use a word about half of them
    use. Of many senders there are many in any shift by chance, and few such networks.

    Args:
        crowd: senders whose hours sum to 1 each.
        least: the fewest senders of a shift.
    """
    hosts = np.bincount(crowd.network)
    seen = hosts[crowd.network]
    thick = (seen >= 2) & (seen / len(crowd) > _THICK * crowd.anybody)
    found = [thick]
    for first in range(0, HOURS, _STEP):
        shift = [(first + hour) % HOURS for hour in range(_WINDOW)]
        inside = crowd.hours[:, shift].sum(axis=1) > _INSIDE
        if inside.sum() >= least:
            working = (np.bincount(crowd.network, inside) > _INSIDE * hosts)[crowd.network]
            found += [working & thick, inside]
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


def _bhattacharyya(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How alike two histograms are, 0 to 1."""
    return float(np.sqrt(one / one.sum() * other / other.sum()).sum())
