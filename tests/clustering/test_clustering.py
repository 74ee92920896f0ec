"""Weighted density clustering against the reference package, and a day's clusters."""

import datetime as dt

import numpy as np
import polars as pl
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dante.clustering import cluster_day, weighted_hdbscan
from dante.clustering.day import CLUSTERED
from dante.config import ClusterSettings
from dante.embedding import PortModel
from dante.embedding.model import ModelCard
from dante.sequences import SENDERS

TCP = 6 * 65536


def _blobs(seed: int, n: int, *, blobs: int = 3, spread: float = 0.1) -> NDArray[np.float64]:
    rng = np.random.Generator(np.random.PCG64(seed))
    centres = rng.normal(0, 1, (blobs, 3))
    points = centres[rng.integers(0, blobs, n)] + rng.normal(0, spread, (n, 3))
    points[:: max(n // 6, 1)] = rng.uniform(-3, 3, points[:: max(n // 6, 1)].shape)
    return np.asarray(points)


def _ones(n: int) -> NDArray[np.int64]:
    return np.ones(n, dtype=np.int64)


def _parts(labels: NDArray[np.int64]) -> tuple[set[frozenset[int]], set[int]]:
    """Clusters as sets of positions, and the positions of noise."""
    clusters = {
        frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) - {-1}
    }
    return clusters, set(np.flatnonzero(labels == -1).tolist())


def _hdbscan(
    points: NDArray[np.float64], least: int, radius: float, algorithm: str, single: bool = False
) -> NDArray[np.int64]:
    import hdbscan

    # The package does not count a point among its own neighbours; we do.
    made = hdbscan.HDBSCAN(
        min_cluster_size=least,
        min_samples=least - 1,
        cluster_selection_epsilon=radius,
        algorithm=algorithm,
        allow_single_cluster=single,
        approx_min_span_tree=False,
    ).fit(points)
    return np.asarray(made.labels_, dtype=np.int64)


def _reference(
    points: NDArray[np.float64], least: int, radius: float
) -> tuple[set[frozenset[int]], set[int]]:
    """What the hdbscan package says, if it says one thing.

    A point's core distance is the length of several edges at once, and at such a tie the package
    goes by the order of the points: examples where that decides are passed over. So are those
    where it matters whether all may be one cluster, which we decide by the radius.
    """
    found = _parts(_hdbscan(points, least, radius, "generic"))
    assume(found == _parts(_hdbscan(points, least, radius, "boruvka_kdtree")))
    assume(found == _parts(_hdbscan(points, least, radius, "generic", single=True)))
    orders = [np.random.Generator(np.random.PCG64(s)).permutation(len(points)) for s in range(8)]
    for order in [np.lexsort(points.T), *orders]:
        labels = np.empty(len(points), dtype=np.int64)
        for algorithm in ("generic", "prims_kdtree"):
            labels[order] = _hdbscan(points[order], least, radius, algorithm)
            assume(found == _parts(labels))
    return found


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(12, 80),
    least=st.integers(2, 6),
    radius=st.sampled_from([1e-9, 0.05, 0.2]),
    spread=st.sampled_from([0.02, 0.1, 0.4]),
)
@example(seed=222, n=65, least=4, radius=1e-9, spread=0.02)  # four that meet and part at once
@settings(max_examples=30, deadline=None)
def test_points_of_weight_one_cluster_as_in_the_reference(
    seed: int, n: int, least: int, radius: float, spread: float
) -> None:
    """With all weights 1 the clusters and the noise are those of the hdbscan package."""
    points = _blobs(seed, n, spread=spread)
    labels, strengths = weighted_hdbscan(points, _ones(n), min_senders=least, radius=radius)
    assert _parts(labels) == _reference(points, least, radius)
    assert np.all((strengths >= 0) & (strengths <= 1))
    assert np.all(strengths[labels < 0] == 0)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(8, 30),
    least=st.integers(2, 6),
    radius=st.sampled_from([0.05, 0.2]),
)
@settings(max_examples=30, deadline=None)
def test_a_weight_is_that_many_points_in_one_place(
    seed: int, n: int, least: int, radius: float
) -> None:
    """A point of weight w, w up to the least cluster, is w equal points to the reference."""
    rng = np.random.Generator(np.random.PCG64(seed))
    weights = rng.integers(1, least + 1, n)
    points = _blobs(seed, n)
    owner = np.repeat(np.arange(n), weights)
    theirs = _reference(points[owner], least, radius)
    labels, _ = weighted_hdbscan(points, weights, min_senders=least, radius=radius)
    assert _parts(labels[owner]) == theirs


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), least=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_the_order_of_points_only_renames_clusters(seed: int, n: int, least: int) -> None:
    """Points that each weigh enough fall into the same clusters in any order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    points, weights = _blobs(seed, n), rng.integers(least, 9, n)
    order = rng.permutation(n)
    one, _ = weighted_hdbscan(points, weights, min_senders=least, radius=0.2)
    other, _ = weighted_hdbscan(points[order], weights[order], min_senders=least, radius=0.2)
    assert _parts(one[order]) == _parts(other)


def test_a_tie_is_not_decided_by_the_order_of_points() -> None:
    """Light points, too, fall into the same clusters in any order."""
    rng = np.random.Generator(np.random.PCG64(29))
    points, weights = _blobs(29, 29), rng.integers(1, 9, 29)
    order = rng.permutation(29)
    one, _ = weighted_hdbscan(points, weights, min_senders=3, radius=0.2)
    other, _ = weighted_hdbscan(points[order], weights[order], min_senders=3, radius=0.2)
    assert _parts(one[order]) == _parts(other)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), least=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_every_cluster_weighs_enough(seed: int, n: int, least: int) -> None:
    """No cluster has fewer senders than the least wanted."""
    rng = np.random.Generator(np.random.PCG64(seed))
    points, weights = _blobs(seed, n), rng.integers(1, 4, n)
    labels, _ = weighted_hdbscan(points, weights, min_senders=least, radius=0.2)
    for label in set(labels.tolist()) - {-1}:
        assert weights[labels == label].sum() >= least


def test_scattered_points_stay_noise() -> None:
    """A point far from two dense groups is in neither of them."""
    rng = np.random.Generator(np.random.PCG64(5))
    left = rng.normal(0, 0.01, (20, 3))
    points = np.vstack([left, left + np.array([5, 0, 0]), [[2.5, 9, 0], [-9, 2, 4], [2, -7, 8]]])
    labels, strengths = weighted_hdbscan(points, _ones(43), min_senders=5, radius=0.2)
    assert labels[40:].tolist() == [-1, -1, -1]
    assert strengths[40:].tolist() == [0, 0, 0]
    assert len(set(labels[:20])) == len(set(labels[20:40])) == 1
    assert labels[0] != labels[20]


def test_little_or_nothing_to_cluster() -> None:
    """No points, one light point and one heavy point each give the answer one expects."""
    none = weighted_hdbscan(np.empty((0, 4)), np.empty(0, np.int64), min_senders=5, radius=0.2)
    assert [part.tolist() for part in none] == [[], []]
    light = weighted_hdbscan(np.ones((1, 4)), np.array([4]), min_senders=5, radius=0.2)
    assert [part.tolist() for part in light] == [[-1], [0]]
    heavy = weighted_hdbscan(np.ones((1, 4)), np.array([5]), min_senders=5, radius=0.2)
    assert [part.tolist() for part in heavy] == [[0], [1]]


def test_points_within_one_radius_are_one_cluster() -> None:
    """Two groups nearer than the radius are one."""
    rng = np.random.Generator(np.random.PCG64(0))
    group = rng.normal(0, 0.005, (20, 2))
    points = np.vstack([group, group + np.array([0.1, 0])])
    labels, _ = weighted_hdbscan(points, _ones(40), min_senders=5, radius=0.2)
    assert set(labels.tolist()) == {0}


def test_one_far_point_does_not_part_what_lies_within_one_radius() -> None:
    """Two groups nearer than the radius are one, noise elsewhere or not."""
    rng = np.random.Generator(np.random.PCG64(0))
    group = rng.normal(0, 0.005, (20, 2))
    points = np.vstack([group, group + np.array([0.1, 0]), [[1.0, 1.0]]])
    labels, _ = weighted_hdbscan(points, _ones(41), min_senders=5, radius=0.2)
    assert set(labels[:40].tolist()) == {0}


def test_heavy_points_in_one_place_do_not_break_the_hierarchy() -> None:
    """Distinct profiles with the same vector are one cluster, beside others, without warnings."""
    places = np.array([[0, 0], [0, 0], [0, 0], [5, 0], [5, 0], [0, 5.0]])
    with np.errstate(all="raise"):
        labels, strengths = weighted_hdbscan(
            places, np.array([9, 9, 9, 9, 9, 9]), min_senders=5, radius=0.2
        )
    assert np.isfinite(strengths).all()
    assert _parts(labels)[0] == {frozenset({0, 1, 2}), frozenset({3, 4}), frozenset({5})}


def _model() -> PortModel:
    words = np.arange(TCP + 1, TCP + 41, dtype=np.uint32)
    rng = np.random.Generator(np.random.PCG64(3))
    vectors = rng.standard_normal((40, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    day = dt.date(2025, 3, 1)
    card = ModelCard("m", day, day, 1, 40, 8, 0, 0, 100, "i", {})
    return PortModel(card, words, vectors.astype(np.float32), np.full(40, 5))


def _senders(uses: list[list[int]], first: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "src": first + src,
                "packets": 2 * len(ports),
                "sentence": [TCP + port for port in ports],
                "words": sorted(TCP + port for port in ports),
                "counts": [2] * len(ports),
            }
            for src, ports in enumerate(uses)
        ],
        schema=SENDERS,
    )


def test_a_day_of_two_activities_and_noise() -> None:
    """Clusters count from 0 by falling size, and who fits none is noise."""
    senders = _senders([[1, 2]] * 6 + [[10, 11, 12]] * 9 + [[30], [31], [32]])
    made = cluster_day(senders, _model(), ClusterSettings())
    assert made.members.schema == CLUSTERED
    assert made.members["src"].to_list() == list(range(18))
    assert made.members["cluster_id"].to_list() == [1] * 6 + [0] * 9 + [None] * 3
    assert made.members["packets"].sum() == senders["packets"].sum()
    assert made.profiles == 2


def test_a_day_of_one_profile_is_one_cluster_if_enough_have_it() -> None:
    """One profile makes one cluster of five senders, and none of four."""
    for n, ids in ((5, [0] * 5), (4, [None] * 4)):
        made = cluster_day(_senders([[1, 2]] * n), _model(), ClusterSettings())
        assert made.members["cluster_id"].to_list() == ids


def test_a_day_without_senders_has_no_clusters() -> None:
    """An empty day gives an empty table of the right columns."""
    made = cluster_day(_senders([]), _model(), ClusterSettings())
    assert made.members.schema == CLUSTERED
    assert (made.members.height, made.profiles) == (0, 0)


@given(
    uses=st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True), max_size=40),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_the_order_of_senders_changes_nothing(uses: list[list[int]], seed: int) -> None:
    """Shuffled rows give the same clusters, byte for byte, and each sender is in once."""
    senders = _senders(uses)
    made = cluster_day(senders, _model(), ClusterSettings()).members
    mixed = senders.sample(fraction=1, shuffle=True, seed=seed) if uses else senders
    assert cluster_day(mixed, _model(), ClusterSettings()).members.equals(made)
    assert made["src"].to_list() == senders["src"].to_list()
    sizes = made["cluster_id"].drop_nulls().value_counts().sort("cluster_id")
    assert sizes["cluster_id"].to_list() == list(range(sizes.height))
    assert sizes["count"].is_sorted(descending=True)
    assert not sizes.height or sizes["count"].min() >= 5  # type: ignore[operator]
