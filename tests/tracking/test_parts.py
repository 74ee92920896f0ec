"""Two actors in one track: told apart by several days and two kinds of evidence, never by one."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.clustering.evidence import evidence_of
from dante.clustering.mixture import Told, told_apart
from dante.tracking.parts import Parts, company_of, find_parts
from tests.clustering.conftest import ALL_DAY, MIRAI, Actor, crowd, shift

NIGHT = shift(2, 3)
PORTS = [23, 2323, 26, 2223, 23231, 9000, 80, 81]


def _days(*actors: Actor, days: int = 3, seed: int = 1) -> tuple[pl.DataFrame, dict[int, int]]:
    """Rows of the same senders on some days, and the actor each is of."""
    frames = []
    owner: dict[int, int] = {}
    for number in range(days):
        # The same addresses every day; hours are drawn anew.
        frame, of = crowd(*actors, seed=seed)
        drawn, _ = crowd(*actors, seed=seed + 100 * number)
        frame = frame.with_columns(hours=drawn["hours"] if number == 0 else frame["hours"])
        frames.append(frame.with_columns(day=pl.lit(dt.date(2025, 3, 1 + number))))
        owner |= dict(zip(frame["src"].to_list(), of.tolist(), strict=True))
    return pl.concat(frames).sort("src", "day"), owner


def _parts(*actors: Actor, days: int = 3, seed: int = 1) -> tuple[Parts | None, list[int]]:
    rows, owner = _days(*actors, days=days, seed=seed)
    crowded, _ = crowd(*actors, Actor(2000, [443]), seed=seed)
    company = company_of(evidence_of(rows), np.ones(rows.height, np.bool_), evidence_of(crowded))
    found = find_parts(company, [], least=5)
    return found, [owner[src] for src in company.src.tolist()]


def _actors(found: Parts | None, owner: list[int]) -> list[int]:
    """The actor of each sender of the smaller part, which there must be."""
    assert found is not None
    return [owner[i] for i in np.flatnonzero(found.other).tolist()]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_networks_and_hours_together_part_two_actors_on_the_same_ports(seed: int) -> None:
    """One keeps to four networks and two hours, one is everywhere and always: they are two."""
    found, owner = _parts(
        Actor(60, PORTS, headers=MIRAI, seen=4),
        Actor(20, PORTS, headers=MIRAI, hours=NIGHT, networks=[700, 701, 702, 703]),
        seed=seed,
    )
    told = _actors(found, owner)
    assert found is not None
    assert told.count(1) >= 18
    assert told.count(0) <= 1
    assert min(found.told.networks, found.told.hours) > 0.5


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_few_are_found_among_many_by_networks_that_keep_hours_of_their_own(seed: int) -> None:
    """Many of the many are in those hours too, by chance, but not with all of their network."""
    many = list(range(300, 420))
    found, owner = _parts(
        Actor(700, PORTS, headers=MIRAI, seen=1, networks=many),
        Actor(25, PORTS, headers=MIRAI, hours=NIGHT, networks=[700, 701, 702, 703]),
        seed=seed,
    )
    told = _actors(found, owner)
    assert told.count(1) >= 23
    assert told.count(0) <= 5


def test_two_shifts_are_two_actors_if_senders_keep_to_theirs() -> None:
    """With nobody between them, and day after day; what is so on one day may be chance."""
    day_and_night = (
        Actor(40, PORTS, headers=MIRAI, hours=shift(1, 2, 3)),
        Actor(60, PORTS, headers=MIRAI, hours=shift(13, 14, 15)),
    )
    found, owner = _parts(*day_and_night)
    assert found is not None
    assert found.shifts
    assert _actors(found, owner) == [0] * 40
    assert _parts(*day_and_night, days=1)[0] is None


@pytest.mark.parametrize(
    "other",
    [
        Actor(20, PORTS, headers=MIRAI, hours=NIGHT),
        Actor(20, PORTS, headers=MIRAI, networks=[700, 701, 702, 703], seen=4),
    ],
    ids=["hours", "networks"],
)
def test_one_kind_of_evidence_parts_nobody(other: Actor) -> None:
    """Hosts of one botnet that sleep at night, or sit with one provider, are of the botnet."""
    found, _ = _parts(Actor(60, PORTS, headers=MIRAI, seen=4), other)
    assert found is None


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), pick=st.integers(2, 7))
def test_one_actor_whose_hosts_each_try_some_ports_is_one(seed: int, pick: int) -> None:
    """That each keeps its own part of the ports for days does not make groups of them."""
    found, _ = _parts(Actor(80, PORTS, pick=pick, headers=MIRAI, seen=3), days=7, seed=seed)
    assert found is None


def test_other_ports_alone_part_two_actors() -> None:
    """Where several ports say the same of whose a sender is, nothing else need."""
    found, owner = _parts(
        Actor(40, [23, 2323, 26, 2223, 9000], pick=4, headers=MIRAI, hours=ALL_DAY),
        Actor(25, [80, 81, 8080, 8081, 9000], pick=4, headers=MIRAI, hours=ALL_DAY),
    )
    assert found is not None
    assert _actors(found, owner) == [1] * 25
    assert found.told.ports > 1
    assert found.told.alike < 0.5


def test_senders_of_one_port_each_are_not_parted_by_it() -> None:
    """Of two ports a host tries one: that tells of itself only, and makes no two actors."""
    found, _ = _parts(Actor(80, [23, 2323], pick=1, headers=MIRAI, seen=3))
    assert found is None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), senders=st.integers(16, 40))
def test_a_few_senders_are_not_told_apart_by_what_each_shows_himself(
    seed: int, senders: int
) -> None:
    """Of hosts that each try two ports of many, at any hour, no half is another actor."""
    rows, _ = _days(Actor(senders, list(range(1000, 1200)), pick=2, hours=ALL_DAY), seed=seed)
    crowded, _ = crowd(Actor(2000, [443]), seed=seed)
    company = company_of(evidence_of(rows), np.ones(rows.height, np.bool_), evidence_of(crowded))
    half = np.random.default_rng(seed).permutation(len(company.src)) % 2 == 0
    told = told_apart(company.once, half)
    assert max(told.ports, told.hours) < 0.5
    assert not told.sure


def test_two_kinds_prove_nothing_where_the_third_says_more_to_the_contrary() -> None:
    """Hours and ports that differ a little, in networks that parts share, are of one actor."""
    assert Told(there=90, networks=0.0, hours=0.65, ports=0.4, alike=0.7).sure
    assert not Told(there=90, networks=-1.3, hours=0.65, ports=0.4, alike=0.7).sure
    assert not Told(there=90, networks=0.3, hours=0.65, ports=0.2, alike=0.9).sure


def test_hours_that_tell_little_do_beside_networks_that_tell_all() -> None:
    """Of one actor in two networks, those of one network may be some more in some hours."""
    assert Told(there=90, networks=1.2, hours=0.35, ports=0.0, alike=0.9).sure
    assert not Told(there=90, networks=0.73, hours=0.34, ports=0.04, alike=0.9).sure
    assert not Told(there=90, networks=1.2, hours=0.35, ports=-0.2, alike=0.9).sure
    assert not Told(there=90, networks=0.3, hours=0.45, ports=0.9, alike=0.9).sure


def test_what_parts_the_days_of_an_actor_does_not_part_its_senders() -> None:
    """Ports that changed tell senders of yesterday from those of today, and none of today's."""
    changed = Told(there=30, networks=0.86, hours=0.2, ports=0.41, alike=0.78)
    assert changed.sure
    assert not changed.seen_in(Told(there=9, networks=0.94, hours=0.25, ports=-0.04, alike=0.93))
    assert changed.seen_in(Told(there=9, networks=0.58, hours=0.13, ports=0.37, alike=0.69))
    alone = Told(there=30, networks=-0.5, hours=0.1, ports=1.7, alike=0.2)
    assert alone.seen_in(Told(there=9, networks=-0.5, hours=0.2, ports=1.1, alike=0.3))
    assert not alone.seen_in(Told(there=9, networks=-0.5, hours=0.2, ports=0.0, alike=0.9))
