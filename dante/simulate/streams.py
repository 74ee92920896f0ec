"""Seeded randomness: streams named by numbers, and hashes for what a sender keeps for life."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BACKGROUND",
    "CAMPAIGN",
    "DAY",
    "HEADERS",
    "PLAN",
    "hashed",
    "normal",
    "stream",
    "uniform",
]

PLAN: Final = 1
CAMPAIGN: Final = 2
DAY: Final = 3
BACKGROUND: Final = 4
HEADERS: Final = 5


def stream(seed: int, *key: int) -> np.random.Generator:
    """An independent generator for a seed and a key of numbers >= 0, such as (DAY, day).

    The key goes where numpy keeps it apart: joined to the seed, (7,) and (7, 0) would be one.
    """
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=key)
    return np.random.Generator(np.random.PCG64(sequence))


def hashed(values: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """64 well-mixed bits of every value and the salt (the finaliser of splitmix64)."""
    mixed = values + np.uint64((salt * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def uniform(values: NDArray[np.uint64], salt: int) -> NDArray[np.float64]:
    """A float in [0, 1) for every value, always the same for the same value and salt."""
    return (hashed(values, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(values: NDArray[np.uint64], salt: int) -> NDArray[np.float64]:
    """A standard normal for every value (Box and Muller), the same for the same value and salt."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(values, 2 * salt)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(values, 2 * salt + 1)))
