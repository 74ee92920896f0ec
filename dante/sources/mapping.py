"""Mapping files: how the columns of somebody else's table become canonical fields.

A mapping is a TOML file; `docs/formats/tables.md` is its reference. Nothing in it is ignored: a key
that is not understood is an error.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dante.errors import ConfigError
from dante.schema import PACKETS
from dante.sources.times import check_format, check_zone

__all__ = ["FIELDS", "Mapping", "load_mapping", "parse_mapping"]

FIELDS: Final = (*PACKETS, "icmp_type", "icmp_code")
"""What a column may be read as: the canonical columns, and the two an ICMP `dport` is made of."""

_MAX_COMMENT: Final = 16
_KINDS: Final = ("auto", "integer", "text")
_TABLES: Final[dict[str, dict[str, type]]] = {
    "csv": {"separator": str, "header": bool, "columns": list, "comment": str, "quote": str},
    "columns": dict.fromkeys(FIELDS, str),
    "ts": {"format": str, "tz": str},
    "src": {"kind": str},
    "dst": {"kind": str},
    "proto": {"names": dict, "default": object},
    "defaults": {"sensor": str},
}
_TYPE_NAMES: Final = {str: "text", bool: "true or false", list: "a list", dict: "a table"}


@dataclass(frozen=True)
class Mapping:
    """How columns are named and their values are written; the default is the canonical form.

    `columns` are pairs (field, column of the source), empty for canonical names; `names` are the
    columns of a table without a header line; `proto_names` are pairs (name, number).
    """

    columns: tuple[tuple[str, str], ...] = ()
    separator: str | None = None
    header: bool = True
    names: tuple[str, ...] = ()
    comment: str | None = None
    quote: str | None = '"'
    ts_format: str = "auto"
    tz: str | None = None
    src_kind: str = "auto"
    dst_kind: str = "auto"
    proto_names: tuple[tuple[str, int], ...] = ()
    proto_default: str | int | None = None
    sensor: str | None = None


def load_mapping(path: str | Path) -> Mapping:
    """The mapping in a TOML file.

    Raises:
        ConfigError: it cannot be read, is not TOML, or says something that is not understood.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"mapping {path}: cannot be read ({error})") from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, where: str = "mapping") -> Mapping:
    """The mapping in TOML text; `where` names it in errors.

    Raises:
        ConfigError: the text is not TOML, or says something that is not understood.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers and nesting without end
        raise ConfigError(f"{where}: not TOML ({error})") from error
    _check_keys(tables, where)
    table = tables.get("csv", {})
    separator = _one_byte(table.get("separator"), "separator", where)
    quote = _one_byte(table.get("quote", '"') or None, "quote", where)
    if separator is not None and separator == quote:
        raise ConfigError(f"{where}: [csv] separator and quote are the same character")
    comment = table.get("comment") or None
    if comment is not None and not (comment.isascii() and len(comment) <= _MAX_COMMENT):
        raise ConfigError(f"{where}: [csv] comment must be 1 to {_MAX_COMMENT} ASCII characters")
    names = _names(table, where)
    header = bool(table.get("header", not names))
    if header == bool(names):
        raise ConfigError(f"{where}: [csv] needs `columns` when header = false, and only then")
    mapping = Mapping(
        columns=tuple((f, tables["columns"][f]) for f in FIELDS if f in tables.get("columns", {})),
        separator=separator,
        header=header,
        names=names,
        comment=comment,
        quote=quote,
        ts_format=tables.get("ts", {}).get("format", "auto"),
        tz=tables.get("ts", {}).get("tz"),
        src_kind=_kind(tables, "src", where),
        dst_kind=_kind(tables, "dst", where),
        proto_names=_proto_names(tables.get("proto", {}).get("names", {}), where),
        proto_default=_proto_default(tables.get("proto", {}), where),
        sensor=tables.get("defaults", {}).get("sensor"),
    )
    check_format(mapping.ts_format, f"{where}: [ts] format")
    if mapping.tz is not None:
        check_zone(mapping.tz, f"{where}: [ts] tz")
    if "columns" in tables:
        needed = ["ts", "src"] + ([] if mapping.proto_default is not None else ["proto"])
        for field in needed:
            if field not in tables["columns"]:
                raise ConfigError(f"{where}: [columns] does not say which column is {field!r}")
    return mapping


def _check_keys(tables: dict[str, Any], where: str) -> None:
    for name, table in tables.items():
        if name not in _TABLES:
            known = ", ".join(f"[{t}]" for t in _TABLES)
            raise ConfigError(f"{where}: unknown table or key {name!r}; known are {known}")
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {name!r} must be a table, [{name}]")
        for key, value in table.items():
            if key not in _TABLES[name]:
                known = ", ".join(_TABLES[name])
                raise ConfigError(f"{where}: [{name}] has an unknown key {key!r}; known: {known}")
            kind = _TABLES[name][key]
            if not isinstance(value, kind):
                raise ConfigError(f"{where}: [{name}] {key} must be {_TYPE_NAMES[kind]}")


def _one_byte(value: str | None, key: str, where: str) -> str | None:
    if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n"):
        raise ConfigError(f"{where}: [csv] {key} must be one ASCII character")
    return value


def _names(table: dict[str, Any], where: str) -> tuple[str, ...]:
    names = table.get("columns", [])
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{where}: [csv] columns must be a list of names")
    return tuple(names)


def _kind(tables: dict[str, Any], field: str, where: str) -> str:
    kind = str(tables.get(field, {}).get("kind", "auto"))
    if kind not in _KINDS:
        raise ConfigError(f"{where}: [{field}] kind must be one of {', '.join(_KINDS)}")
    return kind


def _is_protocol(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255


def _proto_names(names: dict[str, Any], where: str) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for name, number in names.items():
        if not _is_protocol(number):
            raise ConfigError(f"{where}: [proto] names: {name!r} must be a number in 0..255")
        plain = name.strip().lower()
        if plain.lstrip("+-").isdecimal():
            raise ConfigError(f"{where}: [proto] names: {name!r} is a number and cannot be a name")
        if found.setdefault(plain, int(number)) != number:
            raise ConfigError(f"{where}: [proto] names: {plain!r} stands for two numbers")
    return tuple(sorted(found.items()))


def _proto_default(table: dict[str, Any], where: str) -> str | int | None:
    default: str | int | None = table.get("default")
    if default is not None and not isinstance(default, str) and not _is_protocol(default):
        raise ConfigError(f"{where}: [proto] default must be a name or a number in 0..255")
    return default
