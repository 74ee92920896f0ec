"""No server answers: a sentence, and nothing is lost."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def _start(home, port, *words):
    return subprocess.Popen(
        [sys.executable, "-c", "from dante.cli import main; main()", *words, "--home", str(home)],
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PYTHONPATH": str(_ROOT),
        },
    )


def _said(run):
    _, err = run.communicate(timeout=240)
    lines = err.splitlines()
    assert len(lines) == 1, err
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:4200", lines[0].removeprefix("dante: "))


def test_no_server_at_the_start(copied, days, rows, fault):
    """Where no server answers the command says so, and goes through without one."""
    before = rows(copied)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = _start(copied, port, "run", str(days[-1]))
    said = _said(run)
    assert run.returncode == 1
    assert rows(copied) == before
    fault("server down at the start", said, "nothing was begun; the same command does it")
