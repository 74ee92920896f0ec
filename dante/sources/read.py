"""Any file, in whatever format it is → batches."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dante.errors import SourceError, UsageError
from dante.sources.batch import Batch
from dante.sources.csv import read_csv
from dante.sources.detect import detect
from dante.sources.parquet import read_parquet
from dante.sources.reading import Reading

__all__ = ["FORMATS", "read_batches"]

_READERS: Final[dict[str, Callable[..., Iterator[Batch]]]] = {
    "csv": read_csv,
    "parquet": read_parquet,
}

FORMATS: Final = ("auto", *_READERS)
"""The names that a format can be asked for by."""


def read_batches(
    path: str | Path, reading: Reading | None = None, *, rows_per_batch: int = 1_000_000
) -> Iterator[Batch]:
    """All rows of one file, in order, in batches of at most `rows_per_batch` rows.

    Memory is bounded by the batch, not by the file. Joined, the batches are the same whatever
    `rows_per_batch` is.

    Raises:
        SourceError: the file cannot be read as packets at all.
        UsageError: the format is unknown, or `rows_per_batch` is not positive.
        ConfigError: the reading's zone, default protocol or year is missing or unknown.
    """
    path, reading = Path(path), reading or Reading()
    if reading.format not in FORMATS:
        raise UsageError(f"unknown format {reading.format!r}: give one of {', '.join(FORMATS)}")
    if rows_per_batch < 1:
        raise UsageError(f"rows_per_batch must be at least 1, not {rows_per_batch}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    name = detect(path, reading) if reading.format == "auto" else reading.format
    yield from _READERS[name](path, reading, rows_per_batch=rows_per_batch)
