"""HDBSCAN over weighted points.

HDBSCAN on the senders themselves shatters a day: senders of one profile are one point, and each
such point becomes a cluster of its own. Here a point is a distinct profile and its weight the
senders that have it. A point's core distance is the radius that holds `min_senders` of weight,
the minimum spanning tree is the `hdbscan` package's own (Campello, Moulavi, Sander 2013; McInnes
and Healy 2017), and a point of weight w enters its hierarchy as min(w, min_senders) twins, which
is all that decides whether a cluster is large enough.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["bounded_hdbscan", "weighted_hdbscan"]

_POINTS: Final = 1024  # points compared at once


def bounded_hdbscan(
    points: NDArray[np.float64],
    weights: NDArray[np.int64],
    *,
    min_senders: int,
    radius: float,
    most: int,
) -> NDArray[np.int64]:
    """Labels as of `weighted_hdbscan`, whose time grows with the square of the points.

    Of more points than `most` the heaviest are clustered, each with the weight of those of the
    others that are nearest it and within half a radius, and these are where it is. The rest is
    noise.
    """
    if len(points) <= most:
        return weighted_hdbscan(points, weights, min_senders=min_senders, radius=radius)[0]
    # Of equal ones none is favoured for its place in the day, which is its address.
    drawn = np.random.Generator(np.random.PCG64(len(points))).permutation(len(points))
    order = drawn[np.argsort(-weights[drawn], kind="stable")]
    heavy, light = np.sort(order[:most]), np.sort(order[most:])
    nearest, distance = _nearest(points[light], points[heavy])
    near = distance <= radius / 2
    gathered = weights[heavy].copy()
    np.add.at(gathered, nearest[near], weights[light[near]])
    found, _ = weighted_hdbscan(points[heavy], gathered, min_senders=min_senders, radius=radius)
    labels = np.full(len(points), -1, dtype=np.int64)
    labels[heavy] = found
    labels[light[near]] = found[nearest[near]]
    return labels


def _nearest(
    points: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The place of the nearest of `others` to each point, and how far it is, (len(points),)."""
    nearest = np.empty(len(points), dtype=np.int64)
    distance = np.empty(len(points))
    lengths = (others**2).sum(axis=1)
    for first in range(0, len(points), _POINTS):
        part = points[first : first + _POINTS]
        squares = lengths - 2 * part @ others.T
        best = squares.argmin(axis=1)
        nearest[first : first + _POINTS] = best
        apart = ((part - others[best]) ** 2).sum(axis=1)
        distance[first : first + _POINTS] = np.sqrt(apart)
    return nearest, distance


def weighted_hdbscan(
    points: NDArray[np.float64],
    weights: NDArray[np.int64],
    *,
    min_senders: int,
    radius: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster weighted points.

    Args:
        points: (n, d) float64.
        weights: (n,) positive int64.
        min_senders: the least weight of a cluster.
        radius: clusters this near are one (`cluster_selection_epsilon`, Malzer and Baum 2020).

    Returns:
        Labels (n,), -1 for noise, and membership strengths (n,) in 0..1.
    """
    order = np.lexsort(points.T)
    labels, strengths = _in_order(points[order], weights[order], min_senders, radius)
    back = np.argsort(order)
    return labels[back], strengths[back]


def _in_order(
    points: NDArray[np.float64], weights: NDArray[np.int64], min_senders: int, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster points in an order of their own, for ties are settled by the order of points."""
    n = len(points)
    if n == 0 or weights.sum() < min_senders:
        return np.full(n, -1, dtype=np.int64), np.zeros(n)
    from hdbscan._hdbscan_linkage import label
    from hdbscan._hdbscan_tree import condense_tree
    from hdbscan.hdbscan_ import _tree_to_labels

    core = _core_distances(points, weights, min_senders)
    twins = np.minimum(weights, min_senders) - 1
    edges = np.vstack([_spanning_tree(points, core), _twin_edges(core, twins)])
    if not len(edges):
        return np.zeros(n, dtype=np.int64), np.ones(n)
    hierarchy = label(edges[np.argsort(edges[:, 2], kind="stable")])
    tree = condense_tree(hierarchy, min_senders)
    labels, strengths, *_ = _tree_to_labels(
        None,
        hierarchy,
        min_senders,
        allow_single_cluster=_single(tree, radius),
        cluster_selection_epsilon=radius,
    )
    labels = np.asarray(labels, dtype=np.int64)
    momentary = np.isin(labels, _momentary(tree, labels))
    return (
        np.where(momentary, -1, labels)[:n],
        np.where(momentary, 0.0, np.asarray(strengths, dtype=np.float64))[:n],
    )


def _momentary(tree: Any, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clusters that all points leave at the distance at which they came together.

    They are there at no distance: of edges of one length another was taken first.
    """
    born = np.zeros(int(max(tree["parent"].max(), tree["child"].max())) + 1)
    born[tree["child"]] = tree["lambda_val"]
    points = tree[tree["child"] < len(labels)]
    stayed = points["lambda_val"] > born[points["parent"]]
    of = labels[points["child"]]
    lasting = np.unique(of[stayed])
    parents = np.unique(np.column_stack([of, points["parent"]]), axis=0)[:, 0]
    known, nodes = np.unique(parents, return_counts=True)
    return np.setdiff1d(known[(known >= 0) & (nodes == 1)], lasting)


def _single(tree: Any, radius: float) -> bool:
    """Whether nothing splits further apart than the radius: only then may all be one cluster.

    Args:
        tree: the condensed tree; points that merely fall off the root split nothing.
        radius: clusters this near are one.
    """
    root = tree["parent"].min()
    split = tree["lambda_val"][(tree["parent"] == root) & (tree["child"] > root)]
    return not len(split) or bool(1 / split.min() <= radius)


def _core_distances(
    points: NDArray[np.float64], weights: NDArray[np.int64], min_senders: int
) -> NDArray[np.float64]:
    """Radius around each point that holds `min_senders` of weight, its own included, (n,)."""
    from sklearn.neighbors import NearestNeighbors

    # Each point weighs at least one, so this many neighbours always hold enough.
    neighbours = min(min_senders, len(points))
    distances, indices = (
        NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(points).kneighbors(points)
    )
    enough = np.cumsum(weights[indices], axis=1) >= min_senders
    first = np.where(enough.any(axis=1), enough.argmax(axis=1), neighbours - 1)
    core: NDArray[np.float64] = distances[np.arange(len(points)), first]
    core[weights >= min_senders] = 0.0
    return core


def _spanning_tree(points: NDArray[np.float64], core: NDArray[np.float64]) -> Any:
    """Minimum spanning tree of the mutual reachability graph, (n - 1, 3): from, to, distance."""
    if len(points) == 1:
        return np.empty((0, 3))
    from hdbscan._hdbscan_linkage import mst_linkage_core_vector
    from hdbscan.dist_metrics import DistanceMetric

    metric = DistanceMetric.get_metric("euclidean")
    return mst_linkage_core_vector(np.ascontiguousarray(points), core, metric, 1.0)


def _twin_edges(core: NDArray[np.float64], twins: NDArray[np.int64]) -> NDArray[np.float64]:
    """An edge from each point to each of its twins, at its core distance, (twins.sum(), 3)."""
    owner = np.repeat(np.arange(len(core)), twins)
    return np.column_stack([owner, len(core) + np.arange(len(owner)), core[owner]])
