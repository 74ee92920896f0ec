"""Progress bars for ingest and backfill, on stderr, with rates and time left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dante.cli.output import clean
from dante.pipeline.progress import LISTENER, Notify, Pace, Step

__all__ = ["progress"]

_LABELS = {"ingest": "Reading files", "prepare": "Checking days", "track": "Tracking days"}
# Where there is no terminal, a line this often is enough.
_EVERY = 30


@contextmanager
def progress() -> Iterator[Notify]:
    """Show each step told to the yielded function, or to the listener of flows."""
    notify = _bars if sys.stderr.isatty() else _lines
    with notify() as told:
        token = LISTENER.set(told)
        try:
            yield told
        finally:
            LISTENER.reset(token)


@contextmanager
def _lines() -> Iterator[Notify]:
    paces: dict[str, Pace] = {}

    def told(step: Step) -> None:
        pace = paces.setdefault(step.what, Pace())
        pace.add(step)
        if step.done == step.total or step.done % _EVERY == 0:
            left = "" if step.done == step.total else f"; {pace.words()}"
            label = _LABELS[step.what].lower()
            print(  # noqa: T201
                f"{label}: {step.done} of {step.total} ({clean(step.note)}{left})", file=sys.stderr
            )

    yield told


@contextmanager
def _bars() -> Iterator[Notify]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    packets: dict[str, int] = {}
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def told(step: Step) -> None:
            if step.what not in tasks:
                tasks[step.what] = bars.add_task(
                    _LABELS[step.what], total=step.total, rate="", note=""
                )
            task = tasks[step.what]
            packets[step.what] = packets.get(step.what, 0) + step.packets
            elapsed = bars.tasks[task].elapsed or 0.0
            rate = f"{packets[step.what] / elapsed:,.0f} packets/s" if elapsed > 0.5 else ""
            bars.update(task, completed=step.done, rate=rate, note=clean(step.note))

        yield told
