"""Telling another system of threats: a POST of JSON, tried until it is taken, each threat once."""

import json
import logging
import time
import urllib.error
import urllib.request
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from dante.errors import UnreachableError
from dante.pipeline.context import Context
from dante.store.home import Home, write_whole
from dante.store.state import open_state

__all__ = ["tell_threats"]

log = logging.getLogger(__name__)

# Threats of older days are history: a webhook that is new to a home hears of the last days only.
_DAYS: Final = 7
_FIRST_WAIT: Final = 0.5
_TOLD = "told.json"


def tell_threats(context: Context) -> int:
    """Post the threats of the last days that were not told yet, a request a day; how many threats.

    What could not be delivered is tried again the next time.

    Raises:
        UnreachableError: the receiver did not take them, in all tries.
    """
    settings = context.settings.webhook
    url = settings.url.get_secret_value()
    if not url or not context.home.state.is_file():
        return 0
    told = _read_told(context.home)
    delivered = 0
    for day, threats in _recent(context).items():
        known = set(told.get(day.isoformat(), []))
        fresh = [threat for threat in threats if threat["id"] not in known]
        if not fresh:
            continue
        body = {"event": "dante.threat.found", "day": day.isoformat(), "threats": fresh}
        _post(url, body, settings.timeout, settings.attempts)
        told[day.isoformat()] = sorted(known | {threat["id"] for threat in fresh})
        with write_whole(context.home.root / _TOLD) as path:
            path.write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")
        delivered += len(fresh)
    return delivered


def _recent(context: Context) -> dict[date, list[dict[str, Any]]]:
    with open_state(context.home, wait=60) as state:
        days = state.committed_days()
        if not days:
            return {}
        rows = state.frame(
            "SELECT day, track_id, kind, score, reasons, threats.senders, key, shape, top_ports "
            "FROM threats LEFT JOIN track_days USING (day, track_id) "
            "WHERE day > ? ORDER BY day, score DESC, track_id",
            [days[-1] - timedelta(days=_DAYS)],
        )
    found: dict[date, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        day = row.pop("day")
        mark = {"id": f"{day}-{row['track_id']}-{row['kind']}"}
        found.setdefault(day, []).append(mark | row)
    return found


def _post(url: str, body: dict[str, Any], timeout: float, attempts: int) -> None:
    request = urllib.request.Request(  # noqa: S310, the settings take http and https only
        url,
        data=json.dumps(body, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "dante"},
        method="POST",
    )
    reason = ""
    for attempt in range(attempts):
        if attempt:
            time.sleep(_FIRST_WAIT * 2.0 ** (attempt - 1))
        try:
            with urllib.request.urlopen(request, timeout=timeout):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            reason = f"it answers {error.code}"
            error.close()
        except (OSError, ValueError):
            # What is raised may hold the address, and that a secret.
            reason = "no answer"
        log.info("webhook at %s: %s", urlsplit(url).hostname, reason)
    raise UnreachableError(
        f"the webhook at {urlsplit(url).hostname} did not take the threats of {body['day']} "
        f"({reason}, {attempts} tries); they are told again with the next run"
    )


def _read_told(home: Home) -> dict[str, list[str]]:
    try:
        body = json.loads((home.root / _TOLD).read_text(encoding="utf-8"))
        return {str(day): [str(mark) for mark in marks] for day, marks in body.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError):
        log.warning("%s is damaged; recent threats are told again", home.root / _TOLD)
        return {}
