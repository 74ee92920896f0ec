"""Tools that give themselves away in the headers of their probes, as rules.

A rule is a condition on one TCP packet that packets of anybody else meet by chance once in 65,536
times or less. Its number is kept in profiles and states: a rule is never renumbered, and a new one
gets the next number.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from dante.schema import TCP

__all__ = ["RULES", "RULES_VERSION", "ToolRule", "tool_name", "tool_of_packet"]

RULES_VERSION: Final = 1
"""Raised when a rule is added or changed, since profiles made before then have other tools."""


@dataclass(frozen=True)
class ToolRule:
    """One tool's sign.

    Attributes:
        number: kept in data; 0 is no tool.
        name: what people call the tool.
        sign: the condition on a packet's canonical columns, in words.
        source: where the sign is known from.
    """

    number: int
    name: str
    sign: str
    source: str


RULES: Final = (
    ToolRule(1, "mirai", "TCP sequence = destination address", "Mirai's released scanner.c"),
    ToolRule(2, "zmap", "IP ID = 54321", "ZMap until 2024 (zmap/zmap#798)"),
    ToolRule(
        3,
        "masscan",
        "IP ID = (destination xor port xor sequence) mod 65,536",
        "masscan's templ-pkt.c",
    ),
)
"""In order of precedence."""

_LOW: Final = 0xFFFF


def tool_of_packet() -> pl.Expr:
    """The number of the tool that wrote a canonical packet, UInt8; 0 where none shows itself.

    Null where the packet is not TCP or carries none of the headers that would tell.
    """
    dst = pl.col("dst").cast(pl.UInt64)
    is_ipv4 = dst < (1 << 32)
    seq = pl.col("tcp_seq").cast(pl.UInt64)
    ip_id = pl.col("ip_id").cast(pl.UInt64)
    mixed = (dst & _LOW) ^ pl.col("dport").cast(pl.UInt64) ^ (seq & _LOW)
    # Addresses below 65,536 are none, and 0 = 0 would be a sign of nothing.
    mirai = (seq == dst) & is_ipv4 & (dst > _LOW)
    number = (
        pl.when(mirai.fill_null(False))
        .then(1)
        .when((ip_id == 54321).fill_null(False))
        .then(2)
        .when(((ip_id == mixed) & is_ipv4 & (ip_id > 0)).fill_null(False))
        .then(3)
        .otherwise(0)
        .cast(pl.UInt8)
    )
    told = (pl.col("proto") == TCP) & (ip_id.is_not_null() | seq.is_not_null())
    return pl.when(told).then(number).alias("tool")


def tool_name(number: int) -> str | None:
    """What people call a tool, None for 0."""
    return next((rule.name for rule in RULES if rule.number == number), None)
