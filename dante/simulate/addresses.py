"""Public-looking sender addresses, and the telescope's own."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIRST_OCTETS", "SENSORS", "TELESCOPE", "draw_addresses", "hops"]

FIRST_OCTETS: Final = np.array(
    [o for o in range(1, 224) if o not in (10, 100, 127, 169, 172, 192, 198, 203)],
    dtype=np.uint64,
)
"""First octets below multicast within which nothing is private, shared or reserved."""

_TELESCOPE_BLOCKS: Final = (("north", 0xC6120000, 2048), ("east", 0xC6122000, 1024),
                            ("south", 0xC6134400, 1024))  # fmt: skip

TELESCOPE: Final[NDArray[np.uint32]] = np.concatenate(
    [np.arange(first, first + size, dtype=np.uint32) for _, first, size in _TELESCOPE_BLOCKS]
)
"""The 4,096 watched addresses, all in 198.18.0.0/15 (RFC 2544): half north, a quarter each
east and south."""

SENSORS: Final = tuple(name for name, _, size in _TELESCOPE_BLOCKS for _ in range(size))
"""The sensor of each watched address, in the order of `TELESCOPE`."""

_TRIES_NEAR: Final = 20
_NEAR: Final = 0.9  # of a campaign's senders are in its networks


def _candidates(
    rng: np.random.Generator, count: int, networks: tuple[int, ...], subnets: tuple[int, ...]
) -> NDArray[np.uint64]:
    low = rng.integers(1, 255, count).astype(np.uint64)
    if subnets:
        place = rng.integers(0, len(subnets), count)
        return np.array(subnets, dtype=np.uint64)[place] * np.uint64(256) + low
    third = rng.integers(0, 256, count).astype(np.uint64)
    second = rng.integers(0, 256, count).astype(np.uint64)
    prefix = FIRST_OCTETS[rng.integers(0, FIRST_OCTETS.size, count)] * np.uint64(256) + second
    if networks:
        # The first of its networks is the fullest.
        place = (rng.random(count) ** 1.5 * len(networks)).astype(np.int64)
        near = np.array(networks, dtype=np.uint64)[place]
        prefix = np.where(rng.random(count) < _NEAR, near, prefix)
    return prefix * np.uint64(65536) + third * np.uint64(256) + low


def _absent(values: NDArray[np.uint64], taken: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each value is not in the sorted array `taken`."""
    if not taken.size:
        return np.ones(values.size, dtype=np.bool_)
    place = np.minimum(np.searchsorted(taken, values), taken.size - 1)
    return np.asarray(taken[place] != values)


def draw_addresses(
    rng: np.random.Generator,
    count: int,
    taken: Sequence[NDArray[np.uint64]],
    networks: tuple[int, ...] = (),
    subnets: tuple[int, ...] = (),
) -> NDArray[np.uint64]:
    """`count` distinct IPv4 addresses, UInt64, none in any of the sorted arrays `taken`.

    They lie in the /24 `subnets` or mostly in the /16 `networks`; where these are full, anywhere.
    """
    found = np.empty(0, dtype=np.uint64)
    for attempt in range(10_000):
        if found.size >= count:
            break
        near = attempt < _TRIES_NEAR
        wanted = count - found.size
        drawn = np.unique(
            _candidates(
                rng, wanted + wanted // 8 + 8, networks if near else (), subnets if near else ()
            )
        )
        for held in (*taken, np.sort(found)):
            drawn = drawn[_absent(drawn, held)]
        # Sorted they would be cut at one end; any order will do, as long as it is the seed's.
        found = np.concatenate([found, rng.permutation(drawn)[:wanted]])
    return found


def hops(src: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Routers between a sender and the telescope, 5 to 25, alike within a /16."""
    network = src >> np.uint64(16)
    far = (network * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)) % np.uint64(18)
    return (np.uint64(5) + far + src % np.uint64(3)).astype(np.uint8)
