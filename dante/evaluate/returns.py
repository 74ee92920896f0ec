"""Whether campaigns that went silent are known again when they come back."""

import datetime as dt
import math
from typing import Final

import polars as pl

__all__ = ["GAPS", "RETURNS", "found_returns", "return_precision", "true_returns"]

GAPS: Final[dict[str, tuple[int, int]]] = {
    "1_7": (1, 7),
    "8_30": (8, 30),
    "31_90": (31, 90),
    "over_90": (91, 1_000_000),
}
"""Buckets of days away, both ends in."""

RETURNS: Final[dict[str, pl.DataType]] = {
    "campaign": pl.String(),
    "day": pl.Date(),
    "since": pl.Date(),
    "left": pl.Date(),
    "gap": pl.Int64(),
    "senders": pl.String(),
}
"""A true return: the first day back, the first and last day of the stretch before, the days away,
and whether it is on the `same` or `new` senders."""

_SAME = 0.1
"""Addresses that meet again by chance are far fewer than a tenth; a roster that goes on being
renewed while it sleeps keeps more."""


def true_returns(members: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The returns among a truth's events, by campaign and day (schema `RETURNS`).

    `members` has `day`, `src`, `campaign`; `events` has `day`, `campaign`, `event`, and may have
    `gap` and `senders`. Where it does not say them they come from the members: the days away,
    and `same` when at least a tenth of the senders of the first day back were the campaign's in
    the stretch before. That stretch begins with the campaign, or its last return. A return
    before which no day is known is left out.
    """
    back = events.filter(pl.col("event") == "recur").sort("campaign", "day")
    known = set(back.columns)
    ours = members.filter(pl.col("campaign").is_in(back["campaign"].unique().sort().implode()))
    rows: list[tuple[object, ...]] = []
    for (name,), part in ours.sort("campaign", "day").group_by("campaign", maintain_order=True):
        since: dt.date = part["day"][0]
        for event in back.filter(pl.col("campaign") == name).iter_rows(named=True):
            before = part.filter(pl.col("day").is_between(since, event["day"], closed="left"))
            if before.is_empty():
                continue
            left: dt.date = before["day"].max()  # type: ignore[assignment]
            gap = event["gap"] if "gap" in known else None
            senders = event["senders"] if "senders" in known else None
            if senders is None:
                today = part.filter(pl.col("day") == event["day"])["src"].unique()
                share = today.is_in(before["src"].unique().implode()).mean() if len(today) else 0
                senders = "same" if float(share or 0) >= _SAME else "new"  # type: ignore[arg-type]
            away = (event["day"] - left).days - 1 if gap is None else gap
            rows.append((name, event["day"], since, left, away, senders))
            since = event["day"]
    return pl.DataFrame(rows, schema=RETURNS, orient="row").sort("campaign", "day")


def found_returns(frame: pl.DataFrame, returns: pl.DataFrame, within: int = 1) -> pl.DataFrame:
    """Each return with `home`, `track`, `late` and `found`, in the order of `returns`.

    `frame` is one as in `dante.evaluate.measures`. A campaign's home is the track most of its
    assigned sender-days of the stretch before were in; it counts only if the campaign had the
    largest part of it then, or a tracker that puts everything into one track would find all. The
    return is found when, on its day or up to `within` days later, at least half of the
    campaign's senders of the day are in its home; `late` is how many days later (null: missed).
    `track` is where most of them are on the first day back (null: in none). Returns of which
    the frame lacks the day, or all days before, are left out.
    """
    rows = []
    judged = frame.filter(pl.col("truth").is_in(returns["campaign"].unique().sort().implode()))
    parts = {
        name: part for (name,), part in judged.group_by("truth", maintain_order=True)
    }  # looked up by name only
    for one in returns.iter_rows(named=True):
        part = parts.get(one["campaign"])
        if part is None:
            continue
        before = part.filter(pl.col("day").is_between(one["since"], one["left"]))
        if before.is_empty() or part.filter(pl.col("day") == one["day"]).is_empty():
            continue
        home = _most(before["predicted"].drop_nulls())
        if home is not None:
            then = frame.filter(
                pl.col("day").is_between(one["since"], one["left"]), pl.col("predicted") == home
            )
            if _most(then["truth"].fill_null("")) != one["campaign"]:
                home = None
        late = None
        for days in range(within + 1):
            today = part.filter(pl.col("day") == one["day"] + dt.timedelta(days=days))["predicted"]
            if home is not None and len(today) and 2 * int((today == home).sum()) >= len(today):
                late = days
                break
        first = part.filter(pl.col("day") == one["day"])["predicted"].drop_nulls()
        rows.append((*one.values(), home, _most(first), late, late is not None))
    track = frame.schema["predicted"]
    schema = RETURNS | {"home": track, "track": track, "late": pl.Int64(), "found": pl.Boolean()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _most(values: pl.Series) -> object:
    """The commonest value; of several the first in order. None of nothing."""
    if values.is_empty():
        return None
    counts = values.rename("value").value_counts().sort("count", "value", descending=[True, False])
    return counts["value"][0]


def return_precision(
    own: pl.DataFrame, recurs: pl.DataFrame, returns: pl.DataFrame, within: int = 1
) -> float:
    """Share of an answer's own returns that are true ones, at most `within` days late.

    `own` has `predicted`, `truth` (each track's majority), `recurs` `day`, `predicted`, and
    `returns` is as from `true_returns`. NaN without any.
    """
    if recurs.is_empty():
        return math.nan
    true = returns.select(pl.col("day").alias("back"), truth="campaign")
    right = (
        recurs.with_row_index()
        .join(own, on="predicted")
        .join(true, on="truth")
        .filter((pl.col("day") - pl.col("back")).dt.total_days().is_between(0, within))
    )
    return right["index"].n_unique() / recurs.height
