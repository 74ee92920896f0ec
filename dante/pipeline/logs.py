"""Log lines that say of which day and run they are, as text or as a JSON object a line."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from typing import Final

__all__ = ["JsonLines", "of_run"]

_RUN: Final[ContextVar[tuple[date, str] | None]] = ContextVar("dante_run", default=None)


@contextmanager
def of_run(day: date, run_id: str) -> Iterator[None]:
    """What is logged inside is of this day and this row of `runs`."""
    token = _RUN.set((day, run_id))
    try:
        yield
    finally:
        _RUN.reset(token)


class JsonLines(logging.Formatter):
    """A log record as one JSON object: `time`, `level`, `logger`, `message`, `day`, `run`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        day, run = _RUN.get() or (None, None)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "day": None if day is None else day.isoformat(),
            "run": run,
        }
        return json.dumps(line, ensure_ascii=False)
