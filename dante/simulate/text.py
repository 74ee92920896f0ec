"""A scenario as the TOML it could have been read from."""

import datetime as dt
from dataclasses import fields
from typing import Any

from dante.simulate.roles import MEANINGS
from dante.simulate.scenario import Background, Group, Scenario

__all__ = ["scenario_toml"]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, dt.date):
        return value.isoformat()
    return f"{value:.12g}"


def _lines(part: Scenario | Background | Group) -> list[str]:
    """What a part says, one knob a line; what it leaves to the defaults of roles is left out."""
    lines = []
    for knob in fields(part):
        value = getattr(part, knob.name)
        if knob.name in ("group", "background") or value is None:
            continue
        if isinstance(part, Group) and knob.name != "role" and value == knob.default:
            continue
        lines.append(f"{knob.name} = {_value(value)}")
    return lines


def scenario_toml(scenario: Scenario) -> str:
    """The scenario as TOML; `Scenario.read` makes the same of it."""
    blocks = ["\n".join(_lines(scenario))]
    blocks.append("\n".join(["[background]", *_lines(scenario.background)]))
    for group in scenario.group:
        blocks.append("\n".join(["[[group]]", f"# {MEANINGS[group.role]}", *_lines(group)]))
    return "\n\n".join(blocks) + "\n"
