"""Size: what the stages of a day cost at half a million senders, and at half of that.

    python -m benchmarks.scale [--senders 350000 700000] [--days 2] [--scratch FOLDER]

Makes a simulated telescope of each size, ingests it, and runs every stage of its last day in a
process of its own: seconds on the clock, seconds of processor, and the most memory it held, its
imports with it. A telescope asked for 700,000 addresses a day has 545,000 senders with intent on
it, who send 5 million packets. The days before are run first, so that the last meets tracks and
a model at hand. `training` is a model of seven days; as no telescope of seven such is made, it
reads the last day seven times. The last lines compare the sizes. A scratch folder given is kept:
what is in it is not made again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

__all__ = ["Cost", "main", "ratios"]

STAGES: Final = ("check", "sequences", "model", "cluster", "track", "publish")
DAY: Final = "day"
TRAINING: Final = "training"
WINDOW: Final = 7
_DANTE: Final = "from dante.cli import main; main()"
# From lake to memberships, the model being at hand.
_OF_DAY: Final = ("sequences", "cluster", "track")


@dataclass(frozen=True)
class Cost:
    """What one process cost: seconds on the clock and of processor, and its peak in MB."""

    seconds: float
    cpu: float
    peak: float


def ratios(small: dict[str, Cost], large: dict[str, Cost]) -> dict[str, float]:
    """How many times the processor each stage took at the larger size."""
    return {name: large[name].cpu / max(small[name].cpu, 1e-9) for name in large if name in small}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--senders", type=int, nargs="+", default=[350_000, 700_000])
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--preset", default="hard")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--stage", nargs=3, metavar=("NAME", "HOME", "DAY"), help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.stage:
        _stage(*args.stage)
        return 0
    with tempfile.TemporaryDirectory(prefix="dante-scale-") as temporary:
        scratch = args.scratch or Path(temporary)
        measured = []
        for senders in args.senders:
            made = _telescope(scratch / f"senders-{senders}", senders, args)
            measured.append(_measure(made, scratch / f"home-{senders}"))
            _print(senders, measured[-1])
        for small, large, before, after in zip(
            measured, measured[1:], args.senders, args.senders[1:], strict=False
        ):
            print(f"\n{after / before:.1f} times the senders cost, in processor time:")
            for name, ratio in ratios(small, large).items():
                print(f"  {name:10} {ratio:5.2f} times")
    return 0


def _telescope(out: Path, senders: int, args: argparse.Namespace) -> Path:
    if not (out / "truth" / "campaigns.parquet").is_file():
        _process(
            _DANTE,
            *("simulate", str(out), "--preset", args.preset, "--days", str(args.days)),
            *("--senders", str(senders), "--seed", str(args.seed)),
        )
    return out / "packets"


def _measure(packets: Path, home: Path) -> dict[str, Cost]:
    from dante.pipeline.context import open_context

    costs = {"ingest": _process(_DANTE, "ingest", str(packets), "--home", str(home))}
    days = open_context(home).days
    for day in days:
        for name in STAGES:
            costs[name] = _own(name, home, day)
    return costs | {name: _own(name, home, days[-1]) for name in (DAY, TRAINING)}


def _own(name: str, home: Path, day: date) -> Cost:
    code = "from benchmarks.scale import main; main()"
    return _process(code, "--stage", name, str(home), day.isoformat())


def _process(code: str, *arguments: str) -> Cost:
    """Run Python code in a process of its own.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    started = time.perf_counter()
    command = [sys.executable, "-c", code, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    seconds = time.perf_counter() - started
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _stage(name: str, home: str, day: str) -> None:
    from dante.pipeline import stages
    from dante.pipeline.context import open_context

    context, when = open_context(home), date.fromisoformat(day)
    if name != TRAINING:
        for stage in _OF_DAY if name == DAY else (name,):
            dict(stages.STAGES)[stage](context, when)
        return
    from dante.embedding import train_model

    # One by one, as the pipeline reads them.
    days = (
        (when - timedelta(days=WINDOW - past), stages.day_senders(context, when))
        for past in range(WINDOW)
    )
    model = train_model(days, context.settings.model, model_id="scale", inputs="scale")
    print(json.dumps({"words": model.card.words, "tokens": model.card.tokens}), file=sys.stderr)


def _print(senders: int, costs: dict[str, Cost]) -> None:
    print(f"\n{senders:,} senders a day")
    print(f"  {'stage':10} {'seconds':>8} {'processor':>10} {'peak MB':>8}")
    for name, cost in costs.items():
        print(f"  {name:10} {cost.seconds:8.1f} {cost.cpu:10.1f} {cost.peak:8.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
