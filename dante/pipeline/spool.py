"""A copy of bytes that do not stay as they are: a pipe, or a file that is being written to."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dante.errors import DanteError
from dante.store.home import Home

__all__ = ["spooled"]

_PIECE = 1 << 20


@contextmanager
def spooled(
    home: Home, stream: BinaryIO, name: str, *, changed: int | None = None
) -> Iterator[Path]:
    """A file of the rest of the stream, called `name`, in the home's work folder while it is used.

    Args:
        home: whose work folder.
        stream: what to copy, to its end; only the disk bounds how much.
        name: the file's name.
        changed: its time of change, in ns, if it is to have another than now.

    Raises:
        DanteError: the stream cannot be read, or the copy does not fit on the disk.
    """
    home.work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="spool-", dir=home.work))
    try:
        path = folder / name
        try:
            with path.open("wb") as copy:
                shutil.copyfileobj(stream, copy, _PIECE)
        except OSError as error:
            raise DanteError(
                f"{name} cannot be copied to {folder} ({error.strerror}): it is read from a copy "
                "there, which needs as much room as it has bytes"
            ) from error
        if changed is not None:
            os.utime(path, ns=(changed, changed))
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
