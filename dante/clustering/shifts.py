"""Whether two groups of senders work in two shifts, with hardly anybody between them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from dante.clustering.evidence import HOURS

__all__ = ["shifts_apart"]

_MOST: Final = 0.95  # of what a group does is in its shift


def shifts_apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How surely two groups are not one that works at some hours more than at others.

    One activity has its hours, more senders in some than in others, but no two separate times.
    Were these one, there would be at least as many senders an hour between the two shifts as in
    the one that has fewer.

    Args:
        one, other: (24,) how many senders of each group are there in each hour.

    Returns:
        The log likelihood that speaks against it, of the gap that says less; 0 where the shifts
        overlap.
    """
    (first, long), (second, wide) = _shift(one), _shift(other)
    gaps = ((first + long, second), (second + wide, first))
    lengths = [(end - begin) % HOURS for begin, end in gaps]
    if sum(lengths) + long + wide > HOURS:
        return 0.0
    fewest = _MOST * min(one.sum() / long, other.sum() / wide)
    said = []
    for (begin, _), length in zip(gaps, lengths, strict=True):
        there = float(np.roll(one + other, -begin)[:length].sum())
        expected = fewest * length
        # Poisson: how much likelier so few are of what is there than of what should be.
        more = expected - there + xlogy(there, there / expected) if there < expected else 0.0
        said.append(float(more))
    return min(said)


def _shift(hours: NDArray[np.float64]) -> tuple[int, int]:
    """The first hour and the length of the shortest time of day in which nearly all is done."""
    sums = np.concatenate([[0.0], np.cumsum(np.tile(hours, 2))])
    for length in range(1, HOURS):
        done = sums[length : length + HOURS] - sums[:HOURS]
        if done.max() >= _MOST * sums[HOURS]:
            return int(done.argmax()), length
    return 0, HOURS
