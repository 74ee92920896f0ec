"""Avro container files (1.11): their header, and their blocks, whole or damaged.

Blocks end in a marker that the header names. After damage, reading goes on behind the next
marker; what stood in front of the damage in its block is given out with it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dante.errors import SourceError
from dante.sources.avrocodecs import CODECS, MAX_BLOCK, unpack
from dante.sources.avroschema import NotThereError, parse_schema, varint
from dante.sources.streams import CutError, chunks

__all__ = ["AVRO", "AvroSource", "Block"]

AVRO: Final = b"Obj\x01"
"""What every Avro file begins with."""

_MAX_HEADER: Final = 1 << 20
_MARKER: Final = 16
_COUNTS: Final = 20


@dataclass(frozen=True)
class Block:
    """A block of records.

    Attributes:
        offset: where it begins, in (decompressed) bytes of the file.
        count: how many records it says it has.
        data: its records, unpacked; of a damaged block what stood in front of the damage.
        damage: what is wrong with it, or None.
    """

    offset: int
    count: int
    data: bytes
    damage: str | None = None


class AvroSource:
    """A container file.

    Attributes:
        path: the file.
        name: the full name of its records' type.
        record: the type.
    """

    def __init__(self, path: Path) -> None:
        """Open a file and read its header.

        Raises:
            SourceError: it cannot be opened, or its header is not one.
        """
        self.path = path
        self._chunks = chunks(path)
        self._held = b""
        self._at = 0
        self._base = 0  # the offset in the file of the first byte held
        self._ended: str | None = None
        meta = self._header()
        codec = meta.get("avro.codec", b"null").decode("utf-8", errors="replace")
        if codec not in CODECS:
            raise SourceError(
                f"{path}: its blocks are packed with {codec[:40]!r}; read are {', '.join(CODECS)}"
            )
        self._codec = codec
        try:
            text = meta["avro.schema"].decode("utf-8")
            self.name, self.record = parse_schema(text)
        except KeyError as error:
            raise SourceError(f"{path}: an Avro file without a schema") from error
        except ValueError as error:
            raise SourceError(f"{path}: its Avro schema cannot be used ({error})") from error

    def _fill(self, size: int) -> bool:
        """Whether so many bytes from here on are held, after reading as many as there are."""
        if len(self._held) - self._at >= size:
            return True
        parts, have = [self._held[self._at :]], len(self._held) - self._at
        while have < size and self._ended is None:
            try:
                chunk = next(self._chunks, b"")
            except CutError as error:
                self._ended = f"the file is damaged ({error})"
                break
            if not chunk:
                self._ended = ""
            parts.append(chunk)
            have += len(chunk)
        self._base += self._at
        self._held, self._at = b"".join(parts), 0
        return have >= size

    def _header(self) -> dict[str, bytes]:
        self._fill(_MAX_HEADER)
        data = self._held[:_MAX_HEADER]
        if not data.startswith(AVRO):
            raise SourceError(f"{self.path}: not an Avro file, which begins with 'Obj' and a 1")
        try:
            meta, at = _metadata(data, len(AVRO))
            if len(data) < at + _MARKER:
                raise NotThereError("a marker")
        except NotThereError as error:
            raise SourceError(f"{self.path}: the Avro header is cut or damaged") from error
        self._marker = data[at : at + _MARKER]
        self._at = at + _MARKER
        return meta

    def blocks(self, fits: Callable[[bytes, int], bool]) -> Iterator[Block]:
        """The blocks in order; `fits` is whether data is exactly so many records."""
        while self._fill(1):
            offset = self._base + self._at
            self._fill(_COUNTS)
            try:
                count, at = varint(self._held, self._at)
                size, at = varint(self._held, at)
            except NotThereError:
                count, size, at = -1, 0, self._at
            begin = at - self._at
            if count < 0 or not 0 <= size <= MAX_BLOCK:
                self._pass_over()
                wide = f"its length is given as {size:,}, and at most {MAX_BLOCK:,} bytes are read"
                yield Block(
                    offset, 0, b"", self._why("its counts cannot be read" if count < 0 else wide)
                )
                continue
            whole = self._fill(begin + size + _MARKER)
            start, end = self._at + begin, self._at + begin + size
            if whole and self._held[end : end + _MARKER] == self._marker:
                self._at = end + _MARKER
                yield Block(offset, count, *unpack(self._codec, self._held[start:end]))
            else:
                yield Block(offset, count, *self._repaired(start, end, count, fits))
        if self._ended:
            yield Block(self._base + self._at, 0, b"", self._why(""))

    def _why(self, otherwise: str) -> str:
        """What is wrong: how the stream ended, if nothing else is left of it."""
        if not self._ended or self._at < len(self._held):
            return otherwise
        why, self._ended = self._ended, ""
        return why

    def _repaired(
        self, start: int, end: int, count: int, fits: Callable[[bytes, int], bool]
    ) -> tuple[bytes, str]:
        """What can be had of a block that no marker ends, and what is wrong with it."""
        found = self._held.find(self._marker, start, end + _MARKER)
        if found < 0:
            data, damage = unpack(self._codec, self._held[start:end])
            left = len(self._held) - end
            if damage is None and count and fits(data, count):
                self._at = min(end + _MARKER, len(self._held))
                wrong = "its marker is cut" if left < _MARKER else "its marker is wrong"
                return data, self._why(wrong)
            if left < _MARKER:
                self._at = len(self._held)
                return data, self._why("the file ends within it")
            found = self._held.find(self._marker, end)
            if found < 0:
                self._at = end
                self._pass_over()
                return data, self._why("no marker ends it")
        self._at = found + _MARKER
        return unpack(self._codec, self._held[start:found])[0], "its length is wrong"

    def _pass_over(self) -> None:
        """Go on behind the next marker, or at the end of the file."""
        while True:
            found = self._held.find(self._marker, self._at)
            if found >= 0:
                self._at = found + _MARKER
                return
            kept = min(_MARKER - 1, len(self._held) - self._at)
            self._at = len(self._held) - kept
            if not self._fill(kept + 1):
                self._at = len(self._held)
                return


def _metadata(data: bytes, at: int) -> tuple[dict[str, bytes], int]:
    meta: dict[str, bytes] = {}
    while True:
        count, at = varint(data, at)
        if count == 0:
            return meta, at
        if count < 0:
            count = -count
            _, at = varint(data, at)
        for _ in range(count):
            parts = []
            for _ in range(2):
                size, at = varint(data, at)
                if not 0 <= size <= len(data) - at:
                    raise NotThereError("metadata")
                parts.append(data[at : at + size])
                at += size
            meta[parts[0].decode("utf-8", errors="replace")] = parts[1]
