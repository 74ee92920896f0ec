"""The sources that `dante.toml` declares: what is new in them is ingested, what has grown anew.

A file that is still being written is read as far as it is written. When it has grown it is read
again from its start and takes the place of what it was, so half a record at its end costs nothing
but the time to read the file again.
"""

import glob
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dante.contracts import Contract
from dante.pipeline.context import Context
from dante.pipeline.ingest import Ingested, NoRowsError, fingerprint, ingest_each, refuse_unread
from dante.pipeline.progress import Notify, silent
from dante.sources import Reading, find_files, load_mapping, prefix_digests
from dante.store.home import Home, write_whole
from dante.store.lake import remove_source
from dante.store.manifests import read_manifest

__all__ = ["ingest_declared"]

log = logging.getLogger(__name__)

_MARKS = "sources.json"


def ingest_declared(context: Context, *, jobs: int = 1, notify: Notify = silent) -> list[Ingested]:
    """Ingest what is new in the sources that `dante.toml` declares.

    A file whose size and time of change are as they were when it was last ingested is not read. One
    that has grown, also under another name, as logs that are rotated do, takes the place of what
    it was; one that holds something else stands beside it. Files of no rows wait for their
    first.

    Raises:
        SourceError: a declared source does not exist or cannot be read; all others are ingested.
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
            if not path.stat().st_size:
                log.info("%s: still empty", path)
            elif mark is None or not mark.holds(home, path, reading, context.contract):
                fresh.append((path, reading))
    results = ingest_each(context, fresh, jobs=jobs, notify=notify)
    taken = [
        (path, result)
        for (path, _), result in zip(fresh, results, strict=True)
        if isinstance(result, Ingested)
    ]
    _remove_outgrown(home, taken, marks)
    for path, result in taken:
        marks[str(path)] = _Mark(result.size, result.changed, result.manifest.digest)
    if taken:
        with write_whole(home.work / _MARKS) as temporary:
            body = {path: asdict(mark) for path, mark in sorted(marks.items())}
            temporary.write_text(json.dumps(body, indent=1), encoding="utf-8")
    refuse_unread([result for result in results if not isinstance(result, NoRowsError)])
    return [result for _, result in taken]


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

    def unchanged(self, path: Path) -> bool:
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.changed)

    def holds(self, home: Home, path: Path, reading: Reading, contract: Contract) -> bool:
        """Whether the file need not be read: it has not changed, and the lake has it so read."""
        if not self.unchanged(path):
            return False
        known = read_manifest(home, self.digest)
        return known is not None and known.reading == fingerprint(reading, contract)


def _remove_outgrown(
    home: Home, taken: Iterable[tuple[Path, Ingested]], marks: dict[str, _Mark]
) -> None:
    """Take out of the lake what files of now begin with and were, or others were, before."""
    left = {
        mark
        for path, mark in marks.items()
        if not mark.unchanged(Path(path)) and home.manifest(mark.digest).is_file()
    }
    now = {result.manifest.digest for _, result in taken}
    for path, result in taken:
        shorter = [mark for mark in left if mark.size < result.size and mark.digest not in now]
        if not shorter or result.already:
            continue
        begins = set(prefix_digests(path, [mark.size for mark in shorter]))
        for mark in shorter:
            outgrown = read_manifest(home, mark.digest) if mark.digest in begins else None
            if outgrown is not None:
                remove_source(home, outgrown)


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
