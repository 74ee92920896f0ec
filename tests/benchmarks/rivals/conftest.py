"""A telescope that any method should get right: two plain campaigns and little noise."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from benchmarks.rivals import Day
from dante.schema import PACKETS

FIRST = dt.date(2025, 3, 1)
CAMPAIGNS = {"a": (100, (23, 2323, 7547)), "b": (500, (445, 139, 1433))}
"""Name, the first of 30 addresses, the ports."""


def plain_day(number: int, seed: int = 1) -> pl.DataFrame:
    """Twelve packets of each of 60 senders over four ports of theirs, and ten that try one."""
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    rows = []
    for first, ports in CAMPAIGNS.values():
        for src in range(first, first + 30):
            rows += [
                (src, int(rng.choice(ports)), float(rng.uniform(0, 86_400))) for _ in range(12)
            ]
    for src in rng.integers(10_000, 10**9, 10):
        rows.append((int(src), int(rng.integers(10_000, 60_000)), float(rng.uniform(0, 86_400))))
    # A victim's replies, which no rival may take for a scan.
    replies = [(src, 80, 50.0 * src) for src in range(900, 920)]
    frame = pl.DataFrame(
        [(*row, 2) for row in rows] + [(*row, 18) for row in replies],
        schema={"src": pl.UInt64, "dport": pl.UInt16, "at": pl.Float64, "tcp_flags": pl.UInt8},
        orient="row",
    )
    midnight = dt.datetime.combine(FIRST + dt.timedelta(days=number), dt.time(), dt.UTC)
    filled = frame.with_columns(
        ts=pl.lit(midnight) + pl.duration(microseconds=(pl.col("at") * 1e6).cast(pl.Int64)),
        proto=pl.lit(6),
    )
    missing = [name for name in PACKETS if name not in filled.columns]
    filled = filled.with_columns(pl.lit(None).alias(name) for name in missing)
    return filled.select(pl.col(name).cast(kind) for name, kind in PACKETS.items()).sort("ts")


@pytest.fixture(scope="session")
def plain() -> list[Day]:
    """Eight such days."""
    return [Day(FIRST + dt.timedelta(days=n), plain_day(n)) for n in range(8)]
