"""When a task is tried again, and the slot that lets one writer at a time at the state."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.sync import concurrency
from prefect.tasks import Task, exponential_backoff

from dante.errors import BusyError, DanteError, UnreachableError

__all__ = ["RETRY", "WRITER", "ensure_writer_slot", "is_transient", "writer"]

log = logging.getLogger("dante.tasks")

WRITER: Final = "duckdb-writer"
"""Name of the global concurrency limit; one slot."""


def is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether trying again can help: yes for faults of the machine, never for bad data."""
    try:
        state.result()
    except (BusyError, UnreachableError):
        return True
    except DanteError:
        return False
    except OSError:
        return True
    except Exception:
        return False
    return False


RETRY: Final[dict[str, Any]] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
}
"""Options of every task: four more tries after about 2, 4, 8 and 16 seconds."""


def ensure_writer_slot() -> None:
    """Make the writer's slot if the server does not have it yet."""
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(WRITER, 1)


@contextmanager
def writer() -> Iterator[None]:
    """Hold the writer's slot; strict, so a missing slot is an error and not a free pass.

    A flow holds it around all its days. Its lease is renewed as long as the flow lives; should a
    renewal fail, the file lock still keeps other writers of this machine out. Of a flow that was
    killed the slot is free again when its lease ends.
    """
    with ExitStack() as held:
        try:
            held.enter_context(_slot(_PATIENCE))
        except TimeoutError:
            log.warning(
                "another flow holds the slot %s; waiting for it to end (if none runs: "
                "prefect gcl update %s --active-slots 0)", WRITER, WRITER,
            )  # fmt: skip
            held.enter_context(_slot(None))
        yield


# Seconds: the least that Prefect takes, and after which waiting is told of.
_LEASE: Final = 60
_PATIENCE: Final = 90.0


def _slot(wait: float | None) -> AbstractContextManager[None]:
    return concurrency(
        WRITER,
        occupy=1,
        strict=True,
        timeout_seconds=wait,
        lease_duration=_LEASE,
        raise_on_lease_renewal_failure=False,
    )
