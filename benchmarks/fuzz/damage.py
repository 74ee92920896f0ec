"""What may happen to a file: bits flip, its end is cut off, parts are lost, doubled or replaced."""

import bz2
import gzip
import io
import lzma
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import zstandard

from benchmarks.fuzz.seeds import FORMS, Seed, make

__all__ = ["BOMB", "KINDS", "Case", "damaged"]

BOMB = 48 << 20
"""Bytes that a bomb expands to at least."""


@dataclass(frozen=True)
class Case:
    """A damaged file.

    Attributes:
        number: which it is.
        seed: what it was.
        what: what happened to it, in words.
        data: its bytes.
        intact: how many records stand in front of the first byte that is not as it was.
        cut: it is compressed, and its stream is damaged.
    """

    number: int
    seed: Seed
    what: str
    data: bytes
    intact: int
    cut: bool


_Damage = Callable[[bytes, random.Random], tuple[bytes, int]]
"""Damaged bytes, and the place of the first that is not as it was."""


def _flip(data: bytes, chance: random.Random) -> tuple[bytes, int]:
    places = sorted(chance.randrange(len(data)) for _ in range(chance.choice((1, 1, 2, 16))))
    out = bytearray(data)
    for place in places:
        out[place] ^= 1 << chance.randrange(8)
    return bytes(out), places[0]


def _cut(data: bytes, chance: random.Random) -> tuple[bytes, int]:
    place = chance.randrange(1, len(data))
    return data[:place], place


def _lose(data: bytes, chance: random.Random) -> tuple[bytes, int]:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.choice((1, 7, 100, 5000)) :], start


def _double(data: bytes, chance: random.Random) -> tuple[bytes, int]:
    start, place = chance.randrange(len(data)), chance.randrange(len(data))
    return data[:place] + data[start : start + 3000] * chance.choice((1, 3)) + data[place:], place


def _splice(data: bytes, chance: random.Random) -> tuple[bytes, int]:
    other = make(chance.choice(list(FORMS)), chance.randrange(50)).data
    place, start = chance.randrange(len(data)), chance.randrange(len(other))
    end = chance.choice((data[place:], b""))
    return data[:place] + other[start : start + chance.choice((10, 2000))] + end, place


_LENGTHS = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x10000000, 0x00FFFFFF, 0xFFFF, 0)


def _giant(data: bytes, chance: random.Random) -> tuple[bytes, int]:
    number = chance.choice(_LENGTHS)
    worst = [struct.pack(order + "I", number) for order in "<>"]
    worst += [b"\xff" * 9 + b"\x01", b"9" * 40, b"9" * 5000, b"x" * (1 << 21)]
    place, inside = chance.randrange(len(data)), chance.choice(worst)
    rest = data[place + len(inside) :] if len(inside) < 100 else data[place:]
    return data[:place] + inside + rest, place


def _zeros(data: bytes, chance: random.Random) -> tuple[bytes, int]:
    place, size = chance.randrange(len(data)), chance.choice((1, 8, 512, 5000))
    filler = bytes([chance.choice((0, 0xFF, 0x0A, 0x7B))]) * size
    return data[:place] + filler + data[place + size :], place


KINDS: dict[str, _Damage] = {
    "bits flipped": _flip, "end cut off": _cut, "a part lost": _lose, "a part doubled": _double,
    "a part of another file put in": _splice, "a giant length": _giant, "a run of one byte": _zeros,
}  # fmt: skip

_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0), "bzip2": bz2.compress, "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}  # fmt: skip


def _unpacked(kind: str, data: bytes) -> int:
    """How many bytes the start of a packed file surely holds."""
    unpack = {
        "gzip": zlib.decompressobj(31), "bzip2": bz2.BZ2Decompressor(),
        "xz": lzma.LZMADecompressor(), "zstd": zstandard.ZstdDecompressor().decompressobj(),
    }[kind]  # fmt: skip
    return len(unpack.decompress(data))


def _whole(kind: str, data: bytes) -> bool:
    """Whether a packed file is one without damage."""
    unpack = {
        "gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress,
        "zstd": lambda packed: io.TextIOWrapper(
            zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True),
            "latin-1").read(),
    }[kind]  # fmt: skip
    try:
        unpack(data)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError):
        return False
    return True


def damaged(number: int, *, bombs: bool = True) -> Case:
    """The damaged file of this number; equal for equal numbers."""
    chance = random.Random(number)
    seed = make(list(FORMS)[number % len(FORMS)], chance.randrange(1000))
    what, damage = chance.choice(list(KINDS.items()))
    pack = None if seed.form == "parquet" else chance.choice((None, None, *_PACK))
    if bombs and pack is not None and chance.random() < 0.005:
        return _bomb(number, seed, chance)
    if pack is None:
        data, place = damage(seed.data, chance)
        return Case(number, seed, what, data, _before(seed, place), False)
    if chance.random() < 0.5:
        data, place = damage(seed.data, chance)
        what = f"{what}, then {pack}"
        return Case(number, seed, what, _PACK[pack](data), _before(seed, place), False)
    data, place = damage(_PACK[pack](seed.data), chance)
    good = _unpacked(pack, _PACK[pack](seed.data)[:place])
    cut = not _whole(pack, data)
    return Case(number, seed, f"{pack}, then {what}", data, _before(seed, good), cut)


def _before(seed: Seed, place: int) -> int:
    """How many records end at or before a place, with those that a block holds together."""
    return sum(end <= place for end in seed.ends)


def _bomb(number: int, seed: Seed, chance: random.Random) -> Case:
    pack = chance.choice(list(_PACK))
    filler = chance.choice((b"\0", b"\n", b"x", b"{}\n", seed.data[-200:]))
    data = seed.data + filler * (BOMB // len(filler))
    return Case(number, seed, f"a bomb of {pack}", _PACK[pack](data), len(seed.ends), False)
