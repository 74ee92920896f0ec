"""Any file, in whatever format it is → batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dante.errors import SourceError, UsageError
from dante.sources.batch import Batch
from dante.sources.detect import detect
from dante.sources.format import Format
from dante.sources.reading import Reading

__all__ = ["FORMATS", "format_of", "read_batches", "settled"]

FORMATS: Final = (
    *("auto", "pcap", "pcapng", "parquet", "flowtuple", "zeek", "journald", "zeek-json"),
    *("suricata", "cowrie", "merit", "nfdump", "vpcflow", "firewall", "csv"),
)
"""The names that a format can be asked for by."""


def _formats() -> Iterator[Format]:
    """All formats; those that the first bytes or lines tell come before those that are sought
    further on.

    A format is loaded when none of those before it is a file's: together they take as long as
    reading a small file.
    """
    from dante.sources import pcap

    yield pcap.FORMAT
    from dante.sources import pcapng

    yield pcapng.FORMAT
    from dante.sources import parquet

    yield parquet.FORMAT
    from dante.sources import flowtuple

    yield flowtuple.FORMAT
    from dante.sources import zeek

    yield zeek.FORMAT
    from dante.sources import journald

    yield journald.FORMAT
    from dante.sources import zeekjson

    yield zeekjson.FORMAT
    from dante.sources import suricata

    yield suricata.FORMAT
    from dante.sources import cowrie

    yield cowrie.FORMAT
    from dante.sources import merit

    yield merit.FORMAT
    from dante.sources import nfdump

    yield nfdump.FORMAT
    from dante.sources import vpcflow

    yield vpcflow.FORMAT
    from dante.sources import firewall

    yield firewall.FORMAT
    from dante.sources import csv

    yield csv.FORMAT


def _tables() -> Iterator[Format]:
    """The formats that have columns, of which a mapping can say which is which."""
    from dante.sources import csv, parquet

    yield from (parquet.FORMAT, csv.FORMAT)


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
    if reading.format != "auto":
        return next(form for form in _formats() if form.name == reading.format)
    return detect(path, reading, _formats() if reading.mapping is None else _tables())
