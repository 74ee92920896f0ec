"""Tracks that are two actors, as several days together show.

Two actors with one tool on the same ports are one cluster on any single day, and a track that
began so stays so. But each keeps its senders, networks and hours, and over some days those part
them: a track's senders of the newest days are taken for a mixture of two, and the two are told
apart only if kinds of evidence that know nothing of each other say the same. One kind alone proves
nothing, for hosts of one botnet keep their own hours and their own part of its ports for long.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import HOURS, Evidence
from dante.clustering.likelihood import smooth_hours

__all__ = ["Company", "Parts", "company_of", "find_parts"]

_WINDOW: Final = 4  # hours of a shift that is tried as a beginning
_STEP: Final = 2
_INSIDE: Final = 0.8
_THICK: Final = 20  # times as many in a network as of anybody
_ROUNDS: Final = 8
_CHANGING: Final = 6  # words of about half the senders that are tried as a beginning
_SOME: Final = 0.1
_WORDS: Final = 2 * 65_536
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
        network: (n,) int64: each sender's place in `odds`.
        odds: (m,) float64: how likely anybody is in each network.
        hours: (n, 24) float64: its hours, 1 a day.
        words: (n, w) sparse float64: its words, at most 8 a day.
        uses: (n, w) sparse float64: 1 for a word it used on any day.
    """

    src: NDArray[np.uint64]
    network: NDArray[np.int64]
    odds: NDArray[np.float64]
    hours: NDArray[np.float64]
    words: sparse.csr_array
    uses: sparse.csr_array


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
    odds = np.full(len(days.networks), today.unseen_network)
    place = np.searchsorted(today.networks, days.networks)
    inside = place < len(today.networks)
    inside[inside] = today.networks[place[inside]] == days.networks[inside]
    odds[inside] = today.network_odds[place[inside]]
    uses = sparse.csr_array(sums @ days.uses)
    uses.data = np.ones_like(uses.data)
    return Company(
        src=src,
        network=days.network[first],
        odds=odds,
        hours=sums @ days.hours,
        words=sparse.csr_array(sums @ days.telling),
        uses=uses,
    )


def find_parts(company: Company, seeds: Sequence[NDArray[np.bool_]], *, least: int) -> Parts | None:
    """The best two parts of a company that are surely two, if there are such.

    Args:
        company: at least one sender.
        seeds: (n,) bool each: parts to begin with, besides those in thick networks, of a shift,
            and those that use a word about half of them use.
        least: the fewest senders of a part.
    """
    best: tuple[float, Parts] | None = None
    whole = [kind.sum() for kind in _kinds(company, np.ones(len(company.src), dtype=np.bool_))]
    tried: set[bytes] = set()
    for seed in [*seeds, *_seeds(company, least)]:
        inside, gain = _settled(company, seed, whole, least)
        if gain <= (_GAIN if best is None else best[0]) or inside.tobytes() in tried:
            continue
        tried.add(inside.tobytes())
        parts = _parts(company, inside)
        if parts.sure:
            best = gain, parts
    return None if best is None else best[1]


def _parts(company: Company, inside: NDArray[np.bool_]) -> Parts:
    other = inside if 2 * inside.sum() <= len(inside) else ~inside
    everyone = np.ones(len(inside), dtype=np.bool_)
    hours = company.hours / company.hours.sum(axis=1, keepdims=True)
    breadth = np.diff(company.uses.indptr)
    words = _scaled(company.uses, np.minimum(breadth, _TELLING) / breadth)
    shares = _scaled(company.uses, 1 / breadth)
    known = _entropy(inside)
    kinds: tuple[Callable[[NDArray[np.bool_]], NDArray[np.float64]], ...] = (
        lambda part: _networks(company, part),
        lambda part: _hours(hours, part),
        lambda part: _ports(words, shares, part),
    )
    told = [
        float(kind(inside)[inside].sum() + kind(~inside)[~inside].sum() - kind(everyone).sum())
        / known
        for kind in kinds
    ]
    left, right = (np.asarray(shares[part].sum(axis=0)).ravel() for part in (inside, ~inside))
    alike = float(np.sqrt(left / left.sum() * right / right.sum()).sum())
    return Parts(other, networks=told[0], hours=told[1], ports=told[2], alike=alike)


def _entropy(inside: NDArray[np.bool_]) -> float:
    shares = np.array([inside.sum(), (~inside).sum()]) / len(inside)
    return float(-(shares * np.log(shares)).sum() * len(inside))


def _seeds(company: Company, least: int) -> list[NDArray[np.bool_]]:
    n = len(company.src)
    seen = np.bincount(company.network, minlength=len(company.odds))[company.network]
    thick = (seen >= 2) & (seen / n > _THICK * company.odds[company.network])
    seeds = [thick]
    hours = company.hours / company.hours.sum(axis=1, keepdims=True)
    for first in range(0, HOURS, _STEP):
        shift = [(first + hour) % HOURS for hour in range(_WINDOW)]
        inside = hours[:, shift].sum(axis=1) > _INSIDE
        if inside.sum() >= least:
            seeds += [inside & thick, inside]
    uses = company.uses.tocsc()
    shares = np.diff(uses.indptr) / n
    half = np.argsort(np.abs(shares - 0.5), kind="stable")[:_CHANGING]
    for word in half[(shares[half] > _SOME) & (shares[half] < 1 - _SOME)].tolist():
        seed = np.zeros(n, dtype=np.bool_)
        seed[uses.indices[uses.indptr[word] : uses.indptr[word + 1]]] = True
        seeds.append(seed)
    return seeds


def _settled(
    company: Company, inside: NDArray[np.bool_], whole: Sequence[float], least: int
) -> tuple[NDArray[np.bool_], float]:
    """The two parts after everybody went to the likelier one, and the log likelihood by which two
    are better than one: minus infinity if one is left too small.

    A kind of evidence in which the two do not differ is left out: what so few senders show of it
    by chance is not what they are.
    """
    gain = -np.inf
    for _ in range(_ROUNDS):
        if min(inside.sum(), (~inside).sum()) < least:
            return inside, -np.inf
        gain = -_entropy(inside)
        better = np.full(len(inside), np.log(inside.sum() / (~inside).sum()))
        for one, other, both in zip(
            _kinds(company, inside), _kinds(company, ~inside), whole, strict=True
        ):
            told = float(one[inside].sum() + other[~inside].sum() - both)
            if told > 0:
                gain += told
                better += one - other
        moved = better > 0
        if (moved == inside).all():
            break
        inside = moved
    return inside, gain if min(inside.sum(), (~inside).sum()) >= least else -np.inf


def _kinds(company: Company, part: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """How likely each sender is, were it of a part, by kinds of evidence: (n,) logarithms each."""
    return (
        _networks(company, part),
        _hours(company.hours, part),
        _ports(company.words, company.words, part),
    )


def _networks(company: Company, part: NDArray[np.bool_]) -> NDArray[np.float64]:
    counts = np.bincount(company.network[part], minlength=len(company.odds))
    size = int(part.sum())
    new = min((int((counts == 1).sum()) + 0.5) / (size + 1), 1.0)
    others = counts[company.network] - part
    odds = (1 - new) * others / size / company.odds[company.network] + new
    return np.asarray(np.log(odds))


def _hours(hours: NDArray[np.float64], part: NDArray[np.bool_]) -> NDArray[np.float64]:
    seen = hours[part].sum(axis=0)
    odds = (smooth_hours(seen) + 1 / HOURS) / (seen.sum() + 1)
    return np.asarray(hours @ np.log(odds))


def _ports(
    words: sparse.csr_array, shares: sparse.csr_array, part: NDArray[np.bool_]
) -> NDArray[np.float64]:
    seen = np.asarray(shares[part].sum(axis=0)).ravel()
    odds = (seen + 1 / _WORDS) / (seen.sum() + 1)
    return np.asarray(words @ np.log(odds))


def _scaled(matrix: sparse.csr_array, by: NDArray[np.float64]) -> sparse.csr_array:
    return sparse.csr_array(
        (matrix.data * np.repeat(by, np.diff(matrix.indptr)), matrix.indices, matrix.indptr),
        shape=matrix.shape,
    )
