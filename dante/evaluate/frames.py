"""Truth and answer side by side: the frame that all measures take."""

import datetime as dt

import polars as pl

from dante.errors import DanteError, NotEnoughDataError
from dante.schema import address_text

__all__ = ["joined"]


def joined(
    members: pl.DataFrame,
    memberships: pl.DataFrame,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> pl.DataFrame:
    """True members and an answer's memberships as `day`, `src`, `truth`, `predicted`.

    `members` is the truth (`day`, `src` UInt64, `campaign`, `kind`); `memberships` has `day`,
    `src` (UInt64, or text as published) and `track` (null: noise), any further columns are
    left out. From `first` to `last`, by default the days of `memberships`; within, a day or
    sender that is not there counts as unassigned. Backscatter senders are left out, as they are
    out of the sentences; senders that truth does not know are too.

    Raises `NotEnoughDataError` where no day is in both and `DanteError` where a sender has two
    memberships on a day.
    """
    if memberships.is_empty():
        raise NotEnoughDataError("No day is published yet; run the days first, then evaluate.")
    twice = memberships.filter(pl.struct("day", "src").is_duplicated())
    if twice.height:
        raise DanteError(
            f"Sender {twice['src'][0]} has more than one membership on {twice['day'][0]}."
        )
    days = memberships.select(first=pl.col("day").min(), last=pl.col("day").max()).row(0)
    begin, end = first or days[0], last or days[1]
    frame = members.filter(pl.col("day").is_between(begin, end), pl.col("kind") != "backscatter")
    answer = memberships.select("day", "src", predicted="track")
    if answer.schema["src"] == pl.String:
        frame = frame.with_columns(src=address_text(frame["src"]))
    else:
        answer = answer.with_columns(pl.col("src").cast(pl.UInt64))
        frame = frame.with_columns(pl.col("src").cast(pl.UInt64))
    frame = frame.join(answer, on=["day", "src"], how="left")
    if frame.is_empty():
        raise NotEnoughDataError(f"The truth knows no sender of the days {begin} to {end}.")
    return frame.select("day", "src", truth="campaign", predicted="predicted").sort("day", "src")
