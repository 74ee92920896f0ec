"""Values of one column → its canonical type, null where a value is not what it should be."""

import re
from collections.abc import Callable
from typing import Final

import polars as pl

from dante.errors import ConfigError
from dante.schema import PACKETS, PROTOCOL_NAMES, parse_addresses
from dante.sources.digits import dotted_addresses
from dante.sources.mapping import Mapping

__all__ = [
    "INTEGERS",
    "PROTOCOL_KEYWORDS",
    "clean",
    "integers",
    "parse_column_addresses",
    "protocol_number",
    "protocol_numbers",
    "protocols",
]

INTEGERS: Final[dict[str, pl.DataType]] = {
    **{f: kind for f, kind in PACKETS.items() if f not in ("ts", "src", "dst", "sensor")},
    "icmp_type": pl.UInt8(),
    "icmp_code": pl.UInt8(),
}
"""Fields that are whole numbers, and the type that bounds each."""

_KEYWORDS: Final = (
    "hopopt icmp igmp ggp ipv4 st tcp cbt egp igp bbn-rcc-mon nvp-ii pup argus emcon xnet chaos "
    "udp mux dcn-meas hmp prm xns-idp trunk-1 trunk-2 leaf-1 leaf-2 rdp irtp iso-tp4 netblt "
    "mfe-nsp merit-inp dccp 3pc idpr xtp ddp idpr-cmtp tp++ il ipv6 sdrp ipv6-route ipv6-frag "
    "idrp rsvp gre dsr bna esp ah i-nlsp swipe narp mobile tlsp skip ipv6-icmp ipv6-nonxt "
    "ipv6-opts . cftp . sat-expak kryptolan rvd ippc . sat-mon visa ipcv cpnx cphb wsn pvp "
    "br-sat-mon sun-nd wb-mon wb-expak iso-ip vmtp secure-vmtp vines ttp nsfnet-igp dgp tcf "
    "eigrp ospfigp sprite-rpc larp mtp ax.25 ipip micp scc-sp etherip encap . gmtp ifmp pnni "
    "pim aris scps qnx a/n ipcomp snp compaq-peer ipx-in-ip vrrp pgm . l2tp ddx iatp stp srp "
    "uti smp sm ptp isis fire crtp crudp sscopmce iplt sps pipe sctp fc rsvp-e2e-ignore "
    "mobility-header udplite mpls-in-ip manet hip shim6 wesp rohc ethernet"
)
PROTOCOL_KEYWORDS: Final = {
    word: number for number, word in enumerate(_KEYWORDS.split()) if word != "."
}
"""Protocols by their keywords (IANA), in lower case."""

_ALIASES: Final = {"icmp6": 58, "ipv6-icmp": 58, "icmp-v6": 58, "udp-lite": 136, "ip-in-ip": 4}


def integers(name: str, dtype: pl.DataType, kind: pl.DataType) -> pl.Expr:
    """Column `name` of type `dtype` as `kind`; null where out of range or not whole."""
    column = pl.col(name)
    if dtype.is_float():
        column = pl.when(column == column.floor()).then(column)
    return column.cast(kind, strict=False)


def clean(name: str, dtype: pl.DataType) -> pl.Expr:
    """Column `name` as it is read a second time: trimmed, and null where empty or NaN.

    `80.0`, as tables with missing values write whole numbers, is 80.
    """
    column = pl.col(name)
    if dtype.is_float():
        return column.fill_nan(None)
    if dtype != pl.String:
        return column
    text = column.str.strip_chars()
    if name in INTEGERS:
        text = text.str.replace(r"^([0-9]+)\.0+$", "$1")
    if name == "proto":
        text = text.str.to_lowercase()
    return pl.when(text != "").then(text).alias(name)


def parse_column_addresses(values: pl.Series, kind: str) -> pl.Series:
    """Addresses as UInt64, from numbers or text; `kind` is auto, integer or text."""
    if values.dtype != pl.String:
        if kind == "text":
            return pl.Series(values.name, [None] * values.len(), dtype=pl.UInt64)
        frame = pl.DataFrame({"a": values})
        return frame.select(integers("a", values.dtype, pl.UInt64()))["a"].alias(values.name)
    if kind == "integer":
        return values.cast(pl.UInt64, strict=False)
    # Nothing is both a number and an address in text.
    found = dotted_addresses(values)
    if kind == "auto":
        found = _filled(found, values, lambda rest: rest.cast(pl.UInt64, strict=False))
    return _filled(found, values, _other_addresses)


def _filled(
    found: pl.Series, values: pl.Series, read: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """What was found, and what is read of the values of which nothing was."""
    if found.null_count() == values.null_count():
        return found
    left = (found.is_null() & values.is_not_null()).arg_true()
    if left.len() == values.len():
        return read(values)
    return found.scatter(left, read(values.gather(left)))


def _other_addresses(texts: pl.Series) -> pl.Series:
    # Addresses repeat: parse each once. Published /64s are read back as they are written.
    distinct = texts.unique(maintain_order=True)
    known = parse_addresses(distinct.str.replace(r"::/64$", "::"))
    return texts.replace_strict(distinct, known, default=None, return_dtype=pl.UInt64)


def protocol_numbers(mapping: Mapping) -> dict[str, int]:
    """Lower-case protocol names and their numbers, the mapping's own ones first."""
    builtin = {name: number for number, name in PROTOCOL_NAMES.items()}
    return {**builtin, **_ALIASES, **dict(mapping.proto_names)}


def protocol_number(value: str | int | None, names: dict[str, int]) -> int | None:
    """One protocol, given as a number or a name.

    Raises:
        ConfigError: it is neither.
    """
    if value is None or isinstance(value, int):
        return value
    if value.strip().lower() in names:
        return names[value.strip().lower()]
    if re.fullmatch("[0-9]{1,3}", value.strip()) and int(value) <= 255:
        return int(value)
    raise ConfigError(f"mapping: [proto] default {value[:60]!r} is not a protocol")


def protocols(values: pl.Series, names: dict[str, int]) -> pl.Series:
    """Protocol numbers as UInt8 from numbers or names; text is expected trimmed."""
    frame = pl.DataFrame({"p": values})
    numbers = frame.select(integers("p", values.dtype, pl.UInt8()))["p"].alias(values.name)
    if values.dtype != pl.String or numbers.null_count() == values.null_count():
        return numbers
    spelled = {**{name.upper(): number for name, number in names.items()}, **names}
    named = values.replace_strict(
        list(spelled),
        pl.Series(list(spelled.values()), dtype=pl.UInt8),
        default=None,
        return_dtype=pl.UInt8,
    )
    return pl.select(pl.coalesce(named, numbers)).to_series().alias(values.name)
