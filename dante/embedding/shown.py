"""What each sender of a span shows of itself, counted over all its packets.

Only whole numbers are summed and rows are ordered first, so that the order of packets does not
matter. Spans larger than memory are read in ranges of senders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.labels.tools import RULES, tool_of_packet
from dante.schema import ICMP, ICMPV6, TCP, UDP, backscatter, packet_count, word_id

__all__ = ["HEADERS", "MEASURED", "Shown", "concentration", "shown"]

MEASURED: Final = ("ttl", "length", "window", "sport")
"""Headers of which sum, squares, least and largest are kept."""
HEADERS: Final = (*MEASURED, "ip_id", "tcp_seq")

# Rows held at once; all of a sender's rows are read together.
_ROWS: Final = 8_000_000
# Other packets that a counting host sends between two to the telescope.
_COUNTED: Final = 1024
_SYN: Final = 2
_MOST: Final = 2**32 - 1


@dataclass(frozen=True)
class Shown:
    """The senders of a span.

    Attributes:
        used: src, word and n, how many packets each sender sent of it; sorted by the first two.
        traits: one row a sender, sorted by src: counts of rows, sums of headers.
    """

    used: pl.DataFrame
    traits: pl.DataFrame


def shown(packets: pl.LazyFrame) -> Shown:
    """What the senders with intent show, from the canonical packets of a span."""
    intent = packets.filter(~backscatter())
    parts = [_part(intent.filter(chunk)) for chunk in _chunks(intent)]
    return Shown(pl.concat([part.used for part in parts]), pl.concat([p.traits for p in parts]))


def _chunks(packets: pl.LazyFrame) -> Sequence[pl.Expr]:
    """Ranges of senders, each of about `_ROWS` rows or of one sender."""
    counts = packets.group_by("src").agg(n=pl.len()).collect(engine="in-memory").sort("src")
    if counts["n"].sum() <= _ROWS:
        return [pl.lit(True)]
    part = counts.with_columns(part=pl.col("n").cast(pl.UInt64).cum_sum() // _ROWS)
    bounds = part.group_by("part").agg(a=pl.col("src").min(), b=pl.col("src").max()).sort("part")
    return [pl.col("src").is_between(a, b) for _, a, b in bounds.iter_rows()]


def _part(packets: pl.LazyFrame) -> Shown:
    """What the senders of some packets show, all of whose packets these are."""
    is_tcp = pl.col("proto") == TCP
    rows = (
        packets.select(
            *("src", "ts", "proto", "dst", "sport", "ttl", "ip_id", "length", "tcp_seq"),
            word_id(),
            tool_of_packet(),
            packet_count().clip(upper_bound=_MOST),
            pl.when(is_tcp).then("tcp_window").alias("window"),
            pl.when(is_tcp).then("tcp_flags").alias("flags"),
        )
        .collect(engine="in-memory")
        .sort("src", "ts", "ip_id")
    )
    used = rows.group_by("src", "word").agg(n=pl.col("packets").sum()).sort("src", "word")
    same = pl.col("src") == pl.col("src").shift(1)
    step = (pl.col("ip_id").cast(pl.Int32) - pl.col("ip_id").cast(pl.Int32).shift(1)) % 65536
    rows = rows.with_columns(
        counted=pl.when(same).then(step.is_between(1, _COUNTED)),
        day=pl.col("ts").dt.epoch("d"),
        minute=pl.col("ts").dt.epoch("s") // 60,
        hour=pl.col("ts").dt.hour(),
    )
    traits = rows.group_by("src", maintain_order=True).agg(_counts()).sort("src")
    for name in ("sport", "ip_id", "window"):
        traits = traits.hstack(_values(rows, name, traits["src"]))
    return Shown(used, traits)


def _counts() -> list[pl.Expr]:
    def number(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Int64)

    return [
        pl.col("packets").sum(),
        pl.len().alias("rows"),
        *(number(name).sum().alias(f"{name}_sum") for name in MEASURED),
        *(number(name).pow(2).sum().alias(f"{name}_sq") for name in MEASURED),
        *(pl.col(name).min().alias(f"{name}_min") for name in MEASURED),
        *(pl.col(name).max().alias(f"{name}_max") for name in MEASURED),
        *(pl.col(name).count().alias(f"{name}_n") for name in (*HEADERS, "tool", "flags")),
        *(
            pl.col(name).n_unique().alias(f"{name}_kinds")
            for name in ("ip_id", "tcp_seq", "dst", "minute", "day")
        ),
        *((pl.col("tool") == rule.number).sum().alias(f"tool_{rule.number}") for rule in RULES),
        (pl.col("proto") == TCP).sum().alias("tcp"),
        (pl.col("proto") == UDP).sum().alias("udp"),
        pl.col("proto").is_in([ICMP, ICMPV6]).sum().alias("icmp"),
        (pl.col("ip_id") == 0).sum().alias("ip_id_zero"),
        pl.col("counted").sum(),
        (pl.col("flags") == _SYN).sum().alias("syn"),
        (pl.col("ts").max() - pl.col("ts").min()).dt.total_seconds().alias("seconds"),
        *((pl.col("hour") == hour).sum().alias(f"hour_{hour}") for hour in range(24)),
    ]


def _values(rows: pl.DataFrame, name: str, src: pl.Series) -> pl.DataFrame:
    """How concentrated a column's values are by sender, null where it has none."""
    counted = (
        rows.select("src", name)
        .drop_nulls()
        .group_by("src", name)
        .agg(n=pl.len())
        .sort("src", "n", name)
    )
    row = np.searchsorted(src.to_numpy(), counted["src"].to_numpy())
    bits, top = concentration(row, counted["n"].to_numpy().astype(np.float64), src.len())
    return pl.DataFrame({f"{name}_bits": bits, f"{name}_top": top}).fill_nan(None)


def concentration(
    row: NDArray[np.intp], n: NDArray[np.float64], rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Entropy in bits, and the commonest's share, of counts by row; NaN where there are none."""
    total = np.bincount(row, n, rows)
    top = np.zeros(rows)
    np.maximum.at(top, row, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        bits = np.log2(total) - np.bincount(row, n * np.log2(n), rows) / total
        return np.where(total > 0, bits, np.nan), top / total
