"""Scores a published `lineage.duckdb` against the truth of a simulation."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import BusyError, NotEnoughDataError, SourceError
from dante.evaluate.frames import joined
from dante.evaluate.score import MEANINGS, by_campaign, by_return, score

__all__ = ["evaluate", "evaluate_campaigns", "evaluate_returns"]

_VIEWS: Final = {
    "memberships": "SELECT day, src, track_id AS track FROM memberships",
    "lineage": "SELECT day, track_id AS track, event, related_track_id AS related FROM lineage",
    "threats": "SELECT day, track_id AS track FROM threats",
}
_TRUTH: Final = {
    "members": ("day", "src", "campaign", "kind"),
    "events": ("day", "campaign", "event", "related"),
    "campaigns": ("campaign",),
}


@dataclass(frozen=True)
class _Answer:
    memberships: pl.DataFrame
    lineage: pl.DataFrame
    threats: pl.DataFrame

    def first(self, skip_days: int) -> dt.date | None:
        """The first day judged; none where nothing is published."""
        day: dt.date | None = self.memberships["day"].min()  # type: ignore[assignment]
        return None if day is None else day + dt.timedelta(days=skip_days)


def _published(lineage_db: Path) -> _Answer:
    """What is scored of a publication, read without changing anything."""
    import duckdb

    if not lineage_db.is_file():
        raise NotEnoughDataError(f"There is no {lineage_db}; run the days first, then evaluate.")
    try:
        with duckdb.connect(str(lineage_db), read_only=True) as con:
            return _Answer(**{view: con.sql(query).pl() for view, query in _VIEWS.items()})
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, duckdb.ConnectionException) or "Could not set lock" in reason:
            raise BusyError(f"{lineage_db} is being written; try again. ({reason})") from error
        raise SourceError(f"{lineage_db} is not a published lineage: {reason}") from error


def _truth(truth_dir: Path, name: str) -> pl.DataFrame:
    path = truth_dir / f"{name}.parquet"
    if not path.is_file():
        raise SourceError(f"There is no {path}; name the truth folder of a simulation.")
    try:
        frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} is not a truth of a simulation: {reason}") from None
    missing = [column for column in _TRUTH[name] if column not in frame.columns]
    if missing:
        raise SourceError(
            f"{path} is not a truth of a simulation: it has no column {', '.join(missing)}."
        )
    return frame


def evaluate(truth_dir: Path, lineage_db: Path, skip_days: int = 0) -> pl.DataFrame:
    """All measures of a published lineage against a simulation's truth.

    `measure`, `value` (NaN: nothing to measure) and `meaning`, in the order of `MEANINGS`.
    `truth_dir` holds `members.parquet` and `events.parquet`; `skip_days` leaves out as many
    published days at the start (on the first of the rest everything is new, so what is new is
    judged from its second day). Raises `SourceError` or `BusyError` where a file cannot be read,
    `NotEnoughDataError` where no day is in both.
    """
    answer = _published(lineage_db)
    scores = score(
        _truth(truth_dir, "members"),
        _truth(truth_dir, "events"),
        answer.memberships,
        answer.lineage,
        answer.threats,
        first=answer.first(skip_days),
    )
    return scores.with_columns(
        meaning=pl.col("measure").replace_strict(MEANINGS, return_dtype=pl.String)
    )


def evaluate_campaigns(truth_dir: Path, lineage_db: Path, skip_days: int = 0) -> pl.DataFrame:
    """`by_campaign` of a published lineage, the worst first; arguments and errors as `evaluate`."""
    answer = _published(lineage_db)
    frame = joined(_truth(truth_dir, "members"), answer.memberships, first=answer.first(skip_days))
    known = (truth_dir / "campaigns.parquet").is_file()
    return by_campaign(frame, _truth(truth_dir, "campaigns") if known else None)


def evaluate_returns(truth_dir: Path, lineage_db: Path, skip_days: int = 0) -> pl.DataFrame:
    """`by_return` of a published lineage, by day; arguments and errors as `evaluate`."""
    answer, members = _published(lineage_db), _truth(truth_dir, "members")
    frame = joined(members, answer.memberships, first=answer.first(skip_days))
    return by_return(members, _truth(truth_dir, "events"), frame)
