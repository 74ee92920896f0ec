"""What a file is, told by its bytes and never by its name."""

from pathlib import Path
from typing import Final

from dante.errors import SourceError
from dante.sources.csv import guess_separator
from dante.sources.mapping import FIELDS
from dante.sources.reading import Reading
from dante.sources.streams import compression, first_bytes

__all__ = ["detect"]

_HEAD: Final = 1 << 16
_PARQUET: Final = b"PAR1"
_FOREIGN: Final = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"\x04\x22\x4d\x18": "compressed with lz4",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


def detect(path: Path, reading: Reading) -> str:
    """The name of a file's format: `csv` or `parquet`.

    Text is `csv` if a mapping is given, or if its first line names a canonical column.

    Raises:
        SourceError: the file is empty or unreadable, or none of the formats.
    """
    packed = compression(path)
    head = first_bytes(path, _HEAD)
    if not head:
        raise SourceError(f"{path}: the file is empty" + (", or damaged" if packed else ""))
    if head.startswith(_PARQUET):
        if packed:
            raise SourceError(f"{path}: Parquet inside {packed}; decompress it first")
        return "parquet"
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise SourceError(f"{path}: {what}, which is not read; give plain, gzip or zstd files")
    tried = "not Parquet (it does not begin with PAR1)"
    if b"\0" in head[:4096]:
        raise SourceError(f"{path}: unknown format: {tried}, not CSV (it is not text)")
    if reading.mapping is not None:
        return "csv"
    first = head.decode("utf-8", errors="replace").lstrip("\ufeff\r\n").partition("\n")[0]
    names = {n.strip().strip('"').strip() for n in first.split(guess_separator(first))}
    if names & set(FIELDS):
        return "csv"
    shown = "".join(c if c.isprintable() else "?" for c in first[:60].strip())
    raise SourceError(
        f"{path}: unknown format: {tried}, not CSV with canonical column names (its first line "
        f"is {shown!r}); say which column is which with --mapping"
    )
