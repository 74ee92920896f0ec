"""Communities of a graph."""

import itertools

import numpy as np
import pytest

from benchmarks.rivals.louvain import louvain

Graph = dict[int, dict[int, float]]


def _graph(edges: list[tuple[int, int, float]], nodes: int) -> Graph:
    graph: Graph = {node: {} for node in range(nodes)}
    for a, b, weight in edges:
        graph[a][b] = graph[b][a] = weight
    return graph


def _modularity(graph: Graph, community: dict[int, int]) -> float:
    """By its definition, over all pairs."""
    degree = {node: sum(edges.values()) for node, edges in graph.items()}
    twice = sum(degree.values())
    return sum(
        graph[a].get(b, 0.0) - degree[a] * degree[b] / twice
        for a, b in itertools.product(graph, repeat=2)
        if community[a] == community[b]
    ) / twice  # fmt: skip


def test_cliques_in_a_ring_are_communities() -> None:
    """Eight cliques of five, joined in a ring by one edge each, are the eight communities."""
    edges = []
    for clique in range(8):
        mine = range(5 * clique, 5 * clique + 5)
        edges += [(a, b, 1.0) for a, b in itertools.combinations(mine, 2)]
        edges.append((5 * clique + 4, (5 * clique + 5) % 40, 1.0))
    assert louvain(_graph(edges, 40)) == {node: node // 5 for node in range(40)}


def test_weights_decide() -> None:
    """In a square with two heavy sides, the heavy sides are the communities."""
    square = _graph([(0, 1, 9.0), (1, 2, 1.0), (2, 3, 9.0), (3, 0, 1.0)], 4)
    assert louvain(square) == {0: 0, 1: 0, 2: 1, 3: 1}


def test_lonely_nodes_stay_alone() -> None:
    """Nodes without edges are communities of their own; no nodes, no communities."""
    assert louvain(_graph([(0, 1, 1.0)], 4)) == {0: 0, 1: 0, 2: 1, 3: 2}
    assert louvain({}) == {}


@pytest.mark.parametrize("seed", range(5))
def test_planted_communities_are_found_or_equalled(seed: int) -> None:
    """On random graphs with two planted halves the modularity is that of the halves, or nearly."""
    rng = np.random.Generator(np.random.PCG64(seed))
    edges = [
        (a, b, float(rng.uniform(0.1, 1)))
        for a, b in itertools.combinations(range(20), 2)
        if rng.random() < (0.7 if a // 10 == b // 10 else 0.1)
    ]
    graph = _graph(edges, 20)
    planted = _modularity(graph, {node: node // 10 for node in graph})
    assert _modularity(graph, louvain(graph)) >= planted - 0.01 > 0.2
