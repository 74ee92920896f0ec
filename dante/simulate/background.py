"""What no campaign sends: one-off noise, and replies from the victims of spoofed attacks."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dante.schema import ICMP, TCP, UDP
from dante.simulate.scenario import Background
from dante.simulate.services import FAMILIES
from dante.simulate.tools import ICMP_ERROR, RESET, SYN_ACK, TOOLS
from dante.simulate.traffic import DAY_MICROSECONDS, Traffic

__all__ = ["backscatter_traffic", "noise_traffic"]

_POPULAR: Final = np.array(sorted({p for ports in FAMILIES.values() for p in ports}), np.uint32)
_ATTACKED: Final = np.array([80, 443, 53, 22, 25565, 8080, 3389, 6667], dtype=np.uint16)


def noise_traffic(
    src: NDArray[np.uint64], background: Background, rng: np.random.Generator
) -> Traffic:
    """Senders of 1 to 3 packets to random ports; a share repeats itself to a single port.

    A share of the packets hits ports that campaigns work too.
    """
    stuck = rng.random(src.size) < background.stuck
    count = np.where(stuck, rng.integers(5, 60, src.size), rng.integers(1, 4, src.size))
    total = int(count.sum())
    sender = np.repeat(np.arange(src.size), count)
    first = np.cumsum(count) - count
    proto = np.where(rng.random(total) < 0.75, TCP, UDP)
    port = (proto * 65536 + rng.integers(1, 65536, total)).astype(np.uint32)
    popular = rng.random(total) < background.popular
    port = np.where(popular, _POPULAR[rng.integers(0, _POPULAR.size, total)], port)
    port = np.where(stuck[sender], port[first[sender]], port)
    span = rng.random(src.size) * 0.5
    start = rng.random(src.size) * (1 - span)
    return Traffic.of(
        src,
        count,
        port,
        tool=rng.integers(1, len(TOOLS), src.size).astype(np.uint8),
        start=start * DAY_MICROSECONDS,
        span=span * DAY_MICROSECONDS,
    )


def backscatter_traffic(src: NDArray[np.uint64], rng: np.random.Generator) -> Traffic:
    """Victims of spoofed attacks: SYN/ACK, RST or ICMP unreachable to random ports."""
    tool = rng.choice([SYN_ACK, RESET, ICMP_ERROR], src.size, p=[0.6, 0.25, 0.15])
    drawn = np.exp(np.log(20.0) + 1.5 * rng.standard_normal(src.size))
    count = np.clip(np.rint(drawn), 1, 20_000).astype(np.int64)
    total = int(count.sum())
    sender = np.repeat(np.arange(src.size), count)
    unreachable = ICMP * 65536 + 3 * 256 + rng.choice([1, 3], total)
    answered = TCP * 65536 + rng.integers(1024, 65536, total)
    span = 0.002 + 0.1 * rng.random(src.size)
    start = rng.random(src.size) * (1 - span)
    return Traffic.of(
        src,
        count,
        np.where(tool[sender] == ICMP_ERROR, unreachable, answered).astype(np.uint32),
        tool=tool.astype(np.uint8),
        start=start * DAY_MICROSECONDS,
        span=span * DAY_MICROSECONDS,
        sport=_ATTACKED[rng.integers(0, _ATTACKED.size, src.size)],
    )
