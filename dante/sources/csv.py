"""Delimited text: plain, gzip or Zstandard, with or without a header line.

Blank lines and comments are not rows. A quoted field may hold separators and doubled quotes
but no line break. The number of a row counts from 1 after the header.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from dante.errors import ConfigError, SourceError
from dante.schema import PACKETS
from dante.sources.batch import Batch, gather, refuse
from dante.sources.columns import choose_columns
from dante.sources.interpret import Rules, interpret, rules
from dante.sources.lines import MAX_LINE, Dialect, Table, decode, read_block, split_line
from dante.sources.mapping import FIELDS, Mapping
from dante.sources.reading import Reading
from dante.sources.streams import CutError, chunks

__all__ = ["guess_separator", "read_csv"]

_BLOCK: Final = 1 << 24
_MAX_COLUMNS: Final = 1 << 14
_SEPARATORS: Final = (",", "\t", ";", "|")
_BOM: Final = b"\xef\xbb\xbf"


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
    source = _Source(path)
    dialect, names = _opening(source, mapping)
    chosen = {f: str(i) for f, i in choose_columns(path, names, mapping).items()}
    row = 0
    for block in source.blocks(min(_BLOCK, max(1 << 16, limit * 32))):
        for part in _parts(block, limit):
            table = read_block(part, dialect)
            batch = _batch(table, dialect, chosen, rule, row)
            row += table.rows
            yield batch
    if source.damage is not None:
        if not row:
            raise SourceError(f"{path}: damaged before the first row ({source.damage})")
        yield _cut_row(source, row + 1)


def _batch(
    table: Table, dialect: Dialect, chosen: dict[str, str], rule: Rules, before: int
) -> Batch:
    row = (pl.col("place").cast(pl.UInt64) + before + 1).alias("row")
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
        pl.Series([o.place + before + 1 for o in table.odd], dtype=pl.UInt64),
        table.text([o.place for o in table.odd], dialect),
        pl.Series([o.reason for o in table.odd], dtype=pl.String),
    )
    return Batch(batch.packets, pl.concat([batch.refused, odd]).sort("row"))


def _cut_row(source: "_Source", row: int) -> Batch:
    reason = f"the file is damaged after {source.read:,} decompressed bytes ({source.damage})"
    refused = refuse(
        pl.Series([None], dtype=pl.Date),
        pl.Series([row], dtype=pl.UInt64),
        [decode(source.rest)],
        pl.Series([reason], dtype=pl.String),
    )
    return Batch(pl.DataFrame(schema=PACKETS), refused)


def _parts(block: bytes, limit: int) -> Iterator[bytes]:
    """A block in pieces of at most `limit` lines."""
    if block.count(b"\n") <= limit:
        yield block
        return
    feeds = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10)
    start = 0
    for end in [*feeds[limit - 1 :: limit].tolist(), len(block) - 1]:
        if end >= start:
            yield block[start : end + 1]
        start = end + 1


def _opening(source: "_Source", mapping: Mapping) -> tuple[Dialect, list[str]]:
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
    source: "_Source", mapping: Mapping, separator: str, names: list[str]
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


class _Source:
    """A file's bytes in blocks of whole lines, and what was wrong with its stream."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: CutError | None = None
        self.read = 0
        self.rest = b""
        self._chunks = chunks(path)
        self._held = self._more()
        if not self._held:
            why = f" ({self.damage})" if self.damage else ""
            raise SourceError(f"{path}: the file is empty{why}")
        if self._held.startswith(_BOM):
            self._held = self._held[len(_BOM) :]

    def _more(self) -> bytes:
        try:
            chunk = next(self._chunks, b"")
        except CutError as error:
            self.damage = error
            return b""
        self.read += len(chunk)
        return chunk

    def header(self, comment: str | None) -> bytes:
        """The first line that is neither blank nor a comment, taken off."""
        start = 0
        while True:
            end = self._held.find(b"\n", start)
            if end < 0 and len(self._held) - start < MAX_LINE and (chunk := self._more()):
                self._held, start = self._held[start:] + chunk, 0
                continue
            line = self._held[start : None if end < 0 else end].removesuffix(b"\r")
            if len(line) >= MAX_LINE:
                raise SourceError(
                    f"{self.path}: the header line, or one above it, has {MAX_LINE:,} bytes or more"
                )
            if end < 0 and self.damage is not None:
                raise SourceError(f"{self.path}: damaged within the header ({self.damage})")
            if line and not (comment and line.startswith(comment.encode())):
                self._held = b"" if end < 0 else self._held[end + 1 :]
                return line
            if end < 0:
                raise SourceError(f"{self.path}: the file holds no header line")
            start = end + 1

    def blocks(self, size: int) -> Iterator[bytes]:
        """Blocks of about `size` bytes that end in a line feed; a cut last line is `rest`."""
        parts, have = [self._held], len(self._held)
        tail = b""
        while True:
            while have < size and (chunk := self._more()):
                parts.append(chunk)
                have += len(chunk)
            data = b"".join([tail, *parts])
            ended = have < size
            cut = data.rfind(b"\n") + 1
            if cut:
                yield data[:cut]
            # Of an endless line only as much is kept as shows that it is too long.
            tail = data[cut:][: MAX_LINE + 1]
            parts, have = [], 0
            if ended:
                break
        if self.damage is not None:
            self.rest = tail
        elif tail:
            yield tail + b"\n"
