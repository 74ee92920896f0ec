"""What every stage needs besides the day: the home, its settings, the contract, the manifests."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from dante.config import Settings, load_settings
from dante.contracts import SENSOR_HOURS, Contract, load_contract
from dante.errors import NotEnoughDataError
from dante.labels.book import Book, open_book
from dante.labels.scanners import BenignNetworks, load_benign
from dante.store.home import Home
from dante.store.manifests import (
    Manifest,
    days_with_packets,
    inputs_digest,
    read_manifests,
)

__all__ = ["Context", "open_context"]

RESULTS_VERSION = 10
"""Raised when the same input gives other results, so that days done before become stale."""


@dataclass(frozen=True)
class Context:
    """A home as it was when the context was opened; ingesting more takes a new one."""

    home: Home
    settings: Settings
    contract: Contract
    manifests: tuple[Manifest, ...]

    @cached_property
    def days(self) -> list[date]:
        """Days the lake has packets of, in order."""
        return days_with_packets(self.manifests)

    @cached_property
    def pruned(self) -> frozenset[date]:
        """Days whose packets were removed by age, at least in part."""
        return frozenset[date]().union(*(manifest.pruned for manifest in self.manifests))

    @cached_property
    def sensor_hours(self) -> pl.DataFrame:
        """Packets by day, sensor and hour, over all sources."""
        frames = [manifest.sensor_hours for manifest in self.manifests]
        return pl.concat(frames) if frames else pl.DataFrame(schema=SENSOR_HOURS)

    @cached_property
    def _inputs(self) -> dict[date, str]:
        parts: dict[date, list[tuple[str, str, int]]] = {}
        for manifest in self.manifests:
            for day, rows in manifest.rows.items():
                parts.setdefault(day, []).append((manifest.digest, manifest.reading, rows))
        return {day: _digest(sorted(held)) for day, held in parts.items()}

    @cached_property
    def _inputs_until(self) -> dict[date, str]:
        chain, digest = {}, ""
        for day in self.days:
            digest = chain[day] = _digest([digest, day.isoformat(), self._inputs[day]])
        return chain

    @cached_property
    def labels(self) -> Book:
        """The labels imported so far."""
        return open_book(self.home.labels)

    @cached_property
    def _benign_files(self) -> BenignNetworks:
        return load_benign(self.settings.threat.benign, self.home.root)

    def benign(self, day: date) -> BenignNetworks:
        """The networks of known benign scanners, as of a day."""
        return self.labels.benign(day, self._benign_files)

    @cached_property
    def _benign(self) -> str:
        benign = self._benign_files
        return _digest([benign.first.tolist(), benign.last.tolist()])

    def inputs(self, day: date) -> str:
        """Digest of what was ingested for a day."""
        return self._inputs[day]

    def judged(self, day: date) -> str:
        """Digest of all that the day's contract is judged by."""
        return _digest([self.contract.label, self._inputs_until[day]])

    def fingerprint(self, day: date, before: str | None) -> str:
        """Digest of all a day's result comes from.

        Args:
            day: the day, which must have packets.
            before: fingerprint of the newest committed day before it.
        """
        return _digest(
            [
                RESULTS_VERSION,
                self.settings.fingerprint(),
                self.contract.label,
                self._benign,
                *self.labels.benign_versions(day),
                self._inputs_until[day],
                before,
            ]
        )

    def packets(self, day: date) -> int:
        """Packets of a day, by the manifests."""
        return sum(manifest.rows.get(day, 0) for manifest in self.manifests)

    def require(self, day: date) -> None:
        """Refuse a day without packets.

        Raises:
            NotEnoughDataError: no source has packets of it.
        """
        if day in self._inputs:
            return
        held = f"it holds {self.days[0]} to {self.days[-1]}" if self.days else "it is empty"
        raise NotEnoughDataError(
            f"there are no packets of {day} in {self.home.root} ({held}); ingest a file that "
            "covers this day"
        )

    def window_digest(self, days: Sequence[date]) -> str:
        """Digest of what was ingested for these days."""
        return inputs_digest(self.manifests, days)


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def open_context(home: Path | str | None = None) -> Context:
    """Read a home's settings, contract and manifests.

    Raises:
        ConfigError: the settings or the contract are not understood.
        DanteError: a manifest is damaged.
    """
    settings = load_settings(home)
    place = Home(settings.home, settings.lake.url)
    return Context(place, settings, load_contract(), tuple(read_manifests(place)))
