"""Many days: prepared in parallel, tracked in order, from the first that is not done."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from dante.errors import DanteError, UsageError
from dante.pipeline.context import Context, open_context
from dante.pipeline.progress import Notify, Step, silent
from dante.pipeline.run import recorded, run_stages
from dante.pipeline.stages import PREPARE, STAGES, publish_lineage
from dante.store.manifests import ingests
from dante.store.state import open_state

__all__ = [
    "Plan",
    "backfill",
    "day_states",
    "forget_days",
    "plan_backfill",
    "prepare_days",
    "publish_if_needed",
]

_PREPARE = frozenset(name for name, _ in PREPARE)
# Fewer days than this for each process are not worth its start (importing takes seconds).
_WORTH = 15


@dataclass(frozen=True)
class Plan:
    """What a backfill has to do.

    Attributes:
        todo: days to run, in order.
        done: days of the span that are committed and not stale.
        gone: committed days whose packets are no longer in the lake, to be taken back.
        missing: days of the span without packets.
    """

    todo: tuple[date, ...]
    done: tuple[date, ...]
    gone: tuple[date, ...]
    missing: tuple[date, ...]


def day_states(context: Context) -> dict[date, str]:
    """`done`, `stale`, `waiting` or `gone` for every day with packets or a result, in order."""
    if not context.days and not context.home.state.exists():
        return {}  # a home that is not there is not made by looking at it
    with open_state(context.home, wait=60) as state:
        fresh = state.fingerprints()
        committed = set(state.committed_days())
    states: dict[date, str] = {}
    held = set(context.days)
    before: str | None = None
    sound = True
    for day in sorted(committed | held):
        if day not in committed:
            states[day] = "waiting"
            continue
        if day not in held:
            states[day], sound = "gone", False
            continue
        expected = context.fingerprint(day, before)
        sound = sound and fresh.get(day) == expected
        states[day] = "done" if sound else "stale"
        before = expected
    return states


def plan_backfill(context: Context, first: date, last: date) -> Plan:
    """What it takes to have every day of the span done.

    Stale days before the span go first: a day's tracks are made from those of the days before.

    Raises:
        UsageError: the last day is before the first.
    """
    if last < first:
        raise UsageError(f"the last day, {last}, is before the first, {first}; swap them")
    states = day_states(context)
    within = {day for day in states if first <= day <= last}
    wanted = [
        day
        for day, state in states.items()
        if day <= last and state != "gone" and (day in within or state != "waiting")
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
    )


def prepare_days(
    context: Context, days: tuple[date, ...], *, jobs: int = 1, notify: Notify = silent
) -> set[date]:
    """Check days and make their profiles, several at once; the days that went well.

    A day that does not go well is left for its own run, which records why.
    """
    total = len(days)
    good: set[date] = set()
    processes = min(jobs, -(-total // _WORTH))
    for done, (day, fine) in enumerate(_prepared(context, days, processes), 1):
        if fine:
            good.add(day)
        notify(Step("prepare", done, total, context.packets(day), day.isoformat()))
    return good


def _prepared(
    context: Context, days: tuple[date, ...], processes: int
) -> Iterator[tuple[date, bool]]:
    if processes <= 1:
        for day in days:
            yield day, _prepare(context, day)
        return
    # Polars and fork do not go together; a process opens the home once and keeps it.
    with ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=_open_worker,
        initargs=(context.home.root,),
    ) as pool:
        yield from zip(days, pool.map(_prepare_in_worker, days, chunksize=4), strict=True)


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
    notify: Notify = silent,
) -> Plan:
    """Have every day of a span done, in order, and publish.

    Days already done are skipped; after a fault the same call goes on where it stopped.

    Args:
        context: the home.
        first, last: the span, both inclusive.
        jobs: processes that prepare days.
        notify: told of each day.

    Raises:
        UsageError: the last day is before the first.
        NotEnoughDataError: no day of the span has packets.
        ContractBrokenError: a day breaks its contract; the days before it are done.
        BusyError: another run is at work on this home.
    """
    if not context.days and not context.home.state.exists():
        context.require(first)
    with context.home.lock("pipeline"):
        plan = plan_backfill(context, first, last)
        if not plan.todo and not plan.done and not plan.gone:
            context.require(first)
        try:
            forget_days(context, plan.gone)
            ready = prepare_days(context, plan.todo, jobs=jobs, notify=notify)
            for done, day in enumerate(plan.todo, 1):
                names = frozenset(name for name, _ in STAGES) - {"publish"}
                with recorded(context, day, "backfill", keep=day in ready) as clock:
                    record = run_stages(
                        context, day, clock, names - _PREPARE if day in ready else names
                    )
                threats = record.tables["threats"].height
                note = f"{day}" + (f", threats: {threats}" if threats else "")
                notify(Step("track", done, len(plan.todo), context.packets(day), note))
        finally:
            publish_if_needed(context, changed=bool(plan.todo or plan.gone))
    return plan


def forget_days(context: Context, gone: tuple[date, ...]) -> None:
    """Take days back whose packets are gone; the days after them become stale."""
    if gone:
        with open_state(context.home, wait=60) as state:
            for day in gone:
                state.forget_day(day)


def publish_if_needed(context: Context, *, changed: bool) -> None:
    """Publish if days changed, if the lake's list of sources did, or if nothing is published."""
    with open_state(context.home, wait=60) as state:
        now = ingests(context.manifests)
        if not state.frame("SELECT * FROM ingests").equals(now):
            state.set_ingests(now)
            changed = True
    if changed or not context.home.lineage.is_file():
        publish_lineage(context, date.min)
