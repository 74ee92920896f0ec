"""Running a flow from a terminal, on a server of its own if none is standing."""

import os
from typing import Any

__all__ = ["run_flow"]

# What an ephemeral server does not need for one flow; with these on it takes longer to start and
# complains at exit about events it could not write.
_SERVICES = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)


def run_flow(name: str, **parameters: Any) -> Any:
    """Run one of our flows in this process and give back what it returns.

    Must be called before anything imports Prefect, whose settings are read then.

    Args:
        name: `day`, `backfill`, `daily` or `train`.
        parameters: of the flow.
    """
    for key, value in _quiet_settings().items():
        os.environ.setdefault(key, value)
    from importlib import import_module

    flow = getattr(import_module(f"flows.{name}"), name)
    return flow(**parameters)


def _quiet_settings() -> dict[str, str]:
    # The server keeps the log; on the terminal the command itself says what went wrong.
    settings = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL", "DO_NOT_TRACK": "1"}
    if not os.environ.get("PREFECT_API_URL"):
        settings |= {
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_ENABLED": "false",
        }
        settings |= {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _SERVICES}
    return settings
