"""Who is put where: senders, pieces of one activity, and two actors in one cluster."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dante.clustering import cluster_day, evidence_of, groups_of, one_activity
from dante.clustering.fragments import join_fragments
from dante.clustering.refine import coherent, refine
from dante.clustering.rivals import split_rivals
from dante.config import ClusterSettings
from dante.embedding import PortModel

from .conftest import ALL_DAY, MIRAI, TCP, ZMAP, Actor, crowd, parts, port_model, shift

LONG_LIST = list(range(1, 21))
NIGHT, NOON = shift(0, 1, 2, 3), shift(11, 12, 13, 14)


def _together(labels: NDArray[np.int64], owner: NDArray[np.int64]) -> float:
    """The share of senders that are in the cluster most of their actor's senders are in."""
    right = 0
    for actor in set(owner.tolist()):
        mine = labels[owner == actor]
        right += int((mine == np.bincount(mine[mine >= 0] + 0).argmax()).sum()) if len(mine) else 0
    return right / len(owner)


def test_a_sender_at_the_wrong_place_is_put_right() -> None:
    """Of two actors on the same port each sender goes to the one with its tool and networks."""
    frame, owner = crowd(
        Actor(60, [23, 2323], headers=MIRAI, networks=[300, 301, 302]),
        Actor(60, [23, 2323], headers=ZMAP, networks=[400, 401]),
    )
    labels = owner.copy()
    wrong = np.random.Generator(np.random.PCG64(2)).choice(120, 12, replace=False)
    labels[wrong] = 1 - labels[wrong]
    labels[wrong[:3]] = -1
    assert np.array_equal(refine(evidence_of(frame), labels, min_senders=5), owner)


def test_a_sender_that_fits_nowhere_is_noise() -> None:
    """A stranger that density put into a cluster leaves it."""
    frame, owner = crowd(
        Actor(60, [23, 2323], headers=MIRAI, networks=[300, 301]),
        Actor(200, list(range(1000, 60_000)), pick=3),
        Actor(1, [7777, 8888], headers=ZMAP),
    )
    labels = np.where(owner == 1, -1, 0)
    made = refine(evidence_of(frame), labels, min_senders=5)
    assert made[owner == 2].tolist() == [-1]
    assert set(made[owner == 0].tolist()) == {0}
    assert set(made[owner == 1].tolist()) == {-1}


def test_strangers_that_meet_on_a_popular_port_are_no_cluster_and_an_actor_on_it_is() -> None:
    """Of many strangers some try one port with one tool; who also shares networks is an actor."""
    popular = list(range(1, 21))
    linux = (("tool", 0), ("ttl", 64), ("ttl_varies", False), ("tcp_length", 60), ("ip_id", 3))
    tools = (MIRAI, ZMAP, linux)
    strangers = [Actor(500, [*popular * 3, *range(2000, 2540)], 3, headers=t) for t in tools]
    met = [Actor(6, [port], headers=tool) for port in popular for tool in tools]
    frame, owner = crowd(*strangers, *met, Actor(30, [1], headers=ZMAP, networks=[300, 301]))
    actor = len(strangers) + len(met)
    labels = np.where(owner < len(strangers), -1, owner - len(strangers))
    made = refine(evidence_of(frame), labels, min_senders=5)
    assert len(set(made[owner == actor].tolist())) == 1
    assert made[owner == actor][0] >= 0
    assert np.mean(made[owner < actor] == -1) > 0.99


def test_what_shrinks_below_the_least_is_noise() -> None:
    """A cluster of which too few are left is none."""
    frame, _ = crowd(Actor(9, [23]))
    day = evidence_of(frame)
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    assert coherent(day, labels, min_senders=5).tolist() == [-1] * 4 + [0] * 5


def test_company_is_what_members_try_alike() -> None:
    """A sender of whose ports no other member tries any leaves, whatever else it shows."""
    frame, owner = crowd(
        Actor(20, [23, 80], headers=MIRAI, networks=[300]),
        Actor(1, [555], headers=MIRAI, networks=[300]),
    )
    made = coherent(evidence_of(frame), np.zeros(21, dtype=np.int64), min_senders=5)
    assert made[owner == 1].tolist() == [-1]
    assert set(made[owner == 0].tolist()) == {0}


@given(
    uses=st.lists(st.sets(st.integers(1, 9), min_size=1, max_size=4), max_size=25),
    data=st.data(),
)
@settings(max_examples=40)
def test_company_is_counted_as_in_a_plain_loop(uses: list[set[int]], data: st.DataObject) -> None:
    """Of a member's words at least half are another member's too, and clusters are large enough."""
    frame = crowd(*(Actor(1, sorted(ports)) for ports in uses))[0] if uses else crowd()[0]
    labels = np.array([data.draw(st.integers(-1, 2)) for _ in uses], dtype=np.int64)
    words = frame["words"].to_list()
    stays = []
    for i, label in enumerate(labels.tolist()):
        users = [set(words[j]) for j, other in enumerate(labels.tolist()) if other == label]
        shared = sum(sum(word in each for each in users) >= 2 for word in words[i])
        stays.append(label >= 0 and 2 * shared >= len(words[i]))
    kept = np.where(stays, labels, -1)
    for label in set(kept.tolist()) - {-1}:
        if (kept == label).sum() < 3:
            kept[kept == label] = -1
    made = coherent(evidence_of(frame), labels, min_senders=3)
    assert parts(made) == parts(kept)
    assert set(made.tolist()) - {-1} == set(range(len(parts(made))))


@given(seed=st.integers(0, 99))
@settings(max_examples=5)
def test_names_of_clusters_decide_nothing(seed: int) -> None:
    """The same clusters under other numbers are refined, joined and split alike."""
    frame, owner = crowd(
        Actor(30, [23, 2323], headers=MIRAI, networks=[300, 301]),
        Actor(30, [23, 2323], headers=ZMAP),
        Actor(30, LONG_LIST, pick=5, networks=[400, 401]),
        seed=seed,
    )
    day, model = evidence_of(frame), port_model()
    names = np.random.Generator(np.random.PCG64(seed)).permutation(3)

    def worked(labels: NDArray[np.int64]) -> set[frozenset[int]]:
        made = refine(day, labels, min_senders=5)
        made = join_fragments(day, made, model, everyday_share=0.01, surely=0.7)
        return parts(split_rivals(day, made, min_senders=5))

    assert worked(owner) == worked(names[owner])


def test_nothing_to_put_right() -> None:
    """Days without senders, and without clusters, go through all steps as they are."""
    frame, _ = crowd(Actor(4, [23]))
    with np.errstate(all="raise"):
        for day in (evidence_of(frame), evidence_of(frame.head(0))):
            labels = np.full(day.n, -1, dtype=np.int64)
            assert groups_of(day, labels) == []
            made = refine(day, labels, min_senders=5)
            made = join_fragments(day, made, port_model(), everyday_share=0.01, surely=0.7)
            assert split_rivals(day, made, min_senders=5).tolist() == labels.tolist()


@pytest.mark.parametrize("headers", [MIRAI, ()], ids=["headers", "ports only"])
def test_pieces_of_a_campaign_with_a_long_list_are_joined(
    headers: tuple[tuple[str, int | bool], ...],
) -> None:
    """Clusters of senders that picked other ports of one list, in one place and shift, are one."""
    frame, owner = crowd(
        Actor(90, LONG_LIST, pick=8, headers=headers, hours=NIGHT, networks=[300, 301, 302]),
        Actor(60, [200, 201], headers=headers, hours=NOON, networks=[500, 501]),
        Actor(200, list(range(1000, 60_000)), pick=2),
    )
    piece = (frame["words"].list.contains(TCP + 1)).to_numpy()
    labels = np.where(owner == 0, np.where(piece, 0, 1), np.where(owner == 1, 2, -1))
    made = join_fragments(evidence_of(frame), labels, port_model(), everyday_share=0.01, surely=0.7)
    wanted = np.where(owner == 0, 0, np.where(owner == 1, 1, -1))
    assert np.array_equal(made, wanted)


def test_two_tools_are_never_one_activity() -> None:
    """Whatever else is alike, clusters of different tools are two."""
    frame, owner = crowd(
        Actor(60, [23, 2323], headers=MIRAI, hours=NIGHT, networks=[300]),
        Actor(60, [23, 2323], headers=(("tool", 3), *MIRAI[1:]), hours=NIGHT, networks=[300]),
    )
    day = evidence_of(frame)
    odds = one_activity(day, owner, groups_of(day, owner), port_model(), everyday_share=0.01)
    assert odds[0, 1] == odds[1, 0] == 0
    made = join_fragments(day, owner, port_model(), everyday_share=0.01, surely=0.001)
    assert np.array_equal(made, owner)


def test_the_odds_of_one_activity_are_symmetric() -> None:
    """It does not matter which of two clusters is asked about the other."""
    frame, owner = crowd(
        Actor(40, LONG_LIST, pick=5, networks=[300]),
        Actor(9, LONG_LIST[:8], pick=3, headers=MIRAI),
        Actor(20, [5, 6], headers=ZMAP, hours=NOON),
    )
    day = evidence_of(frame)
    odds = one_activity(day, owner, groups_of(day, owner), port_model(), everyday_share=0.01)
    assert np.allclose(odds, odds.T)
    assert np.all((odds >= 0) & (odds <= 1))


def test_two_actors_on_one_port_with_their_own_hours_and_networks_are_split() -> None:
    """A night shift in its networks and a noon shift in others are two, sender for sender."""
    frame, owner = crowd(
        Actor(80, [445], headers=MIRAI, hours=NIGHT, seen=4, networks=list(range(300, 304))),
        Actor(60, [445], headers=MIRAI, hours=NOON, seen=4, networks=list(range(900, 904))),
        Actor(400, list(range(1000, 60_000)), pick=2),
    )
    labels = np.where(owner < 2, 0, -1)
    made = split_rivals(evidence_of(frame), labels, min_senders=5)
    assert parts(made) == parts(np.where(owner < 2, owner, -1))
    assert np.all(made[owner == 2] == -1)


@pytest.mark.parametrize("n", [200, 6000])
def test_a_botnet_that_is_thick_in_some_networks_and_awake_by_day_is_one(n: int) -> None:
    """Hosts of one botnet, many in a few networks and all by their own day, are not split."""
    rng = np.random.Generator(np.random.PCG64(4))
    weights = rng.pareto(1.0, 400) + 0.2
    pool = rng.choice(np.arange(300, 60_000), 400, p=None, replace=False)
    networks = rng.choice(pool, 4000, p=weights / weights.sum()).tolist()
    day = shift(*range(8, 23))
    frame, owner = crowd(
        Actor(n, [23, 2323], headers=MIRAI, hours=day, seen=5, networks=networks),
        Actor(500, list(range(1000, 60_000)), pick=2),
    )
    labels = np.where(owner == 0, 0, -1)
    assert np.array_equal(split_rivals(evidence_of(frame), labels, min_senders=5), labels)


def test_a_source_without_hours_splits_nothing_by_hours() -> None:
    """With hours unknown two places alone are no two actors."""
    frame, owner = crowd(
        Actor(60, [445], networks=[300]),
        Actor(60, [445], networks=[900]),
    )
    frame = frame.with_columns(hours=pl.lit(ALL_DAY, dtype=pl.UInt32))
    labels = np.zeros(len(owner), dtype=np.int64)
    assert np.array_equal(split_rivals(evidence_of(frame), labels, min_senders=5), labels)


def test_a_campaign_of_ports_that_kept_other_company_is_found_on_its_first_day() -> None:
    """Each of its hosts tries three of fourteen ports, four of which many have tried before."""
    ports = [23, 53, 80, 443, 1433, 1434, 1883, 5985, 5986, 8883, 11433, 14333, 2433, 47001]
    words = np.array(sorted(TCP + port for port in [*ports, *range(2000, 2200)]), dtype=np.uint32)
    vectors = np.random.Generator(np.random.PCG64(8)).normal(size=(len(words), 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    senders = np.where(np.isin(words, [TCP + port for port in ports[:4]]), 3000, 40)
    card = replace(port_model().card, dimensions=64)
    frame, actor = crowd(
        Actor(200, ports, pick=3, headers=MIRAI),
        Actor(60, [22, 2222], headers=ZMAP),
        Actor(400, list(range(2000, 6000)), pick=1),
    )
    model = PortModel(card, words, vectors.astype(np.float32), senders)
    found = cluster_day(frame, model, ClusterSettings()).members["cluster_id"]
    mine = found.filter(pl.Series(actor == 0))
    assert mine.null_count() <= 3
    assert mine.drop_nulls().n_unique() == 1
    assert (actor[(found == mine.mode()[0]).fill_null(False).to_numpy()] == 0).all()
    assert found.filter(pl.Series(actor == 2)).null_count() >= 396
