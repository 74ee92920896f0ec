"""Many days: prepared in parallel, tracked in order, from the first that is not done."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import ContractBrokenError, DanteError, UsageError
from dante.pipeline import workers
from dante.pipeline.arrival import arrival_check
from dante.pipeline.context import Context, open_context
from dante.pipeline.progress import Notify, Step, silent
from dante.pipeline.run import Clock, recorded, run_stages
from dante.pipeline.stages import PREPARE, QUALITY, STAGES, publish_lineage
from dante.store.manifests import ingests
from dante.store.publish import is_published
from dante.store.state import open_state, seen_state

__all__ = [
    "ON_BROKEN",
    "Plan",
    "backfill",
    "day_states",
    "first_undone",
    "forget_days",
    "is_current",
    "plan_backfill",
    "prepare_days",
    "publish_if_needed",
    "record_missing",
    "refuse_broken",
]

_PREPARE = frozenset(name for name, _ in PREPARE)
# Fewer days than this for each process are not worth its start (importing takes seconds).
_WORTH = 15
# Days that are prepared, tracked and published together: what a power cut can take from readers.
_CHUNK = 60

ON_BROKEN: Final = ("stop", "skip")
"""What can be done about a day that breaks its contract."""


@dataclass(frozen=True)
class Plan:
    """What a backfill has to do.

    Attributes:
        todo: days to run, in order.
        done: days of the span that are committed and not stale.
        gone: committed days whose packets are no longer in the lake, to be taken back.
        missing: days of the span without packets.
        broken: days known to break their contract, which are left out.
    """

    todo: tuple[date, ...]
    done: tuple[date, ...]
    gone: tuple[date, ...]
    missing: tuple[date, ...]
    broken: tuple[date, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do and nothing was done: the span has no packets."""
        return not (self.todo or self.done or self.gone or self.broken)

    def chunks(self) -> Iterator[tuple[date, ...]]:
        """The days to run, in pieces that are prepared, tracked and published together."""
        for start in range(0, len(self.todo), _CHUNK):
            yield self.todo[start : start + _CHUNK]


def day_states(context: Context) -> dict[date, str]:
    """The state of every day with packets or a result, in order.

    `done`; `stale`: done, from what is no longer so; `waiting`: not done; `broken`: not done, for
    it broke its contract and has nothing new; `gone`: done, and its packets are no longer there.
    """
    if not context.days and not context.home.state.exists():
        return {}  # a home that is not there is not made by looking at it
    fresh: Mapping[date, str] = {}
    known: Mapping[date, str] = {}
    broken: Mapping[date, str] = {}
    with seen_state(context.home, wait=60) as state:
        if state is not None:
            fresh = state.fingerprints()
            known = state.fingerprints(stale=True)
            broken = state.broken()
    committed = set(known)
    states: dict[date, str] = {}
    held = set(context.days)
    before: str | None = None
    sound = True
    for day in sorted(committed | held):
        if day not in committed:
            states[day] = "broken" if broken.get(day) == context.judged(day) else "waiting"
            continue
        if day not in held:
            states[day], sound = "gone", False
            continue
        if day in context.pruned:
            # It cannot be made again, so it stands, whatever has changed since.
            states[day], before = "done", known[day]
            continue
        expected = context.fingerprint(day, before)
        sound = sound and fresh.get(day) == expected
        states[day] = "done" if sound else "stale"
        before = expected
    return states


def plan_backfill(context: Context, first: date, last: date, *, on_broken: str = "stop") -> Plan:
    """What it takes to have every day of the span done.

    Stale days before the span go first: a day's tracks are made from those of the days before.
    Days known to break their contract are judged again, or left out with `on_broken="skip"`.

    Raises:
        UsageError: the last day is before the first, or there is no such choice.
    """
    if on_broken not in ON_BROKEN:
        raise UsageError(f"a broken day can be met by {' or '.join(ON_BROKEN)}, not {on_broken!r}")
    if last < first:
        raise UsageError(f"the last day, {last}, is before the first, {first}; swap them")
    states = day_states(context)
    within = {day for day in states if first <= day <= last}
    undone = {"waiting", "broken"}
    broken = {day for day in within if states[day] == "broken" and on_broken == "skip"}
    wanted = [
        day
        for day, state in states.items()
        if day <= last
        and state != "gone"
        and day not in broken
        and (day in within or state not in undone)
    ]
    redo = [day for day in wanted if states[day] != "done"]
    gone = tuple(day for day, state in states.items() if state == "gone" and day <= last)
    start = min([*redo, *gone], default=None)
    todo = tuple(day for day in wanted if start is not None and day >= start)
    span = (date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1))
    return Plan(
        todo=todo,
        done=tuple(day for day in wanted if day in within and day not in set(todo)),
        gone=gone,
        missing=tuple(day for day in span if day not in states),
        broken=tuple(sorted(broken)),
    )


def prepare_days(
    context: Context, days: tuple[date, ...], *, jobs: int = 1, notify: Notify = silent
) -> set[date]:
    """Check days and make their profiles, several at once; the days that went well.

    A day that does not go well is left for its own run, which records why.
    """
    with _preparing(context, jobs, len(days)) as prepared:
        return _told(context, prepared(days), 0, len(days), notify)


def _told(
    context: Context,
    prepared: Iterable[tuple[date, bool]],
    before: int,
    total: int,
    notify: Notify,
) -> set[date]:
    """The days that went well, each told of as one of `total`, of which some were before."""
    good: set[date] = set()
    for done, (day, fine) in enumerate(prepared, before + 1):
        if fine:
            good.add(day)
        notify(Step("prepare", done, total, context.packets(day), day.isoformat()))
    return good


_Prepared = Callable[[tuple[date, ...]], Iterable[tuple[date, bool]]]


@contextmanager
def _preparing(context: Context, jobs: int, total: int) -> Iterator[_Prepared]:
    """A function that prepares days and says which went well, in processes if they are worth it."""
    processes = min(jobs, -(-total // _WORTH))
    if processes <= 1:
        yield lambda days: ((day, _prepare(context, day)) for day in days)
        return
    # A process opens the home once and keeps it.
    with workers.processes(processes, _open_worker, context.home.root) as pool:
        yield lambda days: zip(days, pool.map(_prepare_in_worker, days, chunksize=4), strict=True)


_worker: list[Context] = []


def _open_worker(home: Path) -> None:
    _worker[:] = [open_context(home)]


def _prepare_in_worker(day: date) -> bool:
    return _prepare(_worker[0], day)


def _prepare(context: Context, day: date) -> bool:
    try:
        for _, stage in PREPARE:
            stage(context, day)
    except DanteError:
        return False
    return True


def backfill(
    context: Context,
    first: date,
    last: date,
    *,
    jobs: int = 1,
    on_broken: str = "stop",
    notify: Notify = silent,
) -> Plan:
    """Have every day of a span done, in order, and publish now and then.

    Days already done are skipped; after a fault the same call goes on where it stopped.

    Args:
        context: the home.
        first, last: the span, both inclusive.
        jobs: processes that prepare days.
        on_broken: `stop` at a day that breaks its contract, or `skip` it: its failure is on record,
            and it is judged again when it gets other packets.
        notify: told of each day.

    Returns:
        What was planned; days that turned out broken are in `broken` as well.

    Raises:
        UsageError: the last day is before the first.
        NotEnoughDataError: no day of the span has packets.
        ContractBrokenError: a day breaks its contract; the days before it are done.
        BusyError: another run is at work on this home.
    """
    if not context.days and not context.home.state.exists():
        context.require(first)
    with context.home.lock("pipeline"):
        plan = plan_backfill(context, first, last, on_broken=on_broken)
        if plan.nothing:
            context.require(first)
        broken, done = list(plan.broken), 0
        try:
            forget_days(context, plan.gone)
            with _preparing(context, jobs, len(plan.todo)) as prepared:
                for chunk in plan.chunks():
                    ready = _told(context, prepared(chunk), done, len(plan.todo), notify)
                    for day in chunk:
                        done += 1
                        note = _run_day(context, day, on_broken, prepared=day in ready)
                        if note is None:
                            broken.append(day)
                            note = f"{day} breaks its contract: skipped"
                        notify(Step("track", done, len(plan.todo), context.packets(day), note))
                    if done < len(plan.todo):
                        publish_if_needed(context)
        finally:
            publish_if_needed(context)
    return replace(plan, broken=tuple(sorted(broken)))


def _run_day(context: Context, day: date, on_broken: str, *, prepared: bool) -> str | None:
    """Run a day of a backfill; what is worth saying, or None if it is broken and skipped."""
    names = frozenset(name for name, _ in STAGES) - {"publish"}
    try:
        with recorded(context, day, "backfill", keep=prepared) as clock:
            record = run_stages(context, day, clock, names - _PREPARE if prepared else names)
    except ContractBrokenError:
        if on_broken == "stop":
            raise
        return None
    threats = record.tables["threats"].height
    return f"{day}" + (f", threats: {threats}" if threats else "")


def first_undone(context: Context, last: date) -> date | None:
    """The first day up to `last` that is not done, from the first day that is; None if all are.

    In a home without any day done it is the first with packets. Days before the first one done
    were left out by whoever began there.
    """
    states = {day: state for day, state in day_states(context).items() if day <= last}
    started = [day for day, state in states.items() if state not in ("waiting", "broken")]
    begin = min(started, default=min(states, default=last))
    undone = [day for day, state in states.items() if day >= begin and state != "done"]
    return min(undone, default=None)


def refuse_broken(context: Context, day: date) -> None:
    """Say again why a day was left out.

    Raises:
        ContractBrokenError: the day is known to break its contract.
    """
    with open_state(context.home, wait=60) as state:
        row = state.con.execute(
            "SELECT error FROM runs WHERE day = ? AND status = 'failed' "
            "AND day IN (SELECT day FROM pipeline.broken) ORDER BY started_at DESC LIMIT 1",
            [day],
        ).fetchone()
    if row is not None:
        raise ContractBrokenError(row[0])


def record_missing(context: Context, day: date, flow: str, error: str) -> None:
    """Put on record that a day could not be run for it has no packets."""
    arrived = arrival_check(context, day)
    rows = None
    if arrived is not None:
        rows = pl.DataFrame([{"day": day, **asdict(arrived)}], schema=QUALITY)
    with open_state(context.home, wait=60) as state:
        state.add_failure(day, rows, Clock(flow, day).record("failed", error))
    publish_if_needed(context)


def forget_days(context: Context, gone: tuple[date, ...]) -> None:
    """Take days back whose packets are gone; the days after them become stale."""
    if gone:
        with open_state(context.home, wait=60) as state:
            for day in gone:
                state.forget_day(day)


def is_current(context: Context) -> bool:
    """Whether what is published is of the state as it is."""
    if not context.home.state.is_file():
        return True
    with seen_state(context.home, wait=60) as state:
        return state is None or is_published(context.home, state)


def publish_if_needed(context: Context) -> None:
    """Publish unless what is published is of the days, runs and sources there are now.

    A run that was killed after its commit may have left an older publication.
    """
    with open_state(context.home, wait=60) as state:
        now = ingests(context.manifests)
        if not state.frame("SELECT * FROM ingests").equals(now):
            state.set_ingests(now)
        published = is_published(context.home, state)
    if not published:
        publish_lineage(context, date.min)
