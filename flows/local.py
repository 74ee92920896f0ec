"""Running a flow from a terminal, on a server of its own if none is standing."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from dante.errors import DanteError
from flows.standing import LEASES

__all__ = ["run_flow"]

# What an ephemeral server does not need for one flow; with these on it takes longer to start and
# complains at exit about events it could not write. The repossessor it needs: the database is the
# user's, and in it is what runs that were killed still hold.
_SERVICES = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "SCHEDULER",
    "TRIGGERS",
)


def run_flow(name: str, **parameters: Any) -> Any:
    """Run one of our flows in this process and give back what it returns.

    Must be called before anything imports Prefect, whose settings are read then.

    Raises:
        DanteError: the server does not answer, besides what the flow raises.

    Args:
        name: `day`, `backfill`, `daily` or `train`.
        parameters: of the flow.
    """
    for key, value in _quiet_settings().items():
        os.environ.setdefault(key, value)
    logging.raiseExceptions = False  # what cannot be logged to the server is not shown instead
    from importlib import import_module

    flow = getattr(import_module(f"flows.{name}"), name)
    try:
        with _known_server():
            return flow(**parameters)
    except DanteError:
        raise
    except Exception as error:
        if not _is_of_the_server(error):
            raise
        message = (
            f"the Prefect server at {_address()} does not answer; start it and give the same "
            "command again, or add --no-prefect to go on without it: what was committed stands"
        )
    raise DanteError(message)


@contextmanager
def _known_server() -> Iterator[None]:
    """Have one server for the flow and all its workers, each of which would start its own else."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with get_client(sync_client=True) as client:
        address = str(client.api_url).rstrip("/")
    with temporary_settings({PREFECT_API_URL: address}):
        yield


def _is_of_the_server(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is about reaching the server."""
    while error is not None:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpcore", "websockets"):
            return True
        if "Failed to reach API" in str(error) or "Can't connect to Server API" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _address() -> str:
    """Where the server is, without a name or password in its address."""
    parts = urlsplit(os.environ.get("PREFECT_API_URL", ""))
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "its address"


def _quiet_settings() -> dict[str, str]:
    # The server keeps the log; on the terminal the command itself says what went wrong.
    settings = {
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
        # Somebody waits: a server that is gone is given up after a minute, not after five.
        "PREFECT_CLIENT_MAX_RETRIES": "3",
        "DO_NOT_TRACK": "1",
    }
    if not os.environ.get("PREFECT_API_URL"):
        settings |= {
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        }
        settings |= {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _SERVICES}
    return settings
