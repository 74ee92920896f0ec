"""Profiles and history: counts of a day, and what earlier days teach."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.contracts import SENSOR_HOURS, count_sensor_hours, history, profile_packets
from dante.errors import DanteError
from dante.schema import PACKETS, empty_packets

DAY = date(2025, 3, 1)
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PACKET = st.fixed_dictionaries(
    {
        "ts": st.none()
        | st.sampled_from([datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC)])
        | st.datetimes(datetime(2025, 2, 28, 22), datetime(2025, 3, 2, 2), timezones=st.just(UTC)),
        "src": st.none() | st.integers(0, 5) | st.just(2**64 - 1),
        "sensor": st.sampled_from([None, "", "a", "bé"]),
        "proto": st.none() | st.sampled_from([1, 6, 17]),
        "dport": st.none() | st.integers(0, 65535),
    }
)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    whole = [{name: row.get(name) for name in PACKETS} for row in rows]
    return pl.DataFrame(whole, schema=PACKETS, orient="row")


def counts(rows: list[tuple[date, str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SENSOR_HOURS, orient="row")


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(PACKET, max_size=15))
def test_a_profile_counts_as_plain_python_does(rows: list[dict[str, Any]]) -> None:
    """Rows, nulls, extremes, senders, rows outside the day and sensor hours are exact."""
    profile = profile_packets(frame(rows), DAY)
    inside = [row for row in rows if row["ts"] is not None and row["ts"].date() == DAY]
    times = [row["ts"] for row in rows if row["ts"] is not None]
    assert profile.rows == len(rows)
    assert profile.outside_day == len(times) - len(inside)
    assert profile.senders == len({row["src"] for row in rows} - {None})
    for column in profile.columns:
        values = [row.get(column.column) for row in rows]
        known: list[Any] = [value for value in values if value is not None]
        if column.column == "ts":
            known = [(value - EPOCH) // timedelta(microseconds=1) for value in known]
        if column.column == "sensor":
            known = [len(value.encode()) for value in known]
        assert column.nulls == values.count(None)
        assert column.minimum == min(known, default=None)
        assert column.maximum == max(known, default=None)
    expected = Counter((row["sensor"] or "", row["ts"].hour) for row in inside)
    found = profile.sensor_hours.rows()
    assert found == [(DAY, s, h, n) for (s, h), n in sorted(expected.items())]


def test_a_profile_of_a_scan_is_that_of_the_frame(tmp_path: Path) -> None:
    """Profiling Parquet lazily, with a further column, gives what the frame gives."""
    rows = [
        {"ts": NOON + timedelta(minutes=i), "src": i % 7, "sensor": f"s{i % 3}", "proto": 6}
        for i in range(500)
    ]
    packets = frame(rows)
    packets.with_columns(day=pl.lit(DAY)).write_parquet(tmp_path / "p.parquet")
    lazy = profile_packets(pl.scan_parquet(tmp_path / "p.parquet"), DAY)
    eager = profile_packets(packets, DAY)
    assert (lazy.rows, lazy.senders, lazy.columns) == (eager.rows, eager.senders, eager.columns)
    assert_frame_equal(lazy.sensor_hours, eager.sensor_hours)


def test_sensor_hours_of_several_days_stand_under_their_days() -> None:
    """Counting a source that spans midnight, before 1970 too, keeps days and hours apart."""
    times = [datetime(1969, 12, 31, 23, 59, tzinfo=UTC), NOON, NOON, NOON + timedelta(hours=12)]
    packets = frame([{"ts": ts, "src": 1, "proto": 6, "sensor": "a"} for ts in times])
    assert count_sensor_hours(packets).rows() == [
        (date(1969, 12, 31), "a", 23, 1),
        (DAY, "a", 12, 2),
        (date(2025, 3, 2), "a", 0, 1),
    ]
    assert dict(count_sensor_hours(packets).schema) == SENSOR_HOURS


def test_a_day_without_packets_has_a_profile() -> None:
    """No packets make a profile of zeros and None, not an error."""
    profile = profile_packets(empty_packets(), DAY)
    assert (profile.rows, profile.outside_day, profile.senders) == (0, 0, 0)
    assert profile.columns[0].minimum is None
    assert profile.sensor_hours.is_empty()


def test_a_profile_of_something_else_is_an_error() -> None:
    """A missing or mistyped column is named with the day."""
    with pytest.raises(DanteError, match=r"2025-03-01.*dport"):
        profile_packets(empty_packets().cast({"dport": pl.Int32}), DAY)


COUNT = st.tuples(
    st.integers(-12, 12).map(lambda shift: DAY + timedelta(days=shift)),
    st.sampled_from(["a", "b", ""]),
    st.integers(0, 23),
    st.integers(0, 50),
)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(COUNT, max_size=60), days=st.integers(1, 10))
def test_history_is_what_plain_python_finds_in_earlier_days(
    rows: list[tuple[date, str, int, int]], days: int
) -> None:
    """Only the days just before count; rows of one hour are added; order does not matter."""
    past = history(counts(rows), DAY, days)
    total: Counter[tuple[date, str, int]] = Counter()
    for day, sensor, hour, packets in rows:
        if DAY - timedelta(days=days) <= day < DAY and packets:
            total[day, sensor, hour] += packets
    volume: Counter[date] = Counter()
    there: dict[str, set[date]] = {}
    for (day, sensor, _), packets in total.items():
        volume[day] += packets
        there.setdefault(sensor, set()).add(day)
    assert past.packets == tuple(sorted(volume.items()))
    expected = []
    for sensor, its_days in sorted(there.items()):
        for hour in range(24):
            hourly = sorted(total[day, sensor, hour] for day in its_days)
            usual = hourly[(len(hourly) - 1) // 2]
            expected.append((sensor, hour, len(hourly), hourly.count(0), usual))
    assert past.sensors.rows() == expected
    assert past.awake == {
        sensor: frozenset(h for s, h, _, silent, _ in expected if s == sensor and not silent)
        for sensor in there
    }
    again = history(counts(rows[::-1]), DAY, days)
    assert_frame_equal(again.sensors, past.sensors)


def test_history_never_looks_at_the_day_or_later() -> None:
    """Adding counts of the day itself and of later days changes nothing."""
    before = [(DAY - timedelta(days=i), "a", 5, 10 * i) for i in range(1, 9)]
    later = [(DAY + timedelta(days=i), "b", 6, 9999) for i in range(9)]
    alone, with_later = history(counts(before), DAY), history(counts(before + later), DAY)
    assert with_later.packets == alone.packets
    assert_frame_equal(with_later.sensors, alone.sensors)


def test_history_of_something_else_is_an_error() -> None:
    """Counts without the right columns are told as such."""
    with pytest.raises(DanteError, match="hour"):
        history(counts([]).drop("hour"), DAY)
