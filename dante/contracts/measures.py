"""A day's profile held against its history: for each check, the numbers it judges, and words.

Great Expectations compares the numbers with the contract's bounds (`dante.contracts.suite`);
here they are only measured.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from dante.contracts.ceiling import WINDOW
from dante.contracts.contract import Check, Contract
from dante.contracts.history import History
from dante.contracts.profile import ColumnProfile, DayProfile
from dante.contracts.words import number_text, value_text
from dante.errors import DanteError

__all__ = ["Measure", "measure_day"]

_MOST_SHOWN: Final = 20
_LARGEST_LOG: Final = 43.0  # of 2^62 packets: a bound beyond it is none, and exp may overflow


@dataclass(frozen=True)
class Measure:
    """What one check looks at: the values that must lie in its bounds (None: nothing to judge)."""

    check: Check
    values: tuple[float | None, float | None]
    observed: str


def measure_day(contract: Contract, profile: DayProfile, history: History) -> list[Measure]:
    """Measure a day for every check on days, in the contract's order.

    Raises:
        DanteError: the history is of another day.
    """
    if history.day != profile.day:
        raise DanteError(f"{profile.day}: held against the history of {history.day}.")
    return [_measure(check, contract, profile, history) for check in contract.day_checks]


def _measure(check: Check, contract: Contract, profile: DayProfile, past: History) -> Measure:
    columns = {column.column: column for column in profile.columns}
    match check.kind:
        case "present":
            nulls = columns[str(check.column)].nulls
            return _count(
                check, nulls, f"{nulls:,} of {profile.rows:,} packets without {check.column}"
            )
        case "between" | "length":
            return _extremes(check, columns[str(check.column)])
        case "outside_day":
            outside = profile.outside_day
            return _count(
                check, outside, f"{outside:,} of {profile.rows:,} packets outside the day"
            )
        case "packets":
            return _count(check, profile.packets, f"{profile.packets:,} packets")
        case "ceilings":
            return _ceilings(check, profile)
    days, needed = len(past.packets), contract.least_history_days
    if days < needed:
        judged = (
            "not judged" if check.kind != "volume" else f"{profile.packets:,} packets, not judged"
        )
        return Measure(check, (None, None), f"{judged}: {days} earlier days, {needed} needed")
    judges: dict[str, Callable[[Check, int, DayProfile, History], Measure]] = {
        "volume": _volume,
        "silent_hours": _silent_hours,
        "missing_sensors": _missing_sensors,
    }
    return judges[check.kind](check, needed, profile, past)


def _count(check: Check, value: int, observed: str) -> Measure:
    return Measure(check, (value, None), observed)


def _extremes(check: Check, column: ColumnProfile) -> Measure:
    low, high = column.minimum, column.maximum
    if low is None or high is None:
        return Measure(check, (None, None), "no values")
    if check.kind == "length":
        return Measure(check, (low, high), f"{number_text(low)} to {number_text(high)} bytes")
    words = f"{value_text(column.column, low)} to {value_text(column.column, high)}"
    return Measure(check, (low, high), words)


def _volume(check: Check, needed: int, profile: DayProfile, past: History) -> Measure:
    """Robust deviations of log(packets) from the median of earlier days.

    Median and MAD, with 1.4826 to make the MAD of a normal distribution its standard deviation:
    F. R. Hampel, The influence curve and its role in robust estimation, JASA 69, 1974.
    """
    logs = [math.log(max(packets, 1)) for _, packets in past.packets]
    middle = median(logs)
    spread = max(1.4826 * median(abs(value - middle) for value in logs), check.least_spread)
    deviations = (math.log(max(profile.packets, 1)) - middle) / spread
    bounds = [
        number_text(round(math.exp(min(middle + bound * spread, _LARGEST_LOG))))
        for bound in (check.minimum, check.maximum)
        if bound is not None
    ]
    observed = (
        f"{profile.packets:,} packets; usual {' to '.join(bounds)}"
        f" (median {round(math.exp(middle)):,} of {len(logs)} days)"
    )
    return Measure(check, (deviations, None), observed)


def _silent_hours(check: Check, needed: int, profile: DayProfile, past: History) -> Measure:
    """Hours of runs of silence that hold an hour the sensor is awake in and cost enough packets."""
    seen = {(sensor, hour) for sensor, hour, packets in _hours(profile) if packets > 0}
    there = {sensor for sensor, _ in seen}
    silent: dict[str, dict[int, tuple[bool, int]]] = {}
    rows = past.sensors.select("sensor", "hour", "days", "silent", "usual").iter_rows()
    for sensor, hour, days, quiet, usual in rows:
        if sensor in there and days >= needed and (sensor, hour) not in seen:
            silent.setdefault(sensor, {})[hour] = (quiet <= check.most_silent * days, usual)
    runs = [
        (sensor, run)
        for sensor, hours in silent.items()
        for run in _runs(sorted(hours))
        if any(hours[hour][0] for hour in run)
        and sum(hours[hour][1] for hour in run) >= check.least_expected
    ]
    total = sum(len(run) for _, run in runs)
    shown = [f"{_name(sensor)} {run[0]:02}-{run[-1] + 1:02} h" for sensor, run in runs]
    sensors = len({sensor for sensor, _ in runs})
    heading = f"{total:,} silent hours, {sensors:,} of {len(there):,} sensors"
    return _count(check, total, _listed(heading, shown) if runs else "no unusual silence")


def _missing_sensors(check: Check, needed: int, profile: DayProfile, past: History) -> Measure:
    there = {sensor for sensor, _, packets in _hours(profile) if packets > 0}
    known = dict.fromkeys(
        sensor
        for sensor, days in past.sensors.select("sensor", "days").iter_rows()
        if days >= needed
    )
    missing = [_name(sensor) for sensor in known if sensor not in there]
    heading = f"{len(missing):,} of {len(known):,} known sensors missing"
    return _count(check, len(missing), _listed(heading, missing))


def _ceilings(check: Check, profile: DayProfile) -> Measure:
    rows = profile.ceilings.select("sensor", "ceiling", "at_ceiling", "windows").iter_rows()
    shown = [
        f"{_name(sensor)} {ceiling:,} packets in {WINDOW} minutes, {at / windows:.0%} of the time"
        for sensor, ceiling, at, windows in rows
    ]
    heading = f"{len(shown):,} sensors at a ceiling, so their packets are a sample"
    return _count(check, len(shown), _listed(heading, shown) if shown else "no sensor at a ceiling")


def _hours(profile: DayProfile) -> list[tuple[str, int, int]]:
    return profile.sensor_hours.select("sensor", "hour", "packets").rows()


def _runs(hours: list[int]) -> list[list[int]]:
    """Ascending hours divided where one is left out."""
    if not hours:
        return []
    runs = [[hours[0]]]
    for before, hour in pairwise(hours):
        if hour != before + 1:
            runs.append([])
        runs[-1].append(hour)
    return runs


def _name(sensor: str) -> str:
    """A sensor's name, which comes from outside, as it may stand in a report."""
    if not sensor:
        return "(no sensor)"
    return sensor if sensor.isprintable() and len(sensor) <= 60 else ascii(sensor)[:60]


def _listed(heading: str, items: list[str]) -> str:
    if not items:
        return heading
    more = len(items) - _MOST_SHOWN
    tail = f" and {more:,} more" if more > 0 else ""
    return f"{heading}: {', '.join(items[:_MOST_SHOWN])}{tail}"
