"""Which tracks a day's clusters and senders are of, and what is kept of the decision."""

import datetime as dt
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dante.clustering import Histogram, evidence_of, groups_of
from dante.clustering.histogram import Counts
from dante.config import TrackSettings
from dante.sequences import SENDERS
from dante.tracking import load_memory
from dante.tracking.match import Matches, Overlap, match_clusters
from dante.tracking.track import TRACK_STATES, Track

if TYPE_CHECKING:
    from .conftest import World

NewWorld = Callable[..., "World"]

A, B, C = [23, 26], [80, 81, 82], [300, 301]


def _published(world: "World", view: str) -> pl.DataFrame:
    return world.state.frame(f"SELECT * FROM {view} ORDER BY ALL")


def test_a_cluster_is_more_probably_its_own_track_than_another(world: "World") -> None:
    """Of three tracks each of today's clusters is most probably the one that it was."""
    world.day(0, [(range(20), A), (range(20, 40), B), (range(40, 60), C)])
    found = world.day(1, [(range(10, 20), A), (range(500, 520), B), (range(40, 60), C)])
    best = found.decisions.sort("probability", descending=True).group_by("cluster_id").first()
    assert dict(best.select("cluster_id", "track_id").iter_rows()) == {0: 1, 1: 2, 2: 3}
    assert found.decisions.filter("taken")["probability"].min() > 0.5  # type: ignore[operator]


def test_a_sender_of_one_packet_goes_where_it_was_yesterday(world: "World") -> None:
    """Two campaigns share a port; who shows only that is counted where he was before."""
    both = [(range(30), [23, 26]), (range(30, 60), [23, 99])]
    for number in range(3):
        world.day(number, both)
    found = world.day(
        3, [(range(25), [23, 26]), (range(30, 55), [23, 99])], noise=[([28, 29, 58, 59], [23])]
    )
    track = dict(found.memberships.select("address", "track_id").iter_rows())
    assert [track[src] for src in (28, 29, 58, 59)] == [1, 1, 2, 2]
    clusters = dict(found.memberships.select("address", "cluster_id").iter_rows())
    assert {clusters[src] for src in (28, 29, 58, 59)} == {None}


def test_a_stranger_of_one_packet_is_nobodys(world: "World") -> None:
    """Who was never seen and shows a port no track has is noise."""
    for number in range(2):
        world.day(number, [(range(30), A)])
    found = world.day(2, [(range(30), A)], noise=[([77], [399])])
    assert found.memberships.filter(pl.col("address") == 77)["track_id"].to_list() == [None]


def test_a_few_known_senders_go_on_without_a_cluster(world: "World") -> None:
    """A track of which some senders are seen again goes on, and no probability is made up."""
    world.day(0, [(range(30), A)])
    found = world.day(1, [], noise=[(range(4), A)])
    assert found.lineage.select("track_id", "event", "probability").rows() == [
        (1, "continue", None)
    ]
    assert found.decisions.height == 0


def test_every_decision_taken_is_lived(world: "World") -> None:
    """A cluster that continued a track has its senders in that track, and each is of one track."""
    world.day(0, [(range(30), A), (range(30, 60), B), (range(60, 80), C)])
    found = world.day(1, [(range(20), A), (range(30, 60), B), (range(100, 120), A)])
    for row in found.decisions.filter("taken").iter_rows(named=True):
        mine = found.memberships.filter(pl.col("cluster_id") == row["cluster_id"])["track_id"]
        assert mine.mode().to_list() == [row["track_id"]]
        assert row["day"] == world.first + dt.timedelta(days=1)
        for name in ("probability", "ports", "rare_ports", "headers", "hours", "senders_shared"):
            assert 0 <= row[name] <= 1 + 1e-9, name
    assert found.memberships["address"].is_unique().all()
    taken = found.decisions.filter("taken").group_by("cluster_id").len()
    assert set(taken["len"]) == {1}


TABLES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000))


@given(shape=TABLES, mixer=st.integers(0, 10_000))
@settings(max_examples=60)
def test_the_order_of_clusters_and_tracks_decides_no_match(
    shape: tuple[int, int, int], mixer: int
) -> None:
    """Rows and columns in another order give the same matches in that order."""
    clusters, tracks, seed = shape
    rng = np.random.Generator(np.random.PCG64(seed))
    probability = rng.random((clusters, tracks)) ** 2
    same_day = rng.random((clusters, clusters))
    same_day = (same_day + same_day.T) / 2
    shape = (clusters, tracks)
    overlap = Overlap(np.full(shape, 5, dtype=np.int64), rng.random(shape) / 2, rng.random(shape))
    likeness = {"networks_of_ours": 5 * rng.random(shape), "ports": rng.random(shape)}
    grown, since = rng.normal(size=shape), rng.integers(0, 3, tracks)
    how = TrackSettings()
    matches = match_clusters(probability, likeness, same_day, overlap, grown, since, how)
    whole = matches.track
    mix = np.random.Generator(np.random.PCG64(mixer))
    rows, columns = mix.permutation(clusters), mix.permutation(tracks)
    place = np.ix_(rows, columns)
    mixed = match_clusters(
        probability[place],
        {name: numbers[place] for name, numbers in likeness.items()},
        same_day[np.ix_(rows, rows)],
        Overlap(overlap.shared[place], overlap.of_cluster[place], overlap.of_track[place]),
        grown[place],
        since[columns],
        how,
    ).track
    named = np.where(mixed >= 0, columns[mixed], -1)
    assert named.tolist() == whole[rows].tolist()
    found = (np.flatnonzero(whole >= 0), whole[whole >= 0])
    speaks = (probability >= how.fragment) | (overlap.of_track >= how.shared)
    # A piece is one activity with another cluster of its track.
    mates = (whole[:, None] == whole[None, :]) & ~np.eye(clusters, dtype=np.bool_)
    piece = (mates & (same_day > how.piece)).any(axis=1)[:, None]
    # Or of a track that went over to its own, and so is nobody's any more.
    elder = np.isin(whole, matches.heir[matches.heir >= 0])[:, None]
    assert np.all((speaks | (likeness["networks_of_ours"] >= 3) | piece | elder)[found])
    assert np.all(matches.heir[whole[whole >= 0]] < 0)


def test_two_that_plainly_differ_do_not_both_join_a_track_that_nothing_continues() -> None:
    """The likelier of them is what it does today, and the other is held against that."""
    probability, nothing = np.array([[0.35], [0.45]]), np.zeros((2, 1))
    likeness = {"networks_of_ours": nothing, "ports": nothing + 0.9}
    overlap = Overlap(nothing.astype(np.int64), nothing, nothing)
    since = np.zeros(1, dtype=np.int64)
    for alike, track in ((0.0, [-1, 0]), (0.9, [0, 0])):
        same_day = np.array([[1.0, alike], [alike, 1.0]])
        found = match_clusters(
            probability, likeness, same_day, overlap, nothing, since, TrackSettings()
        )
        assert found.track.tolist() == track


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_no_clusters_or_no_tracks_match_nothing(shape: tuple[int, int]) -> None:
    """The first day, and a quiet one, have nothing to match."""
    none = np.zeros((shape[0], shape[0]))
    pairs = np.zeros(shape)
    overlap = Overlap(pairs.astype(np.int64), pairs, pairs)
    since = np.zeros(shape[1], dtype=np.int64)
    made = match_clusters(pairs, {}, none, overlap, pairs, since, TrackSettings())
    assert made.track.tolist() == [-1] * shape[0]


def test_certainty_is_no_division_by_zero() -> None:
    """Probabilities as near to 0 and 1 as they come are matched without a warning."""
    low, high = 1 / (1 + np.exp(30)), 1 / (1 + np.exp(-30))
    with np.errstate(all="raise"):
        pairs = np.array([[high, low], [low, high]])
        nothing = np.zeros((2, 2))
        how = TrackSettings(match=1.0)
        overlap = Overlap(nothing.astype(np.int64), nothing, nothing)
        since = np.zeros(2, dtype=np.int64)
        made = match_clusters(pairs, {"ports": pairs}, np.eye(2), overlap, nothing, since, how)
        assert made.track.tolist() == [0, 1]


LISTS = st.integers(0, 5).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 2**33), min_size=n, max_size=n, unique=True).map(sorted),
        st.lists(st.floats(0.1, 1e6), min_size=n, max_size=n),
    )
)


def _counts(made: tuple[list[int], list[float]]) -> Counts:
    return Counts(np.array(made[0], dtype=np.uint64), np.array(made[1], dtype=np.float64))


@given(
    words=LISTS,
    traits=LISTS,
    networks=LISTS,
    hours=st.lists(st.floats(0, 99), min_size=24, max_size=24),
    senders=st.lists(st.integers(0, 2**64 - 1), max_size=5),
    away=st.none() | st.integers(1, 999),
)
@settings(max_examples=40)
def test_a_track_is_read_back_as_it_was(
    words: Any, traits: Any, networks: Any, hours: list[float], senders: list[int], away: int | None
) -> None:
    """A row of the state, through a frame of its types, gives the same track bit for bit."""
    words = ([word % 2**32 for word in words[0]], words[1])
    day = dt.date(2025, 3, 1)
    track = Track(
        track_id=7, name="telnet-7", state="asleep", first_day=day, last_day=day, days_active=3,
        packets=2**40, peak_senders=9, size=2.5,
        shown=Histogram(
            12.75, _counts(words), np.array(words[1]) * 2, _counts(traits), np.array(hours),
            _counts(networks), 0.125,
        ),
        senders=np.array(senders, dtype=np.uint64), news_day=day, news_away=away, raised=3,
        stability=0.25,
    )  # fmt: skip
    frame = pl.DataFrame([track.row(day)], schema=TRACK_STATES)
    back = Track.from_row(frame.row(0, named=True))
    for field in fields(Track):
        mine, theirs = getattr(track, field.name), getattr(back, field.name)
        if field.name == "shown":
            continue
        assert np.array_equal(mine, theirs), field.name
    assert back.row(day) == track.row(day)


STEPS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(5, 9)),
        max_size=3,
        unique_by=lambda step: step[0],
    ),
    min_size=2,
    max_size=7,
)
"""Days of clusters: a block of addresses, a behaviour, and how many senders."""


def _clusters(step: list[tuple[int, int, int]]) -> list[tuple[range, list[int]]]:
    return [(range(100 * block, 100 * block + size), (A, B, C)[kind]) for block, kind, size in step]


@given(steps=STEPS, back=st.integers(0, 6))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rewinding_and_replaying_gives_the_same_rows(
    new_world: NewWorld, steps: list[list[tuple[int, int, int]]], back: int
) -> None:
    """Whatever day is gone back to, the days after it make the rows they made before.

    And in the whole of what is published every member has one track, every track named exists,
    and nothing is of a track that was merged away or ended.
    """
    world = new_world(track={"sleep_after": 1, "end_after": 3, "merge_after": 1})
    for number, step in enumerate(steps):
        world.day(number, _clusters(step))
    views = (
        "memberships",
        "lineage",
        "decisions",
        "track_days",
        "threats",
        "pipeline.track_states",
    )
    before = {view: _published(world, view) for view in views}
    again = min(back, len(steps) - 1)
    world.state.rewind(world.first + dt.timedelta(days=again))
    for number, step in enumerate(steps[again:], again):
        world.day(number, _clusters(step))
    for view in views:
        assert _published(world, view).equals(before[view]), view

    members, lineage = before["memberships"], before["lineage"]
    assert not members.select("day", "address").is_duplicated().any()
    known = set(before["pipeline.track_states"]["track_id"])
    for frame, name in (
        (members, "track_id"),
        (lineage, "track_id"),
        (lineage, "related_track_id"),
        (before["decisions"], "track_id"),
        (before["track_days"], "track_id"),
    ):
        assert set(frame[name].drop_nulls()) <= known, name
    gone = lineage.filter(pl.col("event").is_in(["merge", "end"])).select("track_id", end="day")
    for view in ("memberships", "track_days", "lineage"):
        later = before[view].join(gone, on="track_id").filter(pl.col("day") > pl.col("end"))
        assert later.height == 0, view
    begun = lineage.filter(pl.col("event").is_in(["birth", "split"]))
    assert sorted(begun["track_id"]) == list(range(1, len(known) + 1))


def test_a_day_without_senders_is_matched(world: "World") -> None:
    """An empty day and a day of one sender go through the tracker without a warning."""
    with np.errstate(all="raise"):
        world.day(0, [(range(20), A)])
        assert world.day(1, [], []).decisions.height == 0
        alone = world.day(2, [], [([5], A)])
    assert alone.memberships.height == 1
    empty = evidence_of(pl.DataFrame(schema=SENDERS))
    assert groups_of(empty, np.empty(0, dtype=np.int64)) == []
    memory = load_memory(world.state, world.first + dt.timedelta(days=3), window=14)
    assert [track.track_id for track in memory.tracks] == [1]


@pytest.mark.parametrize(("senders", "born"), [(6, False), (9, True)])
def test_a_handful_that_does_what_a_track_does_begins_none(
    world: "World", senders: int, born: bool
) -> None:
    """Few senders apart on some of a track's ports are a splinter; more are something new."""
    world.day(0, [(range(40), [23, 26, 2323])])
    apart = range(9 << 20, (9 << 20) + senders)
    found = world.day(1, [(range(40), [23, 26, 2323]), (apart, [23, 26, 7547, 5358])])
    assert ("birth" in found.lineage["event"].to_list()) == born
    assert found.memberships["track_id"].null_count() == (0 if born else senders)


def test_a_track_goes_on_in_the_cluster_that_took_most_of_its_senders() -> None:
    """Of two tracks that end in one cluster the likelier goes on, however improbable it is."""
    probability = np.array([[0.2, 0.1, 0.01]])
    taken = Overlap(
        np.array([[8, 9, 1]]), np.array([[0.4, 0.45, 0.1]]), np.array([[0.8, 0.9, 0.1]])
    )
    nothing, since = np.zeros((1, 3)), np.zeros(3, dtype=np.int64)
    likeness = {"networks_of_ours": nothing, "ports": nothing}
    made = match_clusters(probability, likeness, np.eye(1), taken, nothing, since, TrackSettings())
    assert made.track.tolist() == [0]


def _matched(probability: list[list[float]], same_day: list[list[float]]) -> Matches:
    pairs, one_day = np.array(probability), np.array(same_day)
    nothing = np.zeros(pairs.shape)
    overlap = Overlap(nothing.astype(np.int64), nothing, nothing)
    likeness = {"networks_of_ours": nothing, "ports": nothing}
    since = np.zeros(pairs.shape[1], dtype=np.int64)
    return match_clusters(pairs, likeness, one_day, overlap, nothing, since, TrackSettings())


def test_clusters_that_are_new_and_one_activity_are_one_newborn() -> None:
    """What of two any clusters proves little is enough of two new ones, and goes from each to the
    next; what continues a track begins none.
    """
    none = [[0.9], [0.01], [0.01], [0.01], [0.01]]
    same_day = np.eye(5)
    for one, other, odds in [(0, 1, 0.2), (1, 3, 0.2), (3, 4, 0.15), (1, 2, 0.05)]:
        same_day[one, other] = same_day[other, one] = odds
    found = _matched(none, same_day.tolist())
    assert found.track.tolist() == [0, -1, -1, -1, -1]
    assert found.together.tolist() == [0, 1, 2, 1, 1]


@pytest.mark.parametrize(("odds", "track"), [(0.6, 1), (0.4, -1)])
def test_a_piece_of_what_continues_a_track_joins_it_however_unlike(odds: float, track: int) -> None:
    """Of the main clusters of two tracks it joins the one it most probably is a piece of."""
    same_day = [[1.0, 0.0, 0.3], [0.0, 1.0, odds], [0.3, odds, 1.0]]
    found = _matched([[0.9, 0.01], [0.01, 0.9], [0.01, 0.01]], same_day)
    assert found.track.tolist() == [0, 1, track]


def test_new_clusters_of_one_kind_are_one_birth(world: "World") -> None:
    """Pieces of what begins today, on overlapping ports, raise one track; others their own."""
    world.day(0, [(range(40), A)])
    pieces = [(range(100, 140), [80, 81, 82]), (range(140, 170), [80, 81])]
    found = world.day(1, [(range(40), A), *pieces, (range(200, 230), C)])
    assert found.lineage["event"].to_list() == ["continue", "birth", "birth"]
    sizes = found.memberships.group_by("track_id").len().sort("track_id")["len"].to_list()
    assert sizes == [40, 70, 30]
