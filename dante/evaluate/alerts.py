"""Whether the threats an answer raises are news, and whether news raises one."""

import datetime as dt
import math
from dataclasses import dataclass

import polars as pl

__all__ = ["AlertScore", "alerts"]

_NEWS = ("birth", "split", "recur")


@dataclass(frozen=True)
class AlertScore:
    """Threats a day, the share that is news, the share of news that is told, and how late.

    `days_late` is the mean over the news that is told; a ratio over none is NaN.
    """

    a_day: float
    most: int
    precision: float
    recall: float
    days_late: float
    news: int


def alerts(
    frame: pl.DataFrame,
    own: pl.DataFrame,
    events: pl.DataFrame,
    threats: pl.DataFrame,
    within: int = 7,
    benign: frozenset[str] = frozenset(),
) -> AlertScore:
    """How many threats there are, how many of them are news, and how much news is told.

    `frame` is one as in `dante.evaluate.measures`; `own` has `predicted`, `truth` (each track's
    majority campaign); `events` `day`, `truth`, `event`; `threats` `day`, `predicted`. News is a
    campaign that was born, split off or came back. A threat is right when the campaign of its
    track made news on its day or up to `within` days before; a second one for the same news is
    right too, but news is told once. News of `benign` campaigns need not be told. Judged are the
    days after the first of `frame`, on which everything is new; a day without a sender in
    `frame` is no day.
    """
    if frame.is_empty():
        return AlertScore(math.nan, 0, math.nan, math.nan, math.nan, 0)
    begin: dt.date = frame["day"].min()  # type: ignore[assignment]
    end: dt.date = frame["day"].max()  # type: ignore[assignment]
    in_time = pl.col("day").is_between(begin, end, closed="right")
    raised = threats.filter(in_time).with_row_index("p").join(own, on="predicted", how="left")
    news = events.filter(in_time, pl.col("event").is_in(_NEWS)).with_row_index("t")
    pairs = (
        raised.join(news.select("t", "truth", happened="day"), on="truth")
        .with_columns(late=(pl.col("day") - pl.col("happened")).dt.total_days())
        .filter(pl.col("late").is_between(0, within))
    )
    wanted = news.filter(~pl.col("truth").is_in(sorted(benign)))
    told = pairs.join(wanted, on="t", how="semi").group_by("t").agg(pl.col("late").min()).sort("t")
    by_day = threats.filter(pl.col("day").is_between(begin, end)).group_by("day").len()["len"]
    days = frame["day"].n_unique()
    return AlertScore(
        a_day=int(by_day.sum()) / days,
        most=max(by_day.to_list(), default=0),
        precision=pairs["p"].n_unique() / raised.height if raised.height else math.nan,
        recall=told.height / wanted.height if wanted.height else math.nan,
        days_late=float(told["late"].to_numpy().mean()) if told.height else math.nan,
        news=wanted.height,
    )
