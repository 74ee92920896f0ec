"""Public-looking sender addresses, and the telescope's own."""

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


def _candidates(
    rng: np.random.Generator, count: int, networks: tuple[int, ...], subnet: int
) -> NDArray[np.uint64]:
    low = rng.integers(1, 255, count).astype(np.uint64)
    if subnet >= 0:
        return np.uint64(subnet * 256) + low
    third = rng.integers(0, 256, count).astype(np.uint64)
    second = rng.integers(0, 256, count).astype(np.uint64)
    prefix = FIRST_OCTETS[rng.integers(0, FIRST_OCTETS.size, count)] * np.uint64(256) + second
    if networks:
        # Most of a campaign sits in its networks, the first of them the fullest; some anywhere.
        place = (rng.random(count) ** 2 * len(networks)).astype(np.int64)
        near = np.array(networks, dtype=np.uint64)[place]
        prefix = np.where(rng.random(count) < 0.8, near, prefix)
    return prefix * np.uint64(65536) + third * np.uint64(256) + low


def draw_addresses(
    rng: np.random.Generator,
    count: int,
    taken: NDArray[np.uint64],
    networks: tuple[int, ...] = (),
    subnet: int = -1,
) -> NDArray[np.uint64]:
    """`count` distinct IPv4 addresses, UInt64, none in the sorted array `taken`.

    They lie in the /24 `subnet` or mostly in the /16 `networks`; where these are full, anywhere.
    """
    found = np.empty(0, dtype=np.uint64)
    for attempt in range(10_000):
        if found.size >= count:
            break
        near = attempt < _TRIES_NEAR
        wanted = count - found.size
        drawn = _candidates(
            rng, wanted + wanted // 8 + 8, networks if near else (), subnet if near else -1
        )
        both = np.concatenate([found, drawn])
        _, firsts = np.unique(both, return_index=True)
        both = both[np.sort(firsts)]
        if taken.size:
            place = np.minimum(np.searchsorted(taken, both), taken.size - 1)
            both = both[taken[place] != both]
        found = both[:count]
    return found


def hops(src: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Routers between a sender and the telescope, 5 to 25, alike within a /16."""
    network = src >> np.uint64(16)
    far = (network * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)) % np.uint64(18)
    return (np.uint64(5) + far + src % np.uint64(3)).astype(np.uint8)
