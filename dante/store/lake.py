"""The lake: packets and refused rows as Parquet, a file a source and day."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import polars as pl

from dante.contracts import SENSOR_HOURS, count_sensor_hours
from dante.errors import DanteError, NotEnoughDataError
from dante.schema import PACKETS, QUARANTINE
from dante.store.ahead import ahead
from dante.store.byday import ByDay
from dante.store.home import Home, Place, write_whole
from dante.store.manifests import Manifest
from dante.store.objects import Stored, storage_options
from dante.store.records import Packed, Records, joined, to_table
from dante.store.rowgroups import write_groups
from dante.store.runs import GROUP, Runs

__all__ = ["SourceWriter", "remove_source", "scan_day", "scan_refused"]

# Row groups of this size keep min/max statistics of `src` useful without small reads.
ROW_GROUP: Final = GROUP
# Refused rows are up to 16 KiB each.
_QUARANTINE_GROUP: Final = 8_192
_HELD: Final = 256 << 20
_HELD_REFUSED: Final = 96 << 20


@dataclass
class SourceWriter:
    """Sorts one source's batches into the lake, by day, in bounded memory.

    Batches are held up to a budget and spilt, sorted, to `work/` beyond it; `finish` merges what
    was spilt and moves every day to its place. The same rows in the same order make the same
    bytes, whatever batches they come in and however much may be held.

    Attributes:
        home: where to.
        name: of the folder in `work/` to spill to; no other writer has the same at a time.
        most_bytes: of packets held before they are spilt.
    """

    home: Home
    name: str
    most_bytes: int = _HELD
    _hours: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from an empty spill folder, whatever a cut-off ingest left there."""
        shutil.rmtree(self._spill, ignore_errors=True)
        self._packets = Runs(self._spill / "packets", self.most_bytes)
        refused = min(self.most_bytes, _HELD_REFUSED)
        self._refused = ByDay(self._spill / "quarantine", refused)

    def discard(self) -> None:
        """Take away what was spilt; nothing of the source will be in the lake."""
        self._packets.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    @property
    def rows(self) -> dict[date, int]:
        """Rows kept so far, by day."""
        return dict(self._packets.rows)

    @property
    def quarantined(self) -> dict[date | None, int]:
        """Rows refused so far, by day; None for rows whose day could not be read."""
        return dict(self._refused.rows)

    @property
    def _spill(self) -> Path:
        return self.home.work / f"ingest-{self.name}"

    def add(self, packets: pl.DataFrame | Packed, refused: pl.DataFrame) -> None:
        """Take one batch: canonical packets and quarantine rows, both in source order."""
        self._packets.add(packets)
        self._refused.add(refused)
        self._hours.append(count_sensor_hours(packets))
        if len(self._hours) > 64:
            self._hours = [self._sensor_hours()]

    def _sensor_hours(self) -> pl.DataFrame:
        if not self._hours:
            return pl.DataFrame(schema=SENSOR_HOURS)
        together = pl.concat(self._hours).group_by("day", "sensor", "hour")
        return together.agg(pl.col("packets").sum()).sort("day", "sensor", "hour")

    def finish(self, digest: str, *, source: str, reading: str, ingested_at: str) -> Manifest:
        """Put every day in its place, then the manifest: only now the source counts.

        `digest` is that of the source's bytes.
        """
        # Packets are put in order while row groups are made of those before them.
        texts, lacking = self._packets.names.texts, self._packets.lacking
        table = partial(to_table, texts=texts, lacking=lacking)
        with closing(ahead(self._sorted())) as groups:
            for day, of_day in groupby(groups, key=itemgetter(0)):
                with write_whole(self.home.packets(day, digest)) as path:
                    write_groups(path, map(itemgetter(1), of_day), table, PACKETS)
        for known, frames in groupby(self._refused.merged(), key=itemgetter(0)):
            with write_whole(self.home.quarantine(known, digest)) as path:
                parts = _frames(map(itemgetter(1), frames), _QUARANTINE_GROUP)
                write_groups(path, parts, _table, QUARANTINE)
        manifest = Manifest(
            digest=digest,
            source=source,
            reading=reading,
            ingested_at=ingested_at,
            rows=self.rows,
            quarantined=self.quarantined,
            sensor_hours=self._sensor_hours(),
        )
        manifest.save(self.home)
        self.discard()
        return manifest

    def _sorted(self) -> Iterator[tuple[date, Records]]:
        """The packets of a row group each."""
        for day, parts in groupby(self._packets.merged(), key=itemgetter(0)):
            for group in _groups(map(itemgetter(1), parts), ROW_GROUP):
                yield day, group


def _groups(parts: Iterable[Records], size: int) -> Iterator[Records]:
    """The same records in parts of exactly `size`, the last of fewer."""
    rest: list[Records] = []
    have = 0
    for part in parts:
        start = 0
        while part.size - start >= size - have:
            stop = start + size - have
            inside = part[start:stop]
            yield joined([*rest, inside]) if rest else inside
            rest, have, start = [], 0, stop
        if start < part.size:
            rest.append(part[start:])
            have += rest[-1].size
    if rest:
        yield joined(rest)


def _frames(frames: Iterable[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of exactly `size` rows, the last of fewer."""
    rest: list[pl.DataFrame] = []
    have = 0
    for frame in frames:
        rest.append(frame)
        have += frame.height
        if have >= size:
            whole = pl.concat(rest)
            stop = have // size * size
            for start in range(0, stop, size):
                yield whole.slice(start, size)
            rest, have = [whole.slice(stop)], have - stop
    if have:
        yield pl.concat(rest)


def _table(frame: pl.DataFrame) -> Any:
    # One chunk: where chunks end shows in the pages of the file.
    return frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


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
    if any(day in manifest.pruned for manifest in held):
        raise DanteError(
            f"packets of {day} were removed by age (retention.packets_days), so it cannot be run "
            "again; ingest its sources with --again to have them back"
        )
    return pl.concat([_scan(home, manifest, day) for manifest in held])


def _scan(home: Home, manifest: Manifest, day: date) -> pl.LazyFrame:
    place = home.packets(day, manifest.digest)
    options = storage_options() if isinstance(place, Stored) else None
    # A file from before a column was added lacks it: null, as where a source does not carry it.
    frame = pl.scan_parquet(
        str(place) if isinstance(place, Stored) else place,
        glob=False,
        hive_partitioning=False,
        schema=PACKETS,
        missing_columns="insert",
        storage_options=options,
    )
    try:
        if isinstance(place, Stored):
            frame.head(1).collect(engine="in-memory")
        else:
            with place.open("rb") as file:
                pl.read_parquet_schema(file)
    except (OSError, pl.exceptions.PolarsError):
        if isinstance(place, Stored):
            # Its end has the schema: what the store gives now is not whole, or it gives nothing.
            _see_that_it_answers(place)
        raise DanteError(
            f"packets of {day} from {manifest.source} are missing or damaged in the lake; "
            f"ingest {manifest.source} again with --again"
        ) from None
    return frame


def scan_refused(place: Place) -> pl.LazyFrame:
    """One source's refused rows of one day."""
    return pl.scan_parquet(
        str(place) if isinstance(place, Stored) else place,
        glob=False,
        hive_partitioning=False,
        storage_options=storage_options() if isinstance(place, Stored) else None,
    )


def _see_that_it_answers(place: Stored) -> None:
    """Raise `UnreachableError` if the store cannot give the object at all."""
    with suppress(FileNotFoundError):
        place.read_bytes()
