"""Networks of benign scanners, from files of one CIDR or address a line."""

import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.errors import ConfigError

__all__ = ["BenignNetworks", "load_benign"]

_LAST_IPV4 = 2**32 - 1
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BenignNetworks:
    """Disjoint ranges of sender numbers, (n,) uint64 each: first and last of each range."""

    first: NDArray[np.uint64]
    last: NDArray[np.uint64]

    def contains(self, senders: pl.Series) -> pl.Series:
        """Whether each sender (UInt64) lies in a benign network."""
        if not len(self.first):
            return pl.Series("benign", np.zeros(senders.len(), dtype=bool))
        numbers = senders.to_numpy()
        place = np.searchsorted(self.first, numbers, side="right")
        last = self.last[np.maximum(place, 1) - 1]
        return pl.Series("benign", (place > 0) & (numbers <= last))


def load_benign(paths: Sequence[str], base: Path) -> BenignNetworks:
    """Read CIDR files, or every `.txt` file of folders; `#` starts a comment.

    A line that is no network is named in the log and left out.

    Raises:
        ConfigError: a path does not exist.
    """
    ranges: set[tuple[int, int]] = set()
    for entry in paths:
        path = base / entry
        if not path.exists():
            raise ConfigError(f"threat.benign names {entry}, which does not exist; correct it")
        files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
        for file in files:
            text = file.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), 1):
                network = line.split("#", 1)[0].strip()
                if not network:
                    continue
                try:
                    ranges.add(_range(network))
                except ValueError:
                    log.warning("%s line %d is no network: %r", file.name, number, network[:80])
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return BenignNetworks(
        np.array([first for first, _ in merged], dtype=np.uint64),
        np.array([last for _, last in merged], dtype=np.uint64),
    )


def _range(network: str) -> tuple[int, int]:
    parsed = ipaddress.ip_network(network, strict=False)
    first, last = int(parsed.network_address), int(parsed.broadcast_address)
    if parsed.version == 4:
        return first, last
    if parsed.subnet_of(_MAPPED):
        return first & _LAST_IPV4, last & _LAST_IPV4
    # The numbers below are those of IPv4.
    return max(first >> 64, _LAST_IPV4 + 1), max(last >> 64, _LAST_IPV4 + 1)
