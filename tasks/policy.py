"""When a task is tried again, and the slot that lets one writer at a time at the state."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.sync import concurrency
from prefect.tasks import Task, exponential_backoff

from dante.errors import BusyError, DanteError, UnreachableError

__all__ = ["RETRY", "WRITER", "ensure_writer_slot", "is_transient", "writer"]

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
    with concurrency(
        WRITER,
        occupy=1,
        strict=True,
        lease_duration=_LEASE,
        raise_on_lease_renewal_failure=False,
    ):
        yield


# Seconds; the least that Prefect takes.
_LEASE: Final = 60
