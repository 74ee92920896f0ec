"""One day, from check to publication; and taking days back."""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from dante.errors import ContractBrokenError, DanteError, UsageError
from dante.pipeline.context import Context
from dante.pipeline.logs import of_run
from dante.pipeline.stages import STAGES, publish_lineage, quality_rows, track
from dante.store.state import DayRecord, RunRecord, open_state

__all__ = ["recorded", "rewind", "run_day", "run_stages"]

log = logging.getLogger(__name__)


class Clock:
    """When a run began, and the record it makes when it ends."""

    def __init__(self, flow: str, day: date) -> None:
        """Start now."""
        self._flow, self._day = flow, day
        self.run_id = uuid.uuid4().hex
        self._started = datetime.now(UTC).replace(tzinfo=None)
        self._tick = time.perf_counter()

    def record(self, status: str, error: str | None = None) -> RunRecord:
        """The row of `runs`, as of now."""
        seconds = round(time.perf_counter() - self._tick, 3)
        return RunRecord(self.run_id, self._flow, self._day, status, self._started, seconds, error)


@contextmanager
def recorded(context: Context, day: date, flow: str, *, keep: bool = False) -> Iterator[Clock]:
    """Keep the error of a failed day in `runs`, and what its check found in `quality`.

    Args:
        context: the home.
        day: the day that is run.
        flow: what runs it.
        keep: its check was made just before; without it older results are thrown away first.
    """
    if not keep:
        context.home.quality(day).unlink(missing_ok=True)
    clock = Clock(flow, day)
    try:
        with of_run(day, clock.run_id):
            yield clock
            log.info("%s: done in %.1f s", day, clock.record("completed").seconds)
    except Exception as error:
        text = str(error) if isinstance(error, DanteError) else f"{type(error).__name__}: {error}"
        with open_state(context.home, wait=60) as state:
            broken = None
            if isinstance(error, ContractBrokenError):
                # What an earlier run made of this day was made of other data.
                state.forget_day(day)
                broken = context.judged(day)
            run = clock.record("failed", text)
            state.add_failure(day, quality_rows(context, day), run, broken)
        raise


def run_stages(context: Context, day: date, clock: Clock, names: frozenset[str]) -> DayRecord:
    """Go through the named stages of a day in order, `track` among them; what was committed."""
    record: DayRecord | None = None
    for name, stage in STAGES:
        if name not in names:
            continue
        log.debug("%s: %s", day, name)
        if stage is track:
            record = track(context, day, clock.record("completed"))
        else:
            stage(context, day)
    assert record is not None, "the stages of a day include track"
    return record


def run_day(context: Context, day: date, *, flow: str = "run") -> DayRecord:
    """Run one day: check, sequences, model, cluster, track and commit, publish.

    A day that was run before is replaced, and the days after it become stale.

    Raises:
        NotEnoughDataError: the day has no packets.
        ContractBrokenError: the day breaks its contract; it is not tracked.
        BusyError: another run is at work on this home.
    """
    context.require(day)
    with context.home.lock("pipeline"):
        try:
            with recorded(context, day, flow) as clock:
                return run_stages(
                    context, day, clock, frozenset(name for name, _ in STAGES) - {"publish"}
                )
        finally:
            publish_lineage(context, day)


def rewind(context: Context, day: date) -> list[date]:
    """Take back a day and all after it from state and publication; the days taken back.

    Packets, profiles and models stay.

    Raises:
        UsageError: packets of such a day were removed by age, so that it could not be made again.
        BusyError: another run is at work on this home.
    """
    if not context.home.state.exists():
        return []
    if lost := [known for known in context.pruned if known >= day]:
        raise UsageError(
            f"days up to {max(lost)} cannot be made again, for their packets were removed by age "
            f"(retention.packets_days); rewind to a later day"
        )
    with context.home.lock("pipeline"):
        with open_state(context.home) as state:
            gone = state.rewind(day)
        publish_lineage(context, day)
    return gone
