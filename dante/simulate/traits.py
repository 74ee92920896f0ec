"""Draws what one campaign is like from its own stream of random numbers."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from dante.schema import ICMP, TCP
from dante.simulate.addresses import FIRST_OCTETS
from dante.simulate.campaign import TOOLS, Campaign, Phase
from dante.simulate.services import ECHO, FAMILIES, MIRAI_FAMILIES, WINDOWS_FAMILIES

__all__ = ["draw_ports", "draw_traits", "jaccard", "one_other_port", "tool_for"]

_PORT_COUNTS: Final = (1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 10, 14, 20, 30)
_RENEWALS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.6, 1.0)
_TIMINGS: Final = ("steady", "steady", "diurnal", "burst")


def jaccard(left: Sequence[int], right: Sequence[int]) -> float:
    """Shared ports over all ports of two sets."""
    a, b = set(left), set(right)
    return len(a & b) / len(a | b)


def _high_ports(rng: np.random.Generator, count: int) -> list[int]:
    return [TCP * 65536 + int(port) for port in rng.integers(1024, 65536, count)]


def draw_ports(rng: np.random.Generator, family: str, count: int | None = None) -> tuple[int, ...]:
    """1 to 30 port keys, the most tried first: a family, then others, sometimes high ports."""
    wanted = int(rng.choice(_PORT_COUNTS)) if count is None else count
    if family == "ping":
        return (ECHO,)
    ports = list(FAMILIES[family]) if family in FAMILIES else _high_ports(rng, wanted)
    if wanted > 2 and rng.random() < 0.3:
        ports = ports[: wanted - 1] + _high_ports(rng, 1 + wanted // 4)
    names = [name for name in FAMILIES if name not in (family, "ping")]
    for other in rng.permutation(len(names)):
        if len(ports) >= wanted:
            break
        ports += FAMILIES[names[other]]
    return tuple(dict.fromkeys(ports))[:wanted]


def one_other_port(rng: np.random.Generator, ports: Sequence[int]) -> tuple[int, ...]:
    """The ports with one replaced by a high port that was not among them."""
    changed = list(ports)
    fresh = next(port for port in _high_ports(rng, len(ports) + 1) if port not in ports)
    changed[int(rng.integers(len(changed)))] = fresh
    return tuple(changed)


def tool_for(rng: np.random.Generator, family: str, ports: Sequence[int]) -> str:
    """A tool that plausibly works these ports."""
    if all(port >> 16 == ICMP for port in ports):
        return str(rng.choice(["zmap", "linux", "windows"]))
    if family in MIRAI_FAMILIES and rng.random() < 0.7:
        return "mirai"
    if family in WINDOWS_FAMILIES and rng.random() < 0.6:
        return "windows"
    return str(rng.choice(TOOLS[1:]))


def _networks(rng: np.random.Generator) -> tuple[int, ...]:
    count = int(rng.choice([0, 2, 5, 12, 40]))
    first, second = rng.choice(FIRST_OCTETS, count), rng.integers(0, 256, count)
    return tuple(int(a) * 256 + int(b) for a, b in zip(first, second, strict=True))


def _special(role: str, rng: np.random.Generator, senders: int) -> dict[str, Any]:
    """What a role fixes over the ordinary draws."""
    wide: dict[str, Any] = {"networks": ()}
    match role:
        case "anchor":
            return {"renewal": float(rng.choice([0.02, 0.1, 0.3])), "presence": 0.9}
        case "giant":
            return {**wide, "renewal": 0.2, "packets": 5.0}
        case "benign":
            octet = int(rng.choice(FIRST_OCTETS))
            subnet = octet * 65536 + int(rng.integers(0, 65536))
            return {
                "renewal": 0.0,
                "presence": 1.0,
                "subnet": subnet,
                "tool": "zmap",
                "packets": 30.0,
                "spread": 0.5,
                "timing": "steady",
                "port_share": 1.0,
            }
        case "slow":
            return {"packets": 3.0, "spread": -1.0, "timing": "steady"}
        case "vertical":
            return {
                "packets": 500.0,
                "spread": 0.5,
                "walks": True,
                "port_share": 1.0,
                "renewal": 0.1,
                "tool": "linux",
                "presence": 1.0,
            }
        case "worm":
            return {
                **wide,
                "growth": 1.45,
                "ceiling": max(40, senders // 16),
                "renewal": 0.1,
                "tool": "mirai",
                "walks": False,
            }
        case "flood":
            return {
                "packets": max(400.0, 3.0 * senders),
                "spread": 0.3,
                "renewal": 0.0,
                "presence": 1.0,
                "timing": "burst",
                "port_share": 1.0,
            }
        case _:
            return {}


def draw_traits(
    rng: np.random.Generator,
    *,
    index: int,
    role: str,
    family: str,
    ports: tuple[int, ...],
    size: int,
    first: int,
    senders: int,
    renewal: float | None,
) -> Campaign:
    """A campaign of this role and these ports, everything else drawn from `rng`."""
    traits: dict[str, Any] = {
        "tool": tool_for(rng, family, ports),
        "renewal": float(rng.choice(_RENEWALS)),
        "presence": float(rng.choice([0.7, 0.85, 1.0])),
        "packets": float(rng.choice([3.0, 4.0, 6.0, 9.0])),
        "spread": float(rng.uniform(0.7, 1.3)),
        "port_share": float(rng.uniform(0.6, 1.0)),
        "walks": bool(rng.random() < 0.5),
        "sweeps": bool(rng.random() < 0.3),
        "timing": str(rng.choice(_TIMINGS)),
        "peak": float(rng.random()),
        "networks": _networks(rng),
    }
    traits.update(_special(role, rng, senders))
    if renewal is not None and role != "benign":
        traits["renewal"] = renewal
    return Campaign(
        index=index,
        name=f"{family}-{index:03d}",
        role=role,
        phases=(Phase(first, ports, size),),
        first=first,
        **traits,
    )
