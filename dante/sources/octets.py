"""Files of binary records: their bytes in windows, and fields gathered from any places of one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dante.errors import SourceError
from dante.sources.streams import CutError, chunks, compression

__all__ = ["WINDOW", "Integers", "OctetSource", "Records", "Window"]

WINDOW: Final = 1 << 24
"""Bytes that are read at once."""

# For the last chunk, nearly all of which may lie behind that.
_ROOM: Final = 1 << 23
# Zeros after a window's bytes, so that a header may be read where only its start was captured.
_PAD: Final = 128

Integers = npt.NDArray[np.int64]
Records = npt.NDArray[Any]


@dataclass(frozen=True)
class Window:
    """A run of bytes of a file.

    Attributes:
        data: the bytes, and 128 zeros after them.
        size: how many bytes there are.
        offset: where in the (decompressed) file they begin.
        last: none follow.
    """

    data: memoryview
    size: int
    offset: int
    last: bool

    def piece(self, start: int, stop: int) -> bytes:
        """Some of the bytes."""
        return bytes(self.data[start:stop])

    def fields(self, kind: np.dtype[Any], at: Integers) -> Records:
        """Records of a structured type of at most 128 bytes, at places in 0..`size`.

        What a record has after the window's end is zero.
        """
        # A plain view at every byte: numpy then copies each record as one piece, which is several
        # times faster than gathering its fields.
        every = np.ndarray(
            (self.size + _PAD - kind.itemsize + 1,),
            dtype=f"V{kind.itemsize}",
            buffer=self.data,
            strides=(1,),
        )
        found: Records = every[at].view(kind)
        return found


class OctetSource:
    """A file's bytes in windows that its reader moves on, and what was wrong with its stream.

    Attributes:
        path: the file.
        damage: how its stream ended, if it ended badly.
        read: decompressed bytes so far.
    """

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            SourceError: it cannot be opened.
        """
        self.path = path
        self.damage: CutError | None = None
        self.read = 0
        # What is not compressed is read to where it is to lie, and not copied there.
        self._plain = path.open("rb", buffering=0) if compression(path) is None else None
        self._chunks = iter(()) if self._plain is not None else chunks(path)

    def window(self, behind: Window | None = None, used: int = 0) -> Window:
        """The bytes after the first `used` ones of the window before, and `WINDOW` more."""
        held = memoryview(b"") if behind is None else behind.data[used : behind.size]
        # Memory that numpy asks for comes in large pages, which are had a good deal sooner.
        data = np.empty(len(held) + WINDOW + _ROOM, np.uint8)
        size, enough = len(held), len(held) + WINDOW
        data[:size] = held
        last = False
        while size < enough and not last:
            if self._plain is not None:
                more = self._plain.readinto(data[size:enough].data)
            else:
                chunk = self._chunk()
                more = len(chunk)
                if size + more + _PAD > data.size:  # what was saved of a damaged stream
                    data = np.append(data, np.empty(more + _PAD, np.uint8))
                data[size : size + more] = np.frombuffer(chunk, np.uint8)
            size += more
            last = not more
        if last and self._plain is not None:
            self._plain.close()
        self.read += size - len(held)
        data[size : size + _PAD] = 0
        return Window(data[: size + _PAD].data, size, self.read - size, last)

    def _chunk(self) -> bytes:
        """More bytes of a compressed file; none at its end."""
        try:
            return next(self._chunks, b"")
        except CutError as error:
            self.damage = error
            return b""

    def unreadable(self, why: str) -> SourceError:
        """The error of a file of which not one record can be read."""
        damage = f" ({self.damage})" if self.damage else ""
        return SourceError(f"{self.path}: {why}{damage}")
