"""Heads of log lines by their shape: how long the time is, and what stands behind it.

A log is nearly always of one or a few hosts and written in one form. The form is learnt from one
line, by the general reading of `syslog`; a line with the same words behind a time of the same
length is read the same, its time from its bytes. What no form fits is left to the general reading.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.sources.digits import (
    IsoShape,
    clock_micros,
    days_before,
    iso_micros,
    iso_shape,
    two_digits,
)
from dante.sources.marked import Looks, Marked
from dante.sources.spans import pieces
from dante.sources.syslog import MONTHS, is_facility, is_host, read_heads

__all__ = ["FIRST_YEAR", "LAST_YEAR", "Front", "Times", "in_years", "learn_front"]

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9999
"""Years that `in_years` takes."""

_CLOCK: Final = rb"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
_ISO: Final = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]" + _CLOCK + rb"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_MONTH: Final = b"|".join(month.encode() for month in MONTHS)
_FORM: Final = re.compile(
    rb"(?P<level>(?:<[0-9]{1,3}> ?)?)"
    rb"(?:(?P<iso>" + _ISO + rb")|(?P<short>(?:" + _MONTH + rb") [ 0-3][0-9] " + _CLOCK + rb"))"
    rb"(?P<first> +(?P<one>[^ \n]+) )(?P<second> *(?P<two>[^ \n]+) )"
)
_TAGGED: Final = re.compile(
    rb"(?P<level><[0-9]{1,3}>1 )(?P<iso>" + _ISO.replace(b"[T ]", b"T") + rb")"
    rb"(?P<origin> [^ \n]+ [^ \n]+ )"
)
_MOST: Final = 120
_CODES: Final = np.array(
    sorted(int.from_bytes(month.encode(), "little") for month in MONTHS), dtype=np.uint32
)
_NUMBERS: Final = np.array(
    [MONTHS.index(int(code).to_bytes(3, "little").decode()) + 1 for code in _CODES]
)
# Of a month without a year; the 29th of February is left to those who know the year.
_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True)
class Times:
    """Times of lines.

    Attributes:
        micros: since 1970, or of the day where the year is not told.
        dates: month · 100 + day where the year is not told, else 0.
    """

    micros: _Ints
    dates: _Ints


@dataclass(frozen=True, eq=False)
class Front:
    """A form of heads, with the words in it.

    Attributes:
        zoned: its times say which zone they are in; None: they do not say their year either.
        sensor: the host that it names.
        program: the program that it names, as `syslog` tells it.
    """

    zoned: bool | None
    sensor: str | None
    program: str | None
    _begin: int
    _size: int
    _shape: IsoShape
    _looks: Looks

    def find(self, lines: Marked, rows: _Ints) -> tuple[_Ints, Times]:
        """Which of some lines have this head, with a time in it that there is; and those times."""
        begins = lines.begins[rows]
        good = self._looks.hold(lines.data, begins[None, :])
        found = np.flatnonzero(good)
        if found.size < begins.size:
            begins = begins[found]
        text = pieces(lines.data, begins + self._begin, self._size).view(np.uint8)
        text = text.reshape(-1, self._size)
        if self.zoned is None:
            times, right = _short_times(np.ascontiguousarray(text.T), self._shape.fraction)
        else:
            micros, right = iso_micros(text, self._shape)
            times = Times(micros, np.zeros_like(micros))
        if right.all():
            return found, times
        return found[right], Times(times.micros[right], times.dates[right])


def learn_front(line: bytes) -> Front | None:
    """The head of a line, which ends in a line feed; None if it has none that can be read here."""
    form = _FORM.match(line) or _TAGGED.match(line)
    if form is None:
        return None
    told = read_heads(pl.Series([line[:-1].decode("utf-8", errors="replace")])).row(0, named=True)
    parts = form.groupdict()
    origin = parts.get("origin") or _origin(parts)
    text = parts["iso"] or parts["short"]
    short = parts["iso"] is None
    if origin is None or len(origin) > _MOST or short == (told["time"] is not None):
        return None
    shape = IsoShape(max(0, len(text) - 16), 0) if short else iso_shape(text)
    if shape is None:
        return None
    level = parts["level"]
    texts = [(0, len(level) + len(text), origin), *([(0, 0, level)] if level else [])]
    return Front(
        zoned=None if short else shape.zone > 0,
        sensor=told["sensor"],
        program=told["program"],
        _begin=len(level),
        _size=len(text),
        _shape=shape,
        _looks=Looks.at(texts),
    )


def _origin(parts: dict[str, bytes]) -> bytes | None:
    """As much behind the time as tells the host and the program; None if that is not clear."""
    words = pl.Series([parts[name].decode("utf-8", errors="replace") for name in ("one", "two")])
    if is_facility(words).any():
        return None
    behind: bool = is_host(words.head(1)).item()
    return parts["first"] + (parts["second"] if behind else b"")


def _short_times(table: _Bytes, fraction: int) -> tuple[Times, _Bools]:
    """`Mar  1 10:00:00`, and digits behind a point."""
    codes = table[0].astype(np.uint32)
    codes |= table[1].astype(np.uint32) << np.uint32(8)
    codes |= table[2].astype(np.uint32) << np.uint32(16)
    spot = np.minimum(np.searchsorted(_CODES, codes), _CODES.size - 1)
    right: _Bools = _CODES[spot] == codes
    for place, sign in ((3, 32), (6, 32), (9, 58), (12, 58), *([(15, 46)] if fraction else [])):
        right &= table[place] == sign
    digits = table - np.uint8(48)
    blank = table[4] == 32
    digits[4][blank] = 0
    for place in (4, 5, 7, 8, 10, 11, 13, 14, *range(16, table.shape[0])):
        right &= digits[place] < 10
    month, day = _NUMBERS[spot], two_digits(digits, 4)
    micros, fits = clock_micros(digits, 7, fraction)
    right &= fits & (day >= 1) & (day <= _DAYS[month])
    return Times(micros, month * 100 + day), right


def in_years(times: Times, years: _Ints) -> _Ints:
    """Times without a year as µs since 1970, each in its year."""
    months = years * 12 + times.dates // 100 - 1
    days: _Ints = days_before()[months] + times.dates % 100 - 1
    return days * 86_400_000_000 + times.micros
