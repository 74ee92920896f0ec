"""Columns of text or numbers → canonical packets, and a reason for every row that is none.

Every row is read at once first; only those with something wrong in them are trimmed, read a
second time and, if that does not help, given a reason. So clean files are fast and the rest
is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from dante.errors import ConfigError
from dante.schema import ICMP, ICMPV6, PACKETS, QUARANTINE, TCP, UDP
from dante.sources.batch import Batch, refuse
from dante.sources.mapping import FIELDS, Mapping
from dante.sources.reading import Reading
from dante.sources.times import check_zone, needs_year, parse_times
from dante.sources.values import (
    INTEGERS,
    clean,
    integers,
    parse_column_addresses,
    protocol_number,
    protocol_numbers,
    protocols,
)

__all__ = ["Rules", "interpret", "rules"]


@dataclass(frozen=True)
class Rules:
    """A reading with everything looked up: how values of the fields are written."""

    ts_format: str
    tz: str
    year: int | None
    src_kind: str
    dst_kind: str
    proto_names: dict[str, int]
    proto_default: int | None
    sensor: str | None

    def times(self, values: pl.Series) -> pl.Series:
        """`parse_times` as these rules have it."""
        return parse_times(values, format=self.ts_format, tz=self.tz, year=self.year)


def rules(reading: Reading) -> Rules:
    """The rules of a reading.

    Raises:
        ConfigError: the time zone or default protocol is unknown, or a year is needed.
    """
    mapping = reading.mapping or Mapping()
    if reading.tz is not None:
        check_zone(reading.tz, "time zone")
    if needs_year(mapping.ts_format) and reading.year is None:
        raise ConfigError(f"the time format {mapping.ts_format!r} has no year: give it with --year")
    names = protocol_numbers(mapping)
    return Rules(
        ts_format=mapping.ts_format,
        tz=reading.tz or mapping.tz or "UTC",
        year=reading.year,
        src_kind=mapping.src_kind,
        dst_kind=mapping.dst_kind,
        proto_names=names,
        proto_default=protocol_number(mapping.proto_default, names),
        sensor=reading.sensor or mapping.sensor,
    )


def interpret(table: pl.DataFrame, rule: Rules, raw: Callable[[pl.Series], list[str]]) -> Batch:
    """Packets and refused rows of a table.

    `table` has `row` (UInt64, ascending) and a column for each field the source carries, text or
    typed; `raw` gives rows as they came for positions in `table` (UInt32) and is asked only for
    refused ones.
    """
    fields = [name for name in FIELDS if name in table.columns]
    table = table.select("row", *fields)
    values = _values(table, fields, rule)
    wrong = _wrong(table, values, fields)
    if not wrong.any():
        return Batch(_packets(values, rule), pl.DataFrame(schema=QUARANTINE))
    # One chunk: of several, Polars 2.1 cannot make formatted text.
    doubtful = table.filter(wrong).rechunk()
    doubtful = doubtful.with_columns(clean(f, table.schema[f]) for f in fields)
    again = _values(doubtful, fields, rule)
    reasons = _reasons(doubtful, again, fields, rule)
    good = reasons.is_null()
    values = pl.concat([values.filter(~wrong), again.filter(good)])
    if good.any():
        values = values.sort("row")
    lost = again.filter(~good)
    positions = wrong.arg_true().filter(~good)
    return Batch(
        _packets(values, rule),
        refuse(lost["ts"].dt.date(), lost["row"], raw(positions), reasons.drop_nulls()),
    )


def _values(table: pl.DataFrame, fields: list[str], rule: Rules) -> pl.DataFrame:
    found = table.select(
        "row",
        *(
            integers(f, table.schema[f], INTEGERS[f])
            for f in fields
            if f in INTEGERS and f != "proto"
        ),
    )
    series = [rule.times(table["ts"])]
    for field, kind in (("src", rule.src_kind), ("dst", rule.dst_kind)):
        if field in fields:
            series.append(parse_column_addresses(table[field], kind))
    if "proto" in fields:
        proto = protocols(table["proto"], rule.proto_names)
        if rule.proto_default is not None:
            proto = proto.set(table["proto"].is_null(), rule.proto_default)
        series.append(proto)
    else:
        default = pl.Series("proto", [rule.proto_default], dtype=pl.UInt8)
        series.append(default.new_from_index(0, table.height))
    if "sensor" in fields:
        text = table["sensor"].cast(pl.String).str.strip_chars()
        series.append(text.set(text == "", None))
    return found.with_columns(series)


_RST, _SYN_ACK = 0x04, 0x12
_IS_ICMP: Final = pl.col("proto").is_in([ICMP, ICMPV6])


def _no_port(values: pl.DataFrame) -> pl.Expr:
    port = pl.col("dport").is_null() if "dport" in values.columns else pl.lit(True)
    missing = pl.col("proto").is_in([TCP, UDP]).fill_null(False) & port
    if "tcp_flags" not in values.columns:
        return missing
    # An answer is no word: some sources record only which port it came from.
    flags = pl.col("tcp_flags")
    answer = (pl.col("proto") == TCP) & ((flags & _RST != 0) | (flags & _SYN_ACK == _SYN_ACK))
    return missing & ~answer.fill_null(False)


def _no_type(values: pl.DataFrame) -> pl.Expr:
    if "icmp_code" not in values.columns:
        return pl.lit(False)
    port = pl.col("dport").is_null() if "dport" in values.columns else pl.lit(True)
    kind = pl.col("icmp_type").is_null() if "icmp_type" in values.columns else pl.lit(True)
    return _IS_ICMP.fill_null(False) & pl.col("icmp_code").is_not_null() & kind & port


def _wrong(table: pl.DataFrame, values: pl.DataFrame, fields: list[str]) -> pl.Series:
    """True where a value was given and not understood, or a required one is missing."""
    wrong = values.select(
        pl.any_horizontal(
            pl.col("ts", "src", "proto").is_null(), _no_port(values), _no_type(values)
        ).alias("wrong")
    )["wrong"]
    for field in fields:
        # Values are null at least where their source is: the same count means the same rows.
        if field != "sensor" and values[field].null_count() != table[field].null_count():
            wrong = wrong | (values[field].is_null() & table[field].is_not_null())
    return wrong


def _reasons(
    table: pl.DataFrame, values: pl.DataFrame, fields: list[str], rule: Rules
) -> pl.Series:
    """One reason a row, null where there is none: the first wrong field in canonical order."""
    parsed = values.drop("row").rename({f: f"={f}" for f in values.columns if f != "row"})
    both = pl.concat([table, parsed], how="horizontal")
    reasons = []
    for field in ("ts", "src", "proto"):
        if field in fields:
            gone = pl.col(field).is_null() & pl.col(f"={field}").is_null()
            reasons.append(pl.when(gone).then(pl.lit(f"{field}: missing")))
    for field in fields:
        if field != "sensor":
            broken = pl.col(f"={field}").is_null() & pl.col(field).is_not_null()
            reasons.append(pl.when(broken).then(_reason(field, rule)))
    of_values = values.select(
        pl.when(_no_port(values))
        .then(pl.lit("no destination port"))
        .when(_no_type(values))
        .then(pl.lit("icmp_type: missing"))
        .alias("reason")
    )["reason"]
    return both.select(pl.coalesce(*reasons, of_values).alias("reason"))["reason"]


def _reason(field: str, rule: Rules) -> pl.Expr:
    if field == "ts":
        changed = f", or skipped or doubled by a clock change in {rule.tz}"
        return pl.lit("ts: not a time" + (changed if rule.tz != "UTC" else ""))
    if field in ("src", "dst"):
        return pl.lit(f"{field}: not an address")
    # Values are hostile: a reason shows no control characters and little of a long one.
    text = pl.col(field).cast(pl.String).str.slice(0, 60).str.replace_all(r"\p{C}", "?")
    last = pl.Series([0], dtype=INTEGERS[field]).upper_bound().item()
    whole = text.str.contains(r"^[+-]?[0-9]+$")
    other = (
        pl.format("proto: unknown name '{}'", text)
        if field == "proto"
        else pl.format(f"{field}: '{{}}' is not a whole number", text)
    )
    beyond = pl.format(f"{field}: {{}} is out of 0..{last}", text)
    return pl.when(whole).then(beyond).otherwise(other)


def _packets(values: pl.DataFrame, rule: Rules) -> pl.DataFrame:
    columns = []
    for name, kind in PACKETS.items():
        column = pl.col(name) if name in values.columns else pl.lit(None, dtype=kind)
        if name == "sensor":
            column = column.fill_null(pl.lit(rule.sensor, dtype=pl.String))
        elif name == "sport":
            column = pl.when(~_IS_ICMP).then(column)
        elif name == "dport" and "icmp_type" in values.columns:
            code = pl.col("icmp_code") if "icmp_code" in values.columns else pl.lit(0, pl.UInt8)
            made = pl.col("icmp_type").cast(pl.UInt16) * 256 + code.fill_null(0).cast(pl.UInt16)
            column = pl.when(_IS_ICMP & made.is_not_null()).then(made).otherwise(column)
        columns.append(column.cast(kind).alias(name))
    return values.select(columns)
