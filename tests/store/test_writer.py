"""What a source's packets are on their way into the lake, however they come and however many."""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from dante.contracts import count_sensor_hours
from dante.schema import PACKETS, QUARANTINE
from dante.store.home import Home
from dante.store.lake import SourceWriter, scan_day, scan_refused
from dante.store.manifests import read_manifests
from dante.store.records import RECORD, Names, Packed, pack

_DAY_US = 86_400_000_000
_FIRST = dt.date(2025, 3, 1)
_WIDE = ("ts", "src", "dst", "sensor")
_SPILLS = 56 * 700
"""So few bytes that 5,000 packets are spilt seven times."""


def _packets(rows: int = 5_000) -> pl.DataFrame:
    """Packets of three days in no order, with every kind of null, of named and unnamed sensors."""
    rng = np.random.default_rng(7)
    start = 1_740_787_200_000_000  # 2025-03-01
    made = pl.DataFrame(
        {
            "ts": start + rng.integers(0, 3 * _DAY_US, rows) // 10**9 * 10**9,
            "src": rng.choice(
                np.array([1, 2, 3, 1 << 32, 1 << 62, (1 << 63) + 5], np.uint64), rows
            ),
            "dst": rng.integers(0, 1 << 63, rows, np.uint64) * np.uint64(2),
            "sensor": rng.choice(np.array(["north", "süd", "east"]), rows),
            **{name: rng.integers(0, 200, rows) for name in PACKETS if name not in _WIDE},
            "ip_id": np.arange(rows),  # tells rows of equal keys apart
        }
    )
    optional = [name for name in PACKETS if name not in ("ts", "src", "proto", "ip_id", "length")]
    nulls = rng.random((rows, len(optional))) < 0.2
    made = made.with_columns(
        pl.when(pl.lit(pl.Series(~nulls[:, k]))).then(name).alias(name)
        for k, name in enumerate(optional)
    ).with_columns(length=None)
    return made.select(pl.col(name).cast(kind) for name, kind in PACKETS.items())


def _refused(packets: pl.DataFrame) -> pl.DataFrame:
    day = pl.when(pl.col("dport") % 7 > 0).then(pl.col("ts").dt.date())
    return packets.select(
        day=day, row=pl.int_range(1, pl.len() + 1, dtype=pl.UInt64), raw=pl.col("src").cast(str),
        reason=pl.lit("because"),
    ).cast(QUARANTINE)  # fmt: skip


def _written(
    root: Path, frames: Sequence[pl.DataFrame | Packed], refused: list[pl.DataFrame], most: int
) -> Home:
    home = Home(root)
    writer = SourceWriter(home, "made", most_bytes=most)
    for packets, rows in zip(frames, refused, strict=True):
        writer.add(packets, rows)
    writer.finish("f" * 32, source="made", reading="r", ingested_at="2025-03-04T00:00:00")
    assert not list(home.work.glob("*")), "what was spilt is taken away"
    return home


def _files(home: Home) -> dict[str, bytes]:
    lake = home.root / "lake"
    return {str(p.relative_to(lake)): p.read_bytes() for p in lake.rglob("*") if p.is_file()}


@pytest.mark.parametrize("most", [1 << 30, _SPILLS, 56])
def test_every_packet_comes_back_in_order(tmp_path: Path, most: int) -> None:
    """A day has the packets given for it, by src, then ts, then as they came, spilt or not."""
    packets = _packets(5_000 if most > 56 else 300)
    home = _written(tmp_path, [packets], [_refused(packets).clear()], most)
    (manifest,) = read_manifests(home)
    whole = packets.sort("src", "ts", maintain_order=True)
    for number in range(3):
        day = _FIRST + dt.timedelta(days=number)
        found = scan_day(home, [manifest], day).collect()
        assert found.equals(whole.filter(pl.col("ts").dt.date() == day))
        assert manifest.rows[day] == found.height
    assert manifest.sensor_hours.equals(count_sensor_hours(packets.lazy()))


def test_bytes_depend_on_neither_batches_nor_memory(tmp_path: Path) -> None:
    """The same packets and refused rows make the same files, in whatever pieces they come."""
    packets = _packets()
    refused = _refused(packets)
    pieces = [*range(0, 2_000, 130), 2_000, 4_999, 5_000]
    cut = list(pairwise(pieces))
    once = _written(tmp_path / "once", [packets], [refused], 1 << 30)
    often = _written(
        tmp_path / "often",
        [packets[first:last] for first, last in cut],
        [refused[first:last] for first, last in cut],
        _SPILLS,
    )
    assert len(_files(once)) == 3 + 4 + 1  # days of packets, of refused rows, the manifest
    assert _files(once) == _files(often)


def test_packets_in_the_order_of_time_make_the_same_bytes_spilt_or_not(tmp_path: Path) -> None:
    """What comes in order, as captures do but for a few packets, is merged by sender alone."""
    packets = _packets().sort("ts")
    late = packets.height - 900
    packets = pl.concat([packets[:late], packets[late + 1 :], packets[late : late + 1]])
    none = _refused(packets).clear()
    held = _written(tmp_path / "held", [packets], [none], 1 << 30)
    assert _files(held) == _files(_written(tmp_path / "spilt", [packets], [none], _SPILLS))


def test_bytes_do_not_depend_on_packing(tmp_path: Path) -> None:
    """Packets that come as records make the same files as those that come as frames."""
    packets = _packets(3_000)
    frames = [packets[first : first + 500] for first in range(0, 3_000, 500)]
    records = []
    for frame in frames:
        names = Names()
        made = np.zeros(frame.height, RECORD)
        pack(frame, names, made)
        records.append(Packed(made, names.texts))
        assert records[-1].frame().equals(frame)
    none = [_refused(packets).clear()] * len(frames)
    plain = _written(tmp_path / "plain", frames, none, _SPILLS)
    assert _files(plain) == _files(_written(tmp_path / "packed", records, none, _SPILLS))


def test_files_say_which_columns_every_packet_has(tmp_path: Path) -> None:
    """Levels that would tell nulls apart are not written where the whole source has none."""
    packets = _packets(400).with_columns(dport=pl.lit(23, pl.UInt16))
    packets = packets.with_columns(dport=pl.when(pl.int_range(pl.len()) != 399).then("dport"))
    have = {"ts", "src", "proto", "ip_id"}
    for kept, more in ((399, {"dport"}), (400, set())):
        home = Home(tmp_path / str(kept))
        writer = SourceWriter(home, "made", most_bytes=_SPILLS)
        for first in range(0, kept, 100):
            part = packets[first : min(first + 100, kept)]
            writer.add(part, _refused(part).clear())
        writer.finish("f" * 32, source="made", reading="r", ingested_at="2025-03-04T00:00:00")
        files = list((home.root / "lake").rglob("packets/**/*.parquet"))
        assert len(files) == 3
        for file in files:
            schema = pq.read_schema(file)
            assert {one.name for one in schema if not one.nullable} == have | more


def test_refused_rows_stay_in_order(tmp_path: Path) -> None:
    """Refused rows come by day, those without one apart, each day's as they came."""
    packets = _packets(2_000)
    refused = _refused(packets)
    frames = [refused[first : first + 50] for first in range(0, 2_000, 50)]
    home = _written(tmp_path, [packets.clear()] * len(frames), frames, 1_000)
    for day in (None, *(_FIRST + dt.timedelta(days=n) for n in range(3))):
        found = scan_refused(home.quarantine(day, "f" * 32)).collect()
        assert found.height
        assert found.equals(refused.filter(pl.col("day").eq_missing(pl.lit(day, pl.Date))))


def test_many_runs_are_united(tmp_path: Path) -> None:
    """More spilt files than may be open at once are merged on the way, and nothing is lost."""
    packets = _packets(2_000)
    few = 56 * 5
    home = _written(tmp_path / "a", [packets], [_refused(packets)], few)
    other = _written(tmp_path / "b", [packets], [_refused(packets)], 1 << 30)
    assert _files(home) == _files(other)


def test_packets_of_one_sensor_are_counted_as_those_of_many() -> None:
    """The quick count of one sensor's packets is that of any."""
    packets = _packets(1_000).with_columns(packets=pl.lit(None, pl.UInt32))
    for sensor in (None, "north", ""):
        alike = packets.with_columns(sensor=pl.lit(sensor, pl.String))
        assert count_sensor_hours(alike).equals(count_sensor_hours(alike.lazy()))
    far = alike.with_columns(ts=pl.lit(dt.datetime(1990, 1, 1)).cast(PACKETS["ts"]))
    both = pl.concat([far.head(3), alike.head(3)])
    assert count_sensor_hours(both).equals(count_sensor_hours(both.lazy()))
