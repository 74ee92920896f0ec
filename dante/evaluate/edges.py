"""Whether splits and merges of campaigns are told as such."""

import datetime as dt
import math
from dataclasses import dataclass

import polars as pl

__all__ = ["EdgeScore", "edges"]


@dataclass(frozen=True)
class EdgeScore:
    """Lineage edges found over true ones and over told ones; a ratio over none is NaN."""

    precision: float
    recall: float
    f1: float
    true_edges: int
    track_edges: int


def edges(
    own: pl.DataFrame,
    true: pl.DataFrame,
    told: pl.DataFrame,
    first: dt.date,
    last: dt.date,
    within: int = 2,
) -> EdgeScore:
    """Precision, recall and F1 of the edges between campaigns.

    An edge is a `split` (a campaign and the one it came from) or a `merge` (a campaign and the
    one it went into). `own` has `predicted`, `truth` (each track's majority campaign; null:
    noise); `true` has `day`, `event`, `truth`, `related`; `told` has `day`, `event`,
    `predicted`, `related` (tracks). A told edge is right when both its tracks are the true
    edge's campaigns, it is the same event and at most `within` days before or after; each edge
    counts once. So a split within one campaign is false, and so is joining its pieces again.

    Judged are the days after `first` (on it everything is new). A true edge of the last `within`
    days counts only if it is found: it may still be told in time.
    """
    kinds = ["merge", "split"]
    true = true.filter(
        pl.col("event").is_in(kinds),
        pl.col("day").is_between(first, last, closed="right"),
        pl.col("related").is_not_null(),
    ).with_row_index("t")
    told = told.filter(
        pl.col("event").is_in(kinds), pl.col("day").is_between(first, last, closed="right")
    ).with_row_index("p")
    named = told.join(own, on="predicted").join(
        own.select(related="predicted", related_truth="truth"), on="related"
    )
    pairs = (
        true.join(
            named.select("p", "event", "truth", told="day", related="related_truth"),
            on=["event", "truth", "related"],
        )
        .with_columns(off=(pl.col("told") - pl.col("day")).dt.total_days().abs())
        .filter(pl.col("off") <= within)
        .sort("off", "t", "p")
    )
    taken_true: set[int] = set()
    taken_told: set[int] = set()
    for t, p in pairs.select("t", "p").iter_rows():
        if t not in taken_true and p not in taken_told:
            taken_true.add(t)
            taken_told.add(p)
    late = last - dt.timedelta(days=within)
    counted = true.filter((pl.col("day") <= late) | pl.col("t").is_in(sorted(taken_true)))
    right, n_true, n_told = len(taken_true), counted.height, told.height
    return EdgeScore(
        precision=right / n_told if n_told else math.nan,
        recall=right / n_true if n_true else math.nan,
        f1=2 * right / (n_true + n_told) if n_true + n_told else math.nan,
        true_edges=n_true,
        track_edges=n_told,
    )
