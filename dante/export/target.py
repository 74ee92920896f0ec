"""Where an export is written: a file that comes to be whole or not at all, or stdout."""

import sys
from collections.abc import Iterable
from pathlib import Path

from dante.errors import UsageError
from dante.store.home import Home, write_whole

__all__ = ["checked_target", "write_chunks"]

_STDOUT = "-"
# What a home keeps for itself; an export may lie beside it.
_OURS = frozenset(
    {"lake", "models", "labels", "work", ".locks", "state.duckdb", "lineage.duckdb", "dante.toml"}
)


def checked_target(home: Home, out: str, *, folder: bool = False) -> Path:
    """The path an export may be written to.

    Args:
        home: the home that is exported.
        out: what the user named.
        folder: a folder is wanted, not a file.

    Raises:
        UsageError: it is a folder where a file is wanted or the other way round, or it is, or lies
            in, what the home keeps for itself.
    """
    path = Path(out)
    place, root = path.resolve(), home.root.resolve()
    if place == root or (place.is_relative_to(root) and place.relative_to(root).parts[0] in _OURS):
        raise UsageError(f"{out} belongs to the home {home.root}; name another place to write to")
    if root.is_relative_to(place) and folder:
        raise UsageError(f"{out} holds the home {home.root}; name a folder of its own")
    if path.is_dir() and not folder:
        raise UsageError(f"{out} is a folder; name a file in it")
    if path.exists() and not path.is_dir() and folder:
        raise UsageError(f"{out} is a file; name a folder")
    return path


def write_chunks(home: Home, out: str, chunks: Iterable[str]) -> None:
    """Write text to a file, whole or not at all, or to stdout if `out` is `-`.

    Raises:
        UsageError: as `checked_target`.
    """
    if out == _STDOUT:
        for chunk in chunks:
            sys.stdout.write(chunk)
        return
    with (
        write_whole(checked_target(home, out)) as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        file.writelines(chunks)
