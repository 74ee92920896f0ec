"""What becomes of clusters from one day to the next."""

from benchmarks.rivals.monic import transitions


def _span(first: int, last: int) -> set[int]:
    return set(range(first, last))


def test_most_members_make_a_cluster_survive() -> None:
    """Six of ten of those seen suffice, and members that are gone do not count."""
    found = transitions({0: _span(0, 20)}, {0: _span(0, 6), 1: _span(6, 10)}, set())
    assert found.survived == {0: 0}


def test_too_few_seen_is_inactive() -> None:
    """A cluster of which less than .35 are seen at all goes nowhere."""
    found = transitions({0: _span(0, 20)}, {0: _span(0, 6)}, set())
    assert (found.survived, found.absorbed, found.split) == ({}, {}, {})


def test_what_noise_has_disappeared() -> None:
    """A cluster most of whose members are noise today is no split."""
    found = transitions({0: _span(0, 20)}, {0: _span(0, 8)}, _span(8, 20))
    assert (found.survived, found.split) == ({}, {})


def test_two_halves_are_a_split() -> None:
    """Where no part is most, the parts above .35 are what it split into."""
    found = transitions(
        {5: _span(0, 20)}, {0: _span(0, 9), 1: _span(9, 18), 2: _span(18, 20)}, set()
    )
    assert found.split == {5: [0, 1]}


def test_the_smaller_of_two_is_absorbed() -> None:
    """Of two that end up in one, the one that makes up most of it survives."""
    found = transitions({0: _span(0, 20), 1: _span(20, 25)}, {0: _span(0, 25)}, set())
    assert (found.survived, found.absorbed) == ({0: 0}, {1: 0})


def test_of_two_halves_neither_survives() -> None:
    """Where neither makes up most of the new one, both are absorbed into a new cluster."""
    found = transitions({0: _span(0, 20), 1: _span(20, 40)}, {7: _span(0, 40)}, set())
    assert (found.survived, found.absorbed) == ({}, {0: 7, 1: 7})
