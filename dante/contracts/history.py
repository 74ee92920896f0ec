"""What is known of the days before a day: how many packets, and when its sensors are awake."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from dante.contracts.profile import SENSOR_HOURS
from dante.errors import DanteError

__all__ = ["History", "history"]


@dataclass(frozen=True, eq=False)
class History:
    """The habits a day is held against, learned from earlier days only.

    `packets` are the days and their packets, oldest first. `sensors` has, sorted by sensor and
    hour, 24 rows a sensor: `sensor` String, `hour` UInt8, `days` UInt32 (days on which the sensor
    was there at all), `silent` UInt32 (of those, days without a packet in the hour) and `usual`
    UInt64 (lower median of the hour's packets over those days).
    """

    day: date
    packets: tuple[tuple[date, int], ...]
    sensors: pl.DataFrame

    @property
    def awake(self) -> dict[str, frozenset[int]]:
        """Each sensor's hours in which it was silent on none of the days it was there."""
        found: dict[str, set[int]] = {name: set() for name in self.sensors["sensor"].to_list()}
        rows = self.sensors.filter(pl.col("silent") == 0)
        for sensor, hour in rows.select("sensor", "hour").iter_rows():
            found[sensor].add(hour)
        return {sensor: frozenset(hours) for sensor, hours in found.items()}


def history(day_sensor_hours: pl.DataFrame, day: date, days: int = 28) -> History:
    """Learn the habits of the `days` days before a day; the day and all after it are not read.

    Args:
        day_sensor_hours: counts with the schema `SENSOR_HOURS`, in any order; rows of one day,
            sensor and hour (of several sources) are added.
        day: the day that is to be judged.
        days: how many days before it are looked at.

    Raises:
        DanteError: a column is missing or has another type.
    """
    schema = day_sensor_hours.schema
    wrong = [name for name, dtype in SENSOR_HOURS.items() if schema.get(name) != dtype]
    if wrong:
        raise DanteError(f"{day}: the counts of earlier days lack {', '.join(wrong)}.")
    hourly = (
        day_sensor_hours.filter(
            (pl.col("day") < day)
            & (pl.col("day") >= day - timedelta(days=days))
            & (pl.col("packets") > 0)
        )
        .group_by("day", "sensor", "hour")
        .agg(pl.col("packets").sum())
    )
    daily = hourly.group_by("day").agg(pl.col("packets").sum()).sort("day")
    hours = pl.DataFrame({"hour": pl.Series(range(24), dtype=pl.UInt8)})
    whole = (
        hourly.select("day", "sensor")
        .unique()
        .join(hours, how="cross")
        .join(hourly, on=["day", "sensor", "hour"], how="left")
        .with_columns(pl.col("packets").fill_null(0))
    )
    sensors = (
        whole.group_by("sensor", "hour")
        .agg(
            days=pl.len().cast(pl.UInt32),
            silent=(pl.col("packets") == 0).sum().cast(pl.UInt32),
            usual=pl.col("packets").quantile(0.5, "lower").cast(pl.UInt64),
        )
        .sort("sensor", "hour")
    )
    return History(day, tuple((d, n) for d, n in daily.iter_rows()), sensors)
