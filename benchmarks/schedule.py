"""A month of a telescope nobody looks at, in minutes: `dante up`, a schedule, mishaps, its end.

A real Prefect server and a real worker, started by `dante up`, run the deployment `daily/daily`
for one day after another, as its schedule would. On the way two days are missed (the machine was
off), a source comes late, a run's process is killed, and the server goes and comes back. Nobody
does anything about it. In the end every published view must equal that of a home whose packets
were all there from the start and were backfilled without Prefect, row for row (runs, times of
ingest and what `quality` says of arrival apart).

    python -m benchmarks.schedule --json build/schedule.json
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

__all__ = ["main"]

ROOT: Final = Path(__file__).resolve().parents[1]
FIRST: Final = date(2025, 3, 1)
_MAIN: Final = "from dante.cli import main; main()"
_SETTINGS: Final = """\
[model]
train_words = 20000
epochs = 2
dimensions = 16
[[sources]]
name = "drop"
path = "{drop}/*.parquet"
"""


class Standing:
    """`dante up` in a process of its own, and what is asked of its server."""

    def __init__(self, home: Path, port: int, log: Path) -> None:
        self.home, self.port, self.log = home, port, log
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_API")},
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1,localhost",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until its worker is there."""
        words = ["up", "--home", str(self.home), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, *words],
                cwd=ROOT,
                env=self.env,
                stderr=log,
                stdout=log,
            )
        until = time.monotonic() + 900
        while b"run by themselves" not in self.log.read_bytes().rpartition(b"--start--")[2]:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"dante up did not start; see {self.log}")
            time.sleep(0.5)

    def stop(self) -> None:
        """Ask it to end, as systemd would, and mark the log."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)
        with self.log.open("ab") as log:
            log.write(b"--start--\n")

    def client(self) -> Any:
        """A client of its server."""
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{self.port}/api"
        os.environ["NO_PROXY"] = "127.0.0.1,localhost"
        from prefect.client.orchestration import SyncPrefectClient

        return SyncPrefectClient(os.environ["PREFECT_API_URL"])

    def schedule(self, day: date) -> Any:
        """Have the daily run of a day begin now, as the schedule two hours after its end would."""
        with self.client() as client:
            deployment = client.read_deployment_by_name("daily/daily")
            return client.create_flow_run_from_deployment(
                deployment.id, parameters={"day": str(day)}
            ).id

    def ended(self, run: Any, seconds: float = 900) -> str:
        """How a run ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self.client() as client:
                state = client.read_flow_run(run).state
            if state.is_final():
                return str(state.name)
            time.sleep(0.5)
        return "not ended"


def _views(home: Path) -> dict[str, list[Any]]:
    from dante.store.home import Home
    from dante.store.publish import PUBLISHED, read_lineage

    less = {"ingests": "EXCLUDE (ingested_at)"}
    only = {"quality": "WHERE \"check\" <> 'arrival'"}
    with read_lineage(Home(home)) as con:
        return {
            view: con.execute(
                f"SELECT * {less.get(view, '')} FROM {view} {only.get(view, '')} ORDER BY ALL"
            ).fetchall()
            for view in PUBLISHED
            if view != "runs"
        }


def _flow_process(home: Path) -> int | None:
    """The process that runs a flow of this home and holds its lock."""
    mark = f"DANTE_HOME={home}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            known = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in known and any(item.startswith(b"PREFECT__FLOW_RUN_ID=") for item in known):
            return int(entry.name)
    return None


def main(arguments: list[str] | None = None) -> int:
    """Go through the days and their mishaps; 1 if the end is not that of an undisturbed home."""
    parser = argparse.ArgumentParser("python -m benchmarks.schedule", description=__doc__)
    parser.add_argument("--port", type=int, default=4321)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    from dante.pipeline import backfill, ingest_declared, open_context
    from dante.simulate import Scenario, simulate

    days, began, ends = 8, time.monotonic(), {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        made = simulate(Scenario(days=days, senders=100, seed=5, first_day=FIRST), scratch / "sim")
        files = sorted(made.packets.iterdir())
        whole = scratch / "undisturbed"
        whole.mkdir()
        (whole / "dante.toml").write_text(_SETTINGS.format(drop=made.packets))
        ingest_declared(open_context(whole))
        backfill(open_context(whole), FIRST, FIRST + timedelta(days=days - 1))

        home, drop = scratch / "home", scratch / "drop"
        home.mkdir()
        drop.mkdir()
        (home / "dante.toml").write_text(_SETTINGS.format(drop=drop))
        up = Standing(home, asked.port, scratch / "up.log")
        up.start()
        try:
            deliver = lambda n: shutil.copy(files[n], drop)  # noqa: E731
            day = lambda n: FIRST + timedelta(days=n)  # noqa: E731
            deliver(0)
            ends["day 1"] = up.ended(up.schedule(day(0)))
            # Days 2 and 3 are missed; day 2's packets come only after day 4 was run.
            deliver(2)
            deliver(3)
            ends["day 4, after two missed days"] = up.ended(up.schedule(day(3)))
            deliver(1)
            deliver(4)
            ends["day 5, with late packets of day 2"] = up.ended(up.schedule(day(4)))
            # The process of day 6 is killed in its work; the run of day 7 does both.
            deliver(5)
            run = up.schedule(day(5))
            until = time.monotonic() + 600
            quality = home / "work" / f"day={day(5)}" / "quality.json"
            while not quality.exists() and time.monotonic() < until:
                time.sleep(0.05)
            killed = _flow_process(home)
            if killed is not None:
                os.kill(killed, signal.SIGKILL)
            ends["day 6, killed"] = up.ended(run)
            # Server and worker go, and come back.
            up.stop()
            up.start()
            deliver(6)
            ends["day 7, after day 6 was killed"] = up.ended(up.schedule(day(6)))
            deliver(7)
            ends["day 8"] = up.ended(up.schedule(day(7)))
        finally:
            up.stop()
            log = (scratch / "up.log").read_text(encoding="utf-8", errors="replace")
        found, wanted = _views(home), _views(whole)
        wrong = [view for view in wanted if found[view] != wanted[view]]
        if killed is None:
            wrong.append("no process was there to be killed")
        told = {"runs": ends, "wrong": wrong, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(told, indent=1))
    if asked.json is not None:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if wrong:
        print(log[-8000:], file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
