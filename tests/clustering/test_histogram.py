"""Counts of what groups show: sums, bounds, and how tables are looked up in them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.clustering.evidence import Evidence, evidence_of
from dante.clustering.histogram import (
    LONGEST,
    NETWORKS,
    Counts,
    Histogram,
    counts_on,
    histogram,
    mixed,
    scaled,
)

from .conftest import MIRAI, TCP, ZMAP, Actor, crowd

EVERY = np.arange(1, 401).tolist()
FRAME, _ = crowd(
    Actor(60, [23, 2323], headers=MIRAI),
    Actor(60, EVERY, pick=5, headers=ZMAP),
    Actor(60, [443], networks=[700, 701]),
)
DAY = evidence_of(FRAME)

ROWS = st.lists(st.integers(0, DAY.n - 1), min_size=1, max_size=60, unique=True).map(
    lambda rows: np.array(sorted(rows), dtype=np.int64)
)


def _adds_up(group: Histogram) -> None:
    """Whatever was counted, each sender counts once in all of these."""
    assert group.hours.sum() == pytest.approx(group.senders)
    assert group.placed == pytest.approx(group.networks.weights.sum() + group.forgotten)
    assert group.placed <= group.senders * (1 + 1e-9)
    assert group.words.weights.sum() <= group.senders * (1 + 1e-9)
    assert np.all(group.users <= group.senders * (1 + 1e-9))
    assert len(group.users) == len(group.words.keys) <= LONGEST
    assert len(group.networks.keys) <= NETWORKS
    for counts in (group.words, group.traits, group.networks):
        assert counts.keys.dtype == np.uint64
        assert np.all(np.diff(counts.keys.astype(np.int64)) > 0)
        assert np.all(counts.weights > 0)
    assert 0 <= group.lone <= group.senders * (1 + 1e-9)


@given(rows=ROWS)
@settings(max_examples=40)
def test_a_histogram_counts_each_sender_once(rows: np.ndarray) -> None:
    """Words, users and traits are what a loop over the senders counts."""
    made = histogram(DAY, rows)
    _adds_up(made)
    assert made.senders == pytest.approx(made.placed) == len(rows)
    words: dict[int, float] = {}
    users: dict[int, int] = {}
    for row in rows.tolist():
        for word in FRAME["words"][row]:
            words[word] = words.get(word, 0) + 1 / len(FRAME["words"][row])
            users[word] = users.get(word, 0) + 1
    assert dict(zip(made.words.keys.tolist(), made.words.weights, strict=True)) == pytest.approx(
        words
    )
    assert dict(zip(made.words.keys.tolist(), made.users.tolist(), strict=True)) == users
    shown = sum(FRAME[name].gather(rows).count() for name in dict(MIRAI))
    assert made.traits.weights.sum() == shown


@given(one=ROWS, other=ROWS, by=st.floats(0.1, 1))
@settings(max_examples=40)
def test_groups_are_mixed_and_scaled_without_losing_a_sender(
    one: np.ndarray, other: np.ndarray, by: float
) -> None:
    """Senders add up, in either order, and scaling scales them all."""
    a, b = scaled(histogram(DAY, one), by), histogram(DAY, other)
    for both in (mixed(a, b), mixed(b, a)):
        _adds_up(both)
        assert both.senders == pytest.approx(by * len(one) + len(other))
        assert both.users.sum() == pytest.approx(a.users.sum() + b.users.sum())
    there, back = mixed(a, b), mixed(b, a)
    assert np.array_equal(there.words.keys, back.words.keys)
    assert np.array_equal(there.words.weights, back.words.weights)


@given(one=ROWS, other=ROWS)
@settings(max_examples=20)
def test_two_groups_mixed_are_the_group_of_both(one: np.ndarray, other: np.ndarray) -> None:
    """Counting two parts and mixing them is counting all at once, networks excepted: of those the
    larger count is kept, for whoever is there on two days is not two.
    """
    rest = np.setdiff1d(other, one)
    if not len(rest):
        return
    apart = mixed(histogram(DAY, one), histogram(DAY, rest))
    whole = histogram(DAY, np.sort(np.concatenate([one, rest])))
    assert np.array_equal(apart.words.keys, whole.words.keys)
    assert np.allclose(apart.words.weights, whole.words.weights)
    assert np.array_equal(apart.users, whole.users)
    assert np.array_equal(apart.traits.keys, whole.traits.keys)
    assert np.array_equal(apart.traits.weights, whole.traits.weights)
    assert np.array_equal(apart.networks.keys, whole.networks.keys)
    one_by_one = counts_on(
        whole.networks.keys, [histogram(DAY, one), histogram(DAY, rest)], lambda g: g.networks
    )
    assert np.array_equal(apart.networks.weights, one_by_one.toarray().max(axis=0))


def _wide() -> Evidence:
    """Senders of 5,000 ports in 600 networks."""
    frame, _ = crowd(Actor(600, list(range(1, 5001)), pick=200))
    return evidence_of(frame)


def test_what_is_seldom_is_forgotten_and_still_counted() -> None:
    """Of many ports and networks the commonest are kept, and the senders of others are known of."""
    day = _wide()
    made = histogram(day, np.arange(day.n))
    _adds_up(made)
    assert (len(made.words.keys), len(made.networks.keys)) == (LONGEST, NETWORKS)
    assert made.forgotten == pytest.approx(600 - made.networks.weights.sum())
    users = np.sort(np.asarray(day.uses.sum(axis=0)).ravel())[::-1]
    assert made.users.min() >= users[LONGEST]


def test_what_has_faded_is_gone() -> None:
    """Old words and traits leave after some days that each count 0.8, and senders with them."""
    now, old = histogram(DAY, np.arange(100, 110)), histogram(DAY, np.arange(10))
    for _ in range(40):
        old = mixed(scaled(old, 0.8), now)
    _adds_up(old)
    assert set(old.words.keys.tolist()) == set(now.words.keys.tolist())
    assert set(old.traits.keys.tolist()) == set(now.traits.keys.tolist())
    assert old.senders == pytest.approx(50, abs=0.5)
    assert old.placed == pytest.approx(10, abs=0.5)


KEYS = st.dictionaries(st.integers(0, 30), st.floats(0.1, 9), max_size=12)


@given(tables=st.lists(KEYS, min_size=1, max_size=4), keys=st.sets(st.integers(0, 40), max_size=15))
@settings(max_examples=60)
def test_counts_on_keys_are_a_look_up(tables: list[dict[int, float]], keys: set[int]) -> None:
    """Each number is the count of that key, 0 where it is not counted."""
    empty = Counts(np.empty(0, np.uint64), np.empty(0))
    groups = [
        Histogram(
            1.0,
            Counts(
                np.array(sorted(table), dtype=np.uint64),
                np.array([table[key] for key in sorted(table)], dtype=np.float64),
            ),
            np.ones(len(table)),
            empty,
            np.zeros(24),
            empty,
            0.0,
        )
        for table in tables
    ]
    wanted = [[table.get(key, 0.0) for key in sorted(keys)] for table in tables]
    made = counts_on(np.array(sorted(keys), dtype=np.uint64), groups, lambda group: group.words)
    assert made.toarray().tolist() == wanted


def test_a_sweep_shares_its_sender_out_among_its_words() -> None:
    """One sender of four hundred ports weighs as much as one of one port."""
    frame, owner = crowd(Actor(1, EVERY), Actor(1, [9]))
    day = evidence_of(frame)
    sweep, single = (histogram(day, np.flatnonzero(owner == each)) for each in (0, 1))
    assert sweep.words.weights.sum() == pytest.approx(single.words.weights.sum())
    assert single.words.keys.tolist() == [TCP + 9]
