"""No server answers, at the start or any more: a sentence, and nothing is lost."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from dante.pipeline.backfill import backfill
from dante.pipeline.context import open_context
from dante.pipeline.ingest import ingest_files
from dante.sources import Reading

from .conftest import ROOT, SECRET


class Line:
    """What a server is reached through, until it is cut."""

    def __init__(self, url):
        self._to = ("127.0.0.1", urlsplit(url).port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._ends = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, near, far):
        with suppress(OSError):
            while data := near.recv(1 << 16):
                far.sendall(data)
        for end in (near, far):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """End every connection, and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _start(home, port, *words):
    return subprocess.Popen(
        [sys.executable, "-c", "from dante.cli import main; main()", *words, "--home", str(home)],
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PREFECT_API_URL": f"http://user:{SECRET}@127.0.0.1:{port}/api",
            "PREFECT_CLIENT_MAX_RETRIES": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONPATH": str(ROOT),
        },
    )


def _said(run):
    lines = []
    while not lines or not lines[-1].startswith("dante: "):
        lines.append(run.stderr.readline())
        assert lines[-1], lines
    assert all(" days: " in line for line in lines[:-1]), lines
    assert SECRET not in lines[-1]
    said = lines[-1].strip().removeprefix("dante: ")
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:4200", said)


def test_no_server_at_the_start(copied, days, rows, fault):
    """Where no server answers the command says so, and goes through without one."""
    before = rows(copied)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = _start(copied, port, "run", str(days[-1]))
    said = _said(run)
    assert (run.wait(), run.stderr.read().strip()) == (1, "")
    assert rows(copied) == before
    fault("server down at the start", said, "nothing was begun; the same command does it")


@pytest.mark.flows
def test_the_server_goes_in_the_middle(server, empty, captures, direct, days, rows, fault):
    """A server that is gone for good in the middle of a backfill: what was committed stands."""
    ingest_files(open_context(empty), [(path, Reading()) for path in captures])
    line = Line(server)
    run = _start(empty, line.port, "backfill", str(days[0]), str(days[-1]), "--jobs", "1")
    while not (empty / "work" / f"day={days[1]}" / "clusters.parquet").exists():
        assert run.poll() is None
        time.sleep(0.02)
    line.cut()
    said = _said(run)
    run.kill()  # for a while yet Prefect looks for its server
    run.wait()
    assert rows(empty)["daily"][0] == rows(direct)["daily"][0]
    backfill(open_context(empty), days[0], days[-1])
    assert rows(empty) == rows(direct)
    fault("server down in the middle", said, "the same command does the rest; views are equal")
