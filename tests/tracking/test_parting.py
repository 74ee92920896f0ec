"""Two actors that began as one track: each goes on as its own, with the past that is its own."""

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl

from dante.clustering.day import CLUSTERED
from dante.tracking import DayTracks
from tests.clustering.conftest import MIRAI, Actor, crowd, shift

from .conftest import DAY, World, events_of

PORTS = [23, 26, 80, 81, 222, 223]
MANY = Actor(60, PORTS, headers=MIRAI, seen=4)
FEW = Actor(20, PORTS, headers=MIRAI, hours=shift(2, 3), networks=[700, 701, 702, 703])
DAY_SHIFT = Actor(60, PORTS, headers=MIRAI, hours=shift(13, 14, 15))
NIGHT_SHIFT = Actor(20, PORTS, headers=MIRAI, hours=shift(1, 2, 3))


def _track(
    world: World,
    number: int,
    *actors: Actor,
    clusters: tuple[int, ...] = (0, 0),
    moved: int = 0,
    seed: int = 4,
) -> tuple[DayTracks, dict[int, set[int | None]]]:
    """Track a day of actors in these clusters; and the tracks each actor's senders are of.

    The second's have moved so many addresses on, within their networks.
    """
    senders, owner = crowd(*actors, seed=seed)
    src = senders["src"].to_numpy() + np.where(owner == 1, np.uint64(moved), np.uint64(0))
    order = np.argsort(src)
    senders = senders.with_columns(src=pl.Series(src))[order]
    owner = owner[order]
    clustered = senders.select(
        "src", "packets", cluster_id=np.array(clusters)[owner], astray=pl.lit(False)
    ).select(pl.col(name).cast(kind) for name, kind in CLUSTERED.items())
    found = world.track(DAY + dt.timedelta(days=number), senders, clustered)
    track = dict(found.memberships.select("address", "track_id").iter_rows())
    tracks: dict[int, set[int | None]] = {}
    for address, actor in zip(senders["src"].to_list(), owner.tolist(), strict=True):
        tracks.setdefault(actor, set()).add(track[address])
    return found, tracks


def test_two_actors_in_one_track_are_parted_and_the_many_keep_it(world: World) -> None:
    """They have been there all the time, so the part begins by a split, and is no birth."""
    for number in range(2):
        found, _ = _track(world, number, MANY, FEW)
        assert len(events_of(found)) == 1
    found, tracks = _track(world, 2, MANY, FEW)
    assert events_of(found) == [(1, "continue", None), (2, "split", 1)]
    assert tracks == {0: {1}, 1: {2}}


def test_an_actor_on_other_addresses_every_day_was_there_before_too(world: World) -> None:
    """None of its senders was there yesterday, but others in its networks at its hours were."""
    for number in range(3):
        found, tracks = _track(world, number, MANY, FEW, moved=100 * number)
    assert events_of(found) == [(1, "continue", None), (2, "split", 1)]
    assert tracks == {0: {1}, 1: {2}}


def test_who_comes_in_the_cluster_of_another_is_born(world: World) -> None:
    """Nothing of the track before was theirs, so they are new."""
    for number in range(2):
        _track(world, number, MANY)
    found, tracks = _track(world, 2, MANY, FEW)
    assert events_of(found) == [(1, "continue", None), (2, "birth", None)]
    assert tracks == {0: {1}, 1: {2}}


def test_who_was_there_before_keeps_the_track_be_they_fewer(world: World) -> None:
    """Ever so many that come to the ports of a few do not take their track from them."""
    for number in range(2):
        _track(world, number, FEW)
    found, tracks = _track(world, 2, FEW, MANY)
    assert events_of(found) == [(1, "continue", None), (2, "birth", None)]
    assert tracks == {0: {1}, 1: {2}}


def test_of_two_that_were_there_all_along_the_more_keep_the_track(world: World) -> None:
    """Not those who were on more addresses over the days."""
    more, fewer = replace(MANY, n=14), replace(FEW, n=9)
    for number in range(3):
        found, tracks = _track(world, number, more, fewer, moved=100 * number)
    assert events_of(found) == [(1, "continue", None), (2, "split", 1)]
    assert tracks == {0: {1}, 1: {2}}


def test_who_comes_from_another_track_makes_no_new_one(world: World) -> None:
    """Senders that leave their track for another's cluster are a merger in the making."""
    before = replace(FEW, ports=[300, 301])
    for number in range(2):
        _track(world, number, MANY, before, clusters=(0, 1))
    found, tracks = _track(world, 2, MANY, FEW)
    assert {event for _, event, _ in events_of(found)} == {"continue"}
    assert tracks == {0: {1}, 1: {1}}


def test_each_part_remembers_what_was_its_own(world: World) -> None:
    """With all senders new and in other networks, each is known by its hours."""
    for number in range(3):
        _, tracks = _track(world, number, DAY_SHIFT, NIGHT_SHIFT)
    assert tracks == {0: {1}, 1: {2}}
    found, tracks = _track(world, 3, DAY_SHIFT, NIGHT_SHIFT, clusters=(0, 1), seed=77)
    assert events_of(found) == [(1, "continue", None), (2, "continue", None)]
    assert tracks == {0: {1}, 1: {2}}
