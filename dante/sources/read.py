"""Any file, in whatever format it is → batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dante.errors import SourceError, UsageError
from dante.sources import (
    cowrie,
    csv,
    firewall,
    flowtuple,
    journald,
    merit,
    nfdump,
    parquet,
    pcap,
    pcapng,
    suricata,
    vpcflow,
    zeek,
    zeekjson,
)
from dante.sources.batch import Batch
from dante.sources.detect import detect
from dante.sources.format import Format
from dante.sources.reading import Reading

__all__ = ["FORMATS", "format_of", "read_batches", "settled"]

# Those that the first bytes or lines tell come before those that are sought further on.
_FORMATS: Final[tuple[Format, ...]] = (
    pcap.FORMAT,
    pcapng.FORMAT,
    parquet.FORMAT,
    flowtuple.FORMAT,
    zeek.FORMAT,
    journald.FORMAT,
    zeekjson.FORMAT,
    suricata.FORMAT,
    cowrie.FORMAT,
    merit.FORMAT,
    nfdump.FORMAT,
    vpcflow.FORMAT,
    firewall.FORMAT,
    csv.FORMAT,
)

FORMATS: Final = ("auto", *(form.name for form in _FORMATS))
"""The names that a format can be asked for by."""


def read_batches(
    path: str | Path, reading: Reading | None = None, *, rows_per_batch: int = 1 << 19
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
    if rows_per_batch < 1:
        raise UsageError(f"rows_per_batch must be at least 1, not {rows_per_batch}")
    form = _format(path, reading)
    yield from form.read(path, reading, rows_per_batch=rows_per_batch)


def format_of(path: str | Path, reading: Reading | None = None) -> str:
    """The name of the format that `read_batches` reads a file as.

    Raises:
        SourceError: there is no such file, or it is of no format that is known.
        UsageError: the format asked for is unknown.
    """
    return _format(Path(path), reading or Reading()).name


def settled(path: str | Path, reading: Reading | None = None) -> Reading:
    """The reading with what would else be taken from beside the file's bytes, such as its date.

    So read, the same bytes are the same packets wherever the file lies and whenever it was written.

    Raises:
        SourceError: there is no such file, or it is of no format that is known.
        UsageError: the format asked for is unknown.
        ConfigError: a year is needed, and neither given nor told by the file's date.
    """
    path, reading = Path(path), reading or Reading()
    form = _format(path, reading)
    return reading if form.settle is None else form.settle(path, reading)


def _format(path: Path, reading: Reading) -> Format:
    if reading.format not in FORMATS:
        raise UsageError(f"unknown format {reading.format!r}: give one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    named = {form.name: form for form in _FORMATS}
    # A mapping says which column is which: only tables have columns.
    tried = _FORMATS if reading.mapping is None else (parquet.FORMAT, csv.FORMAT)
    return named.get(reading.format) or detect(path, reading, tried)
