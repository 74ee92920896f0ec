"""The folders and files of a home, and how a file comes to be there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from filelock import FileLock, Timeout

from dante.errors import BusyError, DanteError
from dante.store.objects import Stored

__all__ = ["Home", "Place", "make_folder", "sync", "unwritable", "write_whole"]

Place = Path | Stored
"""A file in a folder or on an object store."""

UNKNOWN_DAY = "unknown"


@dataclass(frozen=True)
class Home:
    """One telescope's folder; every path in it is made here.

    Attributes:
        root: the folder.
        lake: address of an object store that holds packets, refused rows and manifests; empty
            if they are in the folder.
    """

    root: Path
    lake: str = ""

    @property
    def manifests(self) -> Path:
        """Folder of one JSON file a source: written last, so a source counts when it is there."""
        return self.root / "lake" / "ingests"

    def in_lake(self, *parts: str) -> Place:
        """A file of the lake, wherever that is."""
        if self.lake:
            return Stored("/".join((self.lake, *parts)), self.work)
        return self.root.joinpath("lake", *parts)

    @property
    def sources(self) -> Path:
        """What was last seen of the declared sources' files, and which ones they were."""
        return self.root / "lake" / "sources.json"

    @property
    def models(self) -> Path:
        """Folder of one folder a model."""
        return self.root / "models"

    @property
    def labels(self) -> Path:
        """Folder of imported labels, one folder a version, and of the analysts' own."""
        return self.root / "labels"

    @property
    def work(self) -> Path:
        """Folder of what one stage hands to the next; may be deleted while nothing runs."""
        return self.root / "work"

    @property
    def state(self) -> Path:
        """The pipeline's own database."""
        return self.root / "state.duckdb"

    @property
    def lineage(self) -> Path:
        """The published database people query."""
        return self.root / "lineage.duckdb"

    def manifest(self, digest: str) -> Place:
        """The manifest of one source."""
        return self.in_lake("ingests", f"{digest}.json")

    def packets(self, day: date, digest: str) -> Place:
        """One source's packets of one day."""
        return self.in_lake("packets", f"day={day}", f"{digest}.parquet")

    def quarantine(self, day: date | None, digest: str) -> Place:
        """One source's refused rows of one day, or of no day that could be read."""
        name = f"day={UNKNOWN_DAY if day is None else day}"
        return self.in_lake("quarantine", name, f"{digest}.parquet")

    def profiles(self, day: date) -> Path:
        """The senders of a day: their sentences and profiles."""
        return self.root / "lake" / "profiles" / f"day={day}.parquet"

    def clusters(self, day: date) -> Path:
        """A day's sender → cluster table, handed from clustering to tracking."""
        return self.work / f"day={day}" / "clusters.parquet"

    def quality(self, day: date) -> Path:
        """A day's check results, handed from the check to the commit."""
        return self.work / f"day={day}" / "quality.json"

    @contextmanager
    def lock(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        """Hold the home's lock of this name; `wait` in seconds.

        Raises:
            BusyError: another process holds it after `wait`.
        """
        folder = self.root / ".locks"
        lock = FileLock(folder / f"{name}.lock", timeout=wait)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise BusyError(
                f"another dante process is at work on {self.root} (its {name} lock is held); "
                "wait for it to end and try again"
            ) from None
        except OSError as error:
            raise unwritable(error, self.root) or error from None
        try:
            yield
        finally:
            lock.release()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each entered on disk in the one above."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's entries, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_FULL: Final = ("No space left on device", "Disk quota exceeded", "File too large")
_SHUT: Final = ("Read-only file system", "Permission denied", "Operation not permitted")


def unwritable(error: BaseException, place: Path) -> DanteError | None:
    """What to say of an error, whichever library raised it, if a place cannot be written to."""
    text = str(error)
    if any(sign in text for sign in _FULL):
        return DanteError(
            f"there is no room left to write {place}; free some and give the same command again: "
            "what was committed stands"
        )
    if any(sign in text for sign in _SHUT):
        return DanteError(
            f"{place} cannot be written to: the folder is read-only or belongs to another user; "
            "give this user the right to write and give the same command again"
        )
    return None


@contextmanager
def write_whole(target: Place) -> Iterator[Path]:
    """A temporary path that replaces `target`, synced to disk, when the block ends well.

    A reader sees the old file or the new one, never half of one; a crash leaves at most a
    hidden temporary file, which the next writer of the same target replaces. After the block the
    file is there even if the power fails.

    Raises:
        DanteError: the disk is full, or must not be written to; the object store does not answer.
    """
    if isinstance(target, Stored):
        target.scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="up-", dir=target.scratch) as folder:
            local = Path(folder) / target.name
            yield local
            target.put(local)
        return
    temporary = target.with_name(f".{target.name}.part")
    try:
        make_folder(target.parent)
        temporary.unlink(missing_ok=True)
        try:
            yield temporary
            sync(temporary)
            temporary.replace(target)
            sync(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except Exception as error:
        told = None if isinstance(error, DanteError) else unwritable(error, target)
        if told is None:
            raise
        raise told from error
