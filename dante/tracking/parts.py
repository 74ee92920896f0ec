"""Tracks that are two actors, as several days together show.

Two actors with one tool on the same ports are one cluster on any single day, and a track that
began so stays so. But each keeps its senders, networks and hours, and over some days those part
them: a track's senders of the newest days are taken for a mixture of two, and the two are told
apart only if kinds of evidence that know nothing of each other say the same. One kind alone proves
nothing, for hosts of one botnet keep their own hours and their own part of its ports for long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import Evidence, weighted_rows
from dante.clustering.mixture import Crowd, Told, beginnings, entropy, settle, told_apart
from dante.clustering.shifts import shifts_apart

__all__ = ["Company", "Parts", "company_of", "find_parts"]

_ROUNDS: Final = 8
_GAIN: Final = 12.0  # log likelihood that two must be better than one
_SHIFTS_TELL: Final = 0.9  # of whose a sender is, hours on each day
_TELLING: Final = 16  # more words than this say nothing more about one sender


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
    """Two parts of a company.

    Attributes:
        other: (n,) bool, who is of the smaller one.
        told: what told them apart.
        shifts: whether it is that they work in two shifts, day after day.
    """

    other: NDArray[np.bool_]
    told: Told
    shifts: bool

    def seen_in(self, day: Told) -> bool:
        """Whether what makes these two tells them apart on one of the days, too."""
        return self.told.seen_in(day) or (self.shifts and day.hours >= _SHIFTS_TELL)


def company_of(days: Evidence, rows: NDArray[np.bool_], today: Evidence) -> Company:
    """Senders from rows of days, one a sender and day, sorted by src.

    Args:
        days: the rows.
        rows: (days.n,) those that are looked at, at least one.
        today: everybody's evidence of today, which says how common networks are.
    """
    seen = np.flatnonzero(rows)
    src, first, owner = np.unique(days.src[seen], return_index=True, return_inverse=True)
    sums = sparse.csr_array((np.ones(len(seen)), (owner, seen)), shape=(len(src), days.n))
    network = days.network[seen][first]
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
    best: Parts | None = None
    tried: set[bytes] = set()
    steps: dict[bytes, tuple[NDArray[np.bool_], float]] = {}
    step = partial(_step, company.days)
    for seed in [*seeds, *beginnings(company.once, least)]:
        settled = settle(seed, step, steps, least=least, rounds=_ROUNDS)
        if settled is None:
            continue
        inside, gain = settled
        if gain <= _GAIN or inside.tobytes() in tried:
            continue
        tried.add(inside.tobytes())
        told = told_apart(company.once, inside)
        if best is not None and told.gain <= best.told.gain:
            continue
        hours = company.once.hours
        shifts = shifts_apart(hours[inside].sum(axis=0), hours[~inside].sum(axis=0)) > _GAIN
        if told.sure or shifts:
            other = inside if 2 * inside.sum() <= len(inside) else ~inside
            best = Parts(other, told, shifts)
    return best


def _step(days: Crowd, inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], float]:
    """Who is likelier of a part than of the rest, and by how much the two are better than one.

    A kind of evidence in which the two do not differ is left out: what so few senders show of it
    by chance is not what they are.
    """
    telling = [(told, leaning) for told, leaning in days.apart(inside) if told > 0]
    gain = sum(told for told, _ in telling) - entropy(inside)
    better = np.full(len(inside), np.log(inside.sum() / (~inside).sum()))
    for _, leaning in telling:
        better += leaning
    return better > 0, gain
