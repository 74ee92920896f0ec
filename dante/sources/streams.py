"""Bytes of plain, gzip and Zstandard files, told apart by their first bytes.

A damaged stream gives every byte before the damage and then raises `CutError`: the rows in
front of it are whole and are not to be lost.
"""

import contextlib
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Final

from dante.errors import SourceError

__all__ = ["CutError", "chunks", "compression", "first_bytes"]

_READ: Final = 1 << 18
_CHUNK: Final = 1 << 22
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class CutError(Exception):
    """A compressed stream ends too early or is damaged; all bytes before were given out."""


def compression(path: Path) -> str | None:
    """`gzip`, `zstd` or None, by the first bytes.

    Raises:
        SourceError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    if head.startswith(_GZIP):
        return "gzip"
    # Zstandard also starts with a "skippable frame", 50 to 5f 2a 4d 18 (RFC 8878, 3.1.2).
    if head == _ZSTD or (head[1:] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    return None


def chunks(path: Path) -> Generator[bytes, None, None]:
    """The decompressed bytes of a file in chunks of at most 4 MiB.

    Raises:
        SourceError: the file cannot be opened.
        CutError: the compressed stream is damaged, after all bytes before the damage.
    """
    kind = compression(path)
    if kind == "gzip":
        return _merged(_gzip(path))
    if kind == "zstd":
        return _merged(_zstd(path))
    return _plain(path)


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


def _plain(path: Path) -> Generator[bytes, None, None]:
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
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
