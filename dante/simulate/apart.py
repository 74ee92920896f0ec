"""Whether two campaigns can be told apart by what a telescope sees."""

from dante.simulate.campaign import Campaign

__all__ = ["clear_differences", "hours_apart", "networks_apart", "overlap", "told_apart"]

_SAME_PORTS = 1 / 3
_FEW_NETWORKS = 12
_HOURS_APART = 5 / 24


def overlap(left: tuple[int, ...], right: tuple[int, ...]) -> float:
    """Shared ports over the ports of the one that has fewer."""
    a, b = set(left), set(right)
    return len(a & b) / min(len(a), len(b))


def hours_apart(a: Campaign, b: Campaign) -> bool:
    """Whether one keeps to hours that the other seldom works in."""
    if "burst" not in (a.timing, b.timing):
        return False
    return a.timing != b.timing or abs(a.peak - b.peak) >= _HOURS_APART


def networks_apart(a: Campaign, b: Campaign) -> bool:
    """Whether one keeps to few networks and the other is elsewhere."""
    if a.subnets or b.subnets:
        return not set(a.subnets) & set(b.subnets)
    if a.parent == b.index or b.parent == a.index:
        return False
    few = any(0 < len(c.networks) <= _FEW_NETWORKS for c in (a, b))
    return few and not set(a.networks) & set(b.networks)


def clear_differences(a: Campaign, b: Campaign) -> int:
    """In how many of tool, hours and networks the two clearly differ."""
    return int(a.tool != b.tool) + int(hours_apart(a, b)) + int(networks_apart(a, b))


def told_apart(a: Campaign, b: Campaign, day: int) -> bool:
    """Whether the ports of this day index or one of tool, hours, networks tell them apart."""
    if a.target != b.target:
        return True
    if overlap(a.phase(day).ports, b.phase(day).ports) < _SAME_PORTS:
        return True
    return clear_differences(a, b) > 0
