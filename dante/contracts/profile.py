"""What a day's packets come to, in counts: all that the judge of days needs to see of them."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.contracts.ceiling import CEILINGS, WINDOW, find_ceilings
from dante.errors import DanteError
from dante.schema import PACKETS, packet_count
from dante.store.records import BIT, Packed

__all__ = ["SENSOR_HOURS", "ColumnProfile", "DayProfile", "count_sensor_hours", "profile_packets"]

SENSOR_HOURS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "sensor": pl.String(),
    "hour": pl.UInt8(),
    "packets": pl.UInt64(),
}
"""Packets a day, sensor and hour (UTC): what an ingested source leaves for later days to learn
from. Packets of no named sensor stand under the empty name; hours without packets are left out."""

_HOUR: Final = 3_600_000_000


@dataclass(frozen=True)
class ColumnProfile:
    """One column over a day; for text `minimum` and `maximum` are lengths in bytes.

    Both are None where all is null; times are µs since 1970 UTC.
    """

    column: str
    nulls: int
    minimum: int | None
    maximum: int | None


@dataclass(frozen=True, eq=False)
class DayProfile:
    """A day's packets in counts.

    `rows` counts all rows given for the day, `packets` the packets they stand for, `outside_day`
    the rows whose time is not of it and `senders` the distinct `src`. `sensor_hours` has the
    schema `SENSOR_HOURS`, of the packets inside the day, sorted by sensor and hour; `ceilings` are
    the sensors whose counts sit at one (`find_ceilings`).
    """

    day: date
    rows: int
    packets: int
    outside_day: int
    senders: int
    columns: tuple[ColumnProfile, ...]
    sensor_hours: pl.DataFrame
    ceilings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CEILINGS))


def count_sensor_hours(packets: pl.LazyFrame | pl.DataFrame | Packed) -> pl.DataFrame:
    """Count packets by day, sensor and hour (UTC), sorted by these; schema `SENSOR_HOURS`.

    Counts of several sources of one day may be put below each other: `history` adds them.
    """
    if isinstance(packets, Packed):
        counted = _alike_packed(packets)
        packets = packets.frame("ts", "sensor", "packets") if counted is None else pl.DataFrame()
    else:
        counted = _alike(packets) if isinstance(packets, pl.DataFrame) else None
    return _by_hours(_counted(packets.lazy(), 60) if counted is None else counted, 1).collect()


def _alike(packets: pl.DataFrame) -> pl.LazyFrame | None:
    """As `_counted` by hours, sooner, where one sensor saw packets that each stand for one."""
    sensor, ts, size = packets["sensor"], packets["ts"], packets.height
    unnamed = sensor.null_count() == size
    if not size or ts.null_count() or packets["packets"].null_count() < size:
        return None
    if not unnamed and (sensor.null_count() or not (sensor == sensor[0]).all()):
        return None
    return _of_one(ts.to_physical().to_numpy(), "" if unnamed else sensor[0])


def _alike_packed(packets: Packed) -> pl.LazyFrame | None:
    whole = packets.extent
    unnamed = bool(whole.every & BIT["sensor"])
    named = len(packets.texts) == 1 and not whole.some & BIT["sensor"]
    if not packets.height or whole.some & BIT["ts"] or not whole.every & BIT["packets"]:
        return None
    if not unnamed and not named:
        return None
    ends = whole.first, whole.last
    return _of_one(packets.records["ts"], "" if unnamed else packets.texts[0], ends)


def _of_one(
    ts: npt.NDArray[np.int64], sensor: str, ends: tuple[int, int] | None = None
) -> pl.LazyFrame | None:
    """Counts by hours of one sensor's packets, unless the hours are far apart."""
    earliest, latest = ends or (int(ts.min()), int(ts.max()))
    first, last = earliest // _HOUR, latest // _HOUR
    if last - first > ts.size:
        return None
    counts = np.array([ts.size]) if first == last else np.bincount(ts // _HOUR - first)
    at = np.flatnonzero(counts)
    return pl.LazyFrame({"at": at + first, "packets": counts[at].astype(np.uint64)}).with_columns(
        sensor=pl.lit(sensor)
    )


def profile_packets(packets: pl.LazyFrame | pl.DataFrame, day: date) -> DayProfile:
    """Reduce the packets given for a UTC day to counts, in one pass; a scan is not held whole.

    Args:
        packets: canonical packets; further columns are not looked at.
        day: the day they should all be of.

    Raises:
        DanteError: a canonical column is missing or has another type.
    """
    frame = packets.lazy()
    schema = frame.collect_schema()
    wrong = [name for name, dtype in PACKETS.items() if schema.get(name) != dtype]
    if wrong:
        raise DanteError(f"{day}: not canonical packets: {', '.join(wrong)} missing or mistyped.")
    first = datetime(day.year, day.month, day.day, tzinfo=UTC)
    inside = pl.col("ts").is_between(first, first + timedelta(days=1), closed="left")
    totals = frame.select(
        rows=pl.len(),
        total=packet_count().sum(),
        outside=(~inside).sum(),  # a null time is null here and not counted
        senders=pl.col("src").drop_nulls().n_unique(),
        **{f"nulls {name}": pl.col(name).null_count() for name in PACKETS},
        **{f"min {name}": _as_integer(name).min() for name in PACKETS},
        **{f"max {name}": _as_integer(name).max() for name in PACKETS},
    )
    counted, windows = pl.collect_all([totals, _counted(frame.filter(inside), WINDOW)])
    row = counted.row(0, named=True)
    return DayProfile(
        day=day,
        rows=row["rows"],
        packets=row["total"],
        outside_day=row["outside"] or 0,
        senders=row["senders"],
        columns=tuple(
            ColumnProfile(name, row[f"nulls {name}"], row[f"min {name}"], row[f"max {name}"])
            for name in PACKETS
        ),
        sensor_hours=_by_hours(windows.lazy(), 60 // WINDOW).collect(),
        ceilings=find_ceilings(windows),
    )


def _counted(frame: pl.LazyFrame, minutes: int) -> pl.LazyFrame:
    """Packets by sensor and window of so many minutes, `at` of which begins it since 1970."""
    # Grouping by one integer and the sensor is several times faster than by day, hour and sensor.
    at = pl.col("ts").to_physical().floordiv(minutes * 60_000_000).alias("at")
    return (
        frame.filter(pl.col("ts").is_not_null())
        .group_by(pl.col("sensor").fill_null(""), at)
        .agg(packet_count().sum())
    )


def _by_hours(counted: pl.LazyFrame, windows: int) -> pl.LazyFrame:
    """`SENSOR_HOURS` of counts by windows, so many to an hour."""
    at = pl.col("at")
    return (
        counted.group_by("sensor", at.floordiv(windows))
        .agg(pl.col("packets").sum())
        .select(
            day=at.floordiv(24).cast(pl.Int32).cast(pl.Date),
            sensor="sensor",
            hour=at.mod(24).cast(pl.UInt8),
            packets="packets",
        )
        .sort("day", "sensor", "hour")
    )


def _as_integer(name: str) -> pl.Expr:
    column = pl.col(name)
    if isinstance(PACKETS[name], pl.String):
        return column.str.len_bytes()
    return column.to_physical()
