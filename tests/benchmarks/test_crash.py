"""Killed at random moments and started again, a backfill ends where an undisturbed one does."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_ENV = {**os.environ, "PYTHONPATH": str(_ROOT)}


def test_a_killed_backfill_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    """A kill of each kind: equal views and files in the end, and no half day in between."""
    out = tmp_path / "crash.json"
    size = ("--days", "4", "--senders", "60", "--kills", "5", "--a-round", "5", "--json", str(out))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash", *size],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env=_ENV,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(out.read_text())
    assert told["wrong"] == []
    assert told["kills"] >= 5
    assert told["publications_read"] >= 1


_POOL = """
import os, sys, time
from dante.pipeline.workers import processes
if __name__ == "__main__":
    with processes(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 1000).result()
"""


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    """A worker whose parent was killed ends by itself, in the middle of its work."""
    script = tmp_path / "pool.py"
    script.write_text(_POOL)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=_ENV)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until = time.monotonic() + 60
    while _alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(worker)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    # A zombie is dead, and waits for somebody to notice.
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
