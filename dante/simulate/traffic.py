"""What each sender of a campaign does in a day: how many packets, to which ports, and when."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dante.simulate.campaign import Campaign
from dante.simulate.streams import normal, uniform
from dante.simulate.tools import TOOLS

__all__ = ["BURST_HOURS", "DAY_MICROSECONDS", "Traffic", "campaign_traffic"]

DAY_MICROSECONDS: Final = 86_400_000_000
BURST_HOURS: Final = 3
"""Hours of the day within which a campaign with timing `burst` works."""

_HIGHEST_COUNT: Final = 20_000.0  # packets of a sender and day, floods apart


@dataclass(frozen=True)
class Traffic:
    """Some senders' packets of one day, before headers are written.

    Per sender (S): `src` UInt64, `count` Int64, `tool` UInt8 code, `start` and `span` Float64 in
    microseconds of the day, `trains` UInt8 (bursts its packets come in), `sweeps` Bool, `target`
    Int32 (the one watched address it calls, or -1), `sport` UInt16 (0: the tool chooses).
    Per packet (P = sum of counts, sender by sender in order of time): `port` UInt32 key.
    """

    src: NDArray[np.uint64]
    count: NDArray[np.int64]
    port: NDArray[np.uint32]
    tool: NDArray[np.uint8]
    start: NDArray[np.float64]
    span: NDArray[np.float64]
    trains: NDArray[np.uint8]
    sweeps: NDArray[np.bool_]
    target: NDArray[np.int32]
    sport: NDArray[np.uint16]

    @classmethod
    def of(
        cls,
        src: NDArray[np.uint64],
        count: NDArray[np.int64],
        port: NDArray[np.uint32],
        *,
        tool: NDArray[np.uint8],
        start: NDArray[np.float64],
        span: NDArray[np.float64],
        trains: int = 1,
        sweeps: bool = False,
        target: int = -1,
        sport: NDArray[np.uint16] | None = None,
    ) -> "Traffic":
        """Traffic of senders that have all but the arrays in common."""
        return cls(
            src=src,
            count=count,
            port=port,
            tool=tool,
            start=start,
            span=span,
            trains=np.full(src.size, trains, dtype=np.uint8),
            sweeps=np.full(src.size, sweeps),
            target=np.full(src.size, target, dtype=np.int32),
            sport=np.zeros(src.size, dtype=np.uint16) if sport is None else sport,
        )

    @staticmethod
    def concat(parts: list["Traffic"]) -> "Traffic":
        """Several senders' traffic as one, in the given order."""
        names = [field.name for field in fields(Traffic)]
        return Traffic(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        )


def campaign_traffic(
    campaign: Campaign, src: NDArray[np.uint64], day: int, rng: np.random.Generator
) -> Traffic:
    """The packets that these senders of a campaign send on a day index.

    A sender keeps its ports, its diligence and its hour for life: they are hashed from its
    address, so nothing but the addresses need be remembered from day to day.
    """
    ports = np.array(campaign.phase(day).ports, dtype=np.uint32)
    count = _counts(campaign, src, rng)
    start, span = _times(campaign, src, rng)
    return Traffic.of(
        src,
        count,
        _chosen_ports(campaign, src, ports, count, rng),
        tool=np.full(src.size, TOOLS.index(campaign.tool), dtype=np.uint8),
        start=start,
        span=span,
        trains=campaign.trains,
        sweeps=campaign.sweeps,
        target=campaign.target,
    )


def _counts(
    campaign: Campaign, src: NDArray[np.uint64], rng: np.random.Generator
) -> NDArray[np.int64]:
    if campaign.spread < 0:
        return np.asarray(rng.integers(1, int(campaign.packets) + 1, src.size), dtype=np.int64)
    own = normal(src, 11)  # two thirds of the variance is the sender's for life
    z = 0.8 * own + 0.6 * rng.standard_normal(src.size)
    highest = max(_HIGHEST_COUNT, 4 * campaign.packets)
    drawn = np.rint(np.exp(np.log(campaign.packets) + campaign.spread * z))
    return np.asarray(np.clip(drawn, 1, highest), dtype=np.int64)


def _times(
    campaign: Campaign, src: NDArray[np.uint64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and length of each sender's session, in microseconds, within the day."""
    u = uniform(src, 21) * 0.9 + rng.random(src.size) * 0.1
    length = rng.random(src.size)
    if campaign.timing == "steady":
        span = 0.02**length
        start = rng.random(src.size) * (1 - span)
    elif campaign.timing == "diurnal":
        # Inverse of the distribution with density 1 + 0.9 cos(2 pi (t - peak)).
        grid = np.linspace(0.0, 1.0, 289)
        density = 1 + 0.9 * np.cos(2 * np.pi * (grid - campaign.peak))
        rising = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
        start = np.interp(u, rising / rising[-1], grid)
        span = 0.005 + 0.05 * length
    else:
        width = BURST_HOURS / 24
        span = 0.02 + 0.04 * length
        begin = np.clip(campaign.peak - width / 2, 0.0, 1.0 - width)
        start = begin + u * (width - span)
    start = np.minimum(start, 1.0 - span)
    return start * DAY_MICROSECONDS, span * DAY_MICROSECONDS


def _chosen_ports(
    campaign: Campaign,
    src: NDArray[np.uint64],
    ports: NDArray[np.uint32],
    count: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.uint32]:
    """One port key a packet: each sender tries its own part of the campaign's ports.

    Walkers go round their ports in order from a place of their own, others finish with one before
    the next, and others pick at random, the campaign's first ports more often.
    """
    if ports.size == 1:
        return np.full(int(count.sum()), ports[0], dtype=np.uint32)
    tries = np.ones((src.size, ports.size), dtype=np.bool_)
    if campaign.port_share < 1:
        for column, port in enumerate(ports):
            tries[:, column] = uniform(src, 100 + int(port)) < campaign.port_share
        tries[~tries.any(axis=1), 0] = True
    width = tries.sum(axis=1)
    begin = np.cumsum(width) - width
    own = ports[np.nonzero(tries)[1]]
    many = np.repeat(width, count)
    if campaign.order == "random":
        place = (rng.random(many.size) ** 2.5 * many).astype(np.int64)
    else:
        nth = np.arange(many.size) - np.repeat(np.cumsum(count) - count, count)
        if campaign.order == "block":
            nth = nth * many // np.repeat(count, count)
        place = (nth + np.repeat((uniform(src, 31) * width).astype(np.int64), count)) % many
    return np.asarray(own[np.repeat(begin, count) + place])
