"""Events on the server, which automations can act on."""

from datetime import date
from typing import Any

from prefect.events import emit_event

__all__ = ["contract_broken", "day_committed", "threat_found"]


def day_committed(day: date, counts: dict[str, Any]) -> None:
    """`dante.day.committed`: a day is in the state, with its row of `daily`."""
    _emit("dante.day.committed", f"dante.day.{day}", str(day), counts)


def contract_broken(day: date, reason: str) -> None:
    """`dante.contract.broken`: a day is not tracked, for the reason given."""
    _emit("dante.contract.broken", f"dante.day.{day}", str(day), {"reason": reason})


def threat_found(day: date, threat: dict[str, Any]) -> None:
    """`dante.threat.found`: a row of `threats`."""
    track = threat["track_id"]
    _emit("dante.threat.found", f"dante.track.{track}", f"track {track}", {**threat})


def _emit(event: str, resource: str, name: str, payload: dict[str, Any]) -> None:
    plain = {key: str(v) if isinstance(v, date) else v for key, v in payload.items()}
    emit_event(
        event,
        resource={"prefect.resource.id": resource, "prefect.resource.name": name},
        payload=plain,
    )
