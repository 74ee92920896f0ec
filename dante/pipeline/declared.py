"""The sources that `dante.toml` declares: what is new in them is ingested, what has grown anew.

A file that is still being written is read as far as it is written. When it has grown it is read
again from its start and takes the place of what it was, so half a record at its end costs nothing
but the time to read the file again.
"""

import glob
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dante.config import SourceSettings
from dante.contracts import Contract
from dante.errors import SourceError, UsageError
from dante.pipeline.context import Context
from dante.pipeline.ingest import Ingested, NoRowsError, fingerprint, ingest_each, refuse_unread
from dante.pipeline.progress import Notify, silent
from dante.sources import Reading, find_files, load_mapping, prefix_digests
from dante.store.home import Home, write_whole
from dante.store.lake import remove_source
from dante.store.manifests import read_manifest
from dante.store.objects import Stored, find_stored, is_stored, stamp_number

__all__ = ["digests_by_source", "ingest_declared", "pending_files"]

log = logging.getLogger(__name__)


def ingest_declared(
    context: Context,
    *,
    jobs: int = 1,
    notify: Notify = silent,
    only: frozenset[str] | None = None,
) -> list[Ingested]:
    """Ingest what is new in the sources that `dante.toml` declares.

    A file whose size and time of change are as they were when it was last ingested is not read. One
    that has grown, also under another name, as logs that are rotated do, takes the place of what
    it was; one that holds something else stands beside it. Files of no rows wait for their
    first. A declared folder or pattern that names nothing yet is no fault: it is waited for.

    Args:
        context: the home.
        jobs: processes that read files.
        notify: told of each file.
        only: names of `pending_files` to ingest, beside others that do the rest: what is known of
            the sources' files is not written down then, nor is what was outgrown taken out.

    Raises:
        SourceError: a declared source cannot be read; all others are ingested.
        ConfigError: a mapping file is not understood.
    """
    home = context.home
    marks = _read_marks(home)
    fresh = _fresh(context, marks)
    if only is not None:
        fresh = [file for file in fresh if file.name in only]
    results = []
    near = [file for file in fresh if isinstance(file.place, Path)]
    pairs = [(file.place, file.reading) for file in near if isinstance(file.place, Path)]
    found = ingest_each(context, pairs, jobs=jobs, notify=notify)
    taken = [
        (file, result)
        for file, result in zip(near, found, strict=True)
        if isinstance(result, Ingested)
    ]
    results += found
    if only is None:
        _remove_outgrown(home, [(file.place, result) for file, result in taken], marks)
    for file in fresh:
        if not isinstance(file.place, Stored):
            continue
        # One after another: each is copied here, and the disk is not for all of them.
        with _fetched(home, file.place) as copy:
            names = {copy: file.place.name}
            (result,) = ingest_each(context, [(copy, file.reading)], notify=notify, names=names)
            results.append(result)
            if isinstance(result, Ingested):
                taken.append((file, result))
                if only is None:
                    _remove_outgrown(home, [(copy, result)], marks)
    if only is None and taken:
        for file, result in taken:
            size, changed = file.state or (result.size, result.changed)
            marks[file.name] = _Mark(size, changed, result.manifest.digest, file.source)
        with write_whole(home.sources) as temporary:
            body = {path: asdict(mark) for path, mark in sorted(marks.items())}
            temporary.write_text(json.dumps(body, indent=1), encoding="utf-8")
    refuse_unread([result for result in results if not isinstance(result, NoRowsError)])
    return [result for _, result in taken]


def pending_files(context: Context) -> list[str]:
    """Names of the declared sources' files that an ingest would read now, in order."""
    return [file.name for file in _fresh(context, _read_marks(context.home))]


def digests_by_source(context: Context) -> dict[str, set[str]]:
    """The digests of what each declared source has given so far, by the source's label.

    Sources that have given nothing have an empty set.
    """
    given: dict[str, set[str]] = {source.label: set() for source in context.settings.sources}
    for mark in _read_marks(context.home).values():
        if mark.source in given:
            given[mark.source].add(mark.digest)
    return given


@dataclass(frozen=True)
class _File:
    """A file of a declared source.

    Attributes:
        place: where it is.
        reading: how to read it.
        source: its source's label.
        state: what is known of its size and change without reading it, if that is to be noted.
    """

    place: Path | Stored
    reading: Reading
    source: str
    state: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return str(self.place)


def _fresh(context: Context, marks: Mapping[str, "_Mark"]) -> list[_File]:
    """Files that are not in the lake as they are now."""
    home, fresh = context.home, []
    for source in context.settings.sources:
        reading = Reading(
            format=source.format, sensor=source.sensor, tz=source.tz, year=source.year
        )
        if source.mapping is not None:
            reading = replace(reading, mapping=load_mapping(home.root / source.mapping))
        for place in _found(home, source):
            if isinstance(place, Stored):
                state: tuple[int, int] | None = (place.size, stamp_number(place.stamp))
                size = place.size
            else:
                state, size = None, place.stat().st_size
            mark = marks.get(str(place))
            if not size:
                log.info("%s: still empty", place)
            elif (
                mark is None
                or not mark.holds(home, place, state, reading, context.contract)
                or mark.source != source.label
            ):
                fresh.append(_File(place, reading, source.label, state))
    return fresh


def _found(home: Home, source: SourceSettings) -> list[Path] | list[Stored]:
    """The files that a source names now."""
    try:
        if is_stored(source.path):
            return find_stored(source.path, home.work)
        return find_files([_below(home.root, source.path)])
    except (SourceError, UsageError) as error:
        place = home.root / source.path
        if place.is_dir() or any(sign in source.path for sign in "*?[") or is_stored(source.path):
            log.info("%s: nothing has arrived yet", source.label)
            return []
        raise SourceError(f"declared source {source.label}: {error}") from None


@contextmanager
def _fetched(home: Home, place: Stored) -> Iterator[Path]:
    """A local copy of an object while it is read."""
    home.work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="spool-", dir=home.work))
    try:
        place.get(folder / place.name)
        yield folder / place.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _below(root: Path, pattern: str) -> str | Path:
    """A declared pattern below the home, whose own path is no pattern."""
    place = root / pattern
    return place if place.exists() else str(Path(glob.escape(str(root))) / pattern)


@dataclass(frozen=True)
class _Mark:
    """A declared file as it was when it was last ingested: its bytes then, and what names them."""

    size: int
    changed: int
    digest: str
    source: str = ""

    def unchanged(self, path: Path) -> bool:
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.changed)

    def holds(
        self,
        home: Home,
        place: Path | Stored,
        state: tuple[int, int] | None,
        reading: Reading,
        contract: Contract,
    ) -> bool:
        """Whether the file need not be read: it has not changed, and the lake has it so read."""
        if isinstance(place, Path):
            if not self.unchanged(place):
                return False
        elif state != (self.size, self.changed):
            return False
        known = read_manifest(home, self.digest)
        return known is not None and known.reading == fingerprint(reading, contract)


def _remove_outgrown(
    home: Home, taken: Iterable[tuple[Path | Stored, Ingested]], marks: dict[str, _Mark]
) -> None:
    """Take out of the lake what files of now begin with and were, or others were, before."""
    taken = list(taken)
    left = {
        mark
        for path, mark in marks.items()
        if (is_stored(path) or not mark.unchanged(Path(path)))
        and home.manifest(mark.digest).is_file()
    }
    now = {result.manifest.digest for _, result in taken}
    for path, result in taken:
        shorter = [mark for mark in left if mark.size < result.size and mark.digest not in now]
        if not shorter or result.already or not isinstance(path, Path):
            continue
        begins = set(prefix_digests(path, [mark.size for mark in shorter]))
        for mark in shorter:
            outgrown = read_manifest(home, mark.digest) if mark.digest in begins else None
            if outgrown is not None:
                remove_source(home, outgrown)


def _read_marks(home: Home) -> dict[str, _Mark]:
    file = home.sources
    if not file.is_file():
        return {}
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        return {path: _Mark(**mark) for path, mark in body.items()}
    except (ValueError, TypeError, AttributeError):
        log.warning("%s is damaged; declared sources are read again", file)
        return {}
