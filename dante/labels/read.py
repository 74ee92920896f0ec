"""Files of labels: scanner lists, CSVs of networks and owners, IANA's ports, MaxMind databases.

A line that cannot be used is named by file and line number and left out.
"""

import csv
import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import SourceError
from dante.labels.mmdb import read_mmdb
from dante.labels.networks import NETWORKS, network_range
from dante.schema import PROTOCOL_NAMES

__all__ = ["PORTS", "Content", "Refused", "label_files", "read_labels"]

PORTS: Final[dict[str, pl.DataType]] = {"word": pl.UInt32(), "name": pl.String()}

_SUFFIXES: Final = frozenset(
    {"", ".cidr", ".csv", ".ipset", ".list", ".lst", ".mmdb", ".netset", ".txt"}
)
_NAMELESS: Final = frozenset({"license", "licence", "readme", "copying", "notice", "source"})
_LONGEST: Final = 80
_OWNER_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "address": (
        "address", "ip", "ip_address", "network", "cidr", "prefix", "range", "subnet", "src",
    ),
    "name": (
        "organisation", "organization", "org", "name", "owner", "label", "company", "source",
        "description", "as_organization", "autonomous_system_organization",
    ),
}  # fmt: skip
_PORT_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("service", "service_name"),
    "port": ("port", "port_number"),
    "protocol": ("proto", "transport_protocol"),
}
# Second-level labels under which countries register names, as in example.ac.uk.
_SECOND: Final = ("ac", "co", "com", "edu", "gob", "gov", "mil", "ne", "net", "or", "org")
_HOST: Final = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z]{2,24}")
_PROTOCOLS: Final = {name: number for number, name in PROTOCOL_NAMES.items()}


@dataclass(frozen=True)
class Refused:
    """A line that could not be used."""

    file: str
    line: int
    text: str


@dataclass
class Content:
    """What files of one kind hold.

    Attributes:
        kind: `scanners`, `asn`, `country` or `ports`.
        frames: frames of `NETWORKS`, or of `PORTS`.
        files: name and SHA-256 of each file.
        refused: lines that could not be used.
    """

    kind: str
    frames: list[pl.DataFrame] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def frame(self) -> pl.DataFrame:
        """All rows, each once, in a fixed order."""
        rows = pl.concat(self.frames)
        return rows.unique(maintain_order=True).sort(rows.columns[:-1], maintain_order=True)


def label_files(paths: Sequence[Path]) -> list[Path]:
    """The files that paths name: themselves, and the lists in folders, licences left out.

    Raises:
        SourceError: a path does not exist, or no folder holds a list.
    """
    found = []
    for path in paths:
        if path.is_dir():
            found += [
                each
                for each in sorted(path.rglob("*"))
                if each.is_file()
                and not each.name.startswith(".")
                and each.suffix.lower() in _SUFFIXES
                and each.stem.lower() not in _NAMELESS
            ]
        elif path.is_file():
            found.append(path)
        else:
            raise SourceError(f"{path} does not exist; name a file or folder of labels")
    if not found:
        raise SourceError(f"{paths[0]} holds no lists (.txt, .csv, .netset, .ipset, .mmdb)")
    return found


def read_labels(files: Iterable[Path]) -> list[Content]:
    """Read files of labels, those of a kind together.

    Raises:
        SourceError: a file cannot be read at all, or no line of any could be used.
    """
    found: dict[str, Content] = {}
    for path in files:
        body = path.read_bytes()
        refused: list[Refused] = []
        if path.suffix.lower() == ".mmdb" or b"\xab\xcd\xefMaxMind.com" in body[-131_072:]:
            kind, frame = read_mmdb(path)
        else:
            lines = body.decode("utf-8-sig", errors="replace").splitlines()
            kind, frame = _text(path, lines, refused)
        content = found.setdefault(kind, Content(kind))
        content.files.append((path.name, hashlib.sha256(body).hexdigest()))
        content.frames.append(frame)
        content.refused += refused
    if not any(frame.height for content in found.values() for frame in content.frames):
        first = next((r for content in found.values() for r in content.refused), None)
        where = "" if first is None else f" ({first.file} line {first.line}: {first.text!r})"
        raise SourceError(
            "no line could be read as an address or network"
            + where
            + "; a list has one a line, a CSV a column `network` or `address`"
        )
    return list(found.values())


def _text(path: Path, lines: list[str], refused: list[Refused]) -> tuple[str, pl.DataFrame]:
    start, head = next(
        (
            (number, line)
            for number, line in enumerate(lines)
            if line.strip() and not line.lstrip().startswith(("#", ";", "//"))
        ),
        (0, ""),
    )
    columns = _columns(head)
    if {"port", "protocol"} <= columns.keys() and "name" in columns:
        return "ports", _ports(path, lines, start, columns, refused)
    if "address" in columns or ("," in head.split("#")[0] and path.suffix.lower() == ".csv"):
        return "scanners", _table(path, lines, start, columns, refused)
    return "scanners", _list(path, lines, refused)


def _columns(head: str) -> dict[str, int]:
    """The places of the columns that a heading names."""
    names = [name.strip().lower().replace(" ", "_") for name in next(csv.reader([head]), [])]
    if len(names) < 2:
        return {}
    ports = {"port", "port_number"} & set(names) and {"proto", "transport_protocol"} & set(names)
    found = {}
    for what, known in (_PORT_COLUMNS if ports else _OWNER_COLUMNS).items():
        place = next((names.index(name) for name in known if name in names), None)
        if place is not None:
            found[what] = place
    return found


def _list(path: Path, lines: list[str], refused: list[Refused]) -> pl.DataFrame:
    """One address or network a line; a comment after it says whose it is, else the file's name."""
    whose = _file_organisation(path)
    rows: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines, 1):
        data, mark, comment = _uncommented(line)
        if not data:
            continue
        name = (_organisation(comment) if mark else None) or whose
        _add(rows, refused, path, number, data, name)
    return pl.DataFrame(rows, schema=NETWORKS, orient="row")


def _uncommented(line: str) -> tuple[str, str, str]:
    data, mark, comment = line.partition("#")
    if not mark:
        data, mark, comment = line.partition(";")
    return data.strip(), mark, comment


def _table(
    path: Path, lines: list[str], start: int, columns: dict[str, int], refused: list[Refused]
) -> pl.DataFrame:
    """A CSV of networks and owners; without a heading they are its first two columns."""
    whose = _file_organisation(path)
    address, owner = columns.get("address", 0), columns.get("name")
    if "address" not in columns:
        owner = 1
    rows: list[tuple[int, int, str]] = []
    for number, fields in _records(path, lines, start, bool(columns), refused):
        if len(fields) <= address:
            refused.append(Refused(path.name, number, _shown(",".join(fields))))
            continue
        said = fields[owner] if owner is not None and owner < len(fields) else ""
        _add(rows, refused, path, number, fields[address].strip(), _clean(said) or whose)
    return pl.DataFrame(rows, schema=NETWORKS, orient="row")


def _records(
    path: Path, lines: list[str], start: int, headed: bool, refused: list[Refused]
) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV after its heading, each with the number of its last line."""
    reader = csv.reader(f"{line}\n" for line in lines[start:])
    first = True
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            refused.append(Refused(path.name, start + reader.line_num, "no CSV"))
            continue
        if first and headed:
            first = False
            continue
        first = False
        if any(value.strip() for value in fields) and not fields[0].lstrip().startswith("#"):
            yield start + reader.line_num, fields


def _ports(
    path: Path, lines: list[str], start: int, columns: dict[str, int], refused: list[Refused]
) -> pl.DataFrame:
    """IANA's registry: service name, port or range of ports, protocol; no name is no row."""
    rows: list[tuple[int, str]] = []
    widest = max(columns.values())
    for number, fields in _records(path, lines, start, True, refused):
        if len(fields) <= widest:
            refused.append(Refused(path.name, number, _shown(",".join(fields))))
            continue
        name, port, protocol = (fields[columns[what]].strip() for what in _PORT_COLUMNS)
        if not name or not port or not protocol:
            continue
        first, _, last = port.partition("-")
        service = re.sub(r"[^a-z0-9+_.-]", "", name.lower())[:_LONGEST]
        proto = _PROTOCOLS.get(protocol.lower())
        try:
            begin, end = int(first), int(last or first)
        except ValueError:
            begin, end = 1, 0
        if not 0 <= begin <= end <= 65535 or not service:
            refused.append(Refused(path.name, number, _shown(",".join(fields))))
        elif proto is not None:  # a protocol no packet of ours has a name for is no fault
            rows += [(proto * 65536 + each, service) for each in range(begin, end + 1)]
    found = pl.DataFrame(rows, schema=PORTS, orient="row")
    return found.unique("word", keep="first", maintain_order=True)


def _add(
    rows: list[tuple[int, int, str]],
    refused: list[Refused],
    path: Path,
    number: int,
    text: str,
    name: str,
) -> None:
    try:
        if "-" in text and "/" not in text:
            begin, end = (ipaddress.ip_address(part.strip()) for part in text.split("-", 1))
            # Only ranges that begin and end together make one; what ends before it begins raises.
            for each in ipaddress.summarize_address_range(begin, end):
                rows.append((*network_range(str(each)), name))
        else:
            rows.append((*network_range(text), name))
    except (ValueError, TypeError):
        refused.append(Refused(path.name, number, _shown(text)))


def _file_organisation(path: Path) -> str:
    """The organisation a file is named after: `shodan_v4.txt` is of shodan."""
    stem = path.name.split(".")[0].lower()
    return _clean(re.sub(r"[_-](?:ip)?v?[46]$", "", stem)) or "unknown"


def _organisation(comment: str) -> str | None:
    """Who a comment names: of a host's name its domain without the suffix, else the words."""
    words = _clean(comment).lower()
    try:
        ipaddress.ip_network(words, strict=False)
    except ValueError:
        pass
    else:
        return None
    if not _HOST.fullmatch(words):
        return words or None
    parts = words.split(".")
    country = len(parts) > 2 and len(parts[-1]) == 2 and parts[-2] in _SECOND
    return parts[-3] if country else parts[-2]


def _clean(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST].strip()


def _shown(text: str) -> str:
    return _clean(text)[:_LONGEST]
