"""Can the numbers be trusted: checks, refused rows, days that stopped, models and runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from dante.report import queries
from dante.web.publication import Reader
from dante.web.today import published_day

__all__ = [
    "Check",
    "Failed",
    "IngestDay",
    "Model",
    "Quality",
    "Run",
    "Source",
    "Stopped",
    "quality",
]

_DAYS: Final = 60
_FAILED: Final = 200
_RUNS: Final = 60
_SOURCES: Final = 100


@dataclass(frozen=True)
class Check:
    """One check over the days: those it was made on, and those it failed on."""

    check: str
    contract: str
    severity: str
    days: list[date]
    failed: list[date]


@dataclass(frozen=True)
class Failed:
    """A check that failed on a day."""

    day: date
    contract: str
    check: str
    severity: str
    observed: str


@dataclass(frozen=True)
class Stopped:
    """A day whose newest run failed and that is not published."""

    day: date
    error: str


@dataclass(frozen=True)
class IngestDay:
    """Rows kept and refused of a day."""

    day: date
    rows: int
    quarantined: int


@dataclass(frozen=True)
class Source:
    """What the files of one name gave in these days."""

    source: str
    files: int
    days: int
    rows: int
    quarantined: int


@dataclass(frozen=True)
class Model:
    """A model, and how many of these days it judged."""

    model_id: str
    trained_on: date
    window_start: date
    window_end: date
    words: int
    dimensions: int
    days: int


@dataclass(frozen=True)
class Run:
    """A run of the pipeline."""

    run_id: str
    flow: str
    day: date | None
    status: str
    started_at: datetime
    seconds: float
    error: str | None


@dataclass(frozen=True)
class Quality:
    """The page; `failed_left_out` and its like say how much there is beyond the lists."""

    first: date
    last: date
    first_day: date
    newest_day: date
    made: int
    failures: int
    checks: list[Check]
    failed: list[Failed]
    failed_left_out: int
    stopped: list[Stopped]
    ingested: list[IngestDay]
    sources: list[Source]
    sources_left_out: int
    undated: int
    models: list[Model]
    runs: list[Run]


def quality(reader: Reader, day: date | None = None, days: int = _DAYS) -> Quality:
    """The quality of the days up to one, or to the newest; failures after the newest count, too.

    Raises:
        NotEnoughDataError, NotFoundError: as `today`.
    """
    day, oldest, newest = published_day(reader, day)
    first = max(oldest, day - timedelta(days=days - 1))
    span = queries.Span(first, day, date.max if day == newest else day)
    counts = queries.check_counts(reader.con, span).row(0, named=True)
    failed = queries.failed_checks(reader.con, span)
    sources = queries.sources(reader.con, span)
    columns = list(Failed.__dataclass_fields__)
    return Quality(
        first=first,
        last=day,
        first_day=oldest,
        newest_day=newest,
        made=counts["made"],
        failures=counts["failed"],
        checks=_checks(reader, span),
        failed=[Failed(**row) for row in failed.select(columns).head(_FAILED).to_dicts()],
        failed_left_out=max(0, failed.height - _FAILED),
        stopped=[Stopped(**row) for row in queries.stopped_days(reader.con, span).to_dicts()],
        ingested=reader.rows(
            IngestDay,
            "SELECT day, CAST(sum(rows) AS BIGINT) AS rows, "
            "CAST(sum(quarantined) AS BIGINT) AS quarantined FROM ingests "
            "WHERE day BETWEEN ? AND ? GROUP BY day ORDER BY day",
            first,
            day,
        ),
        sources=[Source(**row) for row in sources.head(_SOURCES).to_dicts()],
        sources_left_out=max(0, sources.height - _SOURCES),
        undated=int(
            reader.one("SELECT coalesce(sum(quarantined), 0) FROM ingests WHERE day IS NULL")
        ),
        models=[Model(**row) for row in _named(queries.models(reader.con, span), Model)],
        runs=reader.rows(
            Run,
            "SELECT run_id, flow, day, status, started_at, seconds, error FROM runs "
            "ORDER BY started_at DESC, run_id LIMIT ?",
            _RUNS,
        ),
    )


def _named(frame: Any, kind: type[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.select(list(kind.__dataclass_fields__)).to_dicts()
    return found


def _checks(reader: Reader, span: queries.Span) -> list[Check]:
    return reader.rows(
        Check,
        """
        SELECT "check", max(contract) AS contract, min(severity) AS severity,
               list(DISTINCT day ORDER BY day) AS days,
               coalesce(list(DISTINCT day ORDER BY day) FILTER (NOT passed), []) AS failed
        FROM quality WHERE day BETWEEN ? AND ? GROUP BY "check" ORDER BY "check"
        """,
        span.first,
        span.until,
    )
