"""Files in, canonical packets in the lake out; nothing counted twice, nothing lost."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from dante.contracts import Contract, RowsChecked, check_rows
from dante.errors import SourceError, UsageError
from dante.pipeline.context import Context
from dante.pipeline.progress import Notify, Step, silent
from dante.pipeline.spool import spooled
from dante.pipeline.workers import processes
from dante.schema import QUARANTINE
from dante.sources import MAX_RAW, Batch, Digesting, Reading, format_of, read_batches
from dante.store.ahead import ahead
from dante.store.home import Home
from dante.store.lake import SourceWriter, remove_source
from dante.store.manifests import Manifest, read_manifest

__all__ = [
    "Ingested",
    "NoRowsError",
    "fingerprint",
    "ingest_each",
    "ingest_file",
    "ingest_files",
    "refuse_unread",
]

log = logging.getLogger(__name__)

# Batches that are read while one is judged and packed.
_AHEAD: Final = 2
# Files of so many bytes are read while their digest is made.
_LARGE: Final = 1 << 26


@dataclass(frozen=True)
class Ingested:
    """What ingesting one file did.

    Attributes:
        source: its name.
        manifest: what the lake holds of it.
        already: it was in the lake, read the same way: nothing was done.
        size: how many bytes of it were read.
        changed: when the file was changed last before they were, in ns.
        form: the format it was read as; none if it was in the lake.
    """

    source: str
    manifest: Manifest
    already: bool
    size: int = 0
    changed: int = 0
    form: str = ""

    @property
    def rows(self) -> int:
        """Packets kept."""
        return sum(self.manifest.rows.values())

    @property
    def quarantined(self) -> int:
        """Rows refused."""
        return sum(self.manifest.quarantined.values())


class NoRowsError(SourceError):
    """A file that can be read holds a header, and no row yet."""


class _ChangedError(Exception):
    """The file is not what it was when it was begun to be read."""


def ingest_file(
    home: Home,
    path: Path,
    reading: Reading,
    contract: Contract,
    *,
    again: bool = False,
    name: str | None = None,
) -> Ingested:
    """Read one file into the lake.

    The digest of its bytes names it: the same file read the same way again changes nothing; read
    another way (another mapping, say), it replaces what it gave before. A file that is written to
    meanwhile is read again from a copy of what it holds then.

    Args:
        home: where to.
        path: the file.
        reading: how to read it.
        contract: judges each row; refused rows go to quarantine.
        again: read it even if it is there already.
        name: what to call the source, if not by the name of the file.

    Raises:
        SourceError: the file cannot be read as packets at all.
        BusyError: another process is ingesting the same file.
    """
    name = name or _source_name(path)
    try:
        return _ingest(home, path, reading, contract, again, name)
    except _ChangedError:
        log.info("%s is being written to; it is read as far as it is written now", path)
    changed = path.stat().st_mtime_ns
    with path.open("rb") as file, spooled(home, file, path.name, changed=changed) as copy:
        try:
            return _ingest(home, copy, reading, contract, again, name)
        except SourceError as error:
            raise SourceError(str(error).replace(str(copy), str(path))) from error


def _ingest(
    home: Home, path: Path, reading: Reading, contract: Contract, again: bool, name: str
) -> Ingested:
    state, how = _state(path), fingerprint(reading, contract)
    # What is spilt has a name before the digest is known; a cut-off ingest is taken up under it.
    spill = sha256(f"{path.resolve()} {state}".encode("utf-8", "replace")).hexdigest()[:32]

    def there(known: Manifest | None) -> Ingested | None:
        if known is None or known.reading != how or again:
            return None
        if _state(path) != state:
            raise _ChangedError
        return Ingested(name, known, True, *state)

    with home.lock(f"ingest-{spill}", wait=60), closing(Digesting(path)) as digesting:
        # To read what may turn out to be there already is a waste. Of a large file it is a short
        # one: reading ends when the digest is made, which it is much sooner than all is read.
        asked = state[0] < _LARGE
        if asked and (found := there(read_manifest(home, digesting.digest()))):
            return found
        writer = SourceWriter(home, spill)
        try:
            form = format_of(path, reading)
            before = 0
            with closing(ahead(read_batches(path, reading), _AHEAD)) as batches:
                for batch in batches:
                    if not asked and digesting.done():
                        asked = True
                        if found := there(read_manifest(home, digesting.digest())):
                            writer.discard()
                            return found
                    judged = check_rows(batch.given, contract)
                    writer.add(judged.kept, _refused(judged, batch, before))
                    before += batch.rows
            digest = digesting.digest()
            with home.lock(f"ingest-{digest}", wait=60):
                known = read_manifest(home, digest)
                if found := there(known):  # meanwhile, from a copy of the file
                    writer.discard()
                    return found
                if _state(path) != state:
                    raise _ChangedError
                if not before:
                    raise NoRowsError(f"{name} holds no rows, only a header; nothing was ingested")
                if known is not None:
                    remove_source(home, known)
                manifest = writer.finish(
                    digest,
                    source=name,
                    reading=how,
                    ingested_at=_stamp() if known is None else known.ingested_at,
                )
        except BaseException as error:  # also Ctrl-C: what was spilt may be gigabytes
            writer.discard()
            if isinstance(error, SourceError) and path.is_file() and _state(path) != state:
                raise _ChangedError from error
            raise
    return Ingested(name, manifest, False, *state, form)


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    return status.st_size, status.st_mtime_ns


def _refused(judged: RowsChecked, batch: Batch, before: int) -> pl.DataFrame:
    """A batch's refused rows and those the contract refused, as JSON of what was read, in order.

    `before` rows were in front of the batch.
    """
    refused = judged.refused
    if not refused.height:
        return batch.refused
    values = refused.drop("reason")
    # A row is a packet or a refused row: the k-th packet has the k-th number no other has.
    taken = batch.refused["row"].drop_nulls().to_numpy() - np.uint64(before + 1)
    free = np.delete(np.arange(batch.rows, dtype=np.uint64), taken[taken < batch.rows])
    rows = pl.DataFrame(
        {
            "day": values["ts"].dt.date(),
            "row": pl.Series(free[judged.positions.to_numpy()] + np.uint64(before + 1)),
            "raw": values.select(
                pl.struct(pl.all()).struct.json_encode().str.slice(0, MAX_RAW)
            ).to_series(),
            "reason": refused["reason"],
        },
        schema=QUARANTINE,
    )
    return pl.concat([batch.refused, rows]).sort("row", nulls_last=True, maintain_order=True)


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
        SourceError: a file cannot be read; all others are ingested.
        UsageError: the same for every such file, because of how it was asked to be read.
    """
    results = ingest_each(context, files, jobs=jobs, again=again, notify=notify)
    refuse_unread(results)
    return [result for result in results if isinstance(result, Ingested)]


def ingest_each(
    context: Context,
    files: Sequence[tuple[Path, Reading]],
    *,
    jobs: int = 1,
    again: bool = False,
    notify: Notify = silent,
    names: Mapping[Path, str] | None = None,
) -> list[Ingested | SourceError | UsageError]:
    """As `ingest_files`, with the error of a file that cannot be read in its place.

    `names` are what sources are called that are not called as their files.
    """
    names = names or {}
    work = [
        (context.home, path, reading, context.contract, again, names.get(path))
        for path, reading in files
    ]
    results: list[Ingested | SourceError | UsageError] = []
    for done, result in enumerate(_each(work, jobs), 1):
        results.append(result)
        if isinstance(result, Ingested):
            note = f"{result.source} ({'was there already' if result.already else result.form})"
            notify(Step("ingest", done, len(work), result.rows, note))
        else:
            notify(Step("ingest", done, len(work), 0, str(result)))
    return results


def refuse_unread(results: Sequence[Ingested | SourceError | UsageError]) -> None:
    """Name the files that could not be read.

    Raises:
        SourceError: there are some.
        UsageError: there are, each because of how it was asked to be read.
    """
    failed = [result for result in results if not isinstance(result, Ingested)]
    if not failed:
        return
    if len(results) == 1:
        raise failed[0]
    told = [str(error).removesuffix(".") for error in failed[:_SHOWN]]
    more = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    rest = "; the others were ingested" if len(failed) < len(results) else ""
    kind = UsageError if all(isinstance(error, UsageError) for error in failed) else SourceError
    raise kind(
        f"{len(failed)} of {len(results)} files could not be read: {'; '.join(told)}{more}{rest}"
    )


_SHOWN = 10
_Work = tuple[Home, Path, Reading, Contract, bool, str | None]


def _each(work: list[_Work], jobs: int) -> Iterator[Ingested | SourceError | UsageError]:
    if jobs <= 1 or len(work) <= 1:
        yield from map(_ingest_one, work)
        return
    with processes(min(jobs, len(work))) as pool:
        yield from pool.map(_ingest_one, work)


def _ingest_one(work: _Work) -> Ingested | SourceError | UsageError:
    home, path, reading, contract, again, name = work
    try:
        return ingest_file(home, path, reading, contract, again=again, name=name)
    except (SourceError, UsageError) as error:
        return type(error)(str(error))


def fingerprint(reading: Reading, contract: Contract) -> str:
    """What a manifest says of how its source was read."""
    return f"{reading.fingerprint()[:16]}-{contract.label}"
