"""How far a flow is, as a progress artifact on the server and to whoever listens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from dante.pipeline.progress import LISTENER, Notify, Pace, Step

__all__ = ["shown"]

# Seconds between two updates: each is a request.
_EVERY = 2.0


@contextmanager
def shown(key: str, days: int) -> Iterator[Notify]:
    """A function that is told of each day done; `days` are all there are to do.

    The artifact `key` says how many days are done, of how many packets, and how long the rest will
    take.
    """
    listener = LISTENER.get()
    if not days:
        yield listener
        return
    pace, last = Pace(), 0.0
    artifact = create_progress_artifact(progress=0.0, key=key, description=f"0 of {days} days")

    def told(step: Step) -> None:
        nonlocal last
        listener(step)
        pace.add(step)
        if time.monotonic() - last < _EVERY and step.done < step.total:
            return
        last = time.monotonic()
        update_progress_artifact(
            artifact_id=cast(UUID, artifact),
            progress=100.0 * step.done / step.total,
            description=f"{step.done} of {step.total} days ({step.note}); {pace.words()}",
        )

    yield told
