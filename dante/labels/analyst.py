"""What analysts call tracks: kept beside the days, so that no rerun or rewind forgets it."""

import json
from pathlib import Path
from typing import Final

from dante.errors import DanteError, UsageError
from dante.store.home import Home, write_whole

__all__ = ["read_analyst", "set_analyst", "track_key"]

_LONGEST: Final = 200
_WAIT: Final = 10.0


def track_key(name: str, first_day: object) -> str:
    """What a track is known by for life: its name and its day of birth."""
    return f"{name}@{first_day}"


def read_analyst(home: Home) -> dict[str, str]:
    """The analysts' labels by track key.

    Raises:
        DanteError: the file is damaged.
    """
    path = _file(home)
    if not path.is_file():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): _checked(str(text)) for key, text in known.items()}
    except (OSError, ValueError, AttributeError, UsageError) as error:
        raise DanteError(f"{path} is damaged ({error}); correct or delete it") from None


def set_analyst(home: Home, key: str, text: str | None) -> str | None:
    """Label a track, or take its label away with None; the label it had.

    Raises:
        UsageError: the text is empty, too long or holds control characters.
        BusyError: another process is writing labels.
    """
    wanted = None if text is None else _checked(text)
    with home.lock("labels", wait=_WAIT):
        known = read_analyst(home)
        before = known.pop(key, None)
        if wanted is not None:
            known[key] = wanted
        if wanted != before:
            with write_whole(_file(home)) as path:
                body = json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True)
                path.write_text(body + "\n", encoding="utf-8")
    return before


def _checked(text: str) -> str:
    text = text.strip()
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise UsageError(f"a label is 1 to {_LONGEST} characters in one line, without control ones")
    return text


def _file(home: Home) -> Path:
    return home.labels / "analyst.json"
