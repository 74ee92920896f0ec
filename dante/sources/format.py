"""What a format is: how its files look, and what reads them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from dante.sources.batch import Batch
from dante.sources.reading import Reading

__all__ = ["HEAD", "Format", "Head", "Reader"]

HEAD: Final = 1 << 16
"""Bytes at the start of a file by which its format is told."""


@dataclass(frozen=True)
class Head:
    """The start of a file.

    Attributes:
        path: the file.
        data: its first decompressed bytes, at most `HEAD`.
        packed: how it is compressed (`gzip`, …), or None.
        reading: what was asked for.
    """

    path: Path
    data: bytes
    packed: str | None
    reading: Reading

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The first whole lines that are not blank, as text; none if the file is not text.

        At most 100. The last line may be cut only where the head holds no whole one. Lines with
        zero bytes, as a crash leaves them, are left out.
        """
        if b"\0" in self.data.lstrip(b"\xef\xbb\xbf\r\n").partition(b"\n")[0]:
            return ()
        text = self.data.decode("utf-8", errors="replace").lstrip("\ufeff")
        whole = text.rpartition("\n")[0] if len(self.data) >= HEAD else text
        found = [line.rstrip("\r") for line in (whole or text).split("\n")]
        return tuple(line for line in found if line.strip() and "\0" not in line)[:100]


class Reader(Protocol):
    """Reads the packets of one file."""

    def __call__(self, path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
        """Batches of at most `rows_per_batch` rows.

        Raises:
            SourceError: the file cannot be read as this format at all.
        """
        ...


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes:
        name: what `--format` calls it.
        looks: whether the start of a file is surely this format's.
        mark: how it is told, for the error that says what was tried: "begins with PAR1".
        read: reads a file of it.
        settle: makes a reading say what reading the file would otherwise take from beside its
            bytes, such as its date; None where nothing is.
    """

    name: str
    looks: Callable[[Head], bool]
    mark: str
    read: Reader
    settle: Callable[[Path, Reading], Reading] | None = None
