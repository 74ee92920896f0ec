"""How long work tells whoever waits for it how far it is."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

__all__ = ["LISTENER", "Notify", "Step", "silent"]


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


Notify = Callable[[Step], None]


def silent(step: Step) -> None:
    """Tell nobody."""


LISTENER: Final[ContextVar[Notify]] = ContextVar("dante_listener", default=silent)
"""Who is told when work goes through a flow, whose parameters can carry no function."""
