"""The lake: packets and refused rows as Parquet, a file a source and day."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from dante.contracts import SENSOR_HOURS, count_sensor_hours
from dante.errors import DanteError, NotEnoughDataError
from dante.schema import PACKETS, QUARANTINE
from dante.store.home import Home, write_whole
from dante.store.manifests import Manifest

__all__ = ["SourceWriter", "remove_source", "scan_day"]

# Row groups this size keep min/max statistics of `src` useful without small reads.
ROW_GROUP = 131_072


@dataclass
class SourceWriter:
    """Sorts one source's batches into the lake, a day at a time, in bounded memory.

    Batches are spilt to `work/` by day as they come; `finish` sorts each day and moves it to its
    place. Memory is bounded by the largest batch and the largest single day of the source.
    """

    home: Home
    digest: str
    rows: dict[date, int] = field(default_factory=dict)
    quarantined: dict[date | None, int] = field(default_factory=dict)
    _hours: list[pl.DataFrame] = field(default_factory=list)
    _batches: int = 0

    def __post_init__(self) -> None:
        """Start from an empty spill folder, whatever a cut-off ingest left there."""
        self.discard()

    def discard(self) -> None:
        """Take away what was spilt; nothing of the source will be in the lake."""
        shutil.rmtree(self._spill, ignore_errors=True)

    @property
    def _spill(self) -> Path:
        return self.home.work / f"ingest-{self.digest}"

    def add(self, packets: pl.DataFrame, refused: pl.DataFrame) -> None:
        """Take one batch: canonical packets and quarantine rows, both in source order."""
        by_day = packets.with_columns(day=pl.col("ts").dt.date())
        for (day,), part in by_day.partition_by(
            "day", as_dict=True, maintain_order=True, include_key=False
        ).items():
            self.rows[day] = self.rows.get(day, 0) + part.height
            self._write("packets", day, part)
        self._hours.append(count_sensor_hours(packets))
        for (day,), part in refused.partition_by("day", as_dict=True, maintain_order=True).items():
            self.quarantined[day] = self.quarantined.get(day, 0) + part.height
            self._write("quarantine", day, part)
        self._batches += 1

    def _write(self, kind: str, day: date | None, part: pl.DataFrame) -> None:
        folder = self._spill / kind / str(day)
        folder.mkdir(parents=True, exist_ok=True)
        part.write_parquet(folder / f"{self._batches:08d}.parquet", compression="lz4")

    def finish(self, *, source: str, reading: str, ingested_at: str) -> Manifest:
        """Put every day in its place, then the manifest: only now the source counts."""
        for day in sorted(self.rows):
            # Stable: packets of one sender in one clock tick stay in the source's order.
            part = self._read("packets", day).sort("src", "ts", maintain_order=True)
            with write_whole(self.home.packets(day, self.digest)) as path:
                part.select(*PACKETS).write_parquet(
                    path, compression="zstd", row_group_size=ROW_GROUP, statistics=True
                )
        for refused_day in sorted(self.quarantined, key=lambda day: day or date.min):
            part = self._read("quarantine", refused_day)
            with write_whole(self.home.quarantine(refused_day, self.digest)) as path:
                part.select(*QUARANTINE).write_parquet(path, compression="zstd")
        hours = pl.concat(self._hours) if self._hours else pl.DataFrame(schema=SENSOR_HOURS)
        manifest = Manifest(
            digest=self.digest,
            source=source,
            reading=reading,
            ingested_at=ingested_at,
            rows=self.rows,
            quarantined=self.quarantined,
            sensor_hours=hours.group_by("day", "sensor", "hour").agg(pl.col("packets").sum()),
        )
        manifest.save(self.home)
        self.discard()
        return manifest

    def _read(self, kind: str, day: date | None) -> pl.DataFrame:
        files = sorted((self._spill / kind / str(day)).glob("*.parquet"))
        return pl.concat(
            [pl.read_parquet(file, glob=False, hive_partitioning=False) for file in files]
        )


def remove_source(home: Home, manifest: Manifest) -> None:
    """Take a source out of the lake: its manifest first, so that it stops counting at once."""
    home.manifest(manifest.digest).unlink(missing_ok=True)
    for day in manifest.rows:
        home.packets(day, manifest.digest).unlink(missing_ok=True)
    for refused_day in manifest.quarantined:
        home.quarantine(refused_day, manifest.digest).unlink(missing_ok=True)


def scan_day(home: Home, manifests: Sequence[Manifest], day: date) -> pl.LazyFrame:
    """All packets of a day, in the order of their sources' digests, then src and ts.

    Raises:
        NotEnoughDataError: no source has packets of this day.
        DanteError: a file a manifest names is gone.
    """
    held = [manifest for manifest in manifests if day in manifest.rows]
    if not held:
        raise NotEnoughDataError(
            f"there are no packets of {day} in {home.root}; ingest a file that covers it"
        )
    for manifest in held:
        try:
            with home.packets(day, manifest.digest).open("rb") as file:
                pl.read_parquet_schema(file)
        except (OSError, pl.exceptions.PolarsError):
            raise DanteError(
                f"packets of {day} from {manifest.source} are missing or damaged in the lake; "
                f"ingest {manifest.source} again with --again"
            ) from None
    return pl.concat(
        [pl.scan_parquet(home.packets(day, manifest.digest), glob=False) for manifest in held]
    )
