"""Bytes of plain and compressed files, told apart by their first bytes.

A damaged stream gives every byte before the damage and then raises `CutError`: the rows in
front of it are whole and are not to be lost. So does one that expands without measure: after
1 GiB no more than 1,000 times the file's size is given out.
"""

import bz2
import contextlib
import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final, Protocol

from dante.errors import SourceError

__all__ = ["FREE", "RATIO", "CutError", "chunks", "compression", "first_bytes"]

FREE: Final = 1 << 30
"""Bytes that any file may expand to."""
RATIO: Final = 1000
"""How many times its size a file may expand to, if that is more."""

_READ: Final = 1 << 18
_CHUNK: Final = 1 << 22
_PLAIN: Final = 1 << 20  # it fits into a processor's cache
# What a window of xz may take; `xz -9` makes 64 MiB.
_XZ_MEMORY: Final = 1 << 28
_GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_XZ: Final = b"\xfd7zXZ\x00"
# The signs of a first block, or of the end of an empty stream; before them the block's size.
_BZIP2: Final = (b"1AY&SY", b"\x17rE8P\x90")


class CutError(Exception):
    """A compressed stream ends too early or is damaged; all bytes before were given out."""


def compression(path: Path) -> str | None:
    """`gzip`, `zstd`, `bzip2`, `xz` or None, by the first bytes.

    Raises:
        SourceError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(10)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    if head.startswith(_GZIP):
        return "gzip"
    # Zstandard also starts with a "skippable frame", 50 to 5f 2a 4d 18 (RFC 8878, 3.1.2).
    if head.startswith(_ZSTD) or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    if head.startswith(_XZ):
        return "xz"
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in _BZIP2:
        return "bzip2"
    return None


def chunks(path: Path) -> Generator[bytes, None, None]:
    """The decompressed bytes of a file in chunks of about 4 MiB at most.

    Raises:
        SourceError: the file cannot be opened.
        CutError: the compressed stream is damaged, or expands to more than `FREE` bytes and
            `RATIO` times the file's size; after all bytes before.
    """
    kind = compression(path)
    if kind is None:
        return _plain(path)
    return _merged(_limited(_UNPACK[kind](path), kind, path.stat().st_size))


def first_bytes(path: Path, size: int) -> bytes:
    """The first `size` decompressed bytes, or fewer where the file or its good part ends.

    Raises:
        SourceError: the file cannot be opened.
    """
    head = b""
    with contextlib.suppress(CutError), contextlib.closing(chunks(path)) as stream:
        while len(head) < size and (chunk := next(stream, b"")):
            head += chunk
    return head[:size]


def _merged(pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """The same bytes in pieces that are not tiny, as those of a million gzip members are."""
    held = bytearray()
    damage = None
    with contextlib.closing(pieces):
        try:
            for piece in pieces:
                held += piece
                if len(held) >= _READ:
                    yield bytes(held)
                    held.clear()
        except CutError as error:
            damage = error
    if held:
        yield bytes(held)
    if damage is not None:
        raise damage


def _limited(
    pieces: Generator[bytes, None, None], kind: str, size: int
) -> Generator[bytes, None, None]:
    left = most = max(FREE, RATIO * size)
    with contextlib.closing(pieces):
        for piece in pieces:
            yield piece[:left]
            left -= len(piece)
            if left < 0:
                raise CutError(
                    f"{kind}: {size:,} bytes that expand to more than {most:,}, the most that is "
                    "read of them"
                )


def _plain(path: Path) -> Generator[bytes, None, None]:
    with path.open("rb") as file:
        while block := file.read(_PLAIN):
            yield block


def _gzip(path: Path) -> Generator[bytes, None, None]:
    inflate = zlib.decompressobj(31)
    fresh = True  # no byte of the current member has been seen
    with path.open("rb") as file:
        while data := file.read(_READ):
            while data:
                if fresh and not (data := data.lstrip(b"\0")):  # padding between members
                    break
                before = inflate.copy()
                try:
                    out = inflate.decompress(data, _CHUNK)
                except zlib.error as error:
                    if salvaged := _salvaged(before, data):
                        yield salvaged
                    raise CutError(f"gzip: {error}") from error
                fresh = False
                if out:
                    yield out
                if inflate.eof:
                    data, inflate, fresh = inflate.unused_data, zlib.decompressobj(31), True
                else:
                    data = inflate.unconsumed_tail
    if not fresh:
        try:
            out = inflate.flush()
        except zlib.error as error:
            raise CutError(f"gzip: {error}") from error
        if out:
            yield out
        if not inflate.eof:
            raise CutError("gzip: the stream ends too early")


def _salvaged(inflate: "zlib._Decompress", data: bytes) -> bytes:
    """What comes out byte by byte until the same error strikes again."""
    out = bytearray()
    with contextlib.suppress(zlib.error):
        for position in range(len(data)):
            out += inflate.decompress(data[position : position + 1])
    return bytes(out)


def _zstd(path: Path) -> Generator[bytes, None, None]:
    import pyarrow as pa

    done = 0
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            while block := stream.read(1 << 20):
                yield block
                done += len(block)
        return
    except OSError as error:
        why = f"zstd: {error}"
    # The failed read took up to a mebibyte of good bytes with it: read again to the same place
    # and go on in single bytes.
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        while done:
            done -= len(stream.read(min(done, 1 << 20)))
        rest = bytearray()
        with contextlib.suppress(OSError):  # the same error, which is raised below
            while byte := stream.read(1):
                rest += byte
    if rest:
        yield bytes(rest)
    raise CutError(why)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _bzip2(path: Path) -> Generator[bytes, None, None]:
    return _members(path, "bzip2", bz2.BZ2Decompressor)


def _xz(path: Path) -> Generator[bytes, None, None]:
    return _members(path, "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))


_DAMAGE: Final = (OSError, ValueError, EOFError, lzma.LZMAError)


def _members(path: Path, kind: str, make: Callable[[], _Decoder]) -> Generator[bytes, None, None]:
    """Streams that follow one another in a file, with zeros in between or not."""
    decoder, fresh = make(), True
    start = given = 0  # where the member begins, and what came of it
    with path.open("rb") as file:
        while data := file.read(_READ):
            piece = file.tell() - len(data)
            while data or not (fresh or decoder.needs_input):
                if fresh and not (data := data.lstrip(b"\0")):
                    break
                if fresh:
                    start, given = file.tell() - len(data), 0
                try:
                    out = decoder.decompress(data, _CHUNK)
                except _DAMAGE as error:
                    yield from _before_damage(path, make(), start, max(start, piece), given)
                    raise CutError(f"{kind}: {error}") from error
                fresh, data = False, b""
                given += len(out)
                if out:
                    yield out
                if decoder.eof:
                    data, decoder, fresh = decoder.unused_data, make(), True
    if not fresh:
        raise CutError(f"{kind}: the stream ends too early")


def _before_damage(
    path: Path, decoder: _Decoder, start: int, piece: int, given: int
) -> Iterator[bytes]:
    """What a member holds beyond the `given` bytes, until the error in `piece` strikes again.

    A call that fails takes what it had decoded with it, so the piece is fed in single bytes.
    """
    with path.open("rb") as file, contextlib.suppress(*_DAMAGE):
        file.seek(start)
        while data := file.read(min(_READ, max(1, piece - file.tell()))):
            while data or not decoder.needs_input:
                out = decoder.decompress(data, _CHUNK)
                data = b""
                if given < len(out):
                    yield out[given:]
                given -= min(given, len(out))


_UNPACK: Final = {"gzip": _gzip, "zstd": _zstd, "bzip2": _bzip2, "xz": _xz}
