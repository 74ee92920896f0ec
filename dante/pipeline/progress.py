"""How long work tells whoever waits for it how far it is."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

__all__ = ["LISTENER", "Notify", "Pace", "Step", "silent"]


@dataclass(frozen=True)
class Step:
    """One unit of work done.

    Attributes:
        what: `ingest` (files), `prepare` or `track` (days).
        done, total: units done of this kind, and in all.
        packets: packets in this unit.
        note: what it was and, if it is worth saying, what came of it.
    """

    what: str
    done: int
    total: int
    packets: int
    note: str


class Pace:
    """How fast steps of one kind go, and how long the rest will take at that."""

    def __init__(self) -> None:
        """Start now."""
        self._began = time.monotonic()
        self._first: int | None = None
        self._step = Step("", 0, 0, 0, "")
        self.packets = 0

    def add(self, step: Step) -> None:
        """Count a step that is done."""
        if self._first is None:
            self._first = step.done - 1
        self._step = step
        self.packets += step.packets

    @property
    def left(self) -> float:
        """Seconds that are left, if what is to come goes as what has been."""
        done = self._step.done - (self._first or 0)
        spent = time.monotonic() - self._began
        return spent / done * (self._step.total - self._step.done) if done else 0.0

    def words(self) -> str:
        """`123,456 packets, about 3 minutes left`."""
        minutes, seconds = self.left / 60, self.left
        time_left = f"{minutes:.0f} minutes" if minutes >= 2 else f"{seconds:.0f} seconds"
        return f"{self.packets:,} packets, about {time_left} left"


Notify = Callable[[Step], None]


def silent(step: Step) -> None:
    """Tell nobody."""


LISTENER: Final[ContextVar[Notify]] = ContextVar("dante_listener", default=silent)
"""Who is told when work goes through a flow, whose parameters can carry no function."""
