"""Sensors whose counts sit at a ceiling: what they report is a sample, not what arrived.

A firewall that logs at most so many packets a minute (UFW: 3) gives ten times that number in ten
minutes after ten minutes while more arrive. Traffic by itself never does so: the counts of
independent arrivals spread at least like a Poisson distribution, and scans come in bursts, which
spreads them more.
"""

from typing import Final

import polars as pl

__all__ = ["CEILINGS", "WINDOW", "find_ceilings"]

WINDOW: Final = 10
"""Minutes of a window. In shorter ones a slow limit gives one packet more or less."""

CEILINGS: Final[dict[str, pl.DataType]] = {
    "sensor": pl.String(),
    "windows": pl.UInt32(),
    "at_ceiling": pl.UInt32(),
    "ceiling": pl.UInt64(),
}
"""A sensor at a ceiling: its windows with packets, those of them at it, and packets a window."""

# Of a Poisson distribution the likeliest count from 2 on, and what lies within a quarter standard
# deviation of it, has at most a third of the windows that have packets at all. That three fifths of
# 48 windows hold it by chance comes in fewer than one of 10,000 cases.
_LEAST_WINDOWS: Final = 48
_LEAST_SHARE: Final = 0.6
# After a silence a limit lets a burst through. More than that above, and it is no limit.
_MOST_ABOVE: Final = 0.1


def find_ceilings(windows: pl.DataFrame) -> pl.DataFrame:
    """The sensors whose packets in ten minutes sit at a ceiling.

    Args:
        windows: `sensor` (String) and `packets` (integer), a row for each sensor and `WINDOW` that
            has packets; the windows of a day or more.

    Returns:
        `CEILINGS`, sorted by sensor: those with at least 48 such windows, of which at least three
        fifths hold one same count of 2 or more (give or take a quarter of its square root, as whole
        numbers) and at most a tenth hold more. A limit of fewer packets than one in five minutes
        cannot be told from little traffic.
    """
    counted = (
        windows.with_columns(pl.col("packets").cast(pl.Int64))
        .group_by("sensor", "packets")
        .agg(same=pl.len())
        .sort("sensor", "same", "packets", descending=[False, True, False])
    )
    likeliest = counted.unique("sensor", keep="first", maintain_order=True)
    ceiling = pl.col("ceiling")
    width = (ceiling.sqrt() / 4).floor().cast(pl.Int64)
    near = (pl.col("packets") - ceiling).abs() <= width
    above = pl.col("packets") > ceiling + width
    return (
        counted.join(
            likeliest.select("sensor", ceiling="packets"), on="sensor", maintain_order="left"
        )
        .group_by("sensor", "ceiling", maintain_order=True)
        .agg(
            windows=pl.col("same").sum(),
            at_ceiling=pl.col("same").filter(near).sum(),
            above=pl.col("same").filter(above).sum(),
        )
        .filter(
            ceiling >= 2,
            pl.col("windows") >= _LEAST_WINDOWS,
            pl.col("at_ceiling") >= _LEAST_SHARE * pl.col("windows"),
            pl.col("above") <= _MOST_ABOVE * pl.col("windows"),
        )
        .sort("sensor")
        .select(pl.col(name).cast(kind) for name, kind in CEILINGS.items())
    )
