"""What form a threat has: worm, flood, sweep or campaign, told apart by stated rules.

In this order, the first that holds:

sweep     `MANY_PORTS` distinct ports or more, and `ONE_NETWORK` of its senders in one /24
          (IPv6: /48): one operator who looks at everything.
flood     `FLOOD_SHARE` of the day's packets or more, from senders that send `FLOOD_TIMES` as much
          each as all others and `FLOOD_PACKETS` at least, on `FEW_PORTS` ports at most.
worm      its senders grow exponentially since its birth or return (`Curve.grows`).
campaign  anything else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dante.tracking.behaviour import Behaviour

__all__ = ["Curve", "Shape", "Volume", "growth_curve", "is_sweep", "shape_of"]

Shape = Literal["campaign", "worm", "flood", "sweep"]

MANY_PORTS = 100
ONE_NETWORK = 0.8
FLOOD_SHARE = 0.05
FLOOD_TIMES = 20
FLOOD_PACKETS = 100
FEW_PORTS = 10
# A worm's senders become this many times more a day, at least.
_RATE = 1.25
# Its growth is this many standard errors above none.
_SURE = 3.0
_LEAST_DAYS = 4
# Poisson counts on a straight line pass for exponential growth one time in ten at most.
_MARGIN = 2.0


@dataclass(frozen=True)
class Volume:
    """What a track sent on a day beside all the day's senders.

    Attributes:
        senders, packets: of the track.
        ports: distinct ports its senders tried.
        in_one_network: how many of its senders are in the /24 (IPv6: /48) that has most.
        day_senders, day_packets: of the whole day, the track's among them.
    """

    senders: int
    packets: int
    ports: int
    in_one_network: int
    day_senders: int
    day_packets: int

    @property
    def share(self) -> float:
        """The track's share of the day's packets."""
        return self.packets / max(self.day_packets, 1)

    @property
    def others(self) -> float:
        """Packets that each of the other senders sent."""
        rest = self.day_senders - self.senders
        return (self.day_packets - self.packets) / rest if rest else 0.0


@dataclass(frozen=True)
class Curve:
    """How a track's senders went over its days, as two lines through them.

    The senders of a day are taken for a Poisson count: its logarithm has the variance 1/n, the
    count itself n. Both lines are fitted by least squares with these weights.

    Attributes:
        senders: of each day with a cluster since its birth or return, in order of days.
        times: what its senders are multiplied by a day, by the line through their logarithms.
        error: standard error of the logarithm of `times`; where the days scatter more than
            Poisson counts do, as much larger.
        misfit: weighted squares left by the line through the logarithms.
        misfit_straight: by the straight line through the counts.
    """

    senders: tuple[int, ...]
    times: float
    error: float
    misfit: float
    misfit_straight: float

    @property
    def grows(self) -> bool:
        """Whether it grows exponentially.

        Four days or more, the last with twice the senders of the first; a growth of 1.25 a day
        or more, three standard errors above none; and the straight line leaves 2 squares more
        (a likelihood e times smaller), which tells it from what grows by as many every day.
        """
        return (
            len(self.senders) >= _LEAST_DAYS
            and self.senders[-1] >= 2 * self.senders[0]
            and self.times >= _RATE
            and math.log(self.times) >= _SURE * self.error
            and self.misfit + _MARGIN <= self.misfit_straight
        )


def growth_curve(days: Sequence[int], senders: Sequence[int]) -> Curve:
    """Fit the curve of a track.

    Args:
        days: numbers of its days, ascending; at least one.
        senders: of each of these days, at least 1 each.
    """
    counts = np.asarray(senders, dtype=np.float64)
    at = np.asarray(days, dtype=np.float64)
    if len(counts) < 2:
        return Curve(tuple(senders), 1.0, math.inf, 0.0, 0.0)
    slope, misfit, spread = _line(at, np.log(counts), counts)
    straight = _line(at, counts, 1 / counts)[1]
    scatter = max(1.0, misfit / (len(counts) - 2)) if len(counts) > 2 else 1.0
    error = math.sqrt(scatter / spread)
    return Curve(tuple(senders), math.exp(slope), error, misfit, straight)


def _line(
    at: np.ndarray[tuple[int], np.dtype[np.float64]],
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[float, float, float]:
    """Slope of the weighted least squares line, the squares it leaves, and the spread of `at`."""
    apart = at - np.average(at, weights=weights)
    level = np.average(values, weights=weights)
    spread = float((weights * apart**2).sum())
    slope = float((weights * apart * values).sum()) / spread
    return slope, float((weights * (values - level - slope * apart) ** 2).sum()), spread


def is_sweep(behaviour: Behaviour) -> bool:
    """Whether a behaviour is to try ports by the hundred, none much more than the others."""
    weights = behaviour.weights
    return len(weights) >= MANY_PORTS and bool(weights.max() <= 5 / MANY_PORTS * weights.sum())


def shape_of(volume: Volume, curve: Curve) -> Shape:
    """The form of a threat on one of its days, by the rules above."""
    each = volume.packets / max(volume.senders, 1)
    if volume.ports >= MANY_PORTS and volume.in_one_network >= ONE_NETWORK * volume.senders:
        return "sweep"
    if (
        volume.share >= FLOOD_SHARE
        and each >= max(FLOOD_PACKETS, FLOOD_TIMES * volume.others)
        and volume.ports <= FEW_PORTS
    ):
        return "flood"
    return "worm" if curve.grows else "campaign"
