"""How far a mean over a few seeds can be trusted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Interval", "bootstrap"]

_FEW = 10
_DRAWS = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean of `runs` values and the interval it is trusted to lie in."""

    mean: float
    low: float
    high: float
    runs: int


def bootstrap(
    values: Sequence[float],
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    seed: int = 0,
) -> Interval:
    """The mean of independent runs, one a seed, with a confidence interval.

    Fewer than ten runs: Student's t interval. The percentile bootstrap of five values resamples
    126 different sets and holds the true mean in about 83 of 100 cases where it says 95; t holds
    it in 94 where values are normal and 91 where they are skewed (2,000 trials each). Ten or
    more: the bootstrap with percentiles widened for the number of runs (Hesterberg, The American
    Statistician 69, 2015), which follows a skew, drawn from PCG64(`seed`).

    Values that are NaN (not measured) are left out. The interval is cut to `bounds`, what the
    measure can be at all. One run has no interval: `low` and `high` are NaN.
    """
    from scipy import stats

    known = np.sort(np.array([v for v in values if not math.isnan(v)], dtype=np.float64))
    n = len(known)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(known.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    t = float(stats.t.ppf((1 + level) / 2, n - 1))
    if n < _FEW:
        half = t * float(known.std(ddof=1)) / math.sqrt(n)
        low, high = mean - half, mean + half
    else:
        rng = np.random.Generator(np.random.PCG64(seed))
        means = known[rng.integers(n, size=(_DRAWS, n))].mean(axis=1)
        tail = float(stats.norm.cdf(-t * math.sqrt(n / (n - 1))))
        low, high = (float(q) for q in np.quantile(means, [tail, 1 - tail]))
    return Interval(mean, max(low, bounds[0]), min(high, bounds[1]), n)
