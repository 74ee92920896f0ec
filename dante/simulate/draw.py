"""Draws what one campaign is like from its own stream of random numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from dante.schema import ICMP, TCP, UDP
from dante.simulate.addresses import FIRST_OCTETS, TELESCOPE
from dante.simulate.campaign import Campaign
from dante.simulate.roles import Traits
from dante.simulate.services import ECHO, FAMILIES, MIRAI_FAMILIES, WINDOWS_FAMILIES
from dante.simulate.tools import TCP_TOOLS, TOOLS

__all__ = ["PEOPLE", "draw_manner", "draw_ports", "elsewhere", "one_other_port"]

PEOPLE: Final = 4000
"""Senders that one /16 of a campaign holds at most; a larger campaign has more networks."""

_HOSTS: Final = 150  # of a benign organisation in one /24


def _high_ports(rng: np.random.Generator, count: int) -> list[int]:
    return [TCP * 65536 + int(port) for port in rng.integers(1024, 65536, count)]


def draw_ports(rng: np.random.Generator, family: str, wanted: int) -> tuple[int, ...]:
    """So many port keys, the most tried first: a family, then others, sometimes high ports."""
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
    ports += _high_ports(rng, max(0, wanted - len(ports)))
    return tuple(dict.fromkeys(ports))[:wanted]


def one_other_port(rng: np.random.Generator, ports: Sequence[int]) -> tuple[int, ...]:
    """The ports with one replaced by a high port that was not among them."""
    changed = list(ports)
    fresh = next(port for port in _high_ports(rng, len(ports) + 1) if port not in ports)
    changed[int(rng.integers(len(changed)))] = fresh
    return tuple(changed)


def _tool(
    rng: np.random.Generator, traits: Traits, family: str, ports: Sequence[int]
) -> tuple[str, tuple[int, ...]]:
    """A tool that plausibly works these ports, and those of them it can."""
    if traits.tools:
        tool = str(rng.choice(traits.tools))
    elif all(port >> 16 == ICMP for port in ports):
        tool = str(rng.choice(["zmap", "zmap-new", "linux", "windows"]))
    elif family in MIRAI_FAMILIES and rng.random() < 0.6:
        tool = "mirai"
    elif family in WINDOWS_FAMILIES and rng.random() < 0.5:
        tool = "windows"
    else:
        tool = str(rng.choice(TOOLS[1:]))
    kept = tuple(port for port in ports if tool not in TCP_TOOLS or port >> 16 == TCP)
    if not kept:
        return "linux", tuple(ports)
    return tool, kept


def networks(rng: np.random.Generator, count: int) -> tuple[int, ...]:
    """So many distinct /16 networks, as their first 16 bits."""
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        first, second = int(rng.choice(FIRST_OCTETS)), int(rng.integers(0, 256))
        drawn[first * 256 + second] = None
    return tuple(drawn)


def _subnets(rng: np.random.Generator, count: int) -> tuple[int, ...]:
    """So many distinct /24 networks, as their first 24 bits."""
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[int(rng.choice(FIRST_OCTETS)) * 65536 + int(rng.integers(0, 65536))] = None
    return tuple(drawn)


def elsewhere(rng: np.random.Generator, campaign: Campaign, size: float) -> Campaign:
    """The campaign in a few networks nobody else is likely to have."""
    return replace(campaign, networks=networks(rng, 3 + int(size) // PEOPLE))


def draw_manner(
    rng: np.random.Generator, traits: Traits, campaign: Campaign, family: str
) -> Campaign:
    """The campaign with everything but its days, ports and size drawn anew from `rng`."""
    size = campaign.phases[0].size
    tool, ports = _tool(rng, traits, family, campaign.phases[0].ports)
    spread, low = traits.spread, traits.port_share
    count = int(rng.choice(traits.networks))
    manner: dict[str, Any] = {
        "tool": tool,
        "phases": (replace(campaign.phases[0], ports=ports),),
        "renewal": float(rng.choice(traits.renewal)),
        "presence": float(rng.choice(traits.presence)),
        "packets": float(rng.choice(traits.packets)),
        "spread": float(rng.uniform(*spread)),
        "port_share": float(rng.uniform(*low)),
        "order": str(rng.choice(traits.order)),
        "sweeps": bool(rng.random() < 0.3),
        "timing": str(rng.choice(traits.timing)),
        "peak": (float(rng.choice(traits.peak)) if traits.peak else 24 * float(rng.random())) / 24,
        "trains": int(rng.choice([1, 1, 2, 5])),
        "networks": networks(rng, count + int(size) // PEOPLE if count else 0),
    }
    match campaign.role:
        case "benign":
            manner |= {"subnets": _subnets(rng, max(count, 1 + size // _HOSTS)), "networks": ()}
        case "misconfigured":
            # A forgotten server's clients: half of them speak UDP.
            ports = tuple(int(rng.choice([TCP, UDP])) * 65536 + port % 65536 for port in ports)
            manner |= {"target": int(rng.integers(TELESCOPE.size)), "sweeps": False,
                       "phases": (replace(campaign.phases[0], ports=ports),)}  # fmt: skip
        case _:
            pass
    return replace(campaign, **manner)
