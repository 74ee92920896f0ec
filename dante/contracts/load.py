"""Reading a contract from YAML: every key is known, or it is an error that names it.

The file is an Open Data Contract Standard v3.1 document
(https://bitol-io.github.io/open-data-contract-standard/v3.1.0/), of which a part is understood.
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final, cast

import polars as pl
import yaml

from dante.contracts.contract import Check, Column, Contract, Kind, Severity
from dante.contracts.strict import items, mapping, read_yaml, refuse, text
from dante.errors import ConfigError
from dante.schema import PACKETS

__all__ = ["load_contract"]

_TYPES: Final[dict[str, tuple[str, pl.DataType]]] = {
    "Datetime(us, UTC)": ("timestamp", pl.Datetime("us", "UTC")),
    "String": ("string", pl.String()),
    "UInt8": ("integer", pl.UInt8()),
    "UInt16": ("integer", pl.UInt16()),
    "UInt32": ("integer", pl.UInt32()),
    "UInt64": ("integer", pl.UInt64()),
}
_COLUMN_CHECKS: Final[dict[str, set[str]]] = {
    "between": {"minimum", "maximum"},
    "length": {"minimum", "maximum"},
    "required_for": {"protocols"},
}
_DAY_CHECKS: Final[dict[str, set[str]]] = {
    "outside_day": {"maximum"},
    "packets": {"minimum"},
    "volume": {"minimum", "maximum", "leastSpread"},
    "silent_hours": {"maximum", "leastExpected", "mostSilent"},
    "missing_sensors": {"maximum"},
    "ceilings": {"maximum"},
}
_OPTIONAL: Final[dict[str, set[str]]] = {"required_for": {"unless"}}
# Great Expectations turns bounds into floats: beyond this a bound would not be what was written.
_LARGEST_BOUND: Final = 2**53


def load_contract(path: Path | None = None) -> Contract:
    """Read a contract; without a path, the contract of canonical packets DANTE comes with.

    Raises:
        ConfigError: the file cannot be read, or says something that is not understood.
    """
    try:
        where, source = _own_contract() if path is None else (str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        name = path or "packets.yaml"
        raise ConfigError(f"{name}: the contract cannot be read ({error}).") from error
    try:
        document = read_yaml(source)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{where}: the contract is no valid YAML: {reason}.") from error
    return _contract(document, where)


def _own_contract() -> tuple[str, str]:
    """The contract beside the package in a checkout, or the copy a wheel carries."""
    beside = Path(__file__).resolve().parents[2] / "data_contracts" / "packets.yaml"
    if beside.is_file():
        return "data_contracts/packets.yaml", beside.read_text("utf-8")
    packed = resources.files("dante") / "_contracts" / "packets.yaml"
    return "packets.yaml", packed.read_text("utf-8")


def _contract(document: object, where: str) -> Contract:
    keys = {"apiVersion", "kind", "id", "name", "version", "status", "schema"}
    root = mapping(document, where, keys, {"description", "customProperties"})
    if root["kind"] != "DataContract":
        refuse(where, f"kind is {root['kind']!r}, and must be 'DataContract'")
    if not str(root["apiVersion"]).startswith("v3."):
        refuse(where, f"apiVersion is {root['apiVersion']!r}, and must be v3.x")
    about = root.get("description", {})
    about = mapping(about, f"{where}: description", set(), {"purpose", "usage", "limitations"})
    tables = items(root["schema"], f"{where}: schema")
    if len(tables) != 1:
        refuse(where, f"schema has {len(tables)} tables, and must have one")
    at = f"{where}: schema"
    keys = {"name", "properties"}
    table = mapping(tables[0], at, keys, {"physicalType", "description", "quality"})
    columns: list[Column] = []
    checks: list[Check] = []
    for item in items(table["properties"], f"{at}: properties"):
        column, its_checks = _column(item, f"{at}: properties")
        columns.append(column)
        checks.extend(its_checks)
    for item in items(table.get("quality", []), f"{at}: quality"):
        checks.append(_check(item, f"{at}: quality", _DAY_CHECKS, None, None))
    _agree_with_packets(columns, at)
    names = [check.name for check in checks]
    for name in names:
        if names.count(name) > 1:
            refuse(at, f"the check {name!r} stands twice")
    days = _settings(root.get("customProperties", []), f"{where}: customProperties")
    return Contract(
        name=text(root, "name", where),
        version=text(root, "version", where),
        purpose=text(about, "purpose", where) if "purpose" in about else "",
        columns=tuple(columns),
        checks=tuple(checks),
        history_days=days["historyDays"],
        least_history_days=days["leastHistoryDays"],
    )


def _settings(value: object, where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in items(value, where):
        entry = mapping(item, where, {"property", "value"}, {"description"})
        name = text(entry, "property", where)
        if name not in ("historyDays", "leastHistoryDays"):
            refuse(where, f"unknown property {name!r} (known: historyDays, leastHistoryDays)")
        days = entry["value"]
        if type(days) is not int or not 1 <= days <= 3660:
            refuse(where, f"{name} is {days!r}, and must be 1 to 3660 days")
        found[name] = days
    for name in ("historyDays", "leastHistoryDays"):
        if name not in found:
            refuse(where, f"{name} is missing")
    if found["leastHistoryDays"] > found["historyDays"]:
        refuse(where, "leastHistoryDays is more than historyDays, so no day could be judged")
    return found


def _column(item: object, where: str) -> tuple[Column, list[Check]]:
    keys = {"name", "logicalType", "physicalType", "required", "description"}
    entry = mapping(item, where, keys, {"quality"})
    name = text(entry, "name", where)
    at = f"{where}: {name}"
    physical = text(entry, "physicalType", at)
    if physical not in _TYPES:
        refuse(at, f"unknown physicalType {physical!r} (known: {', '.join(_TYPES)})")
    logical = _TYPES[physical][0]
    if entry["logicalType"] != logical:
        refuse(at, f"logicalType is {entry['logicalType']!r}, and {physical} is {logical!r}")
    required = entry["required"]
    if not isinstance(required, bool):
        refuse(at, f"required is {required!r}, and must be true or false")
    column = Column(name, physical, required, text(entry, "description", at))
    checks: list[Check] = []
    if required:
        checks.append(Check(f"{name}_present", "present", "error", column.description, name, 0, 0))
    for quality in items(entry.get("quality", []), f"{at}: quality"):
        checks.append(_check(quality, f"{at}: quality", _COLUMN_CHECKS, name, logical))
    return column, checks


def _check(
    item: object,
    where: str,
    kinds: Mapping[str, set[str]],
    column: str | None,
    logical: str | None,
) -> Check:
    keys = {"name", "type", "engine", "severity", "implementation", "description"}
    entry = mapping(item, where, keys, set())
    name = text(entry, "name", where)
    at = f"{where}: {name}"
    if not (name.isascii() and name.isidentifier()):
        refuse(at, "a check's name has letters, digits and underscores only")
    for key, only in (("type", "custom"), ("engine", "dante")):
        if entry[key] != only:
            refuse(at, f"{key} is {entry[key]!r}, and must be {only!r}")
    if entry["severity"] not in ("error", "warning"):
        refuse(at, f"severity is {entry['severity']!r}, and must be 'error' or 'warning'")
    if column is not None and entry["severity"] != "error":
        refuse(at, "a check on rows refuses them, so its severity must be 'error'")
    rule = dict(mapping(entry["implementation"], at, {"check"}, None))
    kind = rule.pop("check")
    if not isinstance(kind, str) or kind not in kinds:
        refuse(at, f"unknown check {kind!r} (known here: {', '.join(kinds)})")
    rule = dict(mapping(rule, at, kinds[kind], _OPTIONAL.get(kind, set())))
    if kind == "between" and logical == "string":
        refuse(at, "'between' is not for text; use 'length'")
    if kind == "length" and logical != "string":
        refuse(at, "'length' is for text only; use 'between'")
    bounds = {
        key: _bound(rule[key], f"{at}: {key}", time=logical == "timestamp")
        for key in ("minimum", "maximum", "leastSpread", "leastExpected", "mostSilent")
        if key in rule
    }
    minimum, maximum = bounds.get("minimum"), bounds.get("maximum")
    if minimum is not None and maximum is not None and minimum > maximum:
        refuse(at, "the minimum is above the maximum")
    if min(bounds.get("leastSpread", 1), bounds.get("leastExpected", 1)) <= 0:
        refuse(at, "leastSpread and leastExpected must be above 0")
    if not 0 <= bounds.get("mostSilent", 0) < 1:
        refuse(at, "mostSilent is a share of days, from 0 to below 1")
    protocols = _protocols(rule["protocols"], at) if "protocols" in rule else ()
    if rule.get("unless", "backscatter") != "backscatter":
        refuse(at, f"unless is {rule['unless']!r}, and can only be 'backscatter'")
    return Check(
        name=name,
        kind=cast(Kind, kind),
        severity=cast(Severity, entry["severity"]),
        reason=text(entry, "description", at),
        column=column,
        minimum=minimum,
        maximum=maximum,
        protocols=protocols,
        unless_backscatter="unless" in rule,
        least_spread=float(bounds.get("leastSpread", 0)),
        least_expected=math.ceil(bounds.get("leastExpected", 0)),
        most_silent=float(bounds.get("mostSilent", 0)),
    )


def _bound(value: object, where: str, *, time: bool) -> float:
    if time:
        if not isinstance(value, date):
            refuse(where, f"{value!r} is no day or time; write 2000-01-01")
        if not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(where, f"{value!r} is no number")
    if not math.isfinite(value) or abs(value) > _LARGEST_BOUND:
        refuse(where, f"{value!r} is not within ±2^53")
    return value


def _protocols(value: object, where: str) -> tuple[int, ...]:
    numbers = items(value, f"{where}: protocols")
    for number in numbers:
        if type(number) is not int or not 0 <= number <= 255:
            refuse(where, f"the protocol {number!r} is not a number from 0 to 255")
    if not numbers:
        refuse(where, "protocols is empty")
    return tuple(numbers)


def _agree_with_packets(columns: list[Column], where: str) -> None:
    """The contract is of canonical packets: their columns and types are fixed by the design."""
    found = {column.name: _TYPES[column.physical_type][1] for column in columns}
    for name, dtype in PACKETS.items():
        if name not in found:
            refuse(where, f"the canonical column {name!r} is missing")
        if found[name] != dtype:
            refuse(where, f"{name} is {found[name]}, and canonical packets have {dtype}")
    if [column.name for column in columns] != list(PACKETS):
        refuse(where, f"the columns are not the canonical ones: {', '.join(PACKETS)}")
