"""How likely each sender of a day is one of each of some groups, or of none.

A naive Bayes classifier over ports, traits, hours and network, with the priors that counts of so
few senders need: what a group has not shown yet is possible in the measure in which it shows new
things (Good and Turing; Good, Biometrika 40, 1953), and otherwise as common as in everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import COUNTED, HOURS, Evidence, field_of
from dante.clustering.histogram import ONCE, Histogram, counts_on

__all__ = ["SEVERAL", "Nobody", "beyond_chance", "likeliest", "new_network", "smooth_hours"]

# TCP and UDP ports; a word of chance is any of them.
_WORDS: Final = 2 * 65_536
# The part of chance that falls on what others look for as well.
_POPULAR: Final = 0.05
SEVERAL: Final = 3
"""Words that a sender must try for their company to say something."""
# As many words of senders of none count as much as what everybody tries.
_UNSEEN: Final = 2000
# So many senders of none say as much about headers as a whole as headers one by one do.
_KINDS: Final = 100
# A group of few is never sure to have shown all its words.
_MOST_NEW: Final = 0.1
_LEAST: Final = 1e-9
_BEFORE: Final = np.roll(np.arange(HOURS), 1)
_AFTER: Final = np.roll(np.arange(HOURS), -1)
_ROWS: Final = 20_000  # senders judged at once
_GROUPS: Final = 32  # groups held against chance at once


@dataclass(frozen=True)
class Nobody:
    """Those of a day's senders that are of no group so far.

    Attributes:
        senders: (n,) bool.
        margin: how much likelier than chance, as a logarithm, a group must make a sender.
    """

    senders: NDArray[np.bool_]
    margin: float


def smooth_hours(hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hours (…, 24) with a quarter of each given to both its neighbours."""
    return np.asarray(hours / 2 + hours[..., _BEFORE] / 4 + hours[..., _AFTER] / 4)


def unseen(alone: float, whole: float) -> float:
    """How likely the next is none of those seen before, where of a whole so much was seen alone
    (Good and Turing 1953).
    """
    return min((alone + 0.5) / (whole + 1), 1.0)


def new_network(group: Histogram) -> float:
    """How likely the next sender of a group is in a network none of it was in."""
    return unseen(group.lone, group.placed)


def likeliest(
    evidence: Evidence,
    groups: Sequence[Histogram],
    sizes: NDArray[np.float64],
    nobody: Nobody,
    own: NDArray[np.int64],
    bonus: sparse.csr_array | None = None,
    counted: float = 1.0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The group each sender is likeliest of, or -1 for none, and how probable that is, (n,) each.

    Args:
        evidence: the day's senders.
        groups: histograms of at least a fraction of a sender each, at least one.
        sizes: (len(groups),) how many senders of today each is expected to have.
        nobody: who is of none.
        own: (n,) the group each sender is counted in, or -1: nobody is known by his own count.
        bonus: (n, len(groups)) what else speaks for a group, as a logarithm.
        counted: how much each sender counts in its own group.
    """
    odds = _Odds(evidence, groups, sizes, _Chance.of(evidence, nobody), counted)
    best = np.empty(evidence.n, dtype=np.int64)
    strength = np.empty(evidence.n)
    for first in range(0, evidence.n, _ROWS):
        rows = np.arange(first, min(first + _ROWS, evidence.n))
        table = odds.of(rows, own[rows])
        if bonus is not None:
            more = bonus[rows].tocoo()
            table[more.row, more.col] += more.data
        best[rows] = table.argmax(axis=1)
        table -= table[np.arange(len(table)), best[rows]][:, None]
        strength[rows] = 1 / np.exp(table, out=table).sum(axis=1)
    best[best == len(groups)] = -1
    return best, strength


def beyond_chance(
    evidence: Evidence, groups: Sequence[Histogram], nobody: Nobody, own: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each sender is likelier of the group it is counted in than of none, (n,).

    However many groups there are, each sender is judged against one block of them.

    Args:
        evidence: the day's senders.
        groups: histograms of these groups.
        nobody: who is of none.
        own: (n,) the group of each, -1 for none.
    """
    order = np.argsort(own, kind="stable")
    chance = _Chance.of(evidence, nobody)
    stays = np.zeros(evidence.n, dtype=np.bool_)
    for first in range(0, len(groups), _GROUPS):
        block = groups[first : first + _GROUPS]
        begin, end = np.searchsorted(own[order], [first, first + len(block)])
        odds = _Odds(evidence, block, np.array([group.senders for group in block]), chance)
        for start in range(begin, end, _ROWS):
            rows = order[start : min(start + _ROWS, end)]
            mine = own[rows] - first
            table = odds.of(rows, mine)
            stays[rows] = table[np.arange(len(rows)), mine] > table[:, -1]
    return stays


@dataclass(frozen=True)
class _Chance:
    """How likely what senders of none show is, as logarithms.

    Attributes:
        senders: how many are of none, at least one.
        margin: as of `Nobody`.
        words: (w,) each word.
        traits: (t,) each trait of headers.
        together: (c,) what the headers of each combination say beyond that.
    """

    senders: int
    margin: float
    words: NDArray[np.float64]
    traits: NDArray[np.float64]
    together: NDArray[np.float64]

    @classmethod
    def of(cls, evidence: Evidence, nobody: Nobody) -> "_Chance":
        shown = evidence.shown(nobody.senders)
        of_field = np.bincount(evidence.fields, shown, minlength=len(COUNTED))
        traits = np.log((shown + evidence.trait_shares) / (of_field + 1)[evidence.fields])
        return cls(
            senders=max(int(nobody.senders.sum()), 1),
            margin=nobody.margin,
            words=np.log((1 - _POPULAR) / _WORDS + _popular(evidence, nobody)),
            traits=traits,
            together=_together(evidence, nobody, traits),
        )


class _Odds:
    """How likely senders are of each of some groups, and of none (the last), as logarithms."""

    def __init__(
        self,
        evidence: Evidence,
        groups: Sequence[Histogram],
        sizes: NDArray[np.float64],
        chance: _Chance,
        counted: float = 1.0,
    ) -> None:
        self.evidence = evidence
        self.words = _Words(evidence, groups, chance, counted)
        self.traits, self.others = _traits(evidence, groups, chance, counted)
        self.together = chance.together
        self.hours = _hours(groups)
        self.networks = _Networks(evidence, groups, counted)
        prior = np.append(np.maximum(sizes, _LEAST), chance.senders)
        self.prior = np.log(prior / prior.sum())
        self.prior[-1] += chance.margin
        self.prior[:-1] += self.networks.new

    def of(self, rows: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.float64]:
        """(len(rows), groups + 1) of senders at these positions, which are counted in `own`."""
        evidence = self.evidence
        table = evidence.hours[rows] @ self.hours
        table += self.words.of(rows, own)
        shows = evidence.combinations[evidence.combination[rows]]
        table += shows @ self.traits
        # Nor by what he alone shows in his headers: Mirai draws a window at its start.
        row, shown_by = _of_counted(shows, own)
        _add_to_own(table, own, row, self.others[own[row], shows.indices[shown_by]])
        table[:, -1] += self.together[evidence.combination[rows]]
        table += self.prior
        self.networks.add(table, rows, own)
        return np.asarray(table)


class _Networks:
    """How much likelier each group makes a sender's network than anybody makes it.

    Being in a network none of a group is in says the same of every sender, so that only pairs of a
    network and a group that is in it are worked out: some of each, and not all of all.
    """

    def __init__(self, evidence: Evidence, groups: Sequence[Histogram], counted: float) -> None:
        self.evidence = evidence
        self.counted = counted
        share = np.array([new_network(group) for group in groups])
        self.new = np.log(share)
        """(groups,) logarithm where no sender of the group is in the network."""
        self.known = (1 - share) / np.array([max(group.placed, 1.0) for group in groups])
        self.share = share
        seen = counts_on(evidence.networks, groups, lambda group: group.networks)
        self.seen = seen.T.tocsr()

    def add(
        self, table: NDArray[np.float64], rows: NDArray[np.int64], own: NDArray[np.int64]
    ) -> None:
        """Add what networks say beyond `new` to a table of these rows and all groups."""
        network = self.evidence.network[rows]
        pairs = self.seen[network].tocoo()
        row, group = pairs.row, pairs.col
        # Nobody is known by his own network.
        counts = np.maximum(pairs.data - self.counted * (own[row] == group), 0)
        odds = counts * self.known[group] / self.evidence.network_odds[network[row]]
        table[row, group] += np.log1p(odds / self.share[group])


class _Words:
    """How likely each group, and chance, makes each word."""

    def __init__(
        self, evidence: Evidence, groups: Sequence[Histogram], chance: _Chance, counted: float
    ) -> None:
        self.evidence = evidence
        self.counted = counted
        new, other = np.empty(len(groups)), np.empty(len(groups))
        for row, group in enumerate(groups):
            once = group.users[group.users <= ONCE].sum()
            new[row] = min(unseen(once, float(group.users.sum())), _MOST_NEW)
            # What a sweep tries beyond the words that are kept may be any word.
            beyond = max(0.0, 1 - group.words.weights.sum() / group.senders)
            other[row] = (new[row] + (1 - new[row]) * beyond) / _WORDS
        self.other = other
        """(groups,) the odds of a word that no sender of the group tried."""
        self.each = (1 - new) / np.array([group.senders for group in groups])
        """(groups,) what a whole sender of the group adds to that."""
        words = evidence.words.astype(np.uint64)
        seen = counts_on(words, groups, lambda group: group.words).toarray()
        self.odds = np.ascontiguousarray((seen * self.each[:, None] + other[:, None]).T)
        """(w, groups)"""
        self.logs = np.column_stack([np.log(self.odds), chance.words])

    def of(self, rows: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.float64]:
        """The logarithms for some of the senders, (rows, groups + 1)."""
        telling = self.evidence.telling[rows]
        table = np.asarray(telling @ self.logs)
        # Nobody is known by his own words either.
        row, tried_by = _of_counted(telling, own)
        word, says, group = telling.indices[tried_by], telling.data[tried_by], own[row]
        mine = self.counted * self.each[group] / self.evidence.breadth[rows][row]
        odds = self.odds[word, group]
        others = np.maximum(odds - mine, self.other[group])
        _add_to_own(table, own, row, says * np.log(others / odds))
        return table


def _of_counted(
    values: sparse.csr_array, own: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of values of senders that are counted in a group: their rows, and which of all they are."""
    row = np.repeat(np.arange(len(own)), np.diff(values.indptr))
    counted = own[row] >= 0
    return row[counted], counted


def _add_to_own(
    table: NDArray[np.float64],
    own: NDArray[np.int64],
    row: NDArray[np.int64],
    more: NDArray[np.float64],
) -> None:
    """Add the sums by row to what each of these senders has in its own group."""
    here = np.flatnonzero(own >= 0)
    table[here, own[here]] += np.bincount(row, more, minlength=len(own))[here]


def _popular(evidence: Evidence, nobody: Nobody) -> NDArray[np.float64]:
    """How often a sender of none tries each word because others look for it as well, (w,).

    Read off those of none that try several words, for of one word nobody can say what it is there
    for; where there are few of them, as everybody does.
    """
    several = np.flatnonzero(nobody.senders & (evidence.breadth >= SEVERAL))
    users = np.asarray(evidence.uses[several].sum(axis=0)).ravel()
    # What one of them alone tries is chance.
    again = np.maximum(users - 1, 0)
    return np.asarray((again + _UNSEEN * _POPULAR * evidence.word_shares) / (users.sum() + _UNSEEN))


def _traits(
    evidence: Evidence, groups: Sequence[Histogram], chance: _Chance, counted: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(t, groups + 1) logarithms; and what is to be added for whoever is counted in the group,
    (groups, t), where somebody is.
    """
    seen = counts_on(evidence.traits, groups, lambda group: group.traits).tocoo()
    group, trait, counts = seen.row, seen.col, seen.data
    common, field = evidence.trait_shares, evidence.fields
    new, whole = _new_traits(groups)
    # Most groups show few of all traits: only these are worked out one by one.
    odds = np.empty((len(common), len(groups) + 1))
    np.add(np.log(common)[:, None], np.log(new).T[field], out=odds[:, :-1])
    odds[:, -1] = chance.traits
    other, of_field = new[group, field[trait]], whole[group, field[trait]]
    odds[trait, group] = np.log((1 - other) * counts / of_field + other * common[trait])
    others = np.zeros((len(groups), len(common)))
    without = np.maximum(counts - counted, 0) / np.maximum(of_field - counted, _LEAST)
    others[group, trait] = np.log((1 - other) * np.minimum(without, 1) + other * common[trait])
    others[group, trait] -= odds[trait, group]
    return odds, others


def _new_traits(
    groups: Sequence[Histogram],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How likely the next value of a field is none that the group has shown, and how many of its
    senders showed one of that field, (groups, fields) each.

    Mirai draws a window at its start: of a group of it hardly anybody shows what another showed,
    and of a large group no more than of a small one.
    """
    of = np.repeat(np.arange(len(groups)), [len(group.traits.keys) for group in groups])
    weights = np.concatenate([group.traits.weights for group in groups])
    field = field_of(np.concatenate([group.traits.keys for group in groups]))
    whole, lone = np.zeros((2, len(groups), len(COUNTED)))
    np.add.at(whole, (of, field), weights)
    once = weights <= ONCE
    np.add.at(lone, (of[once], field[once]), weights[once])
    # Of a field that says the same of all, one more sender may say another thing.
    return np.clip((lone + 0.5) / (whole + 1), 1 / (whole + 1), 1.0), whole


def _together(
    evidence: Evidence, nobody: Nobody, apart: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What the headers of a sender of none say as a whole beyond what they say one by one, (c,).

    Tool and system write most headers at once, so that who shows one of a kind shows all.

    Args:
        evidence: the day's senders.
        nobody: who is of none.
        apart: (t,) logarithms one by one.
    """
    system, fields = evidence.systems
    one_by_one = apart.copy()
    one_by_one[evidence.fields == COUNTED.index("window")] = 0
    product = evidence.combinations @ one_by_one
    many = np.bincount(evidence.combination[nobody.senders], minlength=len(system))
    alike = np.bincount(system, many)[system]
    of_fields = np.bincount(fields, many)[fields]
    return np.asarray(np.log((alike + _KINDS * np.exp(product)) / (of_fields + _KINDS)) - product)


def _hours(groups: Sequence[Histogram]) -> NDArray[np.float64]:
    """(24, groups + 1) logarithms."""
    hours = smooth_hours(np.array([group.hours for group in groups]))
    senders = np.array([group.senders for group in groups])
    odds = (hours + 1 / HOURS) / (senders[:, None] + 1)
    return np.asarray(np.log(np.vstack([odds, np.full((1, HOURS), 1 / HOURS)])).T)
