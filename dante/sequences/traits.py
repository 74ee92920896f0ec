"""What a sender shows of itself beside its ports: headers, hours, and whom it calls.

Headers say who, ports say what. A trait is null where the source does not carry what it is read
from, or where one packet cannot tell.
"""

from typing import Final

import polars as pl

from dante.labels.tools import RULES, tool_of_packet
from dante.schema import TCP

__all__ = ["IP_ID", "TRAITS", "TRAIT_INPUTS", "VARIES", "day_traits"]

TRAITS: Final[dict[str, pl.DataType]] = {
    "tool": pl.UInt8(),
    "ttl": pl.UInt8(),
    "ttl_varies": pl.Boolean(),
    "window": pl.Int32(),
    "tcp_length": pl.Int32(),
    "ip_id": pl.UInt8(),
    "one_sport": pl.Boolean(),
    "hours": pl.UInt32(),
    "target": pl.UInt64(),
}
"""`tool`: number of the rule that half of its TCP packets meet, 0 for none. `ttl`: the initial
value (64, 128, 255) that its largest is below. `ttl_varies`: by more than 3, which one packet never
does. `window`, `tcp_length`: of its TCP packets, `VARIES` if they differ. `ip_id`: one of `IP_ID`.
`one_sport`: whether all its packets have one source port. `hours`: a bit for each UTC hour it was
seen in. `target`: the one address all its packets went to, if they did."""

TRAIT_INPUTS: Final = ("dst", "sport", "ttl", "tcp_window", "ip_id", "tcp_seq", "length", "dport")
"""Canonical columns that traits are read from, besides `src`, `ts` and `proto`."""

VARIES: Final = -1
"""The value of a trait that differs from packet to packet."""
IP_ID: Final = ("zero", "constant", "counts up", "random")
"""How a sender numbers its packets; the index is the code."""

_NEAR: Final = 3
# Other packets that a counting host sends between two to the telescope.
_COUNTED: Final = 1024


def day_traits(packets: pl.DataFrame) -> pl.DataFrame:
    """The traits of each sender, one row a sender, sorted by src: `src` and `TRAITS`.

    Args:
        packets: canonical packets of one day without backscatter, sorted by src, ts.
    """
    if not packets.height:
        return pl.DataFrame(schema={"src": pl.UInt64(), **TRAITS})
    is_tcp = pl.col("proto") == TCP
    same = pl.col("src") == pl.col("src").shift(1)
    step = (pl.col("ip_id").cast(pl.Int32) - pl.col("ip_id").cast(pl.Int32).shift(1)) % 65536
    marked = packets.select(
        "src",
        tool_of_packet(),
        "ttl",
        pl.when(is_tcp).then("tcp_window").cast(pl.Int32).alias("window"),
        pl.when(is_tcp).then("length").cast(pl.Int32).alias("tcp_length"),
        "ip_id",
        pl.when(same).then(step).is_between(1, _COUNTED).alias("counted"),
        "sport",
        "dst",
        pl.lit(2, dtype=pl.UInt32).pow(pl.col("ts").dt.hour()).cast(pl.UInt32).alias("bit"),
    )
    ranges = ("ttl", "window", "tcp_length", "ip_id", "sport", "dst")
    seen = (
        marked.group_by("src", maintain_order=True)
        .agg(
            *(pl.col(name).min().alias(f"{name}_min") for name in ranges),
            *(pl.col(name).max().alias(f"{name}_max") for name in ranges),
            *((pl.col("tool") == r.number).sum().alias(f"tool_{r.number}") for r in RULES),
            pl.col("tool").count().alias("told"),
            pl.col("ip_id").count().alias("numbered"),
            pl.col("sport").count().alias("sports"),
            pl.col("counted").sum(),
            pl.col("bit").bitwise_or().alias("hours"),
        )
        .sort("src")
    )
    return seen.select(
        "src",
        _tool(),
        _initial_ttl(),
        (pl.col("ttl_max") - pl.col("ttl_min") > _NEAR).alias("ttl_varies"),
        _one("window", pl.lit(VARIES)),
        _one("tcp_length", pl.lit(VARIES)),
        _numbering(),
        pl.when(pl.col("sports") > 1)
        .then(pl.col("sport_min") == pl.col("sport_max"))
        .alias("one_sport"),
        "hours",
        _one("dst", None).alias("target"),
    ).with_columns(pl.col(name).cast(kind) for name, kind in TRAITS.items())


def _one(name: str, otherwise: pl.Expr | None) -> pl.Expr:
    """The value all packets have that have one."""
    low, high = pl.col(f"{name}_min"), pl.col(f"{name}_max")
    return pl.when(low == high).then(low).when(low.is_not_null()).then(otherwise).alias(name)


def _tool() -> pl.Expr:
    half = pl.col("told") / 2
    found = pl.lit(0, dtype=pl.UInt8)
    for rule in reversed(RULES):
        shown = pl.col(f"tool_{rule.number}")
        found = pl.when((shown > 0) & (shown >= half)).then(rule.number).otherwise(found)
    return pl.when(pl.col("told") > 0).then(found).alias("tool")


def _initial_ttl() -> pl.Expr:
    highest = pl.col("ttl_max")
    return (
        pl.when(highest <= 64).then(64).when(highest <= 128).then(128)
        .when(highest.is_not_null()).then(255)
        .alias("ttl")
    )  # fmt: skip


def _numbering() -> pl.Expr:
    low, high, many = pl.col("ip_id_min"), pl.col("ip_id_max"), pl.col("numbered")
    return (
        pl.when(high == 0).then(0).when(many < 2).then(None).when(low == high).then(1)
        .when(pl.col("counted") * 2 > many - 1).then(2)
        .when(many > 0).then(3)
        .alias("ip_id")
    )  # fmt: skip
