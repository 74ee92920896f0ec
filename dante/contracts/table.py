"""The contract as people read it: Markdown tables for the documentation."""

from dante.contracts.contract import Check, Contract
from dante.contracts.words import rule_text

__all__ = ["contract_table"]


def contract_table(contract: Contract) -> str:
    """The contract's columns and checks, with the reason for each, as two Markdown tables."""
    lines = [
        f"### Columns of `{contract.label}`",
        "",
        "| column | type | required | meaning |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{c.name}` | {_cell(c.physical_type)} | {'yes' if c.required else 'no'} |"
        f" {_cell(c.description)} |"
        for c in contract.columns
    ]
    lines += [
        "",
        f"### Checks of `{contract.label}`",
        "",
        "| check | asks that | judged on | breaks with | reason |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{c.name}` | {_cell(rule_text(c))} | {_judged(c)} | {c.severity} | {_cell(c.reason)} |"
        for c in contract.checks
    ]
    lines += [
        "",
        f"Habits are learned from the {contract.history_days} days before a day; with fewer than"
        f" {contract.least_history_days} days of them, nothing is said about habits.",
    ]
    return "\n".join(lines) + "\n"


def _judged(check: Check) -> str:
    if check.judges_rows:
        return "rows and days" if check.judges_days else "rows"
    return "days"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
