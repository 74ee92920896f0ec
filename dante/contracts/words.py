"""Checks in words: what a bound asks for, as people read it in reasons, reports and docs."""

from datetime import UTC, datetime, timedelta

from dante.contracts.contract import Check
from dante.schema import PACKETS, PROTOCOL_NAMES

__all__ = ["number_text", "rule_text", "value_text"]


def rule_text(check: Check) -> str:
    """What a check asks for, in words: `dport is 0 to 65,535`."""
    column = check.column or ""
    low, high = value_text(column, check.minimum), value_text(column, check.maximum)
    match check.kind:
        case "present":
            return f"{column} is never null"
        case "between":
            return f"{column} is {low} to {high}"
        case "length":
            low, high = number_text(check.minimum), number_text(check.maximum)
            return f"{column} has {low} to {high} bytes"
        case "required_for":
            names = [PROTOCOL_NAMES.get(p, f"ip{p}") for p in check.protocols]
            answers = ", but in answers" if check.unless_backscatter else ""
            return f"{column} is never null for {' and '.join(names)}{answers}"
        case "outside_day":
            return f"at most {high} packets outside the day"
        case "packets":
            return f"at least {low} packets"
        case "volume":
            return f"packets within {low} to {high} deviations of the usual"
        case "silent_hours":
            return (
                f"at most {high} hours of silence in which a sensor is awake on"
                f" {1 - check.most_silent:.0%} of days and {check.least_expected} packets are usual"
            )
        case "missing_sensors":
            return f"at most {high} known sensors missing"
        case "ceilings":
            return f"at most {high} sensors at the ceiling of a rate limit"


def value_text(column: str, value: float | None) -> str:
    """A value of a column: times as ISO 8601, numbers as `number_text`."""
    if value is not None and column == "ts":
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(value))
        text = moment.replace(tzinfo=None).isoformat(" ")
        return text.removesuffix(" 00:00:00")
    if value is not None and column in PACKETS:
        return str(value)  # ports and protocols are names: 65535, not 65,535
    return number_text(value)


def number_text(value: float | None) -> str:
    """A count with commas between thousands; no value is `none`."""
    return "none" if value is None else f"{value:,}"
