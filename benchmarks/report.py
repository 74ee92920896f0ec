"""The table of all systems and measures, for the terminal and as a page."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

from benchmarks.systems import OURS, SYSTEMS, describe
from dante import __version__
from dante.evaluate import MEANINGS, Interval, bootstrap

__all__ = ["Report", "as_markdown", "as_text"]

_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Whose is whose": ("idf1", "hota", "ari", "coverage", "noise_rejected"),
    "What is new, and what is back": (
        "birth_recall", "birth_precision", "return_recall", "return_recall_same",
        "return_recall_new", "return_precision",
    ),
    "What is told besides": ("edge_f1", "threats_a_day", "threat_precision", "threat_recall",
                             "tracks", "seconds"),
}  # fmt: skip
_JUDGED: Final = (*_GROUPS["Whose is whose"], *_GROUPS["What is new, and what is back"], "edge_f1")
"""What ours is held against the best rival in; more is better in all of them."""
_COUNTS: Final = frozenset(
    {"tracks", "seconds", "threats_most", "true_births", "track_births", "true_returns",
     "true_edges", "track_edges", "days", "sender_days", "campaigns", "campaigns_followed"}
)  # fmt: skip
_LIBRARIES: Final = ("polars", "numpy", "scipy", "scikit-learn", "hdbscan", "gensim", "duckdb")


@dataclass(frozen=True)
class Report:
    """Results of some systems on some telescopes.

    Attributes:
        values: of each preset, system and measure the values, one a seed (NaN: not measured);
            what is missing was measured nowhere.
        systems, presets, seeds: what was run, in order.
        days, senders: of each telescope.
    """

    values: Mapping[tuple[str, str, str], Sequence[float]]
    systems: Sequence[str]
    presets: Sequence[str]
    seeds: Sequence[int]
    days: int
    senders: int

    @classmethod
    def of(cls, results: Sequence[Mapping[str, Any]], **about: Any) -> "Report":
        """From `benchmarks.quality.result`s; `about` as the attributes."""
        values: dict[tuple[str, str, str], list[float]] = {}
        for one in sorted(results, key=lambda one: one["seed"]):
            measured = {**one["measures"], "seconds": one["seconds"]}
            for measure, value in measured.items():
                key = (one["preset"], one["system"], measure)
                values.setdefault(key, []).append(math.nan if value is None else value)
        systems = [name for name in SYSTEMS if any(name == key[1] for key in values)]
        presets = list(dict.fromkeys(one["preset"] for one in results))
        return cls(values, systems, presets, **about)

    def interval(self, preset: str, system: str, measure: str) -> Interval:
        """The mean over seeds and its interval, cut to what the measure can be."""
        return bootstrap(self._known(preset, system, measure), bounds=_bounds(measure))

    def difference(self, preset: str, ours: str, theirs: str, measure: str) -> Interval:
        """Ours less theirs on the same telescopes: pairs say more than two intervals do."""
        pairs = zip(
            self._known(preset, ours, measure), self._known(preset, theirs, measure), strict=True
        )
        return bootstrap([a - b for a, b in pairs])

    def _known(self, preset: str, system: str, measure: str) -> Sequence[float]:
        return self.values.get((preset, system, measure), [math.nan] * len(self.seeds))


def _bounds(measure: str) -> tuple[float, float]:
    if measure == "ari":
        return (-1, 1)
    if measure in _COUNTS or measure.endswith(("_late", "_a_day")):
        return (0, math.inf)
    return (0, 1)


def _number(value: float, measure: str) -> str:
    """`.94`, `1.0`, `-.03`, `12`: as short as it can be read."""
    if math.isnan(value):
        return "–"
    if measure in _COUNTS:
        return f"{value:,.0f}"
    if measure.endswith(("_late", "_a_day")):
        return f"{value:.1f}"
    text = f"{value:.2f}".replace("-0.00", "0.00")
    return "1.0" if text == "1.00" else text.replace("0.", ".", 1) if "0." in text else text


def _cell(interval: Interval, measure: str) -> str:
    """`.94 (.91–.96)`."""
    mean = _number(interval.mean, measure)
    if interval.runs < 2:
        return mean
    return f"{mean} ({_number(interval.low, measure)}–{_number(interval.high, measure)})"


def as_text(report: Report) -> str:
    """The main measures of every preset, for the terminal."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table

    out = StringIO()
    console = Console(file=out, width=170)
    for preset in report.presets:
        for title, measures in _GROUPS.items():
            table = Table(title=f"{preset}: {title.lower()}", title_justify="left")
            table.add_column("system")
            for measure in measures:
                table.add_column(measure, justify="right")
            for system in report.systems:
                cells = [_cell(report.interval(preset, system, m), m) for m in measures]
                table.add_row(system, *cells)
            console.print(table)
    return out.getvalue()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _presets(report: Report, preset: str) -> str:
    parts = [f"## `{preset}`\n"]
    for title, measures in _GROUPS.items():
        rows = []
        for system in report.systems:
            cells = [_cell(report.interval(preset, system, m), m) for m in measures]
            rows.append([f"`{system}`", *cells])
        parts.append(f"**{title}**\n\n{_table(['system', *(f'`{m}`' for m in measures)], rows)}")
    return "\n".join(parts)


def _best_rival(report: Report, preset: str, measure: str) -> str | None:
    """The rival with the best mean of a measure; none where no rival has it."""
    means = {
        system: report.interval(preset, system, measure).mean
        for system in report.systems
        if system not in OURS
    }
    known = {system: mean for system, mean in means.items() if not math.isnan(mean)}
    return max(known, key=lambda system: known[system]) if known else None


def _against_the_best(report: Report, ours: str) -> str:
    """Ours and the best rival of each measure, with the difference paired by seed."""
    rows = []
    for preset in report.presets:
        for measure in _JUDGED:
            rival = _best_rival(report, preset, measure)
            mine = report.interval(preset, ours, measure)
            if rival is None or math.isnan(mine.mean):
                continue
            less = report.difference(preset, ours, rival, measure)
            verdict = "ours" if less.low > 0 else "**theirs**" if less.high < 0 else "open"
            rows.append(
                [
                    f"`{preset}`", f"`{measure}`", _number(mine.mean, measure),
                    f"{_number(report.interval(preset, rival, measure).mean, measure)} `{rival}`",
                    _cell(less, measure), verdict,
                ]
            )  # fmt: skip
    head = ["preset", "measure", "ours", "best rival", "ours less theirs", "better"]
    return _table(head, rows)


def _everything(report: Report, preset: str) -> str:
    rows = []
    for measure in (*MEANINGS, "seconds"):
        cells = [
            _number(report.interval(preset, system, measure).mean, measure)
            for system in report.systems
        ]
        if any(cell != "–" for cell in cells):
            rows.append([f"`{measure}`", *cells])
    head = [f"`{preset}`", *(f"`{system}`" for system in report.systems)]
    return _table(head, rows)


_HEAD: Final = """\
# How good is it: the table
Written by `{command}`; do not edit. [What is measured](evaluate.md),
[what is simulated](simulator.md), [who the rivals are](rivals.md).

{telescopes} telescopes: presets {presets}, seeds {seeds}, {days} days with about {senders:,}
senders a day. A cell is the mean over seeds with its 95 % interval (Student's t below ten seeds,
`dante.evaluate.bootstrap`). Every system sees the same packets, a day at a time, and none sees the
truth; settings that a paper leaves open were chosen on other seeds than these, thresholds of ours
also by looking at larger telescopes of `hard` with the seeds 1, 2 and 3
([method](method.md#measured)). `seconds` are of one core, for all days. `–`: not told by that
system, or nothing to measure.

{machine}

{systems}
"""


def as_markdown(report: Report) -> str:
    """The whole page."""
    parts = [
        _HEAD.format(
            command=_command(report),
            telescopes=len(report.presets) * len(report.seeds),
            presets=", ".join(f"`{preset}`" for preset in report.presets),
            seeds=", ".join(map(str, report.seeds)),
            days=report.days,
            senders=report.senders,
            machine=_machine(report),
            systems=_table(
                ["system", "what it is"],
                [[f"`{system}`", describe(system)] for system in report.systems],
            ),
        )
    ]
    for ours in (system for system in report.systems if system in OURS):
        parts.append(
            f"## `{ours}` against the best rival\nOf each measure the rival whose mean is best, so "
            "that ours is held against a different one in each line. The difference is paired by "
            "seed; `open`: its interval holds 0.\n\n" + _against_the_best(report, ours)
        )
    parts += [_presets(report, preset) for preset in report.presets]
    parts.append("## Every measure\nMeans over seeds.\n")
    parts += [_everything(report, preset) for preset in report.presets]
    return "\n".join(parts)


def _command(report: Report) -> str:
    systems = (
        "" if len(report.systems) == len(SYSTEMS) else f"--systems {','.join(report.systems)} "
    )
    return (
        f"python -m benchmarks.quality {systems}--presets {','.join(report.presets)} "
        f"--seeds {','.join(map(str, report.seeds))} --days {report.days} "
        f"--senders {report.senders} --write docs/benchmarks.md"
    )


def _machine(report: Report) -> str:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    minutes = sum(sum(v) for (_, _, name), v in report.values.items() if name == "seconds") / 60
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"DANTE {__version__}, Python {platform.python_version()}, {libraries}; "
        f"{os.cpu_count()} cores, {memory:.0f} GB of memory. Everything here took "
        f"{minutes:.0f} minutes of one core."
    )
