"""Delimited text: plain, gzip or Zstandard, with or without a header line.

Blank lines and comments are not rows. A quoted field may hold separators and doubled quotes
but no line break. The number of a row counts from 1 after the header.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import ConfigError, SourceError
from dante.sources.batch import Batch, gather, refuse
from dante.sources.columns import choose_columns
from dante.sources.format import Format, Head
from dante.sources.interpret import Rules, interpret, rules
from dante.sources.lines import Dialect, read_block, split_line
from dante.sources.mapping import FIELDS, Mapping
from dante.sources.reading import Reading
from dante.sources.text import BLOCK, TextSource, parts, read_pieces

__all__ = ["FORMAT", "guess_separator", "names_packets", "read_csv"]

_MAX_COLUMNS: Final = 1 << 14
_SEPARATORS: Final = (",", "\t", ";", "|")


def read_csv(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a file of delimited text, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty, its header is not there or lacks a column, or it is
            damaged before the first row.
        ConfigError: the reading's zone, default protocol or year is missing or unknown.
    """
    rule = rules(reading)
    return gather(
        _batches(path, reading.mapping or Mapping(), rule, rows_per_batch), rows_per_batch
    )


def guess_separator(header: str) -> str:
    """The separator under which a header line holds the most canonical names, else a comma."""
    known = [len(set(FIELDS) & set(header.replace('"', "").split(s))) for s in _SEPARATORS]
    return _SEPARATORS[known.index(max(known))]


def _batches(path: Path, mapping: Mapping, rule: Rules, limit: int) -> Iterator[Batch]:
    source = TextSource(path)
    dialect, names = _opening(source, mapping)
    chosen = {f: str(i) for f, i in choose_columns(path, names, mapping).items()}
    blocks = source.blocks(min(BLOCK, max(1 << 16, limit * 32)))
    pieces = (part for block in blocks for part in parts(block, limit))
    return read_pieces(source, pieces, lambda part: _batch(part, dialect, chosen, rule))


def _batch(part: bytes, dialect: Dialect, chosen: dict[str, str], rule: Rules) -> Batch:
    """The rows of some lines, numbered from 1."""
    table = read_block(part, dialect)
    row = (pl.col("place").cast(pl.UInt64) + 1).alias("row")
    frame = table.frame.select(row, *(pl.col(c).alias(f) for f, c in chosen.items()))
    places = table.frame["place"]
    batch = interpret(frame, rule, lambda at: table.text(places.gather(at).to_list(), dialect))
    if not table.odd:
        return batch
    index = int(chosen["ts"])
    texts = [odd.fields[index].strip() if index < len(odd.fields) else None for odd in table.odd]
    times = rule.times(pl.Series("ts", texts, dtype=pl.String))
    odd = refuse(
        times.dt.date(),
        pl.Series([o.place + 1 for o in table.odd], dtype=pl.UInt64),
        table.text([o.place for o in table.odd], dialect),
        pl.Series([o.reason for o in table.odd], dtype=pl.String),
    )
    return Batch(batch.packets, pl.concat([batch.refused, odd]).sort("row"))


def _opening(source: TextSource, mapping: Mapping) -> tuple[Dialect, list[str]]:
    """The dialect and the names of the columns, from the mapping and the header line."""
    if not mapping.header:
        separator = mapping.separator or ","
        return _dialect(source, mapping, separator, list(mapping.names))
    line = source.header(mapping.comment)
    try:
        text = line.decode("utf-8")
        separator = mapping.separator or guess_separator(text)
        names = split_line(text, Dialect(0, separator, mapping.quote, None))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{source.path}: the header line cannot be read ({error})") from error
    return _dialect(source, mapping, separator, [name.strip() for name in names])


def _dialect(
    source: TextSource, mapping: Mapping, separator: str, names: list[str]
) -> tuple[Dialect, list[str]]:
    if len(names) > _MAX_COLUMNS:
        raise SourceError(
            f"{source.path}: {len(names):,} columns; at most {_MAX_COLUMNS:,} are read"
        )
    if separator == mapping.quote:
        raise ConfigError(
            f"{source.path}: fields are separated by {separator!r}, which the mapping says is the "
            "quote: say in it what the separator is"
        )
    return Dialect(len(names), separator, mapping.quote, mapping.comment), names


def names_packets(head: Head) -> bool:
    """Whether the first line surely is a header, whatever stands in the lines below."""
    return {"ts", "src"} <= _named(head)


def _named(head: Head) -> set[str]:
    """The canonical columns that the first line names."""
    first = head.lines[0] if head.lines else ""
    names = {name.strip().strip('"').strip() for name in first.split(guess_separator(first))}
    return names & set(FIELDS)


def _looks(head: Head) -> bool:
    return bool(head.lines) and (head.reading.mapping is not None or bool(_named(head)))


FORMAT: Final = Format("csv", _looks, "a first line that names canonical columns", read_csv)
