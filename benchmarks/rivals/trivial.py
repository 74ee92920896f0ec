"""The trivial rival: the port a sender uses most is its campaign, for ever.

There is no paper. In its favour: a port is a track only on days on which at least as many senders
use it most as DANTE needs for a cluster, so one-off noise is noise; of ports used alike, the one
that more senders use that day is taken, for that is the likelier to be a campaign's.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl

from benchmarks.rivals.door import Day, DayAnswer, scans

__all__ = ["FEWEST", "trivial"]

FEWEST: Final = 5
"""Senders that make a campaign, here and in every rival whose paper leaves it open."""


def trivial(days: Iterable[Day]) -> Iterator[DayAnswer]:
    """Each sender's track is the number of its most-used word."""
    for day in days:
        counted = scans(day.packets).group_by("src", "word").agg(pl.col("packets").sum())
        most = (
            counted.with_columns(users=pl.len().over("word"))
            .sort("src", "packets", "users", "word", descending=[False, True, True, False])
            .unique("src", keep="first", maintain_order=True)
            .filter(pl.len().over("word") >= FEWEST)
        )
        yield DayAnswer(dict(most.select("src", pl.col("word").cast(pl.Int64)).iter_rows()))
