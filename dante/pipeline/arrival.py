"""Whether the declared sources have delivered a day, and how long it is worth waiting for them."""

from datetime import UTC, date, datetime, timedelta

from dante.config import SourceSettings
from dante.contracts import CheckResult
from dante.pipeline.context import Context
from dante.pipeline.declared import digests_by_source

__all__ = ["arrival_check", "awaited", "seconds_to_wait"]

_LAST_HOUR = 23


def awaited(context: Context, day: date) -> list[str]:
    """Labels of the sources that are expected to have packets of a day and have not, in order."""
    given = digests_by_source(context)
    return [
        source.label
        for source in context.settings.sources
        if source.expected != "no" and not _has(context, source, given[source.label], day)
    ]


def _has(context: Context, source: SourceSettings, digests: set[str], day: date) -> bool:
    mine = [manifest for manifest in context.manifests if manifest.digest in digests]
    if source.expected == "day":
        return any(day in manifest.rows for manifest in mine)
    for manifest in mine:
        if any(known > day for known in manifest.rows):
            return True
        hours = manifest.sensor_hours
        if hours.filter((hours["day"] == day) & (hours["hour"] == _LAST_HOUR)).height:
            return True
    return False


def seconds_to_wait(context: Context, day: date, now: datetime | None = None) -> float:
    """How long to wait until the next look for late packets of a day; 0 if there is no use in it.

    Args:
        context: the home as it is now.
        day: the day.
        now: an instant, in UTC; by default the clock's.
    """
    if not awaited(context, day):
        return 0.0
    now = now or datetime.now(UTC)
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
    arrival = context.settings.arrival
    left = (end + timedelta(hours=arrival.wait_hours) - now).total_seconds()
    return max(0.0, min(left, arrival.poll_minutes * 60))


def arrival_check(context: Context, day: date) -> CheckResult | None:
    """What `quality` says of the day's arrival; nothing where no source is expected."""
    expected = [s.label for s in context.settings.sources if s.expected != "no"]
    if not expected:
        return None
    late = awaited(context, day)
    if late:
        observed = f"nothing, or not all, of the day from {', '.join(late)}"
    else:
        observed = f"all of {len(expected)} expected sources are there"
    return CheckResult(context.contract.label, "arrival", not late, observed, "warning")
