"""Nine days of a telescope nobody looks at: `dante up`, a schedule, mishaps, its end.

A real Prefect server and a real worker, started by `dante up`, run the deployment `daily/daily`
for one day after another: runs without parameters, each with the scheduled start that the cron
gives it. On the way two days are missed (the machine was off), a source comes late, a run's
process is killed, server and worker are stopped in the work of a day, and the power is cut:
`dante up`, server, worker and the flow at work end with SIGKILL in the same moment. Nobody does
anything about it but start `dante up` again, as systemd would. In the end every published view
must equal that of a home whose packets were all there from the start and were backfilled without
Prefect, row for row (runs, times of ingest and what `quality` says of arrival apart).

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
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.homes import published, say

__all__ = ["main"]

ROOT: Final = Path(__file__).resolve().parents[1]
FIRST: Final = date(2025, 3, 1)
# What `quality` says of arrival is of when it was asked.
_COMPARED: Final = {"quality": "WHERE \"check\" <> 'arrival'"}
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

    def cut(self) -> int:
        """End everything at once, as a power cut would; how many processes there were."""
        mark = f"DANTE_HOME={self.home}".encode()
        assert self.process is not None
        mine = [self.process.pid, *_processes(mark)]
        for process in mine:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait(120)
        with self.log.open("ab") as log:
            log.write(b"--start--\n")
        return len(mine)

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
        """The daily run of a day, scheduled as the cron does: two hours after its end, in UTC."""
        with self.client() as client:
            from prefect.states import Scheduled

            deployment = client.read_deployment_by_name("daily/daily")
            start = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
            state = Scheduled(scheduled_time=start + timedelta(hours=2))
            return client.create_flow_run_from_deployment(deployment.id, state=state).id

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


def _processes(*marks: bytes) -> list[int]:
    """Processes that have each mark at the start of one of their variables."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            known = (entry / "environ").read_bytes().split(b"\0")
            if all(any(item.startswith(mark) for item in known) for mark in marks):
                found.append(int(entry.name))
    return found


def _at_work(home: Path, day: date) -> list[int]:
    """The processes that run a flow of this home, once it is in the middle of a day."""
    until = time.monotonic() + 600
    while not (home / "work" / f"day={day}" / "quality.json").exists():
        if time.monotonic() > until:
            return []
        time.sleep(0.05)
    return _processes(f"DANTE_HOME={home}".encode(), b"PREFECT__FLOW_RUN_ID=")


def main(arguments: list[str] | None = None) -> int:
    """Go through the days and their mishaps; 1 if the end is not that of an undisturbed home."""
    parser = argparse.ArgumentParser("python -m benchmarks.schedule", description=__doc__)
    parser.add_argument("--port", type=int, default=4321)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    from dante.pipeline.backfill import backfill
    from dante.pipeline.context import open_context
    from dante.pipeline.declared import ingest_declared
    from dante.simulate import Scenario, simulate

    days, began, ends = 9, time.monotonic(), {}
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
        say("dante up is up", began)

        def deliver(number: int) -> None:
            shutil.copy(files[number - 1], drop)

        def day(number: int) -> date:
            return FIRST + timedelta(days=number - 1)

        def end(name: str, run: Any) -> None:
            ends[name] = up.ended(run)
            say(f"{name}: {ends[name]}", began)

        try:
            deliver(1)
            end("day 1", up.schedule(day(1)))
            # Days 2 and 3 are missed; day 2's packets come only after day 4 was run.
            deliver(3)
            deliver(4)
            end("day 4, after two missed days", up.schedule(day(4)))
            deliver(2)
            deliver(5)
            end("day 5, with late packets of day 2", up.schedule(day(5)))
            # The process of day 6 is killed in its work; the run of day 7 does both.
            deliver(6)
            run = up.schedule(day(6))
            killed = _at_work(home, day(6))
            for process in killed:
                os.kill(process, signal.SIGKILL)
            end("day 6, killed", run)
            # Server and worker are stopped in the work of day 7, and come back.
            deliver(7)
            run = up.schedule(day(7))
            stopped = _at_work(home, day(7))
            up.stop()
            left = _processes(f"DANTE_HOME={home}".encode())
            say(f"stopped; {len(left)} processes are left", began)
            up.start()
            # What the server says of a run that ended with its worker is for people to know only.
            ends["day 7, stopped"] = up.ended(run, 1)
            # The power is cut in the work of day 8, and comes back on the day after.
            deliver(8)
            cut = up.schedule(day(8))
            flows = _at_work(home, day(8))
            say(f"{up.cut()} processes end at once, {len(flows)} of a flow", began)
            up.start()
            deliver(9)
            end("day 9, after the power was cut", up.schedule(day(9)))
            ends["day 8, when the power was cut"] = up.ended(cut, 1)
        finally:
            up.stop()
            log = (scratch / "up.log").read_text(encoding="utf-8", errors="replace")
        found, wanted = published(home, _COMPARED), published(whole, _COMPARED)
        wrong = [view for view in wanted if found[view] != wanted[view]]
        if not killed or not stopped or not flows:
            wrong.append("no process was there to be killed")
        told = {
            "runs": ends,
            "left": len(left),
            "wrong": wrong,
            "seconds": round(time.monotonic() - began, 1),
        }
    print(json.dumps(told, indent=1))
    if asked.json is not None:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if wrong:
        print(log[-8000:], file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
