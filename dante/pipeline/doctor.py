"""Finding the usual faults of a set-up."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dante.config import default_home
from dante.errors import DanteError
from dante.pipeline.backfill import day_states
from dante.pipeline.context import open_context

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
        ("days", _days),
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
    counts = {state: states.count(state) for state in ("done", "stale", "waiting", "gone")}
    text = ", ".join(f"{n} {state}" for state, n in counts.items() if n) or "none yet"
    return counts["stale"] + counts["gone"] == 0, text


def _prefect(root: Path) -> tuple[bool, str]:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return True, "PREFECT_API_URL is not set: commands run directly"
    local = any(host in url for host in ("127.0.0.1", "localhost"))
    proxied = any(os.environ.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"))
    spared = "127.0.0.1" in os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    if local and proxied and not spared:
        return False, f"{url} would go through a proxy; set NO_PROXY=127.0.0.1,localhost"
    return True, f"flows run through {url}"
