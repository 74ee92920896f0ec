"""Packed files: told by their bytes, and whole up to damage."""

import gzip
import random

import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from tests.sources.whole import GOOD, HEADER, read_text


def test_compressed(tmp_path):
    """Both gzip (one member or several) and Zstandard are told by their bytes."""
    half = (GOOD * 500).encode()
    plain = read_text(tmp_path, HEADER.encode() + half + half)
    zipped = gzip.compress(HEADER.encode() + half) + gzip.compress(half) + b"\0" * 8
    assert_frame_equal(read_text(tmp_path, zipped).packets, plain.packets)
    packed = pa.compress(HEADER.encode() + half + half, codec="zstd", asbytes=True)
    assert_frame_equal(read_text(tmp_path, packed).packets, plain.packets)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_cut_stream(tmp_path, kind, cut):
    """A compressed file that ends too early keeps every whole row and says where it ended."""
    chance = random.Random(1)
    rows = [f"{1740823200 + i},{chance.getrandbits(32)},tcp,23,64\n" for i in range(60_000)]
    plain = (HEADER + "".join(rows)).encode()
    packed = gzip.compress(plain) if kind == "gzip" else pa.compress(plain, kind, asbytes=True)
    back = read_text(tmp_path, packed[: int(len(packed) * cut)])
    kept = back.packets.height
    assert 1_000 < kept < 60_000
    assert back.packets["src"].to_list() == [int(row.split(",")[1]) for row in rows[:kept]]
    assert back.refused["row"].to_list() == [kept + 1]
    assert rows[kept].startswith(back.refused["raw"][0])
    seen = len(HEADER) + sum(map(len, rows[:kept])) + len(back.refused["raw"][0])
    assert f"after {seen:,} decompressed bytes" in back.refused["reason"][0]


def test_damaged_stream(tmp_path):
    """A flipped byte in a gzip file loses no row in front of it."""
    plain = (HEADER + GOOD * 1000).encode()
    packed = bytearray(gzip.compress(plain, compresslevel=0))
    packed[-1] ^= 0xFF
    back = read_text(tmp_path, bytes(packed))
    assert back.packets.height == 1000
    assert back.refused.height == 1
