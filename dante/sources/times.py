"""Times as they are written in files → UTC microseconds.

Every function is a pure function of single values: what a time is read as never depends on its
neighbours, so the size of a batch cannot change a result.
"""

import re
from typing import Final

import polars as pl

from dante.errors import ConfigError
from dante.sources.digits import iso_times

__all__ = ["EPOCHS", "check_format", "check_zone", "needs_year", "parse_times"]

EPOCHS: Final = {"epoch_s": 0, "epoch_ms": 1, "epoch_us": 2, "epoch_ns": 3}
"""Names of numeric time formats and the power of 1,000 of their unit."""

_UTC: Final = pl.Datetime("us", "UTC")
# Exclusive of one another, so that the order in which they are tried cannot matter.
_ISO: Final = [
    f"%Y-%m-%d{between}%H:%M:%S{rest}" for rest in ("", "%.f", "%.f%#z") for between in (" ", "T")
]
_DIRECTIVES: Final = re.compile(r"%(?:[YymdeHIMSzpPbBhaAjTFDR%]|:z|#z|\.[369]?f)")
# A number below 10^11 is seconds (until the year 5138), below 10^14 milliseconds (1973 to 5138),
# below 10^17 microseconds, anything more nanoseconds.
_LIMITS: Final = (10**11, 10**14, 10**17)
_LAST: Final = 253_402_300_799_999_999  # 9999-12-31, the last day a date can be written for


def check_format(format: str, where: str) -> None:
    """Raise ConfigError unless `format` is auto, iso, an epoch or a strftime pattern."""
    if format in ("auto", "iso") or format in EPOCHS:
        return
    pattern = _pattern(format)
    unknown = re.search("%.?", _DIRECTIVES.sub("", pattern))
    why = ""
    if unknown:
        why = f"{unknown[0]!r} is not a known directive"
    elif not all(re.search(f"%{part}", pattern) for part in ("[dejDF]", "[mbBhjDF]", "[HITR]")):
        why = "it does not hold a month, a day and an hour"
    else:
        try:
            _strptime(pl.Series([""]), pattern, "UTC")
        except pl.exceptions.PolarsError as error:
            why = str(error).splitlines()[0]
    if why:
        raise ConfigError(
            f"{where} {format!r} is not understood ({why}): give auto, iso, {', '.join(EPOCHS)}, "
            "or a pattern such as '%Y-%m-%d %H:%M:%S'"
        )


def check_zone(tz: str, where: str) -> None:
    """Raise ConfigError unless `tz` is a time zone of the IANA database."""
    try:
        known = bool(tz)
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(tz)
    except pl.exceptions.PolarsError:
        known = False
    if not known:
        raise ConfigError(f"{where} {tz[:60]!r} is not a time zone such as 'Europe/Rome'")


def needs_year(format: str) -> bool:
    """True for a pattern without a year, as in syslog lines."""
    return "%" in format and not re.search(r"%[YyFD]", format)


def parse_times(
    values: pl.Series, *, format: str = "auto", tz: str = "UTC", year: int | None = None
) -> pl.Series:
    """Times as Datetime(us, UTC), null where there is none or it cannot be read.

    Takes text, integers, floats (an epoch) or datetimes. `auto` reads ISO 8601 and epochs, the
    unit told by magnitude. Times without a zone are in `tz`; those that a clock change skips
    or doubles are null. Digits below a microsecond are dropped. Years are 1970 to 9999.
    """
    if values.dtype == pl.String:
        times = _from_text(values, format, tz, year)
    elif isinstance(values.dtype, pl.Datetime):
        zone = values.dtype.time_zone
        local = values.cast(pl.Datetime("us", zone))
        times = local.dt.convert_time_zone("UTC") if zone else _localised(local, tz)
    elif values.dtype.is_float():
        times = _from_float(values, format)
    else:
        times = _from_integer(values.cast(pl.Int64, strict=False), format)
    micros = times.to_physical()
    return times.set(((micros < 0) | (micros > _LAST)).fill_null(False), None).alias("ts")


def _from_text(text: pl.Series, format: str, tz: str, year: int | None) -> pl.Series:
    if format in EPOCHS:
        return _from_digits(text, format)
    if format not in ("auto", "iso"):
        pattern = _pattern(format)
        if needs_year(format):
            if year is None:
                raise ConfigError(f"the time format {format!r} has no year: give it with --year")
            text, pattern = f"{year} " + text, "%Y " + pattern
        return _strptime(text, pattern, tz)
    times = pl.Series("ts", [None], dtype=_UTC).new_from_index(0, text.len())
    if (fast := iso_times(text)) is not None:
        micros, zoned = fast
        times = micros.cast(_UTC) if zoned else _localised(micros.cast(pl.Datetime("us")), tz)
    for pattern in _likely_first(text, format):
        left = (times.is_null() & text.is_not_null()).arg_true()
        if not left.len():
            break
        rest = text if left.len() == text.len() else text.gather(left)
        found = _from_digits(rest, "auto") if pattern == "auto" else _strptime(rest, pattern, tz)
        if left.len() == text.len():
            times = found
        elif found.null_count() < found.len():
            times = times.scatter(left, found)
    return times


def _likely_first(text: pl.Series, format: str) -> list[str]:
    """All forms of a time, in order of likelihood: most columns are written in one form."""
    forms = [*_ISO, *(["auto"] if format == "auto" else [])]
    sample = text.drop_nulls().head(1)
    if sample.len():
        forms.sort(key=lambda form: not _is_form(sample, form))
    return forms


def _is_form(sample: pl.Series, form: str) -> bool:
    times = _from_digits(sample, "auto") if form == "auto" else _strptime(sample, form, "UTC")
    return times.null_count() == 0


def _pattern(format: str) -> str:
    # People write Python's `.%f`; for Polars a fraction with its point is `%.f`.
    return format.replace(".%f", "%.f")


def _strptime(text: pl.Series, pattern: str, tz: str) -> pl.Series:
    zoned = pattern.endswith(("%z", "%:z", "%#z")) or "z" in re.findall(r"%[:#]?(\w)", pattern)
    times = text.str.to_datetime(
        pattern,
        time_unit="us",
        time_zone="UTC" if zoned else None,
        strict=False,
        cache=False,
    )
    return times if zoned else _localised(times, tz)


def _localised(times: pl.Series, tz: str) -> pl.Series:
    if tz == "UTC":
        return times.dt.replace_time_zone("UTC")
    # `ambiguous="null"`: of the two times a doubled hour may mean, neither is known to be true.
    local = times.dt.replace_time_zone(tz, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _from_digits(text: pl.Series, format: str) -> pl.Series:
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() == text.null_count():
        return _from_integer(whole, format)
    frame = pl.DataFrame({"text": text, "plain": whole})
    parts = pl.col("text").str.extract_groups(r"^([0-9]{1,18})\.([0-9]{1,18})$")
    # `plain` first: what is a whole number among whole numbers is one among others too.
    frame = frame.select(
        whole=pl.coalesce("plain", parts.struct.field("1").cast(pl.Int64, strict=False)),
        nanos=parts.struct.field("2")
        .fill_null("")
        .str.pad_end(9, "0")
        .str.slice(0, 9)
        .cast(pl.Int64, strict=False),
    )
    return _scaled(frame, format)


def _from_integer(numbers: pl.Series, format: str) -> pl.Series:
    frame = pl.DataFrame({"whole": numbers}).with_columns(nanos=pl.lit(0, dtype=pl.Int64))
    return _scaled(frame, format)


def _from_float(numbers: pl.Series, format: str) -> pl.Series:
    # In nanoseconds of its unit: a Float64 of seconds holds microseconds, and no more, until 2255.
    finite = pl.when(pl.col("x").is_between(-1e18, 1e18)).then(pl.col("x"))
    frame = pl.DataFrame({"x": numbers.cast(pl.Float64)}).select(x=finite)
    whole = pl.col("x").floor()
    micro = ((pl.col("x") - whole) * 1e6).round().cast(pl.Int64)
    frame = frame.select(
        whole=whole.cast(pl.Int64) + micro // 1_000_000, nanos=micro % 10**6 * 1000
    )
    return _scaled(frame, format)


def _scaled(frame: pl.DataFrame, format: str) -> pl.Series:
    whole, nanos = pl.col("whole"), pl.col("nanos")
    by_unit = [
        whole * 1_000_000 + nanos // 1_000,
        whole * 1_000 + nanos // 1_000_000,
        whole,
        whole // 1_000,
    ]
    if format in EPOCHS:
        power = EPOCHS[format]
        limit = _LAST // 1000 ** (2 - power) if power < 2 else 2**63 - 1
        micros: pl.Expr = pl.when(whole.is_between(0, limit)).then(by_unit[power])
    else:
        micros = (
            pl.when(whole < 0)
            .then(None)
            .when(whole < _LIMITS[0])
            .then(by_unit[0])
            .when(whole < _LIMITS[1])
            .then(by_unit[1])
            .when(whole < _LIMITS[2])
            .then(by_unit[2])
            .otherwise(by_unit[3])
        )
    return frame.select(ts=micros.cast(_UTC))["ts"]
