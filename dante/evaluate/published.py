"""Scores a published `lineage.duckdb` against the truth of a simulation."""

import datetime as dt
from pathlib import Path

import polars as pl

from dante.errors import BusyError, DanteError, NotEnoughDataError, SourceError
from dante.evaluate.measures import (
    ari,
    births,
    coverage,
    idf1,
    idf1_by_campaign,
    idf1_pooled,
    noise_rejected,
)
from dante.schema import address_text

__all__ = ["evaluate", "joined"]


def _published(lineage_db: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The `memberships` and the births among `lineage`, read without changing anything."""
    import duckdb

    if not lineage_db.is_file():
        raise NotEnoughDataError(f"There is no {lineage_db}; run the days first, then evaluate.")
    try:
        with duckdb.connect(str(lineage_db), read_only=True) as con:
            members = con.sql("SELECT day, src, track_id AS predicted FROM memberships").pl()
            born = con.sql(
                "SELECT day, track_id AS predicted FROM lineage WHERE event = 'birth'"
            ).pl()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, duckdb.ConnectionException) or "Could not set lock" in reason:
            raise BusyError(f"{lineage_db} is being written; try again. ({reason})") from error
        raise SourceError(f"{lineage_db} is not a published lineage: {reason}") from error
    return members, born


def _truth(truth_dir: Path, name: str) -> pl.DataFrame:
    path = truth_dir / f"{name}.parquet"
    if not path.is_file():
        raise SourceError(f"There is no {path}; name the truth folder of a simulation.")
    try:
        return pl.read_parquet(path, glob=False, hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} is not a truth of a simulation: {reason}") from None


def joined(members: pl.DataFrame, published: pl.DataFrame, skip_days: int = 0) -> pl.DataFrame:
    """True members and published ones as the frame that `measures` take, by `day`, `src` text.

    Backscatter senders are left out, as they are out of the sentences; senders that truth does
    not know are too. From the first published day plus `skip_days` to the last; within, a day or
    sender that was not published counts as unassigned.
    """
    if published.is_empty():
        raise NotEnoughDataError("No day is published yet; run the days first, then evaluate.")
    twice = published.filter(pl.struct("day", "src").is_duplicated())
    if twice.height:
        raise DanteError(
            f"Sender {twice['src'][0]} has more than one membership on {twice['day'][0]}."
        )
    days = published.select(first=pl.col("day").min(), last=pl.col("day").max()).row(0)
    begin = days[0] + dt.timedelta(days=skip_days)
    frame = members.filter(
        pl.col("day").is_between(begin, days[1]), pl.col("kind") != "backscatter"
    )
    frame = frame.with_columns(src=address_text(frame["src"]))
    frame = frame.join(published, on=["day", "src"], how="left")
    if frame.is_empty():
        raise NotEnoughDataError(
            f"The truth knows no sender of the published days, {days[0]} to {days[1]}."
        )
    return frame.select("day", "src", truth="campaign", predicted="predicted").sort("day", "src")


def evaluate(truth_dir: Path, lineage_db: Path, skip_days: int = 0) -> dict[str, float]:
    """All measures of a published lineage against a simulation's truth.

    `truth_dir` holds `members.parquet` and `events.parquet`; `skip_days` leaves out as many
    published days at the start (on the first of the rest everything is new, so births are
    judged from its second day). NaN where there is nothing to measure. Raises `SourceError` or
    `BusyError` where a file cannot be read, `NotEnoughDataError` where no day is in both.
    """
    published, born = _published(lineage_db)
    frame = joined(_truth(truth_dir, "members"), published, skip_days)
    events = _truth(truth_dir, "events").rename({"campaign": "truth"})
    last = frame["day"].max()
    score = births(
        frame,
        events.filter((pl.col("event") == "birth") & (pl.col("day") <= last)),
        born.filter(pl.col("day") <= last),
        not_judged=frozenset(events.filter(pl.col("event") == "split")["truth"]),
    )
    pairs = idf1_by_campaign(frame)
    return {
        "ari": ari(frame),
        "coverage": coverage(frame),
        "noise_rejected": noise_rejected(frame),
        "idf1": idf1(frame),
        "idf1_pooled": idf1_pooled(frame),
        "birth_recall": score.recall,
        "birth_precision": score.precision,
        "birth_days_late": score.days_late,
        "true_births": float(score.true_births),
        "track_births": float(score.track_births),
        "days": float(frame["day"].n_unique()),
        "sender_days": float(frame.height),
        "campaigns": float(pairs.height),
        "campaigns_followed": float(pairs["track"].count()),
        "tracks": float(frame["predicted"].drop_nulls().n_unique()),
    }
