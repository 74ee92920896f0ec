"""YAML in which nothing is passed over: known keys only, each once, with the type it must have.

Each function takes `where`, the place in the file as people find it, and raises ConfigError.
"""

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

import yaml

from dante.errors import ConfigError

__all__ = ["items", "mapping", "read_yaml", "refuse", "text"]


class _StrictLoader(yaml.CSafeLoader):
    """YAML as `yaml.safe_load` reads it, except that a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for i, key in enumerate(keys):
            if key in keys[:i]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(document: str) -> Any:
    """Read YAML of plain values only; raises `yaml.YAMLError` where it is malformed."""
    return yaml.load(document, Loader=_StrictLoader)


def mapping(
    value: object, where: str, required: Collection[str], optional: Collection[str] | None
) -> Mapping[str, Any]:
    """The value as a mapping with all required keys and no unknown one (`optional=None`: any)."""
    if not isinstance(value, dict):
        refuse(where, f"{_short(value)} is no mapping of names to values")
    if optional is not None:
        known = {*required, *optional}
        for key in value:
            if key not in known:
                refuse(where, f"unknown key {key!r} (known: {', '.join(sorted(known))})")
    for key in sorted(required):
        if key not in value:
            refuse(where, f"{key} is missing")
    return value


def items(value: object, where: str) -> list[Any]:
    """The value as a list."""
    if not isinstance(value, list):
        refuse(where, f"{_short(value)} is no list")
    return value


def text(entry: Mapping[str, Any], key: str, where: str) -> str:
    """The text under a key, its white space made single spaces."""
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        refuse(where, f"{key} is {value!r}, and must be text")
    return " ".join(value.split())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def refuse(where: str, what: str) -> NoReturn:
    """Raise the one error of this room: where in which file, and what is wrong."""
    raise ConfigError(f"{where}: {what}.")
