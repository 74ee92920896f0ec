"""The head of a log line: when it was written, by which host, and for which program.

Read are the heads of RFC 3164 (whose times have no year) and RFC 5424, both with or without
`<PRI>`; ISO 8601 times as rsyslog and `journalctl -o short-iso` write them; `journalctl -o short`,
`short-precise`, `short-full` and `short-unix`; and the times of `ctime`, as `dmesg -T` writes them
in brackets and OpenWrt without. The forms exclude one another, so the order in which they are tried
cannot matter.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

__all__ = [
    "MONTHS",
    "begin_with_time",
    "calendar_time",
    "is_facility",
    "is_host",
    "local_zones",
    "read_heads",
]

MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
"""Months by their names."""
_MONTH: Final = f"(?P<name>{'|'.join(MONTHS)})"
_CLOCK: Final = r"(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?)"
_DATE: Final = r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_OFFSET: Final = r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
_WEEKDAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
# Bytes that are no text, as a crash leaves them at the start of the next line, are passed over.
_PRI: Final = r"^\x{FFFD}*(?:<[0-9]{1,3}> ?)?"
_WORDS: Final = r"(?P<one>[^ ]+)(?: +(?P<two>[^ ]+)(?: +(?P<three>[^ ]+))?)?"
# Mar  1 10:00:00 host kernel: …
_SHORT: Final = rf"{_PRI}{_MONTH} +(?P<day>[0-9]{{1,2}}) {_CLOCK} +{_WORDS}"
_YEAR: Final = "(?P<year>(?:19|20)[0-9]{2})"
# A form that can match in one way only, from left to right, is twice as fast: so the year has forms
# of its own.
_FORMS: Final = (
    _SHORT,
    # Mar  1 10:00:00 2025 host kernel: …, Mar  1 2025 10:00:00 host kernel: …
    rf"{_PRI}{_MONTH} +(?P<day>[0-9]{{1,2}}) {_CLOCK} {_YEAR} +{_WORDS}",
    rf"{_PRI}{_MONTH} +(?P<day>[0-9]{{1,2}}) {_YEAR} {_CLOCK} +{_WORDS}",
    # 2025-03-01T10:00:00.123456+01:00 host kernel: …
    rf"{_PRI}{_DATE}[T ]{_CLOCK}{_OFFSET} +{_WORDS}",
    # <4>1 2025-03-01T10:00:00.123456+01:00 host kernel - - - …
    rf"^\x{{FFFD}}*<[0-9]{{1,3}}>1 {_DATE}T{_CLOCK}{_OFFSET} (?P<host>[^ ]+) (?P<app>[^ ]+) ",
    # Sat 2025-03-01 10:00:00 CET host kernel: …
    rf"{_PRI}{_WEEKDAY} {_DATE} {_CLOCK} (?P<zone>[A-Z]{{2,6}}|[+-][0-9]{{2}}(?::?[0-9]{{2}})?) +"
    rf"{_WORDS}",
    # [Sat Mar  1 10:00:00 2025] …, and without brackets
    rf"{_PRI}\[?{_WEEKDAY} {_MONTH} +(?P<day>[0-9]{{1,2}}) {_CLOCK} {_YEAR}"
    rf"(?P<end>\]?) +{_WORDS}",
    # 1740819600.123456 host kernel: …
    rf"{_PRI}(?P<epoch>[0-9]{{9,10}}\.[0-9]{{1,9}}) +{_WORDS}",
)
_GROUPS: Final = (
    *("name", "day", "year", "date", "clock", "zone", "epoch", "end"),
    *("host", "app", "one", "two", "three"),
)
_HEAD: Final = 400
"""Characters of a line that its head may take."""


def begin_with_time(lines: Sequence[str]) -> bool:
    """Whether any of some lines has one of the heads that are read."""
    heads = read_heads(pl.Series(lines, dtype=pl.String))
    return bool(heads.select(pl.coalesce("time", "month").is_not_null().any()).item())


def read_heads(lines: pl.Series) -> pl.DataFrame:
    """The heads of lines (String, no nulls), a row a line; null where there is none.

    Returns:
        String columns: `time`, where the line has all of it; `month` and `day` (two digits),
        `clock` and `zone`, its parts; `sensor`, the host; and `program`, where one is named, with a
        colon at its end if it is only told by that.
    """
    groups = _groups(lines)
    heads = groups.select(
        "year",
        _numbers(pl.col("name")),
        pl.col("day").str.zfill(2),
        pl.col("date", "epoch", "end", "host", "app", "one", "two", "three"),
        pl.col("clock").str.replace(",", ".", literal=True),
        pl.col("zone").replace(["Z", "UTC", "GMT"], ["+00:00"] * 3),
    )
    dated = pl.col("date") + " " + pl.col("clock") + pl.col("zone").fill_null("")
    time = pl.coalesce("epoch", dated, calendar_time(pl.col("year")))
    return heads.select(
        "month", "day", "clock", "zone", time.alias("time"), *_origin(heads["one"], heads["two"])
    )


def _numbers(names: pl.Expr) -> pl.Expr:
    numbers = [f"{number:02}" for number in range(1, 13)]
    return names.replace_strict(MONTHS, numbers, default=None, return_dtype=pl.String).alias(
        "month"
    )


def calendar_time(year: pl.Expr) -> pl.Expr:
    """The time that `month`, `day` and `clock` are in a year (String)."""
    return pl.concat_str(year, pl.lit("-"), "month", pl.lit("-"), "day", pl.lit(" "), "clock")


def _groups(lines: pl.Series) -> pl.DataFrame:
    """The groups of whichever form each line has."""
    left = pl.DataFrame({"line": lines.str.slice(0, _HEAD)}).with_row_index("at")
    found: list[pl.DataFrame] = []
    for form in _FORMS:
        groups = left.select("at", pl.col("line").str.extract_groups(form)).unnest("line")
        hit = groups["epoch" if "epoch" in groups.columns else "clock"].is_not_null()
        if form == _SHORT:  # no host, but the year of the next form
            hit &= ~groups["one"].str.contains(f"^{_YEAR}$").fill_null(False)
        if hit.all():
            found.append(groups)
            left = left.clear()
            break
        if hit.any():
            found.append(groups.filter(hit))
            left = left.filter(~hit)
    if left.height:
        found.append(left.select("at"))
    every = found[0] if len(found) == 1 else pl.concat(found, how="diagonal").sort("at")
    missing = [name for name in _GROUPS if name not in every.columns]
    return every.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in missing)


_FACILITY: Final = (
    r"^(?:kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local[0-7])\."
    r"(?:emerg|alert|crit|err|warn|warning|notice|info|debug)$"
)
_HOST: Final = r'^[^\[\]="{}]*[^\[\]="{}:]$'


def _origin(one: pl.Series, two: pl.Series) -> tuple[pl.Expr, pl.Expr]:
    """The host and the program, from the words after the time."""
    behind = pl.lit(is_host(one)) & (pl.col("end").fill_null("") != "]")
    first = pl.when(behind).then("two").otherwise("one")
    second = pl.when(behind).then("three").otherwise("two")
    # "kern.warn" stands where it is written in front of what it is said of.
    level = is_facility(two).fill_null(False) | is_facility(one).fill_null(False)
    tag = first
    if level.any():
        tag = pl.when(first.str.contains(_FACILITY)).then(second).otherwise(first)
    program = pl.when(tag.str.ends_with(":")).then(tag)
    host = pl.coalesce("host", pl.when(behind).then("one"))
    app = pl.col("app")
    return (
        pl.when(host != "-").then(host).alias("sensor"),
        pl.coalesce(pl.when(app != "-").then(app), program).alias("program"),
    )


def is_host(words: pl.Series) -> pl.Series:
    """Whether a word behind a time is the name of a host."""
    return words.str.contains(_HOST) & ~is_facility(words)


def is_facility(words: pl.Series) -> pl.Series:
    """Whether a word is a facility and level, as in `kern.warn`."""
    if not words.str.contains(".", literal=True).any():
        return pl.Series([False]).new_from_index(0, words.len())
    return words.str.contains(_FACILITY)


def local_zones(times: pl.Series, tz: str) -> pl.Series:
    """Times that end in the name of a zone ("… CET"), the name replaced by its offset.

    A name says which of two times a doubled hour means. It is only believed where `tz` has it at
    that time: the same letters are in use for several zones. Others stay as they are.
    """
    parts = pl.DataFrame({"time": times}).select(
        "time",
        local=pl.col("time").str.extract(r"^(.*[0-9])[A-Z]{2,6}$"),
        name=pl.col("time").str.extract(r"([A-Z]{2,6})$"),
    )
    local = parts["local"].str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    result = parts["time"]
    for which in ("earliest", "latest"):
        there = local.dt.replace_time_zone(tz, ambiguous=which, non_existent="null")
        same = (there.dt.strftime("%Z") == parts["name"]).fill_null(False)
        result = result.zip_with(~same, parts["local"] + there.dt.strftime("%z"))
    return result
