"""The folders and files of a home, and how a file comes to be there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from filelock import FileLock, Timeout

from dante.errors import BusyError

__all__ = ["Home", "write_whole"]

UNKNOWN_DAY = "unknown"


@dataclass(frozen=True)
class Home:
    """One telescope's folder; every path in it is made here."""

    root: Path

    @property
    def manifests(self) -> Path:
        """Folder of one JSON file a source: written last, so a source counts when it is there."""
        return self.root / "lake" / "ingests"

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

    def manifest(self, digest: str) -> Path:
        """The manifest of one source."""
        return self.manifests / f"{digest}.json"

    def packets(self, day: date, digest: str) -> Path:
        """One source's packets of one day."""
        return self.root / "lake" / "packets" / f"day={day}" / f"{digest}.parquet"

    def quarantine(self, day: date | None, digest: str) -> Path:
        """One source's refused rows of one day, or of no day that could be read."""
        name = f"day={UNKNOWN_DAY if day is None else day}"
        return self.root / "lake" / "quarantine" / name / f"{digest}.parquet"

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
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", timeout=wait)
        try:
            lock.acquire()
        except Timeout:
            raise BusyError(
                f"another dante process is at work on {self.root} (its {name} lock is held); "
                "wait for it to end and try again"
            ) from None
        try:
            yield
        finally:
            lock.release()


@contextmanager
def write_whole(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that replaces it, synced to disk, when the block ends well.

    A reader sees the old file or the new one, never half of one; a crash leaves at most a
    hidden temporary file, which the next writer of the same target replaces.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
