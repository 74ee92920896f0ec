"""The year of log lines that do not say it, from their order and the file's date."""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.errors import ConfigError

__all__ = ["Years", "bare_dates", "first_year"]

_log = logging.getLogger(__name__)

# How far a file's last line may lie from the time the file was last written. Loggers write at once;
# more than that, and the file may as well be a copy made in some later year.
_OLDEST = timedelta(days=2)
_YOUNGEST = timedelta(days=1)  # of a zone that was not said


_Ints = npt.NDArray[np.int64]


def _turns(dates: _Ints, before: int) -> _Ints:
    """For each line by how many years it lies from the one before it: 1, 0 or -1.

    From November or December to January or February a year has begun. From the first days of
    January to the last of December a line came late, and is the old year's. Any other step back is
    a clock that was wrong, or lines out of order, in the same year.
    """
    earlier = np.concatenate([[before], dates[:-1]])
    begun = (earlier // 100 >= 11) & (dates // 100 <= 2)
    # In days since the 31st of December of the old year, the one; back to it, the other.
    late = (dates // 100 == 12) & (earlier // 100 == 1) & (earlier % 100 + 31 - dates % 100 <= 7)
    turns: _Ints = begun.astype(np.int64) - late
    return turns


def bare_dates(heads: pl.DataFrame) -> _Ints:
    """Month · 100 + day of each head that has no year; 0 where there is a year, or no time."""
    bare = pl.when(pl.col("time").is_null())
    dates = bare.then(pl.col("month").cast(pl.Int64) * 100 + pl.col("day").cast(pl.Int64))
    found: _Ints = heads.select(dates.fill_null(0)).to_series().to_numpy()
    return found


class Years:
    """Gives each line without a year its year; lines are given in the order of the file.

    December followed by January is a new year, and a line of December that comes late the old one.

    Attributes:
        last: year and date of the last line that was given one; None: of none yet.
    """

    def __init__(self, first: Callable[[], int]) -> None:
        """Start before the first line; `first` is asked for its year when one comes."""
        self._first = first
        self.last: tuple[int, int] | None = None

    def of(self, heads: pl.DataFrame) -> pl.Series:
        """The years (Int64) of lines by their heads; null where a head has a year, or no time."""
        dates = bare_dates(heads)
        years = np.zeros_like(dates)
        bare = dates > 0
        years[bare] = self.of_dates(dates[bare])
        return pl.Series("year", years).set(pl.Series(~bare), None)

    def of_dates(self, dates: _Ints) -> _Ints:
        """The years of the next dates (month · 100 + day) without one."""
        if not dates.size:
            return dates
        year, date = self.last or (self._first(), int(dates[0]))
        years: _Ints = year + np.cumsum(_turns(dates, date))
        self.last = int(years[-1]), int(dates[-1])
        return years


def first_year(path: Path, tz: str, heads: Iterable[pl.DataFrame]) -> int:
    """The year of a file's first line without one, from the time the file was last written.

    Args:
        path: the file.
        tz: zone of its times.
        heads: the heads of all its lines, as `read_heads` gives them.

    Raises:
        ConfigError: the last line was not written when the file was, or the lines go on for more
            than a year or backwards: the year could be wrong.
    """
    first = last = turns = 0
    clock, ordered = "", True
    for frame in heads:
        every = bare_dates(frame)
        dates = every[every > 0]
        if dates.size:
            first = first or int(dates[0])
            steps = _turns(dates, last or first)
            turns += int(steps.sum())
            back = np.diff(dates // 100, prepend=(last or first) // 100) < -1
            ordered &= not (back & (steps == 0)).any()
            last = int(dates[-1])
            clock = frame["clock"][int(np.flatnonzero(every)[-1])]
    written = _written(path, tz)
    year = _year_of(last, clock, written)
    if year is None:
        raise ConfigError(
            f"{path}: {_ADVICE} (the file was last written on {written:%Y-%m-%d} and its last line "
            f"is of month {last // 100}, day {last % 100}, so the one does not tell the other)"
        )
    if not ordered or (turns, first <= last) not in ((0, True), (1, False)):
        raise ConfigError(f"{path}: {_ADVICE} (its lines go on for more than a year, or backwards)")
    said = f"{year}" if not turns else f"{year - turns} to {year}"
    _log.warning(
        "%s: no year in the log; taken as %s from the file's date (say --year if wrong)", path, said
    )
    return year - turns


_ADVICE = "the log has no year: give that of its first line with --year"


def _written(path: Path, tz: str) -> datetime:
    """When a file was last written, as clocks in a zone showed it."""
    utc = pl.Series([datetime.fromtimestamp(path.stat().st_mtime, UTC)])
    local: datetime = utc.dt.convert_time_zone(tz).dt.replace_time_zone(None).item()
    return local


def _year_of(date: int, clock: str, written: datetime) -> int | None:
    """The year in which a last line of this date was written when the file was."""
    for year in (written.year - 1, written.year, written.year + 1):
        try:
            then = datetime.fromisoformat(f"{year}-{date // 100:02}-{date % 100:02} {clock[:8]}")
        except ValueError:
            continue
        if written - _OLDEST <= then <= written + _YOUNGEST:
            return year
    return None
