"""Threats: their keys, the budget of a day, what their scores weigh, and the words for it."""

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from dante.labels.scanners import BenignNetworks
from dante.tracking.shapes import Volume, growth_curve
from dante.tracking.threats import WEIGHTS, Sighting, judge

if TYPE_CHECKING:
    from .conftest import World

A, B, C, D = [23, 26], [80, 81, 82], [300, 301], [110, 111]
OLD = range(9000, 9010)

NewWorld = Callable[..., "World"]


def _seasoned(new_world: NewWorld, **sections: object) -> "World":
    """A world that has seen one old campaign for ten days."""
    world = new_world(**sections)
    for number in (0, 5, 9):
        world.day(number, [(OLD, C)])
    return world


def _spread(first: int, count: int) -> range:
    """So many senders, each in a network of its own."""
    return range(first, first + count * 256, 256)


def test_the_first_day_has_no_threats(world: "World") -> None:
    """Without a yesterday everything is new, so nothing is called a threat."""
    assert world.day(0, [(range(200), A), (range(300, 400), B)]).threats.height == 0


def test_what_was_there_on_the_first_day_is_no_threat_later(world: "World") -> None:
    """A campaign as old as the data, unchanged, is not called new."""
    world.day(0, [(range(200), A)])
    for number in range(1, 9):
        assert world.day(number, [(range(200), A)]).threats.height == 0


def test_a_birth_of_something_new_is_a_threat(new_world: NewWorld) -> None:
    """New ports from many senders are a threat of kind `new`, with reasons in words."""
    world = _seasoned(new_world)
    row = world.day(10, [(OLD, C), (range(100), A)]).threats.row(0, named=True)
    assert (row["track_id"], row["kind"], row["senders"]) == (2, "new", 100)
    assert 0.5 <= row["score"] <= 1
    assert "nothing like it before" in row["reasons"]
    assert "100 senders from 1 networks" in row["reasons"]


def test_few_senders_are_no_threat(new_world: NewWorld) -> None:
    """A birth of fewer senders than `threat.min_senders` is not raised."""
    world = _seasoned(new_world, threat={"min_senders": 50})
    assert world.day(10, [(OLD, C), (range(49), A)]).threats.height == 0
    assert world.day(11, [(OLD, C), (range(50), A)]).threats.height == 1


@pytest.mark.parametrize(("benign", "raised"), [(100, 0), (50, 0), (49, 1), (0, 1)])
def test_benign_networks_suppress_a_threat(new_world: NewWorld, benign: int, raised: int) -> None:
    """A birth of which half are known benign scanners is not raised; one of fewer says so."""
    networks = BenignNetworks(np.array([0], np.uint64), np.array([max(benign - 1, 0)], np.uint64))
    none = BenignNetworks(np.empty(0, np.uint64), np.empty(0, np.uint64))
    world = _seasoned(new_world, benign=networks if benign else none)
    found = world.day(10, [(OLD, C), (range(100), A)]).threats
    assert found.height == raised
    if raised:
        assert ("known benign" in found["reasons"][0]) == (benign > 0)


def test_a_threat_is_raised_again_only_when_it_has_doubled(new_world: NewWorld) -> None:
    """Growth below twofold is silent, twofold speaks, and old news are silent until an outbreak."""
    world = _seasoned(new_world)
    sizes = [100, 150, 199, 200, 399, 400, 400, 500, 5000]
    raised = [
        world.day(10 + i, [(OLD, C), (range(size), A)]).threats.height
        for i, size in enumerate(sizes)
    ]
    # The last is an outbreak: its news are old, and it never had a third of that.
    assert raised == [1, 0, 0, 1, 0, 1, 0, 0, 1]


def test_a_return_is_a_threat_of_its_own(new_world: NewWorld) -> None:
    """A campaign raised at birth is raised again when it returns after a long sleep."""
    world = _seasoned(new_world, track={"sleep_after": 2})
    world.day(10, [(OLD, C), (range(100), A)])
    for number in (11, 12, 13, 30):
        world.day(number, [(OLD, C)])
    row = world.day(50, [(OLD, C), (range(100), A)]).threats.row(0, named=True)
    assert (row["track_id"], row["kind"]) == (2, "returned")
    assert "back after 40 days" in row["reasons"]


def test_all_sightings_of_a_threat_have_one_key(new_world: NewWorld) -> None:
    """Told again when it has doubled, a threat has the key of the day it was born."""
    world = _seasoned(new_world)
    found = [world.day(10 + n, [(OLD, C), (range(100 * 2**n), A)]).threats for n in range(3)]
    assert [frame["key"].to_list() for frame in found] == [["telnet-2@2025-03-11"]] * 3
    assert [frame["news_day"].to_list() for frame in found] == [[dt.date(2025, 3, 11)]] * 3


def test_a_return_has_a_key_of_its_own(new_world: NewWorld) -> None:
    """The same track, back after a sleep, is another threat; its day is that of the return."""
    world = _seasoned(new_world, track={"sleep_after": 2})
    keys = world.day(10, [(OLD, C), (range(100), A)]).threats["key"].to_list()
    for number in (11, 12, 13, 30):
        world.day(number, [(OLD, C)])
    for number, size in ((50, 100), (51, 250)):
        keys += world.day(number, [(OLD, C), (range(size), A)]).threats["key"].to_list()
    assert keys == ["telnet-2@2025-03-11", *["telnet-2@2025-04-20"] * 2]


def test_two_threats_of_a_day_have_two_keys(new_world: NewWorld) -> None:
    """No two tracks share a name, so no two threats share a key."""
    world = _seasoned(new_world)
    found = world.day(10, [(OLD, C), (range(100), A), (range(200, 300), B)])
    assert found.threats["key"].n_unique() == found.threats.height == 2


_MANY = [(range(1000 * n, 1000 * n + 10 * n), [100 + 2 * n, 101 + 2 * n]) for n in range(1, 6)]
"""Five new campaigns, each larger than the one before."""


def test_a_noisy_day_raises_the_best_and_holds_the_rest(new_world: NewWorld) -> None:
    """Of five that pass three are threats, by score; the other two are held, with all they say."""
    world = _seasoned(new_world)
    found = world.day(10, [(OLD, C), *_MANY])
    assert (found.threats.height, found.held.height) == (3, 2)
    assert found.threats.schema == found.held.schema
    assert found.threats["score"].is_sorted(descending=True)
    assert found.threats["score"].min() >= found.held["score"].max()  # type: ignore[operator]
    assert set(found.threats["key"]).isdisjoint(found.held["key"])


@pytest.mark.parametrize(("budget", "raised"), [(1, 1), (2, 2), (5, 5), (9, 5)])
def test_the_budget_can_be_set(new_world: NewWorld, budget: int, raised: int) -> None:
    """`threat.per_day` is the most threats of a day, and none is made up to reach it."""
    world = _seasoned(new_world, threat={"per_day": budget})
    found = world.day(10, [(OLD, C), *_MANY])
    assert (found.threats.height, found.held.height) == (raised, 5 - raised)


def test_what_was_held_is_raised_on_a_day_with_room(new_world: NewWorld) -> None:
    """The day after, the two that were held are threats, the three that were not are silent."""
    world = _seasoned(new_world)
    first = world.day(10, [(OLD, C), *_MANY])
    second = world.day(11, [(OLD, C), *_MANY])
    assert sorted(second.threats["key"]) == sorted(first.held["key"])
    assert (second.held.height, world.day(12, [(OLD, C), *_MANY]).threats.height) == (0, 0)
    assert "born 1 day ago" in second.threats["reasons"][0]


def test_what_was_held_is_not_raised_when_its_news_are_old(new_world: NewWorld) -> None:
    """After `threat.news_days` nobody is told of what found no room until then."""
    world = _seasoned(new_world, threat={"per_day": 1, "news_days": 1})
    counts = [world.day(10 + n, [(OLD, C), *_MANY[:3]]).threats.height for n in range(3)]
    assert counts == [1, 1, 0]


def test_a_day_of_one_threat_does_not_know_of_tomorrow(new_world: NewWorld) -> None:
    """What a day raises and holds is the same whatever happens after it."""
    found = []
    for later in ([], [(range(700), B)]):
        world = _seasoned(new_world)
        day = world.day(10, [(OLD, C), *_MANY])
        world.day(11, [(OLD, C), *later])
        found.append((day.threats, day.held))
    assert found[0][0].equals(found[1][0])
    assert found[0][1].equals(found[1][1])


def test_growth_over_days_makes_a_worm(new_world: NewWorld) -> None:
    """A campaign that doubles a day is called one at first, and a worm from its fourth day."""
    world = _seasoned(new_world)
    rows = []
    for n in range(5):
        found = world.day(10 + n, [(OLD, C), (_spread(0, 12 * 2**n), A)]).threats
        rows += found.rows(named=True)
    assert [row["shape"] for row in rows] == ["campaign", "campaign", "campaign", "worm", "worm"]
    assert len({row["key"] for row in rows}) == 1
    assert "2.00 times a day (senders: 12, 24, 48, 96)" in rows[3]["reasons"]


def test_a_step_is_no_worm(new_world: NewWorld) -> None:
    """What jumps once and stays is a campaign on every sighting."""
    world = _seasoned(new_world)
    shapes = []
    for n, size in enumerate([20, 21, 19, 80, 82]):
        found = world.day(10 + n, [(OLD, C), (_spread(0, size), A)]).threats
        shapes += found["shape"].to_list()
    assert shapes == ["campaign", "campaign"]


def test_one_network_on_many_ports_is_a_sweep(new_world: NewWorld) -> None:
    """Whether a threat is a sweep is told by its ports and networks, and its name says so."""
    world = _seasoned(new_world)
    ports = list(range(1, 201))
    row = world.day(10, [(OLD, C), (range(256, 276), ports)]).threats.row(0, named=True)
    assert (row["shape"], row["key"]) == ("sweep", "sweep-2@2025-03-11")
    assert "a sweep of 200 ports, 100% of it from one network" in row["reasons"]
    world = _seasoned(new_world)
    row = world.day(10, [(OLD, C), (_spread(0, 20), ports)]).threats.row(0, named=True)
    assert row["shape"] == "campaign"


def test_a_track_is_named_for_life_by_what_it_does_and_the_tool_it_was_born_with(
    new_world: NewWorld,
) -> None:
    """Half of its senders must show the tool; what they show later changes no name."""
    world = _seasoned(new_world)
    world.tools = dict.fromkeys(range(10), 1) | dict.fromkeys(range(300, 309), 2)
    found = world.day(10, [(OLD, C), (range(20), A), (range(300, 320), B)]).threats
    assert sorted(found["key"]) == ["http-3@2025-03-11", "telnet-mirai-2@2025-03-11"]
    said = dict(found.select("track_id", "reasons").iter_rows())
    assert "scan with mirai" in said[2] and "scan with" not in said[3]
    world.tools = {}
    world.day(11, [(OLD, C), (range(20), A), (range(300, 320), B)])
    assert [world.states()[n]["name"] for n in (2, 3)] == ["telnet-mirai-2", "http-3"]


def _sighting(**changes: Any) -> Sighting:
    volume = Volume(
        senders=changes.pop("senders", 20),
        packets=60,
        ports=2,
        in_one_network=1,
        day_senders=1000,
        day_packets=3000,
    )
    values: dict[str, Any] = {
        "track_id": 4,
        "name": "telnet-4",
        "news_day": dt.date(2025, 3, 11),
        "age": 0,
        "away": None,
        "nearest": "ssh-2",
        "alike": 0.4,
        "port": "23/tcp",
        "port_senders": 20,
        "expected": 4.0,
        "networks": 10,
        "benign": 0,
        "tool": None,
        "volume": volume,
        "curve": growth_curve([0], [20]),
        "raised": 0,
    }
    return Sighting(**values | changes)


def _score(**changes: Any) -> float:
    row = judge(
        _sighting(**changes), dt.date(2025, 3, 11), min_cluster=5, min_senders=8, min_score=0.01
    )
    assert row is not None
    return float(row["score"])


def test_each_part_of_the_score_moves_it_its_own_way() -> None:
    """More novelty, growth, size, breadth, persistence and a bot raise it; known good lowers it."""
    plain = _score()
    assert _score(alike=0.9) < plain < _score(alike=0.1)
    assert _score(expected=40.0) < plain < _score(expected=0.0)
    assert plain < _score(senders=50)
    assert _score(networks=1) < plain < _score(networks=20)
    assert plain < _score(curve=growth_curve([-2, 0], [20, 20]))
    assert _score(tool="zmap") < plain < _score(tool="mirai")
    assert _score(benign=4) == pytest.approx(plain * 0.9, abs=1e-4)
    worm = growth_curve([-3, -2, -1, 0], [12, 24, 48, 96])
    assert plain < _score(expected=0.0, curve=worm) <= 1
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_a_known_track_that_breaks_out_is_a_threat(world: "World") -> None:
    """A campaign of weeks is news again on the day it has many times the senders it ever had."""
    usual, C = [(range(300, 400), [80, 81])], [300, 301]
    for number in range(12):
        assert world.day(number, [*usual, (range(10), C)]).threats.height == 0
    row = world.day(12, [*usual, (range(60), C)]).threats.row(0, named=True)
    assert (row["kind"], row["senders"], row["news_day"]) == ("grown", 60, row["day"])
    assert "60 senders where its fullest day had 10" in row["reasons"]
    assert row["key"].endswith(f"@{row['day']}")
    assert world.day(13, [*usual, (range(65), C)]).threats.height == 0


def test_the_reasons_add_up_to_the_score() -> None:
    """The parts a reader sees are those the score is the sum of, and the tool is named."""
    row = judge(
        _sighting(tool="mirai", benign=2),
        dt.date(2025, 3, 11),
        min_cluster=5,
        min_senders=8,
        min_score=0.01,
    )
    assert row is not None
    terms, _, known = row["reasons"].rsplit("; ", 1)[1].partition(" × ")
    parts = [float(term.strip("()").split(" ")[0]) for term in terms.split(" + ")]
    assert sum(parts) * float(known.split(" ")[0]) == pytest.approx(row["score"], abs=0.03)
    assert "most of them scan with mirai" in row["reasons"]
    assert "2 of them are known benign scanners" in row["reasons"]


def test_scores_of_hostile_numbers_stay_between_nought_and_one() -> None:
    """Neither a million senders nor a return after a century leaves the scale."""
    huge = _score(senders=10**7, networks=10**6, port_senders=10**9, away=40_000, tool="mirai")
    assert 0 <= huge <= 1
    assert 0 <= _score(senders=8, networks=1, port_senders=0, expected=1e9, alike=1.0) <= 1


def test_reruns_give_the_same_rows(new_world: NewWorld) -> None:
    """Two runs of the same days hold and raise the same, byte for byte."""

    def run() -> list[pl.DataFrame]:
        world = _seasoned(new_world)
        days = [world.day(10 + n, [(OLD, C), *_MANY, (range(60), D)]) for n in range(3)]
        return [frame for day in days for frame in (day.threats, day.held)]

    assert all(one.equals(other) for one, other in zip(run(), run(), strict=True))
