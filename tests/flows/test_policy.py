"""What is tried again, and what is not."""

import asyncio
import errno

import pytest

from dante.errors import (
    BusyError,
    ConfigError,
    ContractBrokenError,
    DanteError,
    NotEnoughDataError,
    SourceError,
    UnreachableError,
    UsageError,
)

pytest.importorskip("prefect")

_AGAIN = [
    BusyError("another process holds it"),
    UnreachableError("the object store does not answer"),
    OSError(errno.EIO, "input or output error"),
    ConnectionResetError("the store went away"),
    TimeoutError("the store is slow"),
]
_NEVER = [
    ContractBrokenError("the day breaks its contract"),
    NotEnoughDataError("no packets"),
    SourceError("no Parquet"),
    ConfigError("unknown setting"),
    UsageError("no such day"),
    DanteError("damaged"),
    ValueError("a bug"),
    KeyError("a bug"),
    ZeroDivisionError(),
]


def _judged(error):
    from prefect.states import exception_to_failed_state

    from tasks.policy import is_transient

    state = asyncio.run(exception_to_failed_state(error))
    return is_transient(None, None, state)


@pytest.mark.parametrize("error", _AGAIN, ids=lambda error: type(error).__name__)
def test_faults_of_the_machine(error):
    """A fault of the machine, or of another process, is worth another try."""
    assert _judged(error) is True


@pytest.mark.parametrize("error", _NEVER, ids=lambda error: type(error).__name__)
def test_faults_of_data(error):
    """Bad data, bad settings and bugs stay what they are however often they are tried."""
    assert _judged(error) is False


def test_a_state_without_fault():
    """A state that is no failure is no reason to try again."""
    from prefect.states import Completed

    from tasks.policy import is_transient

    assert is_transient(None, None, Completed(data=3)) is False


def test_every_task_has_the_policy():
    """Every task asks the policy, keeps no result with Prefect, and waits longer each time."""
    from tasks import day, prepare, sources, webhook
    from tasks.policy import is_transient

    rooms = (day, prepare, sources, webhook)
    tasks = [getattr(room, name) for room in rooms for name in room.__all__]
    assert len(tasks) == 11
    for task in tasks:
        assert task.retry_condition_fn is is_transient
        assert task.retries >= 2
        waits = task.retry_delay_seconds
        waits = waits(task.retries) if callable(waits) else waits
        assert list(waits) == sorted(waits)
        assert waits[0] >= 1
        assert task.persist_result in (None, False)
