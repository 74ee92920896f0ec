r"""Zeek's conn.log as columns between tabs, as its own header lines say.

The header rules, and may change within a file: logs are concatenated, and what follows a new
header is read by it. Lines that begin with `#` are no rows; Zeek writes a value that begins so
as `\x23`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from dante.errors import SourceError
from dante.schema import QUARANTINE, empty_packets
from dante.sources.batch import Batch, gather, refuse
from dante.sources.cells import cut_cells
from dante.sources.columns import shown
from dante.sources.flowrows import Layout, flow_batch
from dante.sources.format import HEAD, Format, Head
from dante.sources.interpret import Rules, rules
from dante.sources.lines import Dialect, count_byte, read_block
from dante.sources.reading import Reading
from dante.sources.streams import first_bytes
from dante.sources.text import TextSource, parts, read_pieces
from dante.sources.zeekcells import READ, conn_cells
from dante.sources.zeekrecords import FIELDS, NEEDED, conn_packets

__all__ = ["FORMAT", "read_zeek"]

_SIGN: Final = re.compile(rb"(?m)^#[^\n]*\n")
_BLANK: Final = re.compile(rb"(?m)^\r?\n")
_NEVER: Final = re.compile(rb"(?!)")
_MAX_COLUMNS: Final = 1 << 10
_BLOCK: Final = 1 << 22
# Fewer lines are read as text sooner.
_MANY: Final = 8
# Reading goes on under a new header at some cost: a file may have so many, and one a so many bytes.
_HEADERS, _APART = 1000, 4096


def read_zeek(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a conn.log of columns, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty, its header is missing or is not of a log of connections, or
            it is damaged before its first row.
        ConfigError: the reading's zone is unknown.
    """
    rule = rules(replace(reading, mapping=None))
    _check_header(path)
    source = TextSource(path)
    pieces = _pieces(source, rows_per_batch)
    batches = read_pieces(source, pieces, lambda piece: _batch(piece, rule))
    return gather(batches, rows_per_batch)


@dataclass(frozen=True)
class _Header:
    """What header lines say: of the columns, and of what they hold where they hold nothing."""

    separator: str = "\t"
    unset: str = "-"
    empty: str = "(empty)"
    path: str = ""
    fields: tuple[str, ...] = ()

    def told(self, line: bytes) -> "_Header":
        """The header with one more line."""
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if text.startswith("#separator"):  # a new log begins
            return _Header(separator=_unescaped(text.removeprefix("#separator").strip(" ")))
        name, separator, rest = text.partition(self.separator)
        if not separator:
            return self
        values = rest.split(self.separator)
        match name:
            case "#fields":
                return replace(self, fields=tuple(values))
            case "#path":
                return replace(self, path=values[0])
            case "#unset_field":
                return replace(self, unset=values[0])
            case "#empty_field":
                return replace(self, empty=values[0])
        return self

    @property
    def refusal(self) -> str | None:
        """Why lines below it cannot be read; None if they can."""
        if not self.fields:
            return "no line #fields above it says what its columns are"
        missing = [name for name in NEEDED if name not in self.fields]
        if missing or not (self.path.startswith("conn") or "conn_state" in self.fields):
            why = f": there is no {shown(missing)}" if missing else ""
            if self.path and not self.path.startswith("conn"):
                why = f", but of {shown([self.path])!r}"
            return f"not a log of connections{why}"
        if len(self.fields) > _MAX_COLUMNS:
            return f"more than {_MAX_COLUMNS:,} columns"
        if not re.fullmatch("[\t -~]", self.separator):
            return f"columns are separated by {self.separator[:20]!r}, which is not one character"
        return None

    @property
    def is_usual(self) -> bool:
        """Whether most lines below it can be read without making text of their fields."""
        return (
            self.refusal is None
            and set(READ) <= set(self.fields)
            and not {"ip_proto", "_system_name"} & set(self.fields)
            and (self.unset, self.empty) == ("-", "(empty)")
        )

    def layout(self) -> Layout:
        """How its lines become rows."""
        # The first of two columns of one name counts; others have no name.
        names = tuple(
            name if name in FIELDS and self.fields.index(name) == i else f"-{i}"
            for i, name in enumerate(self.fields)
        )
        return Layout(
            separator=self.separator,
            names=names,
            wanted=tuple(name for name in names if not name.startswith("-")),
            time="ts",
            dropped=_NEVER,
            packets=self._packets,
        )

    def _packets(self, table: pl.DataFrame) -> pl.DataFrame:
        nothing = [self.unset, self.empty]
        values = pl.exclude("row")
        return conn_packets(
            table.with_columns(pl.when(~values.is_in(nothing)).then(values).name.keep())
        )


def _unescaped(text: str) -> str:
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)


@dataclass
class _Log:
    """A log while it is read: the header that holds, and how many there have been."""

    header: _Header = field(default_factory=_Header)
    headers: int = 0
    read: int = 0

    def pieces(self, block: bytes) -> Iterator[tuple[_Header | None, bytes]]:
        """The lines of a block by the header they stand under; None where there are too many."""
        self.read += len(block)
        if not _has_others(block):
            yield self._now(), block
            return
        block = _BLANK.sub(b"", block)
        held: list[bytes] = []
        start = 0
        for sign in _SIGN.finditer(block):
            if sign.start() > start:
                held.append(block[start : sign.start()])
            start = sign.end()
            told = self.header.told(sign[0])
            if told != self.header:
                if held:
                    yield self._now(), b"".join(held)
                    held = []
                    self.headers += 1
                self.header = told
        held.append(block[start:])
        if rest := b"".join(held):
            yield self._now(), rest

    def _now(self) -> _Header | None:
        return self.header if self.headers <= _HEADERS + self.read // _APART else None


def _has_others(block: bytes) -> bool:
    """Whether a line is blank or begins with `#`; of a line that begins with CR it is not clear."""
    data = np.frombuffer(block, dtype=np.uint8)
    first = data[np.concatenate([[0], np.flatnonzero(data[:-1] == 10) + 1])]
    return bool(((first == 35) | (first == 10) | (first == 13)).any())


@dataclass(frozen=True)
class _Piece:
    """Lines under one header, none of them blank."""

    header: _Header | None
    lines: bytes


def _pieces(source: TextSource, limit: int) -> Iterator[_Piece]:
    log = _Log()
    for block in source.blocks(min(_BLOCK, max(1 << 16, limit * 128))):
        for header, lines in log.pieces(block):
            for part in parts(lines, limit):
                yield _Piece(header, part)


def _batch(piece: _Piece, rule: Rules) -> Batch:
    """The rows of a piece, numbered from 1."""
    header = piece.header
    refusal = "too many headers" if header is None else header.refusal
    if header is None or refusal:
        return _refused(piece.lines, refusal or "")
    layout = header.layout()
    dialect = Dialect(len(layout.names), layout.separator, None, None)
    if not header.is_usual or count_byte(piece.lines, 10) < _MANY:
        return flow_batch(piece.lines, dialect, layout, rule)
    grid = cut_cells(piece.lines, header.separator, len(header.fields))
    places = {name: place for place, name in enumerate(layout.names) if name[0] != "-"}
    packets, done = conn_cells(grid, places)
    packets = packets.with_columns(sensor=pl.lit(rule.sensor, dtype=pl.String))
    if packets.height == grid.lines:
        return Batch(packets, pl.DataFrame(schema=QUARANTINE))
    at = grid.rows[done]
    left = np.delete(np.arange(grid.lines), at)
    rest = flow_batch(grid.text(left), dialect, layout, rule)
    # A line is a packet or refused: those of the rest that are not refused are its packets.
    lost = rest.refused["row"].to_numpy().astype(np.int64) - 1
    order = np.argsort(np.concatenate([at, np.delete(left, lost)]), kind="stable")
    refused = rest.refused.with_columns(row=pl.Series((left[lost] + 1).astype(np.uint64)))
    return Batch(pl.concat([packets, rest.packets], rechunk=True)[pl.Series(order)], refused)


def _refused(lines: bytes, reason: str) -> Batch:
    # A byte that no text holds: what is refused is not cut.
    dialect = Dialect(1, "\x00", None, None)
    table = read_block(lines, dialect)
    row = pl.int_range(1, 1 + table.rows, dtype=pl.UInt64, eager=True)
    none = pl.Series([None], dtype=pl.Date).new_from_index(0, table.rows)
    why = pl.Series([reason]).new_from_index(0, table.rows)
    text = table.text(list(range(table.rows)), dialect)
    return Batch(empty_packets(), refuse(none, row, text, why))


def _check_header(path: Path) -> None:
    """Look at the log's first header.

    Raises:
        SourceError: it is not of connections, or says nothing of columns.
    """
    header = _Header()
    for sign in _SIGN.finditer(first_bytes(path, HEAD).removeprefix(b"\xef\xbb\xbf")):
        header = header.told(sign[0])
        if header.fields and header.refusal:
            raise SourceError(f"{path}: {header.refusal}; only conn logs hold packets")
        if header.fields:
            return
    raise SourceError(
        f"{path}: {header.refusal}; say it with --mapping, or write the log with its header"
    )


def _looks(head: Head) -> bool:
    # Not `head.lines`: a crash can leave zero bytes in a log, which is text all the same.
    start = head.data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    return start.startswith((b"#separator ", b"#fields\t"))


FORMAT: Final = Format("zeek", _looks, "Zeek's header lines, #separator or #fields", read_zeek)
