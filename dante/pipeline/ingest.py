"""Files in, canonical packets in the lake out; nothing counted twice, nothing lost."""

import glob
import json
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from dante.contracts import Contract, check_rows
from dante.errors import SourceError
from dante.pipeline.context import Context
from dante.pipeline.progress import Notify, Step, silent
from dante.schema import QUARANTINE
from dante.sources import (
    MAX_RAW,
    Batch,
    Reading,
    find_files,
    load_mapping,
    read_batches,
    source_digest,
)
from dante.store.home import Home, write_whole
from dante.store.lake import SourceWriter, remove_source
from dante.store.manifests import Manifest, read_manifest

__all__ = ["Ingested", "ingest_declared", "ingest_file", "ingest_files"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingested:
    """What ingesting one file did.

    Attributes:
        source: its name.
        manifest: what the lake holds of it.
        already: it was in the lake, read the same way: nothing was done.
    """

    source: str
    manifest: Manifest
    already: bool

    @property
    def rows(self) -> int:
        """Packets kept."""
        return sum(self.manifest.rows.values())

    @property
    def quarantined(self) -> int:
        """Rows refused."""
        return sum(self.manifest.quarantined.values())


def ingest_file(
    home: Home, path: Path, reading: Reading, contract: Contract, *, again: bool = False
) -> Ingested:
    """Read one file into the lake.

    The digest of its bytes names it: the same file read the same way again changes nothing; read
    another way (another mapping, say), it replaces what it gave before.

    Args:
        home: where to.
        path: the file.
        reading: how to read it.
        contract: judges each row; refused rows go to quarantine.
        again: read it even if it is there already.

    Raises:
        SourceError: the file cannot be read as packets at all.
        BusyError: another process is ingesting the same file.
    """
    digest = source_digest(path)
    fingerprint = _fingerprint(reading, contract)
    with home.lock(f"ingest-{digest}", wait=60):
        known = read_manifest(home, digest)
        if known is not None and known.reading == fingerprint and not again:
            return Ingested(_source_name(path), known, already=True)
        writer = SourceWriter(home, digest)
        try:
            for batch in read_batches(path, reading):
                judged = check_rows(batch.packets, contract)
                refused = _as_quarantine(judged.refused, batch)
                writer.add(judged.kept, refused)
        except SourceError:
            writer.discard()
            raise
        if not writer.rows and not writer.quarantined:
            raise SourceError(f"{path.name} holds no rows, only a header; nothing was ingested")
        if known is not None:
            remove_source(home, known)
        manifest = writer.finish(
            source=_source_name(path),
            reading=fingerprint,
            ingested_at=_stamp() if known is None else known.ingested_at,
        )
    return Ingested(_source_name(path), manifest, already=False)


def _as_quarantine(refused: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """The batch's refused rows with those the contract refused, as JSON of what was read."""
    if not refused.height:
        return batch.refused
    values = refused.drop("reason")
    rows = pl.DataFrame(
        {
            "day": values["ts"].dt.date(),
            # The contract sees packets, not lines: which record it was is not known any more.
            "row": pl.Series([None] * refused.height, dtype=pl.UInt64),
            "raw": values.select(
                pl.struct(pl.all()).struct.json_encode().str.slice(0, MAX_RAW)
            ).to_series(),
            "reason": refused["reason"],
        },
        schema=QUARANTINE,
    )
    return pl.concat([batch.refused, rows])


def _source_name(path: Path) -> str:
    """The file's name as text; bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(path.name).decode("utf-8", errors="replace")


def _stamp() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def ingest_files(
    context: Context,
    files: Sequence[tuple[Path, Reading]],
    *,
    jobs: int = 1,
    again: bool = False,
    notify: Notify = silent,
) -> list[Ingested]:
    """Ingest files, several at once with `jobs` processes; results in the order of the files.

    Raises:
        SourceError: a file cannot be read; those before it stay ingested.
    """
    work = [(context.home, path, reading, context.contract, again) for path, reading in files]
    results: list[Ingested] = []
    for done, result in enumerate(_each(work, jobs), 1):
        results.append(result)
        note = f"{result.source}{' (was there already)' if result.already else ''}"
        notify(Step("ingest", done, len(work), result.rows, note))
    return results


_Work = tuple[Home, Path, Reading, Contract, bool]


def _each(work: list[_Work], jobs: int) -> Iterator[Ingested]:
    if jobs <= 1 or len(work) <= 1:
        yield from map(_ingest_one, work)
        return
    # Polars and fork do not go together.
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_ingest_one, work)


def _ingest_one(work: _Work) -> Ingested:
    home, path, reading, contract, again = work
    return ingest_file(home, path, reading, contract, again=again)


def _below(root: Path, pattern: str) -> str | Path:
    """A declared pattern below the home, whose own path is no pattern."""
    place = root / pattern
    return place if place.exists() else str(Path(glob.escape(str(root))) / pattern)


def ingest_declared(context: Context, *, jobs: int = 1, notify: Notify = silent) -> list[Ingested]:
    """Ingest what is new in the sources that `dante.toml` declares.

    A file whose size and time of change are as they were when it was last ingested is not read. One
    that has grown takes the place of what it was; one that holds something else stands beside it.

    Raises:
        SourceError: a declared source does not exist or cannot be read.
        ConfigError: a mapping file is not understood.
    """
    home = context.home
    marks = _read_marks(home)
    fresh: list[tuple[Path, Reading]] = []
    for source in context.settings.sources:
        reading = Reading(sensor=source.sensor)
        if source.mapping is not None:
            reading = replace(reading, mapping=load_mapping(home.root / source.mapping))
        for path in find_files([_below(home.root, source.path)]):
            mark = marks.get(str(path))
            if mark is None or not mark.holds(home, path, reading, context.contract):
                fresh.append((path, reading))
    results = ingest_files(context, fresh, jobs=jobs, notify=notify)
    for (path, _), result in zip(fresh, results, strict=True):
        before = marks.get(str(path))
        if before is not None and before.grew_to(path, result.manifest.digest):
            outgrown = read_manifest(home, before.digest)
            if outgrown is not None:
                remove_source(home, outgrown)
        status = path.stat()
        marks[str(path)] = _Mark(status.st_size, status.st_mtime_ns, result.manifest.digest)
    if fresh:
        with write_whole(home.work / _MARKS) as temporary:
            body = {path: asdict(mark) for path, mark in sorted(marks.items())}
            temporary.write_text(json.dumps(body, indent=1), encoding="utf-8")
    return results


_MARKS = "sources.json"


@dataclass(frozen=True)
class _Mark:
    """A declared file as it was when it was last ingested."""

    size: int
    changed: int
    digest: str

    def holds(self, home: Home, path: Path, reading: Reading, contract: Contract) -> bool:
        """Whether the file need not be read: it has not changed, and the lake has it so read."""
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) != (self.size, self.changed):
            return False
        known = read_manifest(home, self.digest)
        return known is not None and known.reading == _fingerprint(reading, contract)

    def grew_to(self, path: Path, digest: str) -> bool:
        """Whether the file now begins with all it was before, and goes on."""
        return digest != self.digest and source_digest(path, first=self.size) == self.digest


def _read_marks(home: Home) -> dict[str, _Mark]:
    file = home.work / _MARKS
    if not file.is_file():
        return {}
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        return {path: _Mark(**mark) for path, mark in body.items()}
    except (ValueError, TypeError, AttributeError):
        log.warning("%s is damaged; declared sources are read again", file)
        return {}


def _fingerprint(reading: Reading, contract: Contract) -> str:
    return f"{reading.fingerprint()[:16]}-{contract.label}"
