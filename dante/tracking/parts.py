"""Tracks that are two actors, as several days together show.

Two actors with one tool on the same ports are one cluster on any single day, and a track that
began so stays so. But each keeps its senders, networks and hours, and over some days those part
them: a track's senders of the newest days are taken for a mixture of two, and the two are told
apart only if kinds of evidence that know nothing of each other say the same. One kind alone proves
nothing, for hosts of one botnet keep their own hours and their own part of its ports for long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import Evidence, weighted_rows
from dante.clustering.mixture import Crowd, beginnings, bhattacharyya, entropy

__all__ = ["Company", "Parts", "company_of", "find_parts"]

_ROUNDS: Final = 8
_GAIN: Final = 25.0  # log likelihood that two must be better than one
_TELLING: Final = 16  # more words than this say nothing more about one sender
# Nats that a kind of evidence tells of whose a sender is, as a share of all there are to tell.
_NETWORKS_TELL: Final = 0.6
_HOURS_TELL: Final = 0.5
_PORTS_TELL: Final = 0.35
# Ports alone do if they tell it more than once: the one port a sender tries would tell it once.
# With it goes the most that the Bhattacharyya coefficient of both parts' ports may be.
_PORTS_ALONE: Final = ((1.15, 0.4), (1.3, 0.5))


@dataclass(frozen=True)
class Company:
    """The senders of a track over some days.

    Attributes:
        src: (n,) uint64, sorted.
        days: all they did, each day for itself.
        once: the same with each sender counted once, however many days it was there.
    """

    src: NDArray[np.uint64]
    days: Crowd
    once: Crowd


@dataclass(frozen=True)
class Parts:
    """Two parts of a company, and what told them apart.

    Attributes:
        other: (n,) bool: who is of the smaller part.
        networks, hours, ports: the share of what there is to tell that each kind tells; ports may
            exceed 1.
        alike: Bhattacharyya coefficient of both parts' ports.
    """

    other: NDArray[np.bool_]
    networks: float
    hours: float
    ports: float
    alike: float

    @property
    def sure(self) -> bool:
        """Whether that is enough to call them two."""
        if any(self.ports >= told and self.alike <= most for told, most in _PORTS_ALONE):
            return True
        told = (
            self.networks >= _NETWORKS_TELL,
            self.hours >= _HOURS_TELL,
            self.ports >= _PORTS_TELL,
        )
        return sum(told) >= 2


def company_of(days: Evidence, today: Evidence) -> Company:
    """Senders from rows of days, one a sender and day, sorted by src.

    Args:
        days: the rows.
        today: everybody's evidence of today, which says how common networks are.
    """
    src, first, owner = np.unique(days.src, return_index=True, return_inverse=True)
    sums = sparse.csr_array((np.ones(days.n), (owner, np.arange(days.n))), shape=(len(src), days.n))
    network = days.network[first]
    anybody = today.odds_of(days.networks)[network]
    words, hours = sparse.csr_array(sums @ days.telling), sums @ days.hours
    breadth = np.diff(words.indptr)
    uses = sparse.csr_array((np.ones_like(words.data), words.indices, words.indptr), words.shape)
    once = Crowd(
        shares=weighted_rows(uses, 1 / breadth),
        telling=weighted_rows(uses, np.minimum(breadth, _TELLING) / breadth),
        hours=hours / hours.sum(axis=1, keepdims=True),
        network=network,
        anybody=anybody,
    )
    return Company(src, Crowd(words, words, hours, network, anybody), once)


def find_parts(company: Company, seeds: Sequence[NDArray[np.bool_]], *, least: int) -> Parts | None:
    """The best two parts of a company that are surely two, if there are such.

    Args:
        company: at least one sender.
        seeds: (n,) bool each: parts to begin with, besides those in thick networks, of a shift,
            and those that use a word about half of them use.
        least: the fewest senders of a part.
    """
    best: tuple[float, Parts] | None = None
    tried: set[bytes] = set()
    for seed in [*seeds, *beginnings(company.once, least)]:
        inside, gain = _settled(company.days, seed, least)
        if gain <= (_GAIN if best is None else best[0]) or inside.tobytes() in tried:
            continue
        tried.add(inside.tobytes())
        parts = _parts(company.once, inside)
        if parts.sure:
            best = gain, parts
    return None if best is None else best[1]


def _parts(once: Crowd, inside: NDArray[np.bool_]) -> Parts:
    networks, hours, ports = (told / entropy(inside) for told, _ in once.apart(inside))
    left, right = (part.astype(np.float64) @ once.shares for part in (inside, ~inside))
    other = inside if 2 * inside.sum() <= len(inside) else ~inside
    return Parts(other, networks, hours, ports, bhattacharyya(left, right))


def _settled(days: Crowd, inside: NDArray[np.bool_], least: int) -> tuple[NDArray[np.bool_], float]:
    """The two parts after everybody went to the likelier one, and the log likelihood by which two
    are better than one: minus infinity if one is left too small.

    A kind of evidence in which the two do not differ is left out: what so few senders show of it
    by chance is not what they are.
    """
    gain = -np.inf
    for _ in range(_ROUNDS):
        if min(inside.sum(), (~inside).sum()) < least:
            return inside, -np.inf
        telling = [(told, leaning) for told, leaning in days.apart(inside) if told > 0]
        gain = sum(told for told, _ in telling) - entropy(inside)
        better = np.full(len(inside), np.log(inside.sum() / (~inside).sum()))
        for _, leaning in telling:
            better += leaning
        moved = better > 0
        if (moved == inside).all():
            break
        inside = moved
    return inside, gain if min(inside.sum(), (~inside).sum()) >= least else -np.inf
