"""A bounded sample of a sleeping track's senders, by which it is known again.

The senders with the smallest hashes are kept (bottom-k, Cohen and Kaplan 2007). Because the hash is
the same for all, which of a cluster's senders would be in the sample is known too, and counts on
the sample can be scaled to all.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SAMPLE", "sample_senders", "scale"]

SAMPLE: Final = 4096
"""Senders kept of a track."""

# A multiplier that spreads consecutive numbers (Knuth 1998, 6.4).
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


def _hashes(senders: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return senders * _SPREAD


def sample_senders(senders: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """At most `SAMPLE` of the senders, sorted."""
    order = np.argsort(_hashes(senders), kind="stable")[:SAMPLE]
    return np.sort(senders[order])


def scale(sample: NDArray[np.uint64]) -> float:
    """How many senders one of the sample stands for; 1 where the sample is whole."""
    if len(sample) < SAMPLE:
        return 1.0
    return float(2.0**64 / (float(_hashes(sample).max()) + 1.0))
