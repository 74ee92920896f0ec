"""All that a day's senders show, as arrays: ports, traits, hours and networks.

What a sender shows is counted in groups of senders (`dante.clustering.histogram`), and groups say
in turn how likely a sender is one of theirs (`dante.clustering.likelihood`).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

__all__ = [
    "COUNTED",
    "HOURS",
    "Evidence",
    "evidence_of",
    "field_of",
    "trait_codes",
    "weighted_rows",
]

COUNTED: Final = ("tool", "ttl", "ttl_varies", "window", "tcp_length", "ip_id", "one_sport")
"""Traits that are counted, each by value; a trait's code is its place here and its value."""
HOURS: Final = 24

# A code is place · 2^32 + value + 1, for a value may be -1.
_PLACE: Final = 32
# More words than this say nothing more about one sender.
_TELLING: Final = 8
# Networks that might be seen: so a sender in a network no other is in is no surprise.
_NETWORKS: Final = 65_536


@dataclass(frozen=True)
class Evidence:
    """The senders of a day.

    Attributes:
        src: (n,) uint64, sorted.
        words: (w,) uint32, sorted: all words of the day.
        uses: (n, w) sparse float64: 1 where a sender uses a word.
        traits: (t,) uint64, sorted: codes of all trait values of the day.
        combinations: (c, t) sparse float64: what senders show, each set of values once; 1 where a
            value is of it.
        combination: (n,) int64: each sender's place in `combinations`.
        hours: (n, 24) float64: a sender's day, 1 in all, evenly over the hours it was seen in.
        networks: (m,) uint64, sorted: first 16 bits of IPv4 senders, 32 of IPv6 ones.
        network: (n,) int64: each sender's place in `networks`.
    """

    src: NDArray[np.uint64]
    words: NDArray[np.uint32]
    uses: sparse.csr_array
    traits: NDArray[np.uint64]
    combinations: sparse.csr_array
    combination: NDArray[np.int64]
    hours: NDArray[np.float64]
    networks: NDArray[np.uint64]
    network: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many senders there are."""
        return len(self.src)

    @cached_property
    def shares(self) -> sparse.csr_array:
        """`uses` with each sender's words sharing 1 evenly."""
        return weighted_rows(self.uses, 1 / self.breadth)

    @cached_property
    def telling(self) -> sparse.csr_array:
        """`uses` with each sender's words counting 8 at most together."""
        return weighted_rows(self.uses, np.minimum(self.breadth, _TELLING) / self.breadth)

    @cached_property
    def breadth(self) -> NDArray[np.float64]:
        """How many words each sender tries, 1 at least, (n,)."""
        return np.asarray(np.maximum(np.diff(self.uses.indptr), 1), dtype=np.float64)

    def shown(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.float64]:
        """How many of some senders show each trait value, (t,)."""
        many = np.bincount(self.combination[rows], minlength=self.combinations.shape[0])
        return np.asarray(many.astype(np.float64) @ self.combinations)

    @property
    def with_headers(self) -> bool:
        """Whether anybody shows a trait. That all came from one source port counts: everyday tracks
        of real flow logs last longer where it does.
        """
        return bool(len(self.traits))

    @cached_property
    def word_shares(self) -> NDArray[np.float64]:
        """Each word's part of all senders' days, (w,)."""
        return np.asarray(np.asarray(self.shares.sum(axis=0)).ravel() / max(self.n, 1))

    @cached_property
    def network_odds(self) -> NDArray[np.float64]:
        """How likely a sender of anybody is in each network, (m,)."""
        seen = np.bincount(self.network, minlength=len(self.networks))
        return np.asarray((seen + 1) / (self.n + _NETWORKS))

    @cached_property
    def trait_shares(self) -> NDArray[np.float64]:
        """How common each of `traits` is among the values of its field in anybody, (t,)."""
        seen = self.shown(np.ones(self.n, dtype=np.bool_))
        return np.asarray(seen / np.bincount(self.fields, seen)[self.fields])

    @cached_property
    def systems(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each of `combinations`, without the window: a number of its values, and of the traits
        it has a value of, (c,) each; the same for the same.
        """
        table = self.combinations
        row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
        field = self.fields[table.indices]
        kept = field != COUNTED.index("window")
        values = np.zeros((table.shape[0], len(COUNTED)), dtype=np.int64)
        values[row[kept], field[kept]] = table.indices[kept] + 1
        return _kinds(values), _kinds(np.minimum(values, 1))

    def places(self, src: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The place of each of some senders among these, -1 for who is not there, (len(src),)."""
        place = np.searchsorted(self.src, src)
        here = place < self.n
        here[here] = self.src[place[here]] == src[here]
        return np.where(here, place, -1)

    @property
    def unseen_network(self) -> float:
        """How likely a sender of anybody is in a network nobody is in today."""
        return 1 / (self.n + _NETWORKS)

    def odds_of(self, networks: NDArray[np.uint64]) -> NDArray[np.float64]:
        """How likely a sender of anybody is in each of some networks, seen today or not."""
        odds = np.full(len(networks), self.unseen_network)
        place = np.searchsorted(self.networks, networks)
        inside = place < len(self.networks)
        inside[inside] = self.networks[place[inside]] == networks[inside]
        odds[inside] = self.network_odds[place[inside]]
        return odds

    @cached_property
    def fields(self) -> NDArray[np.int64]:
        """Which of `COUNTED` each of `traits` is a value of, (t,)."""
        return field_of(self.traits)


def _kinds(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same number for equal rows, (len(table),)."""
    return np.unique(table, axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def field_of(codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Which of `COUNTED` codes are values of."""
    return (codes >> np.uint64(_PLACE)).astype(np.int64)


def trait_codes(name: str, values: pl.Series) -> NDArray[np.uint64]:
    """The codes of values of one of `COUNTED`; none may be null."""
    number = values.cast(pl.Int64).to_numpy() + 1 + (COUNTED.index(name) << _PLACE)
    return np.asarray(number, dtype=np.uint64)


def evidence_of(senders: pl.DataFrame) -> Evidence:
    """The evidence of a frame of `dante.sequences.SENDERS`, which is sorted by src."""
    n = senders.height
    lengths = senders["words"].list.len().to_numpy()
    used = senders["words"].explode(empty_as_null=False).to_numpy()
    words = np.unique(used).astype(np.uint32)
    rows = np.repeat(np.arange(n), lengths)
    uses = _marks(rows, np.searchsorted(words, used), (n, len(words)))
    traits, combinations, combination = _combinations(senders.select(COUNTED))
    src = senders["src"].to_numpy()
    block = np.where(src < 1 << 32, src >> np.uint64(16), src >> np.uint64(32))
    networks, network = np.unique(block, return_inverse=True)
    return Evidence(
        src=src,
        words=words,
        uses=uses,
        traits=traits,
        combinations=combinations,
        combination=combination,
        hours=_hours(senders["hours"]),
        networks=networks,
        network=network.astype(np.int64),
    )


def _combinations(
    shown: pl.DataFrame,
) -> tuple[NDArray[np.uint64], sparse.csr_array, NDArray[np.int64]]:
    """All trait values, the sets of them that senders show, and which each shows."""
    distinct = shown.unique(maintain_order=True).with_row_index("combination")
    of = shown.join(
        distinct, on=shown.columns, how="left", nulls_equal=True, maintain_order="left"
    )["combination"]
    known = [(name, distinct[name]) for name in COUNTED]
    codes = [trait_codes(name, values.drop_nulls()) for name, values in known]
    holders = [np.flatnonzero(values.is_not_null().to_numpy()) for _, values in known]
    every = np.concatenate(codes)
    traits = np.unique(every)
    combinations = _marks(
        np.concatenate(holders), np.searchsorted(traits, every), (distinct.height, len(traits))
    )
    return traits, combinations, of.to_numpy().astype(np.int64)


def _marks(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def weighted_rows(matrix: sparse.csr_array, by: NDArray[np.float64]) -> sparse.csr_array:
    """A matrix with every row times its weight."""
    lengths = np.diff(matrix.indptr)
    return sparse.csr_array(
        (matrix.data * np.repeat(by, lengths), matrix.indices, matrix.indptr), shape=matrix.shape
    )


def _hours(masks: pl.Series) -> NDArray[np.float64]:
    """Where a source tells no hours, a sender was there all day."""
    mask = masks.fill_null((1 << HOURS) - 1).to_numpy().astype(np.uint32)
    seen = ((mask[:, None] >> np.arange(HOURS, dtype=np.uint32)) & 1).astype(np.float64)
    return np.asarray(seen / np.maximum(seen.sum(axis=1, keepdims=True), 1))
