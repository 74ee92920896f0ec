"""Networks of benign scanners, from files of one CIDR or address a line."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.errors import ConfigError
from dante.labels.networks import network_range

__all__ = ["BenignNetworks", "load_benign", "merged"]

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
                    ranges.add(network_range(network))
                except ValueError:
                    log.warning("%s line %d is no network: %r", file.name, number, network[:80])
    ends = np.array(sorted(ranges), dtype=np.uint64).reshape(-1, 2)
    return merged(ends[:, 0], ends[:, 1])


def merged(first: NDArray[np.uint64], last: NDArray[np.uint64]) -> BenignNetworks:
    """Ranges that may overlap, in any order, as disjoint ones."""
    order = np.lexsort((last, first))
    first, reach = first[order], np.maximum.accumulate(last[order])
    if not len(first):
        return BenignNetworks(first, reach)
    starts = np.concatenate([[True], first[1:] > reach[:-1]])
    ends = np.concatenate([starts[1:], [True]])
    return BenignNetworks(first[starts], reach[ends])
