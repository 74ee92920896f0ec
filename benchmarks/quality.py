"""The whole table: systems × measures, on three presets × five seeds, with intervals.

    python -m benchmarks.quality [--systems dante,trivial] [--presets hard] [--seeds 1,2]
        [--days 30] [--senders 1000] [--jobs 2] [--write docs/benchmarks.md]

Simulates telescopes, has each system say what it sees (ours by ingest, backfill and the published
views, rivals through `benchmarks.rivals`), scores all by `dante.evaluate`, and prints means over
seeds with 95 % intervals. Each result is kept in the work folder with a digest of the code it came
from: a second run does again only what a change touched.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.closure import ROOT, code_digest
from benchmarks.report import Report, as_markdown, as_text
from benchmarks.systems import SYSTEMS, ask, system_digest
from benchmarks.told import Told

__all__ = ["Telescope", "main"]

PRESETS: Final = ("easy", "hard", "worm")
SEEDS: Final = (1, 2, 3, 4, 5)
DAYS: Final = 30
SENDERS: Final = 1000
_ROUNDS: Final = 4
"""A process that is killed, for want of memory say, takes its pool with it; how often to go on."""
WORK: Final = ROOT / "build" / "quality"


@dataclass(frozen=True)
class Telescope:
    """One simulation that all systems look at."""

    preset: str
    seed: int
    days: int
    senders: int

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.preset}-seed{self.seed}-{self.days}d-{self.senders}s"


def telescope_digest(telescope: Telescope) -> str:
    """Digest of what decides a telescope's packets and truth: its scenario and the simulator."""
    from dante.simulate import Scenario, scenario_toml

    scenario = Scenario.preset(
        telescope.preset, days=telescope.days, senders=telescope.senders, seed=telescope.seed
    )
    text = scenario_toml(scenario) + code_digest("dante.simulate")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def simulated(telescope: Telescope, work: Path) -> Path:
    """The folder of a telescope, simulated anew where it is not what it would be now."""
    from dante.simulate import Scenario, simulate

    folder = work / telescope.name
    key = telescope_digest(telescope)
    mark = folder / "telescope.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8") == key:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    scenario = Scenario.preset(
        telescope.preset, days=telescope.days, senders=telescope.senders, seed=telescope.seed
    )
    simulate(scenario, folder)
    mark.write_text(key, encoding="utf-8")
    return folder


def result(system: str, telescope: Telescope, work: Path) -> dict[str, Any]:
    """One system's scores on one telescope, from the work folder where they still hold.

    `measures` (null: nothing to measure), `seconds` (of processor time the answer took), `answer`
    and `score` (digests of what they depend on).
    """
    folder = simulated(telescope, work)
    answer_key = f"{telescope_digest(telescope)}-{system_digest(system)}"
    score_key = f"{answer_key}-{code_digest('dante.evaluate')}"
    path = folder / f"{system}.json"
    kept: dict[str, Any] = {}
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
    if kept.get("score") == score_key:
        return kept
    answers = folder / system
    if kept.get("answer") == answer_key:
        told = _read(answers)
        seconds = kept["seconds"]
    else:
        path.unlink(missing_ok=True)
        before = _cpu()
        with tempfile.TemporaryDirectory(prefix="quality-") as scratch:
            told = ask(system, folder / "packets", Path(scratch))
        seconds = round(_cpu() - before, 2)
        _write(told, answers)
    found = {
        "system": system,
        "preset": telescope.preset,
        "seed": telescope.seed,
        "seconds": seconds,
        "measures": _scores(told, folder / "truth"),
        "answer": answer_key,
        "score": score_key,
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _scores(told: Told, truth: Path) -> dict[str, float | None]:
    from dante.evaluate import score

    members = pl.read_parquet(truth / "members.parquet")
    first, last = members["day"].min(), members["day"].max()
    said = told.memberships
    if said.is_empty():  # it calls everybody noise, which is an answer
        said = members.select("day", "src", track=pl.lit(None, dtype=said.schema["track"]))
    table = score(
        members,
        pl.read_parquet(truth / "events.parquet"),
        said,
        told.lineage,
        told.threats,
        first=first,  # type: ignore[arg-type]
        last=last,  # type: ignore[arg-type]
    )
    return dict(table.with_columns(pl.col("value").fill_nan(None)).iter_rows())


def _cpu() -> float:
    """Processor seconds of this process and its children."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


_TABLES: Final = ("memberships", "lineage", "threats")


def _write(told: Told, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _TABLES:
        table = getattr(told, name)
        if table is not None:
            table.write_parquet(folder / f"{name}.parquet", compression="zstd")


def _read(folder: Path) -> Told:
    memberships, lineage, threats = (
        pl.read_parquet(path) if path.is_file() else None
        for path in (folder / f"{name}.parquet" for name in _TABLES)
    )
    assert memberships is not None
    return Told(memberships, lineage, threats)


def _one_thread() -> None:
    """Each process keeps to one core: results do not depend on it, times can be compared."""
    for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


def run(
    systems: Sequence[str], telescopes: Sequence[Telescope], work: Path, jobs: int
) -> list[dict[str, Any]]:
    """All results, in the order of systems and telescopes, by several processes.

    What fails is told, and left out; the others are kept for the next run.
    """
    work.mkdir(parents=True, exist_ok=True)
    _one_thread()  # inherited by processes that are spawned
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        list(pool.map(simulated, telescopes, [work] * len(telescopes)))
    began = time.monotonic()
    found: dict[tuple[str, Telescope], dict[str, Any]] = {}
    waiting = [(system, telescope) for system in systems for telescope in telescopes]
    for _ in range(_ROUNDS):
        before = len(found)
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            asked = {pool.submit(result, *each, work): each for each in waiting}
            for future in as_completed(asked):
                system, telescope = asked[future]
                name = f"{system} on {telescope.name}"
                error = future.exception()
                if error is None:
                    found[system, telescope] = future.result()
                    done = f"{len(found)}/{len(systems) * len(telescopes)}"
                    print(f"{time.monotonic() - began:5.0f} s  {done}  {name}", file=sys.stderr)
                elif not isinstance(error, BrokenProcessPool):
                    print(f"{name} FAILED: {type(error).__name__}: {error}", file=sys.stderr)
                    waiting.remove((system, telescope))
        waiting = [each for each in waiting if each not in found]
        if not waiting:
            break
        print(f"A process died after {len(found) - before} results; going on.", file=sys.stderr)
    return [
        found[system, telescope]
        for system in systems
        for telescope in telescopes
        if (system, telescope) in found
    ]


def _listed(known: Sequence[str]) -> Any:
    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return [name for name in known if name in names]

    return parse


def _seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked, print the table, write it where asked."""
    from dante.simulate import PRESETS as KNOWN

    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m benchmarks.quality", None, __doc__, formatter_class=form
    )
    add = parser.add_argument
    add("--systems", type=_listed(SYSTEMS), default=list(SYSTEMS), help=", ".join(SYSTEMS))
    add("--presets", type=_listed(KNOWN), default=list(PRESETS), help=", ".join(KNOWN))
    add("--seeds", type=_seeds, default=list(SEEDS), help="1,2,3: the telescopes' seeds")
    add("--days", type=int, default=DAYS)
    add("--senders", type=int, default=SENDERS, help="a day, about")
    add("--jobs", type=int, default=2, help="processes")
    add("--work", type=Path, default=WORK, help="where results are kept between runs")
    add("--write", type=Path, metavar="PAGE.md", help="write the page of tables there")
    add("--json", type=Path, help="write every single score there")
    asked = parser.parse_args(arguments)
    telescopes = [
        Telescope(preset, seed, asked.days, asked.senders)
        for preset in asked.presets
        for seed in asked.seeds
    ]
    results = run(asked.systems, telescopes, asked.work, asked.jobs)
    if len(results) < len(asked.systems) * len(telescopes):
        print("Some failed, so there is no table; the others are kept.", file=sys.stderr)
        return 1
    report = Report.of(results, days=asked.days, senders=asked.senders, seeds=asked.seeds)
    print(as_text(report))
    if asked.json is not None:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if asked.write is not None:
        asked.write.write_text(as_markdown(report), encoding="utf-8")
        print(f"Written to {asked.write}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
