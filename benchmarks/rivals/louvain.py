"""Louvain's method (Blondel et al. 2008): communities of a graph by greedy modularity."""

from collections.abc import Mapping

__all__ = ["louvain"]

Graph = Mapping[int, Mapping[int, float]]
_LEAST_GAIN = 1e-9


def louvain(graph: Graph) -> dict[int, int]:
    """The community of each node, numbered from 0 in the order of their first nodes.

    `graph` has for every node its neighbours and the weights of the edges (above 0), both ways;
    an edge of a node to itself counts once in the node's degree for each end. Nodes are gone
    through in ascending order, so that the result is the same every time.
    """
    nodes = {node: {node} for node in sorted(graph)}
    current: dict[int, dict[int, float]] = {node: dict(graph[node]) for node in nodes}
    while True:
        community = _moved(current)
        if len(set(community.values())) == len(current):
            break
        nodes, current = _folded(nodes, current, community)
    place: dict[int, int] = {}
    for members in sorted(nodes.values(), key=min):
        number = len(set(place.values()))
        place.update(dict.fromkeys(members, number))
    return dict(sorted(place.items()))


def _moved(graph: Graph) -> dict[int, int]:
    """Each node's community once no single node gains by moving."""
    community = {node: node for node in graph}
    degree = {
        node: sum(edges.values()) + edges.get(node, 0.0) for node, edges in graph.items()
    }  # fmt: skip
    total = dict(degree)
    twice = sum(degree.values())
    if not twice:
        return community
    moving = True
    while moving:
        moving = False
        for node, edges in graph.items():
            mine = community[node]
            total[mine] -= degree[node]
            to: dict[int, float] = {mine: 0.0}
            for other, weight in edges.items():
                if other != node:
                    to[community[other]] = to.get(community[other], 0.0) + weight
            gain = {
                label: weight - total[label] * degree[node] / twice for label, weight in to.items()
            }
            best = max(gain, key=lambda label: (gain[label], -label))
            if gain[best] <= gain[mine] + _LEAST_GAIN:
                best = mine
            community[node] = best
            total[best] += degree[node]
            moving = moving or best != mine
    return community


def _folded(
    nodes: Mapping[int, set[int]], graph: Graph, community: Mapping[int, int]
) -> tuple[dict[int, set[int]], dict[int, dict[int, float]]]:
    """The graph of the communities: what lies within one becomes its edge to itself."""
    members: dict[int, set[int]] = {}
    edges: dict[int, dict[int, float]] = {}
    for node, label in sorted(community.items()):
        members.setdefault(label, set()).update(nodes[node])
        mine = edges.setdefault(label, {})
        for other, weight in graph[node].items():
            theirs = community[other]
            # An edge within is met from both its ends, one of a node to itself but once.
            inner = theirs == label and other != node
            mine[theirs] = mine.get(theirs, 0.0) + (weight / 2 if inner else weight)
    return members, edges
