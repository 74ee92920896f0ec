"""Parquet files as packets and quarantine rows."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.schema import address_text
from dante.sources import Reading, parse_mapping
from tests.sources.drawn import frames, quick
from tests.sources.whole import read_file


@quick
@given(frames, st.booleans())
def test_parquet_round_trip(frame, as_text):
    """Canonical packets written as Parquet are read back the same."""
    table = frame
    if as_text:
        table = frame.with_columns(address_text(frame["src"]), address_text(frame["dst"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "packets"
        table.write_parquet(path)
        back = read_file(path, rows_per_batch=5)
    assert back.refused.is_empty()
    assert_frame_equal(back.packets, frame)


def _parquet(tmp_path, reading=None, **columns):
    height = max(len(values) for values in columns.values())
    base = {"ts": [1740823200] * height, "src": ["1.2.3.4"] * height, "proto": [6] * height}
    frame = pl.DataFrame({**base, "dport": [23] * height, **columns})
    frame.write_parquet(tmp_path / "source")
    return read_file(tmp_path / "source", reading)


def test_parquet_ranges(tmp_path):
    """Integers that do not fit are refused, not wrapped, and the row is kept as JSON."""
    back = _parquet(tmp_path, dport=[23, -1, 70_000], ttl=[64, 64, None])
    assert back.packets.height == 1
    assert back.refused["reason"].to_list() == [
        "dport: -1 is out of 0..65535",
        "dport: 70000 is out of 0..65535",
    ]
    assert back.refused["raw"][0] == (
        '{"ts":1740823200,"src":"1.2.3.4","proto":6,"dport":-1,"ttl":64}'
    )
    assert back.refused["row"].to_list() == [2, 3]


def test_parquet_types(tmp_path):
    """Floats with NaN, decimals, categories and raw bytes are read as what they mean."""
    back = _parquet(
        tmp_path,
        sport=[1.0, float("nan"), 2.5],
        ttl=pl.Series(["64", "65", "66"]).cast(pl.Decimal(10, 2)),
        proto=pl.Series(["tcp", "TCP", "udp"]).cast(pl.Categorical),
        src=[b"1.2.3.4", b"5", b"\xff"],
    )
    assert back.packets.select("src", "proto", "sport", "ttl").rows() == [
        (16909060, 6, 1, 64),
        (5, 6, None, 65),
    ]
    assert back.refused["reason"].to_list() == ["src: not an address"]


@pytest.mark.parametrize(
    "ts",
    [
        pl.Series([datetime(2025, 3, 1, 10)], dtype=pl.Datetime("ms")),
        pl.Series([datetime(2025, 3, 1, 10)], dtype=pl.Datetime("ns")),
        pl.Series([datetime(2025, 3, 1, 10, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"),
        pl.Series(["2025-03-01 10:00:00"]),
        pl.Series([1740823200.0]),
        pl.Series([1740823200], dtype=pl.UInt32),
    ],
)
def test_parquet_times(tmp_path, ts):
    """Datetimes of any unit and zone, text and numbers are times; naive ones are UTC."""
    assert _parquet(tmp_path, ts=ts).packets["ts"][0] == datetime(2025, 3, 1, 10, tzinfo=UTC)


def test_parquet_wrong_type(tmp_path):
    """A column of a type that cannot hold its field is an error that names both."""
    with pytest.raises(SourceError, match=r"column 'dport' is List\(Int64\), which cannot be read"):
        _parquet(tmp_path, dport=[[1]])


def test_parquet_mapping(tmp_path, caplog):
    """A mapping names the columns of a Parquet file too; the others are named and left out."""
    frame = pl.DataFrame({"t": [1740823200000], "saddr": [7], "p": ["udp"], "dp": [53], "x": [1]})
    frame.write_parquet(tmp_path / "source")
    mapping = parse_mapping('[columns]\nts="t"\nsrc="saddr"\nproto="p"\ndport="dp"')
    back = read_file(tmp_path / "source", Reading(mapping=mapping))
    assert back.packets.select("src", "proto", "dport").rows() == [(7, 17, 53)]
    assert "columns that are not read: x" in caplog.text
