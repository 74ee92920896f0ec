"""Kill a backfill with SIGKILL at many random moments; in the end nothing may differ.

A small telescope is done once undisturbed. Then homes are made from its files again and again,
each killed several times on its way: anywhere in time, inside ingest, commit or publication
(after a random delay in them), or at a random step in the file system (before any one open,
rename or removal below the home). After its kills a home is finished, and every published view
must equal the undisturbed one's, row for row (runs and times of ingest apart), and so must the
files of packets, profiles and models, byte for byte. Meanwhile a reader looks at each publication
there is: every day in it must be whole and as it should be. What each kill met is told and counted.

Many kills are done in slices, each with a telescope of its own, and added up:

    for n in 1 2 3 4; do
        python -m benchmarks.crash --kills 50 --seed $n --json build/crash-$n.json
    done
    python -m benchmarks.crash --sum build/crash-*.json
"""

import argparse
import hashlib
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.homes import file_digests, published, say

__all__ = ["KINDS", "main"]

ROOT: Final = Path(__file__).resolve().parents[1]
FIRST: Final = date(2025, 3, 1)
KINDS: Final = ("anywhere", "ingest", "commit", "publish", "step")
"""Where kills happen, in turn."""

_SETTINGS: Final = (
    '[model]\ntrain_words = 20000\nepochs = 2\ndimensions = 16\n[[sources]]\npath = "{packets}"\n'
)
_STEPS: Final = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
# Letters by which a backfill tells what it has begun, as capitals what it has ended.
_STAGES: Final = {
    "r": "read",
    "i": "ingest",
    "d": "prepare",
    "m": "model",
    "k": "cluster",
    "t": "track",
    "c": "commit",
    "p": "publish",
}
# Days that are prepared, tracked and published together: fewer than there are by themselves, so
# that a killed home is published often, and what a kill takes is done again soon.
_CHUNK: Final = 3


@dataclass
class Found:
    """What came of the kills."""

    kills: Counter[str] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    rounds: int = 0
    publications: int = 0
    wrong: list[str] = field(default_factory=list)


# This process only forks; whatever starts threads (Polars, DuckDB) runs in its children.


def _forked(work: Callable[[], Any]) -> int:
    """Run in a child; its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _answer(work: Callable[[], Any]) -> Any:
    """What `work` gives in a child, through JSON."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        path = Path(file.name)
        child = _forked(lambda: path.write_text(json.dumps(work()), encoding="utf-8"))
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            raise RuntimeError("a child failed; see above")
        return json.loads(path.read_text(encoding="utf-8"))


def _backfill(home: Path, days: int, jobs: int) -> None:
    from dante.pipeline.backfill import backfill
    from dante.pipeline.context import open_context
    from dante.pipeline.declared import ingest_declared

    import_module("dante.pipeline.backfill")._CHUNK = _CHUNK
    ingest_declared(open_context(home), jobs=jobs)
    backfill(open_context(home), FIRST, FIRST + timedelta(days=days - 1), jobs=jobs)


def _marking(pipe: int) -> None:
    """Have the stages of this process tell `pipe` when they begin and end."""
    from dante.pipeline import stages
    from dante.store.lake import SourceWriter
    from dante.store.state import State

    def marked(owner: Any, name: str, letter: str) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            os.write(pipe, letter.encode())
            try:
                return original(*args, **kwargs)
            finally:
                os.write(pipe, letter.upper().encode())

        setattr(owner, name, wrapped)

    marked(import_module("dante.pipeline.declared"), "ingest_each", "r")
    marked(SourceWriter, "finish", "i")
    marked(import_module("dante.pipeline.backfill"), "_prepare", "d")
    # The stages load these from their rooms when they need them.
    marked(import_module("dante.embedding"), "train_model", "m")
    marked(import_module("dante.clustering"), "cluster_day", "k")
    marked(import_module("dante.tracking"), "track_day", "t")
    marked(State, "commit_day", "c")
    marked(stages, "publish", "p")


def _dying_at(step: int, home: Path) -> None:
    """Kill this process just before its `step`-th touch of a file below the home."""
    left = [step]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _STEPS or not str(arguments[0]).startswith(str(home)):
            return
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _killed(home: Path, days: int, jobs: int, kind: str, draw: random.Random) -> str | None:
    """Run a backfill and kill it; in what it was killed, or None if it ended before.

    Of a phase, one that may be reached is waited for; how long it is left to run is drawn.
    """
    read, write = os.pipe()

    def work() -> None:
        if kind == "step":
            # Most steps are of ingest at first, and of a day's stages later.
            _dying_at(draw.randrange(1 << draw.randrange(1, 12)), home)
        _marking(write)
        _backfill(home, days, jobs)

    child = _forked(work)
    draw.random()  # the child drew from a copy
    os.close(write)
    inside: list[str] = []
    wanted = draw.randrange({"ingest": 4, "commit": 2}.get(kind, 1))
    until = time.monotonic() + draw.expovariate(1 / _MEAN) if kind == "anywhere" else None
    while True:
        wait = None if until is None else max(0.0, until - time.monotonic())
        ready, _, _ = select.select([read], [], [], wait)
        if not ready:
            os.kill(child, signal.SIGKILL)
            break
        letter = os.read(read, 1).decode()
        if not letter:
            break
        _heard(inside, letter)
        if letter.islower() and _STAGES[letter] == kind:
            wanted -= 1
            if wanted < 0 and until is None:
                until = time.monotonic() + draw.random() * (0.15 if kind == "publish" else 0.03)
    while letters := os.read(read, 1 << 16).decode():
        for letter in letters:
            _heard(inside, letter)
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code > 0:
        raise RuntimeError("the backfill failed by itself; see above")
    return (inside[-1] if inside else "between") if code == -signal.SIGKILL else None


# Seconds that a backfill is left to run, on the average, if it is killed anywhere.
_MEAN: Final = 5.0


def _heard(inside: list[str], letter: str) -> None:
    """Follow which stages a backfill is in, one in another."""
    if letter.islower():
        inside.append(_STAGES[letter])
    else:
        inside.pop()


def _views(home: Path) -> dict[str, Any]:
    """What is published, as digests: each view, and each day of the views that have days."""
    from dante.store.state import DAY_TABLES

    whole, by_day = {}, {}
    for name, view in published(home).items():
        whole[name] = _digest(view.rows)
        if name in DAY_TABLES:
            days: dict[str, list[Any]] = {}
            for row in view.rows:
                days.setdefault(str(row[view.columns.index("day")]), []).append(row)
            by_day[name] = {day: _digest(rows) for day, rows in days.items()}
    return {"whole": whole, "by_day": by_day}


def _digest(rows: list[Any]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def _watch(home: Path, wanted: dict[str, Any], out: Path) -> None:
    """Look at every publication until told to stop; leave how many there were and what was off."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    seen, wrong, last, parent = 0, [], None, os.getppid()
    while not stopped and os.getppid() == parent:
        try:
            state = (home / "lineage.duckdb").stat()
        except FileNotFoundError:
            time.sleep(0.005)
            continue
        if (state.st_ino, state.st_mtime_ns) != last:
            last = (state.st_ino, state.st_mtime_ns)
            seen += 1
            days = _views(home)["by_day"]
            for day in days["daily"]:
                for view, expected in wanted["by_day"].items():
                    if days[view].get(day) != expected.get(day):
                        wrong.append(f"a reader saw {view} of {day} otherwise")
            for view, found in days.items():
                wrong += [f"a reader saw {view} of {d} alone" for d in found.keys() - days["daily"]]
        time.sleep(0.005)
    out.write_text(json.dumps({"seen": seen, "wrong": wrong}), encoding="utf-8")


def _round(
    scratch: Path, packets: Path, wanted: dict[str, Any], asked: argparse.Namespace,
    kinds: list[str], draw: random.Random, found: Found, began: float,
) -> None:  # fmt: skip
    home = scratch / f"home-{found.rounds}"
    _make(home, packets)
    report = scratch / "reader.json"
    reader = _forked(lambda: _watch(home, wanted, report))
    if found.rounds % 2:  # there is an older publication, which must be replaced
        _answer(lambda: _backfill(home, asked.days // 2, asked.jobs))
    for kind in kinds:
        landed = _killed(home, asked.days, asked.jobs, kind, draw)
        if landed is None:
            found.ended += 1  # it was done before; a kill of nothing is no kill
            continue
        found.kills[kind] += 1
        found.landed[landed] += 1
        say(f"{found.kills.total()} of {asked.kills}: {kind}, met in {landed}", began)
    _answer(lambda: _backfill(home, asked.days, asked.jobs))
    os.kill(reader, signal.SIGTERM)
    os.waitpid(reader, 0)
    told = json.loads(report.read_text(encoding="utf-8"))
    found.publications += told["seen"]
    found.wrong += told["wrong"]
    views = _answer(lambda: _views(home)["whole"])
    found.wrong += [
        f"round {found.rounds}: {view} differs"
        for view in wanted["whole"]
        if views[view] != wanted["whole"][view]
    ]
    files = file_digests(home)
    found.wrong += [
        f"round {found.rounds}: {name} {'differs' if name in files else 'is missing'}"
        for name, digest in wanted["files"].items()
        if files.get(name) != digest
    ]
    found.wrong += [
        f"round {found.rounds}: {name} is left" for name in files - wanted["files"].keys()
    ]
    found.rounds += 1
    say(f"home {found.rounds} is finished and compared: {len(found.wrong)} differences", began)
    shutil.rmtree(home)


def _make(home: Path, packets: Path) -> None:
    home.mkdir()
    (home / "dante.toml").write_text(_SETTINGS.format(packets=packets), encoding="utf-8")


def _simulated(out: Path, asked: argparse.Namespace) -> str:
    from dante.simulate import Scenario, simulate

    scenario = Scenario(days=asked.days, senders=asked.senders, seed=asked.seed, first_day=FIRST)
    return str(simulate(scenario, out).packets)


def main(arguments: list[str] | None = None) -> int:
    """Kill, restart and compare; 1 if anything differs."""
    parser = argparse.ArgumentParser("python -m benchmarks.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--senders", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--a-round", type=int, default=17, help="kills of one home")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sum", type=Path, nargs="+", help="only add up what slices found")
    asked = parser.parse_args(arguments)
    if asked.sum:
        return _told(_added(asked.sum), asked.json)
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Loaded once, here, so that a child is at work at once.
    import gensim.models  # noqa: F401
    import great_expectations  # noqa: F401
    import hdbscan  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import dante.pipeline  # noqa: F401

    draw, found, began = random.Random(asked.seed), Found(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        packets = Path(_answer(lambda: _simulated(scratch / "telescope", asked)))
        _make(scratch / "undisturbed", packets)
        _answer(lambda: _backfill(scratch / "undisturbed", asked.days, asked.jobs))
        wanted = _answer(lambda: _views(scratch / "undisturbed"))
        wanted["files"] = file_digests(scratch / "undisturbed")
        say("the undisturbed home is done", began)
        turn = 0
        while found.kills.total() < asked.kills:
            less = min(asked.a_round, asked.kills - found.kills.total())
            kinds = [KINDS[(turn + n) % len(KINDS)] for n in range(less)]
            # In the order of the work, so that there is something left to be killed in.
            kinds.sort(key=("ingest", "step", "commit", "publish", "anywhere").index)
            turn += less
            _round(scratch, packets, wanted, asked, kinds, draw, found, began)
    told = {
        "kills": found.kills.total(),
        "asked_for": dict(found.kills),
        "landed_in": dict(found.landed),
        "ended_before": found.ended,
        "homes": found.rounds,
        "publications_read": found.publications,
        "wrong": found.wrong,
        "days": asked.days,
        "seconds": round(time.monotonic() - began, 1),
    }
    return _told(told, asked.json)


def _added(files: list[Path]) -> dict[str, Any]:
    """What several slices found, as one."""
    parts = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    whole: dict[str, Any] = {"slices": len(parts)}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, dict):
                whole[key] = dict(Counter(whole.get(key, {})) + Counter(value))
            elif key == "days":
                whole[key] = value
            else:
                whole[key] = whole.get(key, type(value)()) + value
    return whole


def _told(told: dict[str, Any], out: Path | None) -> int:
    print(json.dumps(told, indent=1))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
