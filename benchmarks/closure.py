"""What code a result depends on: a digest of a module and all it imports of this project.

A cached result is good as long as this digest is what it was, so that a change of one system has
only that system run again.
"""

import ast
import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

__all__ = ["code_digest", "modules_of"]

ROOT: Final = Path(__file__).resolve().parents[1]
_OURS: Final = ("dante", "benchmarks")
_LIBRARIES: Final = ("gensim", "hdbscan", "numpy", "polars", "scikit-learn", "scipy")


def _file(module: str) -> Path | None:
    """The file of a module of this project; none if it is no module (a name inside one, say)."""
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _imported(path: Path) -> tuple[str, ...]:
    """Modules of this project that a file imports, wherever in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.split(".")[0] in _OURS)


def modules_of(*modules: str) -> dict[str, Path]:
    """Modules and all they import of this project, by name.

    A package above a module is left out unless it is imported itself, though Python runs it first:
    one that lists all its modules would tie each to all others.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += _imported(path)
    return dict(sorted(found.items()))


def code_digest(*modules: str, more: tuple[Path, ...] = ()) -> str:
    """Hex digest of modules, all they import, some more files, and the libraries' versions."""
    digest = hashlib.sha256()
    for path in [*modules_of(*modules).values(), *sorted(more)]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"{library} {metadata.version(library)}\0".encode())
    return digest.hexdigest()[:16]
