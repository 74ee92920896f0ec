"""Lines of delimited text → columns of text, in bulk where lines are regular, one by one else.

A block is a run of whole lines. Where every line has the right number of separators and either
no quotes or all its fields in quotes, Polars reads the block as it is, without them; else lines
are sorted into regular ones (Polars again), blank ones and comments (dropped), and odd ones (the
`csv` module, strictly, a line at a time). Which way a line takes never changes what it is read as.
"""

import csv
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "MAX_LINE",
    "Dialect",
    "Odd",
    "Table",
    "count_byte",
    "decode",
    "read_block",
    "split_line",
]

MAX_LINE: Final = 1 << 20
"""A line of this many bytes or more is refused."""

_NEWLINE: Final = 10
_PIECE: Final = 1 << 17
_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dialect:
    """How lines are cut: fields a line, and the separator, quote and comment sign."""

    fields: int
    separator: str
    quote: str | None
    comment: str | None


@dataclass(frozen=True)
class Odd:
    """A line that is refused: its place among the block's rows, its fields if any, and why."""

    place: int
    fields: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Table:
    """A block as columns `place` and "0", "1", … (String), and the lines that are no rows."""

    frame: pl.DataFrame
    odd: tuple[Odd, ...]
    rows: int
    block: bytes

    def text(self, places: list[int], dialect: Dialect) -> list[str]:
        """The lines at these places, as they came."""
        if not places:
            return []
        lines = _lines(self.block, dialect)
        rows = np.flatnonzero(~lines.dropped)[places]
        return [
            decode(self.block[int(a) : int(b)])
            for a, b in zip(lines.starts[rows], lines.ends[rows], strict=True)
        ]


def decode(line: bytes) -> str:
    """A line as text; bytes that are not UTF-8 are shown as U+FFFD."""
    return line.decode("utf-8", errors="replace")


def count_byte(block: bytes, byte: int) -> int:
    """How often a byte is in a block: where it is in every line, sooner than `bytes.count`."""
    data = np.frombuffer(block, dtype=np.uint8)
    parts = (data[start : start + _PIECE] for start in range(0, data.size, _PIECE))
    return sum(int(np.count_nonzero(part == byte)) for part in parts)


def split_line(line: str, dialect: Dialect) -> list[str]:
    """The fields of one line (RFC 4180).

    Raises:
        csv.Error: a quote stands where none may.
    """
    if dialect.quote is None or dialect.quote not in line:
        return line.split(dialect.separator)
    reader = csv.reader([line], delimiter=dialect.separator, quotechar=dialect.quote, strict=True)
    return next(reader)


def read_block(block: bytes, dialect: Dialect) -> Table:
    """The rows of a block, which ends in a line feed."""
    count = count_byte(block, _NEWLINE)
    if _is_regular(block, dialect, count):
        bare = block
    elif _is_quoted(block, dialect, count):
        bare = block.replace(str(dialect.quote).encode(), b"")
    else:
        bare = b""
    if bare:
        frame = _bulk(bare, dialect)
        # Where a line has one field, Polars takes a blank one for a row, of null.
        blank = dialect.fields == 1 and frame is not None and frame["0"].null_count()
        if frame is not None and frame.height == count and not blank:
            return Table(frame.with_row_index("place"), (), count, block)
    lines = _lines(block, dialect)
    regular = _regular_lines(block, lines, dialect)
    rows = int((~lines.dropped).sum())
    place = np.cumsum(~lines.dropped) - 1
    frame = _bulk_lines(block, lines, regular, dialect)
    if frame is None:  # Polars and we disagree about some line: take every one by itself
        regular = np.zeros_like(regular)
        frame = _bulk_lines(block, lines, regular, dialect)
        assert frame is not None
    frame = frame.with_columns(place=pl.Series(place[regular].astype(np.uint32)))
    slow, odd = _one_by_one(block, lines, np.flatnonzero(~regular & ~lines.dropped), place, dialect)
    if slow.height:
        frame = pl.concat([frame, slow.select(frame.columns)]).sort("place")
    return Table(frame, tuple(odd), rows, block)


@dataclass(frozen=True)
class _Lines:
    starts: _Ints
    ends: _Ints
    """Ends without CR and LF."""
    dropped: _Bools
    """Blank lines and comments."""


def _lines(block: bytes, dialect: Dialect) -> _Lines:
    data = np.frombuffer(block, dtype=np.uint8)
    feeds = np.flatnonzero(data == _NEWLINE).astype(np.int64)
    starts = np.concatenate([np.zeros(min(1, feeds.size), dtype=np.int64), feeds[:-1] + 1])
    ends = feeds - ((feeds > starts) & (data[feeds - 1] == 13))
    dropped = starts == ends
    if dialect.comment:
        sign = dialect.comment.encode("ascii")
        is_comment = ends - starts >= len(sign)
        for offset, byte in enumerate(sign):
            is_comment &= data[np.minimum(starts + offset, data.size - 1)] == byte
        dropped |= is_comment
    return _Lines(starts, ends, dropped)


def _is_regular(block: bytes, dialect: Dialect, count: int) -> bool:
    """True if every line is surely a plain row, should Polars find none with too many fields.

    The separators are right in sum; where no line has too many, none has too few.
    """
    return (
        count_byte(block, ord(dialect.separator)) == count * (dialect.fields - 1)
        and (dialect.quote is None or dialect.quote.encode() not in block)
        and (not dialect.comment or dialect.comment.encode() not in block)
        and _is_utf8(block)
        and not _may_hold_line(block, MAX_LINE)
    )


def _is_quoted(block: bytes, dialect: Dialect, count: int) -> bool:
    """True if every field of every line is surely in quotes and holds none, nor a separator.

    There are two quotes a field, and each has a separator or an end of a line on one side only.
    """
    if dialect.quote is None or dialect.fields < 2:
        return False
    quote, separator = dialect.quote.encode(), dialect.separator.encode()
    if (
        block[:1] != quote
        or block[1:2] in (separator, b"\n")
        or count_byte(block, quote[0]) != 2 * dialect.fields * count
        or count_byte(block, separator[0]) != count * (dialect.fields - 1)
        or b"\r" in block
        or (dialect.comment and dialect.comment.encode() in block)
        or not _is_utf8(block)
        or _may_hold_line(block, min(MAX_LINE, csv.field_size_limit()))
    ):
        return False
    data = np.frombuffer(block, dtype=np.uint8)
    for start in range(0, data.size, _PIECE):  # as much as stays near the processor
        piece = data[start : start + _PIECE + 2]
        is_quote = piece == quote[0]
        is_edge = (piece == separator[0]) | (piece == _NEWLINE)
        sides = is_edge[:-2].view(np.uint8) + is_edge[2:].view(np.uint8)
        if (is_quote[1:-1] & (sides != 1)).any():
            return False
    return True


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _may_hold_line(block: bytes, size: int) -> bool:
    # A line of `size` bytes covers at least one whole aligned window of half as many.
    half = size // 2
    return any(
        block.find(b"\n", start, start + half) < 0
        for start in range(0, len(block) - half + 1, half)
    )


def _bulk(block: bytes, dialect: Dialect) -> pl.DataFrame | None:
    names = [str(i) for i in range(dialect.fields)]
    try:
        return pl.read_csv(
            # Polars takes a byte order mark off and decompresses what begins like zlib: a header of
            # our own keeps it from taking a row for either.
            dialect.separator.join(names).encode() + b"\n" + block,
            schema=dict.fromkeys(names, pl.String),
            separator=dialect.separator,
            quote_char=dialect.quote if dialect.quote and dialect.quote.encode() in block else None,
        )
    except pl.exceptions.PolarsError:
        return None


def _bulk_lines(
    block: bytes, lines: _Lines, chosen: _Bools, dialect: Dialect
) -> pl.DataFrame | None:
    if not chosen.any():
        names = [str(i) for i in range(dialect.fields)]
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    data = np.frombuffer(block, dtype=np.uint8)
    stops = np.append(lines.starts[1:], data.size)
    text = data[np.repeat(chosen, stops - lines.starts)].tobytes()
    frame = _bulk(text, dialect)
    return frame if frame is not None and frame.height == int(chosen.sum()) else None


def _regular_lines(block: bytes, lines: _Lines, dialect: Dialect) -> _Bools:
    """True for lines of UTF-8 with the right fields, quoted, if at all, by the book."""
    data = np.frombuffer(block, dtype=np.uint8)
    separators = np.flatnonzero(data == ord(dialect.separator))
    regular: _Bools = ~lines.dropped & (lines.ends - lines.starts < MAX_LINE)
    if not _is_utf8(block):
        regular &= ~_holds(np.flatnonzero(data >= 128), lines)
    if dialect.quote is not None and dialect.quote.encode() in block:
        quotes = np.flatnonzero(data == ord(dialect.quote))
        regular &= _well_quoted(data, quotes, lines, dialect)
        # The csv module refuses a bare CR and a huge field where Polars does not: it is to judge.
        strange = _holds(np.flatnonzero(data == 13), lines)
        strange |= lines.ends - lines.starts > csv.field_size_limit()
        regular &= ~(strange & _holds(quotes, lines))
        # Quotes up to each byte, modulo 256: whether they are odd or even is all that matters.
        before = np.cumsum(data == ord(dialect.quote), dtype=np.uint8)
        at_start = np.where(lines.starts > 0, before[lines.starts - 1], 0)
        inside = (before[separators] - at_start[_line_of(separators, lines)]) % 2 == 1
        separators = separators[~inside]
    regular &= _count(separators, lines) == dialect.fields - 1
    return regular


def _well_quoted(
    data: npt.NDArray[np.uint8], quotes: _Ints, lines: _Lines, dialect: Dialect
) -> _Bools:
    """True for lines whose quotes open at a field's start and close at its end, or are doubled."""
    line = _line_of(quotes, lines)
    first = np.searchsorted(quotes, lines.starts)
    opens = (np.arange(quotes.size) - first[line]) % 2 == 0
    sign, edge = ord(dialect.quote or ""), ord(dialect.separator)
    left, right = data[np.maximum(quotes - 1, 0)], data[np.minimum(quotes + 1, data.size - 1)]
    left_ok = (quotes == lines.starts[line]) | (left == edge) | (left == sign)
    right_ok = (quotes + 1 == lines.ends[line]) | (right == edge) | (right == sign)
    bad = line[np.where(opens, ~left_ok, ~right_ok)]
    well: _Bools = _count(quotes, lines) % 2 == 0
    well[bad] = False
    return well


def _line_of(positions: _Ints, lines: _Lines) -> _Ints:
    first = np.append(np.searchsorted(positions, lines.starts), positions.size)
    return np.repeat(np.arange(lines.starts.size), np.diff(first))


def _count(positions: _Ints, lines: _Lines) -> _Ints:
    return np.searchsorted(positions, lines.ends) - np.searchsorted(positions, lines.starts)


def _holds(positions: _Ints, lines: _Lines) -> _Bools:
    found: _Bools = _count(positions, lines) > 0
    return found


def _one_by_one(
    block: bytes, lines: _Lines, chosen: _Ints, place: _Ints, dialect: Dialect
) -> tuple[pl.DataFrame, list[Odd]]:
    rows: list[list[str]] = []
    places: list[int] = []
    odd: list[Odd] = []
    for index in chosen.tolist():
        line = block[int(lines.starts[index]) : int(lines.ends[index])]
        fields, reason = _cut(line, dialect)
        if reason is None:
            rows.append(fields)
            places.append(int(place[index]))
        else:
            odd.append(Odd(int(place[index]), tuple(fields), reason))
    columns = {
        str(i): pl.Series([row[i] for row in rows], dtype=pl.String) for i in range(dialect.fields)
    }
    return pl.DataFrame({**columns, "place": pl.Series(places, dtype=pl.UInt32)}), odd


def _cut(line: bytes, dialect: Dialect) -> tuple[list[str], str | None]:
    if len(line) >= MAX_LINE:
        return [], f"a line of {MAX_LINE:,} bytes or more"
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return [], f"byte {error.start + 1} of the line is not UTF-8"
    try:
        fields = split_line(text, dialect)
    except csv.Error:
        return [], "a quote is not closed, or stands inside a field"
    if len(fields) != dialect.fields:
        return fields, f"expected {dialect.fields} fields, found {len(fields)}"
    return fields, None
