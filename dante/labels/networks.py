"""Networks of sender numbers with names, matched by binary search."""

import ipaddress
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["NETWORKS", "Networks", "flatten", "network_range"]

NETWORKS: Final[dict[str, pl.DataType]] = {
    "first": pl.UInt64(),
    "last": pl.UInt64(),
    "name": pl.String(),
}
"""First and last sender number of a network, and whose it is."""

_LAST_IPV4: Final = 2**32 - 1
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def network_range(text: str) -> tuple[int, int]:
    """First and last sender number of an address or CIDR network.

    An IPv6 network within a /64 is the whole /64, as its senders are.

    Raises:
        ValueError: it is neither.
    """
    parsed = ipaddress.ip_network(text, strict=False)
    first, last = int(parsed.network_address), int(parsed.broadcast_address)
    if parsed.version == 4:
        return first, last
    if parsed.subnet_of(_MAPPED):
        return first & _LAST_IPV4, last & _LAST_IPV4
    # The numbers below are those of IPv4.
    return max(first >> 64, _LAST_IPV4 + 1), max(last >> 64, _LAST_IPV4 + 1)


@dataclass(frozen=True)
class Networks:
    """Disjoint ranges of sender numbers, in order.

    Attributes:
        first, last: (n,) uint64: the ends of each range, both in it.
        code: (n,) int64: the place of each range's name in `names`.
        names: every name once.
    """

    first: NDArray[np.uint64]
    last: NDArray[np.uint64]
    code: NDArray[np.int64]
    names: tuple[str, ...]

    def match(self, senders: pl.Series) -> pl.Series:
        """The name of each sender (UInt64) as String; null where no network has it."""
        if not len(self.first):
            return pl.Series(senders.name, [None] * senders.len(), dtype=pl.String)
        numbers = senders.to_numpy()
        place = np.searchsorted(self.first, numbers, side="right") - 1
        inside = (place >= 0) & (numbers <= self.last[np.maximum(place, 0)])
        rows = np.where(inside, self.code[np.maximum(place, 0)], len(self.names))
        known = pl.Series([*self.names, None], dtype=pl.String)
        return known.gather(pl.Series(rows)).alias(senders.name)

    def frame(self) -> pl.DataFrame:
        """The ranges as a frame of `NETWORKS`, in order."""
        names = pl.Series(self.names, dtype=pl.String).gather(pl.Series(self.code.astype(np.int64)))
        return pl.DataFrame(
            {"first": self.first, "last": self.last, "name": names}, schema=NETWORKS
        )


def flatten(networks: pl.DataFrame) -> Networks:
    """Networks that may lie within one another as disjoint ranges; the most specific wins.

    Args:
        networks: frame of `NETWORKS`; of two that are the same, the first row's name is taken.
    """
    frame = networks.unique(["first", "last"], keep="first", maintain_order=True)
    frame = frame.sort(["first", "last"], descending=[False, True])
    names = frame["name"].unique().sort()
    codes = frame["name"].replace_strict(
        names, pl.int_range(names.len(), eager=True), return_dtype=pl.Int64
    )
    first, last = frame["first"].to_numpy(), frame["last"].to_numpy()
    code = codes.to_numpy()
    if not (first[1:] > last[:-1]).all():
        first, last, code = _disjoint(first, last, code)
    return Networks(first, last, code, tuple(names.to_list()))


def _disjoint(
    first: NDArray[np.uint64], last: NDArray[np.uint64], code: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    """Cut nested ranges, sorted by (first, -last), at each other's ends."""
    out: list[tuple[int, int, int]] = []
    open_: list[tuple[int, int]] = []  # the ranges we are in, the innermost last
    at = 0  # the first number that is not told yet

    def tell(end: int, name: int) -> None:
        nonlocal at
        if at <= end:
            out.append((at, end, name))
            at = end + 1

    for begin, end, name in zip(first.tolist(), last.tolist(), code.tolist(), strict=True):
        while open_ and open_[-1][0] < begin:
            tell(*open_.pop())
        if open_:
            tell(begin - 1, open_[-1][1])
            # Networks nest or lie apart; whatever reaches beyond the one it is in ends with it.
            end = min(end, open_[-1][0])
        at = max(at, begin)
        open_.append((end, name))
    while open_:
        tell(*open_.pop())
    cut = np.array(out, dtype=np.uint64).reshape(-1, 3)
    return cut[:, 0].copy(), cut[:, 1].copy(), cut[:, 2].astype(np.int64)
