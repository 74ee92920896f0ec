"""Files of lines: their bytes in blocks of whole lines, and what was wrong with their stream."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl

from dante.errors import SourceError
from dante.schema import PACKETS
from dante.sources.batch import Batch, refuse
from dante.sources.lines import MAX_LINE, Dialect, count_byte, decode, read_block
from dante.sources.streams import CutError, chunks
from dante.store.ahead import side_by_side

__all__ = ["BLOCK", "Lines", "TextSource", "cut_row", "parts", "read_lines", "read_pieces"]

BLOCK: Final = 1 << 24
"""Bytes that are read at once."""

_P = TypeVar("_P")
_FEED: Final = 10
_BOM: Final = b"\xef\xbb\xbf"
# A byte that no text holds: each line is one field.
_NONE: Final = "\x00"


class TextSource:
    """A file's bytes in blocks of whole lines, and what was wrong with its stream.

    Attributes:
        path: the file.
        damage: how its stream ended, if it ended badly.
        read: decompressed bytes so far.
        rest: the bytes after the last whole line, if the stream ended badly.
    """

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            SourceError: it is empty, or damaged before its first byte.
        """
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
        """The first line that is neither blank nor a comment, taken off.

        Raises:
            SourceError: there is none, or it is too long or damaged.
        """
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

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
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


def parts(block: bytes, limit: int) -> Iterator[bytes]:
    """A block in pieces of at most `limit` lines."""
    if count_byte(block, _FEED) <= limit:
        yield block
        return
    feeds = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == _FEED)
    start = 0
    for end in [*feeds[limit - 1 :: limit].tolist(), len(block) - 1]:
        if end >= start:
            yield block[start : end + 1]
        start = end + 1


@dataclass(frozen=True)
class Lines:
    """The lines of a piece of a file that are no blank lines.

    Attributes:
        frame: `row` UInt64 (from 1, ascending) and `line` String of those that are text.
        odd: quarantine rows (schema `QUARANTINE`) of those that are not, or are too long.
        rows: how many of both.
    """

    frame: pl.DataFrame
    odd: pl.DataFrame
    rows: int


def read_lines(block: bytes, before: int = 0, comment: str | None = None) -> Lines:
    """The lines of a block that ends in a line feed, `before` rows being in front of it.

    Blank lines, and those that begin with `comment`, are no rows.
    """
    dialect = Dialect(1, _NONE, None, comment)
    table = read_block(block, dialect)
    row = (pl.col("place").cast(pl.UInt64) + before + 1).alias("row")
    odd = refuse(
        pl.Series([None] * len(table.odd), dtype=pl.Date),
        pl.Series([o.place + before + 1 for o in table.odd], dtype=pl.UInt64),
        table.text([o.place for o in table.odd], dialect),
        pl.Series([o.reason for o in table.odd], dtype=pl.String),
    )
    return Lines(table.frame.select(row, pl.col("0").alias("line")), odd, table.rows)


def read_pieces(
    source: TextSource, pieces: Iterable[_P], read: Callable[[_P], Batch]
) -> Iterator[Batch]:
    """What `read` makes of each piece of a file, in order, by several threads.

    It numbers the rows of a piece from 1; they are numbered through the file here. A stream that
    ended badly has a row of its own at the end.
    """
    row = 0
    with closing(side_by_side(read, pieces)) as made:
        for batch in made:
            yield batch.behind(row)
            row += batch.rows
    if source.damage is not None:
        yield cut_row(source, row + 1)


def cut_row(source: TextSource, row: int) -> Batch:
    """The quarantine row of a stream that ended badly, with the offset and what it cut off.

    Raises:
        SourceError: not one row stood in front of the damage (`row` is 1).
    """
    if row <= 1:
        raise SourceError(f"{source.path}: damaged before the first row ({source.damage})")
    reason = f"the file is damaged after {source.read:,} decompressed bytes ({source.damage})"
    refused = refuse(
        pl.Series([None], dtype=pl.Date),
        pl.Series([row], dtype=pl.UInt64),
        [decode(source.rest)],
        pl.Series([reason], dtype=pl.String),
    )
    return Batch(pl.DataFrame(schema=PACKETS), refused)
