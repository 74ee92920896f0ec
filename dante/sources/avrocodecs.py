"""How blocks of Avro files are packed, with a limit to what comes out of one."""

import bz2
import lzma
import zlib
from typing import Any, Final

from dante.sources.avroschema import NotThereError, natural

__all__ = ["CODECS", "MAX_BLOCK", "unpack"]

CODECS: Final = ("null", "deflate", "snappy", "zstandard", "bzip2", "xz")
"""The codecs that are read."""

MAX_BLOCK: Final = 1 << 26
"""Bytes a block may have, packed or not; a larger one is passed over."""

# Records that differ, as flows do, are never packed this well.
_MAX_RATIO: Final = 100
_SMALL: Final = 1 << 20
_XZ_MEMORY: Final = 1 << 28
# Of Zstandard, a piece of this size comes to at most some 8 MiB.
_PIECE: Final = 256
_FEW: Final = 1 << 20


def unpack(codec: str, stored: bytes) -> tuple[bytes, str | None]:
    """A block's bytes, or those in front of the damage, and what the damage is.

    Of a block that comes to more than `MAX_BLOCK` bytes, or to over a mebibyte and a hundred
    times its size, none is given.
    """
    if codec == "null":
        return stored, None
    limit = min(MAX_BLOCK, max(_SMALL, _MAX_RATIO * len(stored)))
    if codec == "snappy":
        data, why = _snappy(stored, limit)
    else:
        data, whole = _stream(codec, stored, _PIECE if codec == "zstandard" else _FEW, limit)
        if not whole and len(data) <= limit:
            # A failing call takes good bytes with it: in small steps hardly any.
            data, _ = _stream(codec, stored, 1 if len(stored) <= _FEW else 64, limit)
        why = None if whole else f"its {codec} stream is damaged or cut"
    if len(data) > limit:
        return b"", f"it holds more than {limit:,} bytes in {len(stored):,}"
    return data, why


def _stream(codec: str, stored: bytes, step: int, limit: int) -> tuple[bytes, bool]:
    """What comes out, at most a little more than the limit, and whether the stream is whole."""
    machine, error = _machine(codec)
    parts: list[bytes] = []
    room = limit + 1
    try:
        for start in range(0, len(stored), step):
            piece = stored[start : start + step]
            at_most = () if codec == "zstandard" else (room,)
            part = machine.decompress(piece, *at_most)
            parts.append(part)
            room -= len(part)
            if room <= 0 or machine.eof:
                break
    except error:
        return b"".join(parts), False
    return b"".join(parts), bool(machine.eof)


def _machine(codec: str) -> tuple[Any, type[Exception] | tuple[type[Exception], ...]]:
    if codec == "deflate":
        return zlib.decompressobj(-15), zlib.error
    if codec == "bzip2":
        return bz2.BZ2Decompressor(), (OSError, ValueError, EOFError)
    if codec == "xz":
        return lzma.LZMADecompressor(memlimit=_XZ_MEMORY), (lzma.LZMAError, EOFError)
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=MAX_BLOCK * 2).decompressobj(), (
        zstandard.ZstdError
    )


def _snappy(stored: bytes, limit: int) -> tuple[bytes, str | None]:
    import pyarrow as pa

    # Four bytes of CRC-32 of what is packed stand behind it; snappy begins with its size.
    try:
        size, _ = natural(stored, 0)
        if size > limit:
            return bytes(limit + 1), None
        data = pa.decompress(stored[:-4], decompressed_size=size, codec="snappy", asbytes=True)
    except (NotThereError, pa.ArrowException, OSError, ValueError):
        return b"", "its snappy stream is damaged or cut"
    good = zlib.crc32(data) == int.from_bytes(stored[-4:], "big")
    return data, None if good else "its checksum is wrong"
