"""Manifests: what each ingested source held, a small JSON file each.

A source counts once its manifest is there, and its manifest is written last, so an ingest that
was cut off never happened. Because the counts are here, a day can be checked against the days
before it without reading their packets.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import polars as pl

from dante.contracts import SENSOR_HOURS
from dante.errors import DanteError, SourceError
from dante.store.home import Home, write_whole
from dante.store.objects import find_stored, read_all

__all__ = [
    "Manifest",
    "days_with_packets",
    "ingests",
    "inputs_digest",
    "read_manifest",
    "read_manifests",
]

INGESTS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "source": pl.String(),
    "digest": pl.String(),
    "rows": pl.Int64(),
    "quarantined": pl.Int64(),
    "ingested_at": pl.Datetime("us"),
}


@dataclass(frozen=True)
class Manifest:
    """What one source held.

    Attributes:
        digest: of the source's bytes; names its files in the lake.
        source: the file's name, as shown to people.
        reading: fingerprint of how it was read (format, mapping, contract).
        ingested_at: ISO 8601 UTC time of the ingest that made these files.
        rows: packets kept, by day.
        quarantined: rows refused, by day; None for rows whose day could not be read.
        sensor_hours: frame of `dante.contracts.SENSOR_HOURS`: packets kept by day, sensor and hour.
        pruned: days whose packets were removed by age; they count as before.
        dropped: days whose refused rows were.
    """

    digest: str
    source: str
    reading: str
    ingested_at: str
    rows: dict[date, int]
    quarantined: dict[date | None, int]
    sensor_hours: pl.DataFrame
    pruned: frozenset[date] = frozenset()
    dropped: frozenset[date | None] = frozenset()

    def save(self, home: Home) -> None:
        """Write the manifest: from now on the source counts."""
        hours = self.sensor_hours.sort("day", "sensor", "hour", nulls_last=True)
        body: dict[str, Any] = {
            "digest": self.digest,
            "source": self.source,
            "reading": self.reading,
            "ingested_at": self.ingested_at,
            "rows": {day.isoformat(): n for day, n in sorted(self.rows.items())},
            "quarantined": [
                [None if day is None else day.isoformat(), n]
                for day, n in sorted(self.quarantined.items(), key=lambda item: item[0] or date.min)
            ],
            "sensor_hours": [
                [day.isoformat(), sensor, hour, packets]
                for day, sensor, hour, packets in hours.iter_rows()
            ],
        }
        if self.pruned:
            body["pruned"] = [day.isoformat() for day in sorted(self.pruned)]
        if self.dropped:
            known = sorted(day.isoformat() for day in self.dropped if day is not None)
            body["dropped"] = [*([None] if None in self.dropped else []), *known]
        with write_whole(home.manifest(self.digest)) as path:
            path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")

    @property
    def days(self) -> set[date]:
        """Days this source has packets of."""
        return set(self.rows)


def read_manifests(home: Home) -> list[Manifest]:
    """All manifests of a home, in the order of their digests.

    Raises:
        DanteError: a manifest is damaged.
    """
    if home.lake:
        try:
            found = find_stored(f"{home.lake}/ingests", home.work)
        except SourceError:
            return []
        return [_parse(item.name, body) for item, body in zip(found, read_all(found), strict=True)]
    if not home.manifests.is_dir():
        return []
    return [_parse(path.name, path.read_bytes()) for path in sorted(home.manifests.glob("*.json"))]


def read_manifest(home: Home, digest: str) -> Manifest | None:
    """The manifest of one source, or None while it does not count.

    Raises:
        DanteError: it is damaged.
    """
    path = home.manifest(digest)
    try:
        return _parse(path.name, path.read_bytes())
    except FileNotFoundError:
        return None


def _parse(name: str, body: bytes) -> Manifest:
    try:
        raw: dict[str, Any] = json.loads(body)
        return Manifest(
            digest=raw["digest"],
            source=raw["source"],
            reading=raw["reading"],
            ingested_at=datetime.fromisoformat(raw["ingested_at"]).isoformat(),
            rows={date.fromisoformat(day): int(n) for day, n in raw["rows"].items()},
            quarantined={
                None if day is None else date.fromisoformat(day): int(n)
                for day, n in raw["quarantined"]
            },
            sensor_hours=pl.DataFrame(
                [
                    (date.fromisoformat(day), sensor, hour, packets)
                    for day, sensor, hour, packets in raw["sensor_hours"]
                ],
                schema=SENSOR_HOURS,
                orient="row",
            ),
            pruned=frozenset(date.fromisoformat(day) for day in raw.get("pruned", ())),
            dropped=frozenset(
                None if day is None else date.fromisoformat(day) for day in raw.get("dropped", ())
            ),
        )
    # A damaged file can make the readers of JSON and frames raise nearly anything.
    except Exception as error:
        raise DanteError(
            f"manifest lake/ingests/{name} is damaged ({error}); delete it and ingest its source "
            "again"
        ) from None


def days_with_packets(manifests: Iterable[Manifest]) -> list[date]:
    """Every day some source has packets of, in order."""
    return sorted({day for manifest in manifests for day in manifest.rows})


def inputs_digest(manifests: Iterable[Manifest], days: Iterable[date]) -> str:
    """Hex digest of all that was ingested for these days: other input, other digest."""
    wanted = set(days)
    parts = sorted(
        (day.isoformat(), manifest.digest, manifest.reading, n)
        for manifest in manifests
        for day, n in manifest.rows.items()
        if day in wanted
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def ingests(manifests: Iterable[Manifest]) -> pl.DataFrame:
    """The rows of the published view `ingests`, one a source and day."""
    rows = [
        (
            day,
            manifest.source,
            manifest.digest,
            manifest.rows.get(day, 0) if day is not None else 0,
            manifest.quarantined.get(day, 0),
            manifest.ingested_at,
        )
        for manifest in manifests
        for day in sorted(
            set(manifest.rows) | set(manifest.quarantined), key=lambda day: day or date.min
        )
    ]
    schema = {**INGESTS, "ingested_at": pl.String()}
    return (
        pl.DataFrame(rows, schema=schema, orient="row")
        .with_columns(
            pl.col("ingested_at")
            .str.to_datetime(time_unit="us", time_zone="UTC")
            .dt.replace_time_zone(None)
        )
        .sort("day", "digest", nulls_last=True)
    )
