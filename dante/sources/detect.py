"""What a file is, told by its bytes and never by its name."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from dante.errors import SourceError
from dante.sources.format import HEAD, Format, Head
from dante.sources.reading import Reading
from dante.sources.streams import compression, first_bytes

__all__ = ["detect"]

_FOREIGN: Final = {
    b"PK\x03\x04": "a zip archive",
    b"\x04\x22\x4d\x18": "compressed with lz4",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


def detect(path: Path, reading: Reading, formats: Iterable[Format]) -> Format:
    """The format of a file: the first whose look it has.

    Raises:
        SourceError: the file is empty or unreadable, or none of the formats.
    """
    packed = compression(path)
    head = Head(path, first_bytes(path, HEAD), packed, reading)
    if not head.data:
        raise SourceError(f"{path}: the file is empty" + (", or damaged" if packed else ""))
    tried = []
    for form in formats:
        if form.looks(head):
            return form
        tried.append(form)
    if head.data.startswith(b"PAR1"):
        raise SourceError(f"{path}: Parquet inside {packed}; decompress it first")
    for magic, what in _FOREIGN.items():
        if head.data.startswith(magic):
            raise SourceError(f"{path}: {what}, which is not read; unpack it first")
    raise SourceError(f"{path}: {_begins(head)}; tried {_tried(tried)}; {_advice(head)}")


def _begins(head: Head) -> str:
    if not head.lines:
        return f"unknown format (it begins with the bytes {head.data[:8].hex(' ')})"
    shown = "".join(c if c.isprintable() else "?" for c in head.lines[0][:60].strip())
    return f"unknown format (it begins with {shown!r})"


def _tried(formats: Sequence[Format]) -> str:
    return ", ".join(f"{form.name} ({form.mark})" for form in formats)


def _advice(head: Head) -> str:
    if head.lines:
        return "say which column is which with --mapping, or what it is with --format"
    return "say what it is with --format"
