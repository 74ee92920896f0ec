"""Times and addresses of a fixed look, read from the bytes of a whole column at once.

What does not have the look is left null here and read by others, who take it for the same.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.sources.spans import PAD, digits_of, octets

__all__ = [
    "IsoShape",
    "clock_micros",
    "days_before",
    "dotted_addresses",
    "iso_micros",
    "iso_shape",
    "iso_times",
    "two_digits",
]

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[Any]
_ZERO: Final = np.uint8(48)
_BYTE: Final = np.uint32(255)
# Texts that are read at once: what is made of them on the way fits into a processor's cache.
_BLOCK: Final = 1 << 14
_DATE: Final = ((4, b"-"), (7, b"-"), (10, b" T"), (13, b":"))


def _flat(text: pl.Series) -> tuple[_Bytes, npt.NDArray[np.int64]]:
    """The texts' bytes, one after another, and where each begins and the last ends."""
    array = text.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    if data is None:
        return np.zeros(0, dtype=np.uint8), places - places[0]
    return np.frombuffer(data, dtype=np.uint8)[places[0] : places[-1]], places - places[0]


def dotted_addresses(text: pl.Series) -> pl.Series:
    """IPv4 addresses of four plain numbers as UInt64; null for anything else."""
    data, places = _flat(text)
    starts, stops = places[:-1], places[1:]
    dots = np.flatnonzero(data == 46)
    rows = None
    if dots.size != 3 * starts.size or not _thirds(dots, starts, stops):
        inside = np.searchsorted(dots, places)
        count = np.diff(inside)
        rows = np.flatnonzero(count == 3)
        dots = dots[np.repeat(count == 3, count)]
        starts, stops = starts[rows], stops[rows]
    number, right = _octets(data, dots.reshape(-1, 3), starts, stops)
    if rows is None:
        found, valid = number, right
    else:
        found = np.zeros(text.len(), dtype=np.uint64)
        valid = np.zeros(text.len(), dtype=np.bool_)
        found[rows], valid[rows] = number, right
    series = pl.Series(text.name, found)
    return series if valid.all() else series.set(pl.Series(~valid), None)


def _thirds(dots: _Ints, starts: _Ints, stops: _Ints) -> bool:
    """Whether the first three dots are the first text's, the next three the next one's, …"""
    return bool((dots[::3] >= starts).all() and (dots[2::3] < stops).all())


def _octets(
    data: _Bytes, dots: _Ints, starts: _Ints, stops: _Ints
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """The numbers between the dots as one, and where they are written plainly and fit."""
    padded = np.concatenate([np.zeros(PAD, dtype=np.uint8), data])
    number = np.zeros(starts.size, dtype=np.uint64)
    right = np.ones(starts.size, dtype=np.bool_)
    for begin in range(0, starts.size, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        found, start = np.zeros(starts[part].size, dtype=np.uint32), starts[part]
        for stop in (*dots[part].T, stops[part]):
            octet, plain = octets(padded, stop + PAD, stop - start)
            right[part] &= plain
            found = (found << np.uint32(8)) | octet
            start = stop + 1
        number[part] = found
    return number, right


def iso_times(text: pl.Series) -> tuple[pl.Series, bool] | None:
    """Times such as `2025-03-01T10:00:00.25Z`, all of one length; None if they are not.

    Gives µs since 1970 as Int64, null where a text has another look or is no time; and whether
    they have a zone, and so are UTC, or have none. Digits below a microsecond are dropped.
    """
    data, places = _flat(text)
    size = int(places[1]) if places.size > 1 else 0
    if size < 19 or bool((np.diff(places) != size).any()):
        return None
    shape = iso_shape(data[:size].tobytes())
    if shape is None:
        return None
    micros, right = iso_micros(data.reshape(-1, size), shape)
    series = pl.Series(text.name, micros)
    return series if right.all() else series.set(pl.Series(~right), None), shape.zone > 0


@dataclass(frozen=True)
class IsoShape:
    """How a time is written: digits of its fraction (0: no point), and bytes of its zone."""

    fraction: int
    zone: int


def iso_shape(text: bytes) -> IsoShape | None:
    """The shape of an ISO time by its length and ends; None if it is none."""
    tail = text[19:]
    point = tail[:1] == b"."
    zone = 1 if tail.endswith(b"Z") else 6 if tail[-3:-2] == b":" and len(tail) >= 6 else 0
    fraction = len(tail) - point - zone
    if len(text) < 19 or not (1 <= fraction <= 9 if point else fraction == 0):
        return None
    return IsoShape(fraction, zone)


def iso_micros(
    text: _Bytes, shape: IsoShape
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Times of one shape as µs since 1970, and which are such; `text` has a row of bytes each.

    Times that follow one another mostly share their minute and their zone: these are read once
    for each run of times that do.
    """
    rows, size = text.shape
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)

    def words(place: int, kind: str) -> _Ints:
        """The bytes of all rows at a place as numbers."""
        return np.ndarray((rows,), kind, text.data, place, (size,))

    zone = words(size - 8, "<u8") >> np.uint64(8 * (8 - shape.zone)) if shape.zone else None
    shared = [words(0, "<u8"), words(8, "<u8"), *([] if zone is None else [zone])]
    other = np.zeros(rows - 1, dtype=np.bool_)
    for word in shared:
        other |= word[1:] != word[:-1]
    first = np.concatenate([[0], np.flatnonzero(other) + 1])
    begin, fits = _minutes(np.ascontiguousarray(text[first].T), shape)
    runs = np.diff(first, append=rows)
    micros, right = np.repeat(begin, runs), np.repeat(fits, runs)

    tail = words(15, "<u4")
    tens, ones = (((tail >> np.uint32(shift)) & _BYTE) - np.uint32(48) for shift in (16, 24))
    right &= ((tail >> np.uint32(8)) & _BYTE == ord(":")) & (tens < 6) & (ones < 10)
    micros += (tens * np.uint32(10) + ones).astype(np.int64) * 1_000_000
    if shape.fraction:
        # Six digits are counted; those behind them only have to be some.
        counted = min(shape.fraction, 6)
        part, plain = digits_of(words(12 + counted, "<u8").copy(), counted)
        right &= plain & (words(19, "u1") == ord("."))
        micros += part.astype(np.int64) * 10 ** (6 - counted)
        if shape.fraction > 6:
            right &= digits_of(words(12 + shape.fraction, "<u8").copy(), shape.fraction - 6)[1]
    return micros, right


def _minutes(table: _Bytes, shape: IsoShape) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """As `iso_micros`, without seconds and their fraction; `table` has a row a place."""
    size, zone = table.shape[0], shape.zone
    right = np.ones(table.shape[1], dtype=np.bool_)
    signs = list(_DATE)
    signs += (
        [(size - 1, b"Z")] if zone == 1 else [(size - 6, b"+-"), (size - 3, b":")] * (zone == 6)
    )
    for place, allowed in signs:
        right &= np.isin(table[place], list(allowed)) if allowed[1:] else table[place] == allowed[0]
    digits = table - _ZERO
    marks = {place for place, _ in signs}
    for place in (*range(16), *range(size - zone, size)):
        if place not in marks:
            right &= digits[place] < 10
    month, day = two_digits(digits, 5), two_digits(digits, 8)
    right &= (month >= 1) & (month <= 12)
    months = two_digits(digits, 0).astype(np.int32) * 1200
    months += two_digits(digits, 2).astype(np.int32) * 12 + month
    firsts = days_before()
    months = np.where(right, months, 1)
    begins = firsts[months - 1]
    right &= (day >= 1) & (day <= firsts[months] - begins)
    hour, minute = two_digits(digits, 11), two_digits(digits, 14)
    right &= (hour < 24) & (minute < 60)
    ahead = np.zeros(right.size, dtype=np.int32)
    if zone == 6:
        hours, minutes = two_digits(digits, size - 5), two_digits(digits, size - 2)
        ahead += hours.astype(np.int32) * 60 + minutes
        ahead[table[size - 6] == ord("-")] *= -1
        right &= (hours < 24) & (minutes < 60)
    whole = (begins + day - 1).astype(np.int64) * 1440 + hour.astype(np.int64) * 60
    return (whole + minute - ahead) * 60_000_000, right


def two_digits(digits: _Bytes, place: int) -> _Bytes:
    """Numbers of two digits."""
    pair: _Bytes = digits[place] * np.uint8(10) + digits[place + 1]
    return pair


def clock_micros(
    digits: _Bytes, place: int, fraction: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """`HH:MM:SS`, and so many digits behind a point, as µs of the day; and which fit into one."""
    hour, minute, second = (two_digits(digits, place + skip) for skip in (0, 3, 6))
    right: npt.NDArray[np.bool_] = (hour < 24) & (minute < 60) & (second < 60)
    seconds = (hour.astype(np.int32) * 60 + minute) * 60 + second
    micros: npt.NDArray[np.int64] = seconds.astype(np.int64) * 1_000_000
    if fraction:
        part = np.zeros(hour.size, dtype=np.int32)
        for at in range(min(fraction, 6)):
            part += digits[place + 9 + at].astype(np.int32) * np.int32(10 ** (5 - at))
        micros += part
    return micros, right


@lru_cache(maxsize=1)
def days_before() -> npt.NDArray[np.int64]:
    """Days since 1970 of the first of each month from the year 0 on, and one month more."""
    months = np.arange(np.datetime64("0000-01"), np.datetime64("10000-02"))
    days: npt.NDArray[np.int64] = months.astype("datetime64[D]").astype(np.int64)
    return days
