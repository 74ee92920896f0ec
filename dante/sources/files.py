"""Which files a command means, and the digest that names each."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from dante.errors import SourceError, UsageError

__all__ = ["Digesting", "find_files", "prefix_digests", "source_digest"]

_READ = 1 << 20


def find_files(paths: Sequence[str | Path]) -> list[Path]:
    """Files, the files in folders (recursively) and matches of glob patterns; sorted, each once.

    Hidden files and folders are left out unless named outright.

    Raises:
        UsageError: nothing was named, or a path or pattern names nothing.
        SourceError: a folder holds no files.
    """
    if not paths:
        raise UsageError("no file to read: name at least one file, folder or pattern")
    found: set[Path] = set()
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = set(_visible(path))
            if not inside:
                raise SourceError(f"{path}: the folder holds no file to read")
            found |= inside
        elif path.exists():
            found.add(path)
        else:
            found |= _matches(str(given))
    return sorted(found, key=str)


def source_digest(path: str | Path) -> str:
    """The first 32 hex digits of SHA-256 over the file's bytes as they lie, compressed or not.

    Raises:
        SourceError: the file cannot be read.
    """
    return _digests(Path(path), [])[-1]


class Digesting:
    """The `source_digest` of a file, made in a thread from now on."""

    def __init__(self, path: Path) -> None:
        """Begin."""
        self._stop = Event()
        self._pool = ThreadPoolExecutor(1, "dante-digest")
        self._made = self._pool.submit(_digests, path, [], self._stop.is_set)

    def done(self) -> bool:
        """Whether `digest` would not wait."""
        return self._made.done()

    def digest(self) -> str:
        """Wait for it.

        Raises:
            SourceError: the file cannot be read.
        """
        return self._made.result()[-1]

    def close(self) -> None:
        """End the thread, whether it is done or not."""
        self._stop.set()
        self._pool.shutdown()


def prefix_digests(path: str | Path, sizes: Sequence[int]) -> list[str]:
    """The digests that files of the first so many bytes of this one would have.

    In ascending order of the sizes; sizes beyond the end of the file have none.

    Raises:
        SourceError: the file cannot be read.
    """
    return _digests(Path(path), sorted(set(sizes)))[:-1]


def _digests(
    path: Path, sizes: list[int], stopped: Callable[[], bool] = lambda: False
) -> list[str]:
    """Digests of the first so many bytes, and of all that was read, to the last size or the end."""
    digest, found, place = hashlib.sha256(), [], 0
    if path.exists() and not path.is_file():  # reading a pipe would use it up
        raise SourceError(f"{path}: cannot be read (it is not a regular file)")
    try:
        with path.open("rb") as file:
            for size in sizes or [sys.maxsize]:
                while place < size and not stopped():
                    block = file.read(min(_READ, size - place))
                    if not block:
                        break
                    digest.update(block)
                    place += len(block)
                if place == size:
                    found.append(digest.copy().hexdigest()[:32])
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    return [*found, digest.hexdigest()[:32]]


def _visible(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            yield path


def _matches(pattern: str) -> set[Path]:
    if not any(sign in pattern for sign in "*?["):
        raise UsageError(f"{pattern}: no such file or folder")
    path = Path(pattern)
    try:
        matches = list(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (ValueError, NotImplementedError) as error:
        raise UsageError(f"{pattern}: not a pattern that can be searched ({error})") from error
    found: set[Path] = set()
    for match in matches:
        if match.name.startswith(".") and not path.name.startswith("."):
            continue
        found |= set(_visible(match)) if match.is_dir() else {match}
    if not found:
        raise UsageError(f"{pattern}: no file matches this pattern")
    return found
