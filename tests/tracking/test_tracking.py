"""Tracks through crafted histories: every event, and what must hold in any history."""

import datetime as dt
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tracking.conftest import events_of

if TYPE_CHECKING:
    from .conftest import World

A, B, C = [23, 26], [80, 81, 82], [300, 301]
"""Three behaviours without a port in common."""

NewWorld = Callable[..., "World"]


def _quiet(world: "World", numbers: range) -> list[tuple[int, int, str, int | None]]:
    """Days on which only others are seen; the events of tracks other than theirs, by day."""
    seen = []
    for number in numbers:
        found = world.day(number, [(range(900, 910), C)])
        seen += [
            (number, *event) for event in events_of(found) if event[1] not in ("continue", "birth")
        ]
    return seen


def test_new_clusters_are_born_in_order(world: "World") -> None:
    """Every cluster of the first day is a birth, with ids from 1 and nothing similar."""
    found = world.day(0, [(range(20), A), (range(20, 30), B)])
    assert events_of(found) == [(1, "birth", None), (2, "birth", None)]
    assert found.lineage["similarity"].to_list() == [0, 0]
    assert found.track_days["senders"].to_list() == [20, 10]
    assert found.track_days["top_ports"].to_list()[0] == "23/tcp 100%, 26/tcp 100%"
    assert found.track_days["top_networks"].to_list()[1] == "0.0.0.0/24 100%"


def test_the_same_cluster_continues_its_track(world: "World") -> None:
    """Same behaviour and same senders: one track, two days, and the numbers that decided it."""
    world.day(0, [(range(20), A)])
    found = world.day(1, [(range(20), A)])
    assert events_of(found) == [(1, "continue", None)]
    assert found.lineage["similarity"].to_list() == [1.0]
    assert found.lineage["shared_senders"].to_list() == [20]
    state = world.states()[1]
    assert (state["days_active"], state["packets"], state["peak_senders"]) == (2, 240, 20)


def test_behaviour_alone_continues_a_track(world: "World") -> None:
    """A campaign that comes from wholly new addresses is the same track."""
    world.day(0, [(range(20), A)])
    found = world.day(1, [(range(100, 120), A)])
    assert events_of(found) == [(1, "continue", None)]
    assert found.lineage["shared_senders"].to_list() == [0]


def test_senders_alone_continue_a_track(world: "World") -> None:
    """A campaign that changes all its ports but keeps its addresses is the same track."""
    world.day(0, [(range(20), A)])
    found = world.day(1, [(range(20), B)])
    assert events_of(found) == [(1, "continue", None)]
    assert found.lineage["similarity"][0] < 0.5


def test_neither_behaviour_nor_senders_is_a_birth(world: "World") -> None:
    """New ports from new addresses are a new track, the old one is not touched."""
    world.day(0, [(range(20), A)])
    found = world.day(1, [(range(100, 120), B)])
    assert events_of(found) == [(2, "birth", None)]
    assert found.states["track_id"].to_list() == [2]


def test_a_cluster_that_leaves_with_senders_is_a_split(world: "World") -> None:
    """A new track begins by a split where most of its senders come from one that lives on."""
    world.day(0, [(range(40), A)])
    found = world.day(1, [(range(25), A), (range(25, 40), B)])
    assert events_of(found) == [(1, "continue", None), (2, "split", 1)]
    assert found.lineage["shared_senders"].to_list() == [25, 15]


def test_two_alike_clusters_are_one_track(world: "World") -> None:
    """Several clusters may continue one track."""
    world.day(0, [(range(40), A)])
    found = world.day(1, [(range(20), A), (range(20, 40), A)])
    assert events_of(found) == [(1, "continue", None)]
    assert found.track_days["senders"].to_list() == [40]
    assert found.memberships["track_id"].unique().to_list() == [1]
    assert found.memberships["cluster_id"].unique().sort().to_list() == [0, 1]


def test_a_silent_track_sleeps_then_ends(new_world: NewWorld) -> None:
    """Without a cluster a track sleeps after `sleep_after` days, and ends after `end_after`."""
    world = new_world(track={"sleep_after": 3, "end_after": 6})
    world.day(0, [(range(20), A), (range(900, 910), C)])
    assert _quiet(world, range(1, 9)) == [(4, 1, "sleep", None), (7, 1, "end", None)]
    state = world.states()[1]
    assert (state["state"], state["senders"], state["last_day"]) == ("ended", [], world.first)


def test_an_ended_track_never_matches(new_world: NewWorld) -> None:
    """What comes back after the end is a birth, however alike it is."""
    world = new_world(track={"sleep_after": 1, "end_after": 3})
    world.day(0, [(range(20), A), (range(900, 910), C)])
    _quiet(world, range(1, 6))
    found = world.day(6, [(range(20), A), (range(900, 910), C)])
    assert (3, "birth", None) in events_of(found)
    row = found.lineage.filter(pl.col("event") == "birth")
    assert row["similarity"].to_list() == [1.0]


@pytest.mark.parametrize("again", [range(20), range(500, 520)], ids=["same", "new senders"])
def test_a_sleeper_recurs(new_world: NewWorld, again: range) -> None:
    """A sleeping track recurs on its old senders and on wholly new ones."""
    world = new_world(track={"sleep_after": 2})
    world.day(0, [(range(20), A), (range(900, 910), C)])
    assert _quiet(world, range(1, 8)) == [(3, 1, "sleep", None)]
    found = world.day(8, [(again, A), (range(900, 910), C)])
    assert (1, "recur", None) in events_of(found)
    state = world.states()[1]
    assert (state["state"], state["news_away"]) == ("active", 8)
    assert state["news_day"] == world.first + dt.timedelta(days=8)


def test_a_sleeper_that_came_back_inside_another_track_recurs(new_world: NewWorld) -> None:
    """Who is taken for a part of another track, and is parted from it, is known again as itself."""
    world = new_world(track={"sleep_after": 2})
    world.day(0, [(range(30), A), (range(900, 930), C)])
    for number in range(1, 6):
        world.day(number, [(range(900, 930), C)])
    found = world.day(6, [(range(500, 520), A), (range(900, 930), C)], one_cluster=True)
    assert events_of(found) == [(1, "recur", None), (2, "continue", None)]


def test_a_sleeper_recurs_by_its_senders_with_other_ports(new_world: NewWorld) -> None:
    """The sample of senders kept of a sleeper is enough to know it again."""
    world = new_world(track={"sleep_after": 2})
    world.day(0, [(range(6000), A), (range(9000, 9010), C)])
    for number in range(1, 5):
        world.day(number, [(range(9000, 9010), C)])
    assert len(world.states()[1]["senders"]) == 4096  # type: ignore[arg-type]
    found = world.day(5, [(range(6000), B), (range(9000, 9010), C)])
    assert (1, "recur", None) in events_of(found)


def test_a_large_sleeper_recurs_by_its_senders_with_other_ports(new_world: NewWorld) -> None:
    """The size of a campaign does not decide whether its senders are known again."""
    world = new_world(track={"sleep_after": 2})
    world.day(0, [(range(9000), A), (range(99_000, 99_010), C)])
    for number in range(1, 5):
        world.day(number, [(range(99_000, 99_010), C)])
    found = world.day(5, [(range(9000), B), (range(99_000, 99_010), C)])
    assert (1, "recur", None) in events_of(found)


def test_an_awake_track_is_preferred_to_an_equal_sleeper(new_world: NewWorld) -> None:
    """Of two tracks of the same behaviour the one awake is continued."""
    world = new_world(track={"sleep_after": 2})
    world.day(0, [(range(20), [1, 2, 3]), (range(20, 40), [1, 2, 4])])
    for number in range(1, 5):
        world.day(number, [(range(20, 40), [1, 2, 4])])
    found = world.day(5, [(range(100, 120), [1, 2, 3, 4])])
    assert [event for event in events_of(found) if event[1] in ("continue", "recur")] == [
        (2, "continue", None)
    ]


def test_an_empty_day_makes_no_events(world: "World") -> None:
    """A day without clusters, or without any senders, is tracked and tables keep their columns."""
    world.day(0, [(range(20), A)])
    for number, noise in ((1, [(range(2), A)]), (2, [])):
        found = world.day(number, [], noise)
        for frame in (found.lineage, found.track_days, found.threats, found.states):
            assert frame.height == 0
        assert found.memberships.height == (2 if noise else 0)
        assert found.memberships["track_id"].null_count() == found.memberships.height
    assert events_of(world.day(3, [(range(20), A)])) == [(1, "continue", None)]


def test_an_empty_first_day_is_tracked(world: "World") -> None:
    """Nothing on the first day leaves nothing, and the next day is born as usual."""
    assert world.day(0, []).states.height == 0
    assert events_of(world.day(1, [(range(20), A)])) == [(1, "birth", None)]


def test_a_long_gap_in_the_data_does_not_lose_a_track(world: "World") -> None:
    """After an outage longer than a sleep, what is there continues and what is not sleeps."""
    world.day(0, [(range(20), A), (range(20, 40), B)])
    found = world.day(30, [(range(20), A)])
    assert events_of(found) == [(1, "continue", None), (2, "sleep", None)]
    # Who fell asleep in an outage is known by his address as anybody.
    found = world.day(31, [(range(20), A), (range(20, 40), [300, 301])])
    assert events_of(found) == [(1, "continue", None), (2, "recur", None)]


def test_a_day_without_data_is_no_day_of_silence(world: "World") -> None:
    """Whose senders work for another on one day has not gone over, be that after an outage."""
    for number in range(4):
        world.day(number, [(range(20), A), (range(20, 40), B)])
    merged = [(range(40), A)]
    assert events_of(world.day(9, merged)) == [(1, "continue", None)]
    assert events_of(world.day(10, merged)) == [(1, "continue", None), (2, "merge", 1)]


def test_the_behaviour_of_a_track_follows_its_clusters(world: "World") -> None:
    """Ports may change little by little without the track being lost."""
    ports = list(range(1, 9))
    world.day(0, [(range(20), ports)])
    for number in range(1, 16):
        if number % 3 == 0:
            ports = [*ports[1:], 8 + number]
        first = 100 * number
        assert events_of(world.day(number, [(range(first, first + 20), ports)])) == [
            (1, "continue", None)
        ], number


def test_a_histogram_stays_bounded(world: "World") -> None:
    """Of a sweep the 1,024 ports are kept that most senders try, and of networks 256."""
    sweepers = [network << 16 for network in range(300)]
    for number in range(2):
        world.day(number, [(sweepers, list(range(1, 2001)))])
    state: dict[str, Any] = world.states()[1]
    assert len(state["words"]) == len(state["weights"]) == len(state["users"]) == 1024
    assert state["words"] == sorted(state["words"])
    assert len(state["networks"]) == len(state["network_senders"]) == 256
    # Who is there on two days is in one network all the same.
    assert sum(state["network_senders"]) + state["forgotten"] == pytest.approx(300)


STEPS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(5, 12)),
        max_size=4,
        unique_by=lambda step: step[0],
    ),
    min_size=1,
    max_size=9,
)
"""Days of clusters: a block of addresses, a behaviour, and how many senders."""

BEHAVIOURS = [A, B, C, [23, 80, 300]]


@given(steps=STEPS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_holds_in_any_history(
    new_world: NewWorld, steps: list[list[tuple[int, int, int]]]
) -> None:
    """Ids never change hands, the dead stay dead, and every number adds up."""
    world = new_world(track={"sleep_after": 1, "end_after": 3, "merge_after": 1, "newcomer": 1})
    born: dict[int, str] = {}
    ended: set[int] = set()
    for number, step in enumerate(steps):
        day = world.first + dt.timedelta(days=number)
        clusters = [
            (range(100 * block, 100 * block + size), BEHAVIOURS[kind]) for block, kind, size in step
        ]
        found = world.day(number, clusters)
        events = events_of(found)
        assert len(set(events)) == len(events)
        for track_id, event, related in events:
            if event in ("birth", "split"):
                assert track_id == len(born) + 1
                born[track_id] = world.states()[track_id]["name"]  # type: ignore[assignment]
            assert track_id in born
            assert related is None or (related in born and related not in ended)
            assert track_id not in ended
            assert (related is not None) == (event in ("split", "merge"))
        ended |= {track_id for track_id, event, _ in events if event in ("merge", "end")}
        alive = {t for t, event, _ in events if event in ("birth", "split", "continue", "recur")}
        assert set(found.track_days["track_id"]) == alive
        assert set(found.memberships["track_id"].drop_nulls()) == alive
        assert found.track_days["senders"].sum() == sum(size for _, _, size in step)
        for track_id, row in world.states().items():
            assert row["name"] == born[track_id]
            assert re.fullmatch(r"[a-z0-9-]+-\d+", born[track_id])
            assert (row["state"] == "ended") == (track_id in ended)
            assert row["last_day"] <= day  # type: ignore[operator]
            assert row["raised"] >= 0  # type: ignore[operator]
            if track_id in alive:
                assert row["last_day"] == day
                assert row["state"] == "active"
        assert all(score <= 1 for score in found.threats["score"])
        assert set(found.threats["track_id"]) <= alive
    packets = world.state.frame(
        "SELECT track_id, sum(packets)::BIGINT AS p FROM track_days GROUP BY 1"
    )
    for track_id, total in packets.iter_rows():
        assert world.states()[track_id]["packets"] == total


def test_the_same_day_tracked_twice_is_the_same(new_world: NewWorld) -> None:
    """Tracking the same history in another state gives equal frames."""
    runs = []
    for _ in range(2):
        world = new_world()
        world.day(0, [(range(30), A), (range(30, 60), B)])
        runs.append(world.day(1, [(range(20), A), (range(20, 35), C), (range(100, 110), B)]))
    for name in ("states", "lineage", "memberships", "track_days", "threats"):
        assert getattr(runs[0], name).equals(getattr(runs[1], name)), name


def test_the_numbering_of_clusters_decides_nothing(new_world: NewWorld) -> None:
    """The same clusters under other numbers continue the same tracks."""
    today = [(range(20), A), (range(20, 35), B), (range(60, 70), A)]
    tracks = []
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        world = new_world()
        world.day(0, [(range(30), A), (range(30, 60), B)])
        found = world.day(1, [today[i] for i in order])
        tracks.append(found.memberships.select("src", "track_id").sort("src"))
    assert tracks[0].equals(tracks[1])
    assert tracks[0].equals(tracks[2])
