"""Finding the usual faults of a set-up."""

import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from dante.config import Settings, default_home, load_settings
from dante.errors import DanteError
from dante.pipeline.backfill import day_states, is_current
from dante.pipeline.context import open_context
from dante.store.objects import is_stored

__all__ = ["Finding", "examine"]

_PACKAGES = ("polars", "duckdb", "gensim", "hdbscan", "great-expectations", "prefect", "fastapi")
_LEAST_FREE = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether all is well, and what was found."""

    check: str
    well: bool
    found: str


def examine(home: Path | None = None) -> list[Finding]:
    """Look at interpreter, packages, settings, home, disk and days."""
    root = home if home is not None else default_home()
    checks: tuple[tuple[str, Callable[[Path], tuple[bool, str]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("settings", _settings),
        ("writable", _writable),
        ("disk", _disk),
        ("sources", _sources),
        ("lake", _lake),
        ("retention", _retention),
        ("dask", _dask),
        ("days", _days),
        ("published", _published),
        ("prefect", _prefect),
    )
    findings = []
    for name, look in checks:
        try:
            findings.append(Finding(name, *look(root)))
        except (DanteError, OSError) as error:
            findings.append(Finding(name, False, str(error)))
    return findings


def _python(root: Path) -> tuple[bool, str]:
    return sys.version_info >= (3, 11), ".".join(map(str, sys.version_info[:3]))


def _packages(root: Path) -> tuple[bool, str]:
    found, well = [], True
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            well = False
            found.append(f"{name} is missing")
    fastapi = next(item for item in found if item.startswith("fastapi "))
    number = fastapi.removeprefix("fastapi ").split(".")
    if number[0] == "0" and number[1].isdigit() and int(number[1]) >= 151:
        well = False
        found.append("fastapi 0.151 or later breaks prefect 3.8: install from requirements.lock")
    return well, ", ".join(found)


def _settings(root: Path) -> tuple[bool, str]:
    context = open_context(root)
    file = root / "dante.toml"
    where = str(file) if file.is_file() else "defaults (`dante init` writes a file to edit)"
    return True, f"{where}; {len(context.settings.sources)} sources declared"


def _writable(root: Path) -> tuple[bool, str]:
    if not root.is_dir():
        return False, f"{root} does not exist; `dante init` or `dante ingest` makes it"
    with tempfile.TemporaryFile(dir=root):
        return True, str(root)


def _disk(root: Path) -> tuple[bool, str]:
    place = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    return free >= _LEAST_FREE, f"{free / 2**30:.1f} GiB free"


def _days(root: Path) -> tuple[bool, str]:
    if not root.is_dir():
        return True, "none yet"
    states = list(day_states(open_context(root)).values())
    counts = {
        state: states.count(state) for state in ("done", "stale", "waiting", "broken", "gone")
    }
    text = ", ".join(f"{n} {state}" for state, n in counts.items() if n) or "none yet"
    return counts["stale"] + counts["gone"] + counts["broken"] == 0, text


def _sources(root: Path) -> tuple[bool, str]:
    settings = load_settings(root)
    wrong = []
    for source in settings.sources:
        if source.mapping is not None and not (root / source.mapping).is_file():
            wrong.append(f"{source.label}: its mapping {source.mapping} does not exist")
        if is_stored(source.path):
            continue
        place = root / source.path
        folder = _fixed_part(place)
        if not folder.exists():
            wrong.append(f"{source.label}: {folder} does not exist")
        elif not os.access(folder, os.R_OK):
            wrong.append(f"{source.label}: {folder} cannot be read by this user")
    labels = [source.label for source in settings.sources]
    if len(set(labels)) < len(labels):
        wrong.append("two sources have the same name or path; give each a name of its own")
    return not wrong, "; ".join(wrong) or f"{len(labels)} declared"


def _fixed_part(place: Path) -> Path:
    """The path down to the first part that is a pattern."""
    parts: list[str] = []
    for part in place.parts:
        if any(sign in part for sign in "*?["):
            break
        parts.append(part)
    return Path(*parts)


def _lake(root: Path) -> tuple[bool, str]:
    url = load_settings(root).lake.url
    if not url:
        return True, "in the home"
    return True, f"{url} with {len(open_context(root).manifests)} sources"


def _retention(root: Path) -> tuple[bool, str]:
    settings = load_settings(root)
    keep, least = settings.retention.packets_days, settings.model.train_window
    if 0 < keep < least:
        return False, f"packets_days is {keep}, but a model learns from {least} days"
    return True, f"packets {keep or 'for ever'}, refused rows {_or_ever(settings)}"


def _or_ever(settings: Settings) -> str:
    return str(settings.retention.quarantine_days or "for ever")


def _dask(root: Path) -> tuple[bool, str]:
    if load_settings(root).compute.spread == "processes":
        return True, "not asked for"
    try:
        return True, f"prefect-dask {version('prefect-dask')}"
    except PackageNotFoundError:
        return False, 'compute.spread is "dask", but prefect-dask is missing: dante[dask]'


def _published(root: Path) -> tuple[bool, str]:
    if not root.is_dir():
        return True, "nothing yet"
    current = is_current(open_context(root))
    return current, "as the state is" if current else "older than the state; run a backfill"


def _prefect(root: Path) -> tuple[bool, str]:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return True, "PREFECT_API_URL is not set: commands run directly"
    parts = urlsplit(url)
    # Without a name and password, which may stand in it.
    shown = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    local = any(host in url for host in ("127.0.0.1", "localhost"))
    proxied = any(os.environ.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"))
    spared = "127.0.0.1" in os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    if local and proxied and not spared:
        return False, f"{shown} would go through a proxy; set NO_PROXY=127.0.0.1,localhost"
    if parts.scheme not in ("http", "https") or not parts.path.rstrip("/").endswith("/api"):
        return False, f"PREFECT_API_URL is {shown}{parts.path}; it should end in /api"
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=3):  # noqa: S310
            return True, f"flows run through {shown}"
    except urllib.error.HTTPError as error:
        error.close()
        return False, f"{shown} answers {error.code}; is a Prefect server there?"
    except (OSError, ValueError):
        return False, f"no server answers at {shown}; start it, or unset PREFECT_API_URL"
