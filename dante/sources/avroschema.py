"""Avro schemas (1.11), and records by them, one value at a time.

This reads anything a schema may say and finds the exact place where data stops being what the
schema says. `avrocolumns` reads runs of good records far faster.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Field", "Kind", "NotThereError", "natural", "parse_schema", "read_record", "varint"]

_PRIMITIVES: Final = frozenset(
    ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
)
_MAX_DEPTH: Final = 16
_MAX_FIELDS: Final = 1024
_MAX_ITEMS: Final = 1 << 16


class NotThereError(Exception):
    """The data is not what the schema says; the argument is what was expected."""


@dataclass(frozen=True)
class Kind:
    """A type of a schema.

    Attributes:
        name: a primitive's name, or enum, fixed, array, map, union or record.
        parts: the items of an array, the values of a map, or the branches of a union.
        fields: those of a record.
        size: bytes of a fixed, or symbols of an enum.
    """

    name: str
    parts: tuple["Kind", ...] = ()
    fields: tuple["Field", ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Field:
    """A field of a record."""

    name: str
    kind: Kind


def parse_schema(text: str) -> tuple[str, Kind]:
    """The full name of a schema's record, and the record.

    Raises:
        ValueError: it is no schema of a record, or nested or large beyond reason.
    """
    try:
        told = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    names: dict[str, Kind] = {}
    kind = _kind(told, names, "", 0, [0])
    if kind.name != "record":
        raise ValueError(f"a file of {kind.name} values, not of records")
    return _full_name(told, ""), kind


def _full_name(told: dict[str, Any], space: str) -> str:
    name = told.get("name")
    if not isinstance(name, str):
        raise ValueError("a type without a name")
    space = str(told.get("namespace", space) or "")
    return name if "." in name or not space else f"{space}.{name}"


def _kind(told: Any, names: dict[str, Kind], space: str, depth: int, fields: list[int]) -> Kind:
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} deep")
    if isinstance(told, str):
        if told in _PRIMITIVES:
            return Kind(told)
        # A type stands here only once it is whole: records within themselves are not read.
        for name in (told, f"{space}.{told}"):
            if name in names:
                return names[name]
        raise ValueError(f"an unknown type {told[:60]!r}")

    def inner(part: Any, where: str = space) -> Kind:
        return _kind(part, names, where, depth + 1, fields)

    if isinstance(told, list):
        _more(fields, len(told))
        if not told:
            raise ValueError("a union of nothing")
        return Kind("union", tuple(inner(part) for part in told))
    if not isinstance(told, dict) or "type" not in told:
        raise ValueError("a type that is neither a name nor a description")
    name = told["type"]
    if name == "array":
        return Kind("array", (inner(told.get("items")),))
    if name == "map":
        return Kind("map", (inner(told.get("values")),))
    if name not in ("record", "enum", "fixed"):
        return inner(name)
    full = _full_name(told, space)
    if name == "record":
        listed = told.get("fields")
        if not isinstance(listed, list) or not all(
            isinstance(f, dict) and isinstance(f.get("name"), str) and "type" in f for f in listed
        ):
            raise ValueError("a record whose fields have no name or no type")
        _more(fields, len(listed))
        inside = full.rpartition(".")[0]
        made = tuple(Field(f["name"], inner(f["type"], inside)) for f in listed)
        if len({f.name for f in made}) < len(made):
            raise ValueError("a record with two fields of one name")
        kind = Kind("record", fields=made)
    else:
        size = len(told.get("symbols") or ()) if name == "enum" else told.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 20:
            raise ValueError(f"a type of size {str(size)[:40]}")
        kind = Kind(name, size=size)
    names[full] = kind
    return kind


def _more(fields: list[int], count: int) -> None:
    fields[0] += count
    if fields[0] > _MAX_FIELDS:
        raise ValueError(f"more than {_MAX_FIELDS:,} fields")


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag number at a place, and the place after it.

    Raises:
        NotThereError: the data ends within it, or it has more than 64 bits.
    """
    value, at = natural(data, at)
    return (value >> 1) ^ -(value & 1), at


def natural(data: bytes, at: int) -> tuple[int, int]:
    """The number of seven bits a byte at a place, and the place after it.

    Raises:
        NotThereError: the data ends within it, or it has more than 64 bits.
    """
    value = shift = 0
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, position + 1
        shift += 7
    raise NotThereError("a number")


def read_record(kind: Kind, data: bytes, at: int) -> tuple[dict[str, Any], int]:
    """The record at a place in the data, and the place after it.

    Raises:
        NotThereError: it is not there, or not whole.
    """
    record = {}
    for field in kind.fields:
        try:
            record[field.name], at = _READ[field.kind.name](field.kind, data, at)
        except NotThereError as error:
            raise NotThereError(f"{field.name[:60]}: {error}") from error
    return record, at


def _taken(data: bytes, at: int, size: int, what: str) -> tuple[bytes, int]:
    if size < 0 or size > len(data) - at:
        raise NotThereError(what)
    return data[at : at + size], at + size


def _null(_kind: Kind, _data: bytes, at: int) -> tuple[None, int]:
    return None, at


def _boolean(_kind: Kind, data: bytes, at: int) -> tuple[bool, int]:
    byte, at = _taken(data, at, 1, "true or false")
    if byte > b"\x01":
        raise NotThereError("true or false")
    return byte == b"\x01", at


def _number(_kind: Kind, data: bytes, at: int) -> tuple[int, int]:
    return varint(data, at)


def _float(kind: Kind, data: bytes, at: int) -> tuple[float, int]:
    code, size = ("<f", 4) if kind.name == "float" else ("<d", 8)
    raw, at = _taken(data, at, size, f"a {kind.name}")
    return struct.unpack(code, raw)[0], at


def _bytes(_kind: Kind, data: bytes, at: int) -> tuple[str, int]:
    size, at = varint(data, at)
    raw, at = _taken(data, at, size, f"{size:,} bytes")
    return raw.decode("utf-8", errors="replace"), at


def _fixed(kind: Kind, data: bytes, at: int) -> tuple[str, int]:
    raw, at = _taken(data, at, kind.size, f"{kind.size:,} bytes")
    return raw.hex(), at


def _enum(kind: Kind, data: bytes, at: int) -> tuple[int, int]:
    value, at = varint(data, at)
    if not 0 <= value < kind.size:
        raise NotThereError(f"one of {kind.size:,} symbols")
    return value, at


def _union(kind: Kind, data: bytes, at: int) -> tuple[Any, int]:
    branch, at = varint(data, at)
    if not 0 <= branch < len(kind.parts):
        raise NotThereError(f"one of {len(kind.parts)} branches")
    part = kind.parts[branch]
    return _READ[part.name](part, data, at)


def _blocks(data: bytes, at: int, each: Callable[[int], int]) -> int:
    items = 0
    while True:
        count, at = varint(data, at)
        if count == 0:
            return at
        if count < 0:
            count = -count
            _, at = varint(data, at)
        items += count
        # Even items of no bytes are not believed to be more than there are bytes.
        if count > len(data) - at or items > _MAX_ITEMS:
            raise NotThereError(f"{items:,} items")
        for _ in range(count):
            at = each(at)


def _array(kind: Kind, data: bytes, at: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    part = kind.parts[0]

    def each(at: int) -> int:
        value, at = _READ[part.name](part, data, at)
        items.append(value)
        return at

    return items, _blocks(data, at, each)


def _map(kind: Kind, data: bytes, at: int) -> tuple[dict[str, Any], int]:
    items: dict[str, Any] = {}
    part = kind.parts[0]

    def each(at: int) -> int:
        key, at = _bytes(kind, data, at)
        items[key], at = _READ[part.name](part, data, at)
        return at

    return items, _blocks(data, at, each)


_READ: Final[dict[str, Callable[[Kind, bytes, int], tuple[Any, int]]]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _number,
    "long": _number,
    "float": _float,
    "double": _float,
    "bytes": _bytes,
    "string": _bytes,
    "fixed": _fixed,
    "enum": _enum,
    "union": _union,
    "array": _array,
    "map": _map,
    "record": read_record,
}
