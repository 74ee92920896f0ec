"""Mergers: a track whose senders work for another ends in it, and what only looks like that."""

from typing import TYPE_CHECKING

import pytest

from tests.tracking.conftest import events_of

if TYPE_CHECKING:
    from .conftest import World

A, B = [23, 26], [80, 81, 82]
"""Two behaviours without a port in common."""


def test_senders_that_go_over_merge_their_track(world: "World") -> None:
    """A track whose senders work for another for some days ends by a merge into it."""
    world.day(0, [(range(20), A), (range(20, 40), B)])
    events = [events_of(world.day(number, [(range(40), A)])) for number in (1, 2)]
    assert events == [[(1, "continue", None)], [(1, "continue", None), (2, "merge", 1)]]
    assert world.states()[2]["state"] == "ended"


def test_of_two_that_merge_the_older_goes_on(world: "World") -> None:
    """A cluster that does what two tracks did and neither alone is the older one from that day on.

    Be it the smaller.
    """
    world.day(0, [(range(10), A)])
    for number in (1, 2):
        world.day(number, [(range(10, 40), B), (range(10), A)])
    merged = world.day(3, [(range(40), [*A, *B])])
    events = merged.lineage.select("track_id", "event", "related_track_id").rows()
    assert events == [(1, "continue", None), (2, "merge", 1)]
    assert set(merged.memberships["track_id"]) == {1}
    after = world.day(4, [(range(40), [*A, *B])])
    assert after.lineage["track_id"].to_list() == [1]


def test_a_few_that_are_left_do_not_hide_a_merger(world: "World") -> None:
    """A track that shrinks to a handful as its senders work for another merges a day later."""
    for number in (0, 1, 2):
        world.day(number, [(range(40), A), (range(40, 80), B)])
    left = [(range(76), [*A, *B]), (range(76, 80), B)]
    assert events_of(world.day(3, left)) == [(1, "continue", None), (2, "continue", None)]
    found = world.day(4, left)
    assert events_of(found) == [(1, "continue", None), (2, "merge", 1)]
    assert found.lineage["shared_senders"].to_list()[1] >= 36
    assert set(found.memberships["track_id"]) == {1}


@pytest.mark.parametrize("back", [[*range(76, 80), *range(100, 160)], list(range(100, 160))])
@pytest.mark.parametrize("taken", [A, [*A, *B]])
def test_one_that_others_carry_on_is_not_merged(
    world: "World", back: list[int], taken: list[int]
) -> None:
    """A track that lost nearly all its senders and is back with others is itself."""
    for number in (0, 1, 2):
        world.day(number, [(range(40), A), (range(40, 80), B)])
    world.day(3, [(range(76), taken), (range(76, 80), B)])
    found = world.day(4, [(range(76), taken), (back, B)])
    assert events_of(found) == [(1, "continue", None), (2, "continue", None)]


def test_one_whose_senders_stay_away_is_not_merged(world: "World") -> None:
    """A track that shrinks goes on if its senders are not seen at another's work."""
    for number in (0, 1, 2):
        world.day(number, [(range(40), A), (range(40, 80), B)])
    for number in (3, 4, 5):
        found = world.day(number, [([*range(40), *range(40, 48)], A), (range(76, 80), B)])
        assert events_of(found) == [(1, "continue", None), (2, "continue", None)]


def test_one_that_does_what_it_did_is_not_taken_over(world: "World") -> None:
    """Where the cluster of two goes on as the younger did before, it stays the younger."""
    world.day(0, [(range(10), A)])
    for number in (1, 2):
        world.day(number, [(range(10, 40), B), (range(10), A)])
    found = world.day(3, [(range(40), B)])
    assert (2, "continue") in found.lineage.select("track_id", "event").rows()


def test_a_few_senders_that_go_over_do_not_merge_a_large_track(world: "World") -> None:
    """A large campaign that pauses is not ended because some of its addresses do other things."""
    world.day(0, [(range(1000), A), (range(2000, 2040), B)])
    events = []
    for number in (1, 2, 3, 4):
        events += events_of(world.day(number, [([*range(2000, 2040), *range(6)], B)]))
    assert {event for _, event, _ in events} == {"continue"}
    assert (1, "continue", None) in events_of(world.day(5, [(range(1000), A)]))


def test_a_merged_track_never_comes_back(world: "World") -> None:
    """After a merge the same behaviour and senders are a new track, split from the heir."""
    world.day(0, [(range(20), A), (range(20, 40), B)])
    for number in (1, 2, 3):
        world.day(number, [(range(40), A)])
    found = world.day(4, [(range(20), A), (range(20, 40), B)])
    assert set(events_of(found)) >= {(1, "continue", None), (3, "split", 1)}
    assert world.states()[2]["last_day"] == world.first
    assert 2 not in found.memberships["track_id"].to_list()
