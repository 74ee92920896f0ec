"""Frequent sets of ports."""

import itertools

import numpy as np
import pytest

from benchmarks.rivals.portsets import frequent_port_sets


def test_a_sender_has_the_largest_frequent_set_it_contains() -> None:
    """Five senders that try two ports and five that try one of them are two sets."""
    transactions = {src: frozenset({22, 23}) for src in range(5)}
    transactions |= {src: frozenset({23}) for src in range(5, 10)}
    transactions |= {10: frozenset({22, 23, 9}), 11: frozenset({9})}
    found = frequent_port_sets(transactions, support=5, longest=40)
    assert found == {
        frozenset({22, 23}): {0, 1, 2, 3, 4, 10},
        frozenset({23}): {5, 6, 7, 8, 9},
    }


def test_what_two_senders_share_is_a_candidate() -> None:
    """Senders that each try a port of their own besides are found by what they have in common."""
    transactions = {src: frozenset({22, 23, 1000 + src}) for src in range(6)}
    found = frequent_port_sets(transactions, support=5, longest=40)
    assert found == {frozenset({22, 23}): set(range(6))}


@pytest.mark.parametrize("seed", range(4))
def test_every_set_is_frequent_and_no_sender_has_a_larger_one(seed: int) -> None:
    """Against all subsets of few ports: right support, and none larger among pairs' overlaps."""
    rng = np.random.Generator(np.random.PCG64(seed))
    transactions = {
        src: frozenset(rng.choice(6, rng.integers(1, 5), replace=False).tolist())
        for src in range(40)
    }
    found = frequent_port_sets(transactions, support=5, longest=40)
    frequent = {
        frozenset(ports)
        for size in range(1, 7)
        for ports in itertools.combinations(range(6), size)
        if sum(set(ports) <= theirs for theirs in transactions.values()) >= 5
    }
    assert set(found) <= frequent
    for ports, senders in found.items():
        for src in senders:
            largest = max(len(other) for other in frequent if other <= transactions[src])
            assert ports <= transactions[src]
            assert len(ports) == largest  # with 40 senders of 6 ports, all overlaps are shown
