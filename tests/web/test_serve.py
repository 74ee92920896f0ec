"""The command: what it refuses, and how it starts and ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dante.cli.app import app
from dante.errors import DanteError, UsageError
from dante.store.home import Home

ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def test_beyond_loopback_it_asks_for_a_token(home: Home) -> None:
    """Without one it does not start, and says what to do; exit code 2."""
    for host in ("0.0.0.0", "::"):
        result = CliRunner().invoke(app, ["serve", "--home", str(home.root), "--host", host])
        assert isinstance(result.exception, UsageError)
        assert "--token" in str(result.exception)


def test_a_port_in_use_is_told(home: Home) -> None:
    """Another program on the port is an error in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["serve", "--home", str(home.root), "--port", port])
    assert isinstance(result.exception, DanteError)
    assert "another --port" in str(result.exception)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(home: Home, how: signal.Signals) -> None:
    """It answers on the port it was given, and ends quietly when told to."""
    port = _free_port()
    code = "from dante.cli import main; main()"
    words = ["serve", "--home", str(home.root), "--port", str(port)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(600):
            try:
                with direct.open(f"http://127.0.0.1:{port}/api/publication") as answer:
                    assert answer.status == 200
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        else:
            pytest.fail("it did not answer within a minute")
        server.send_signal(how)
        out, err = server.communicate(timeout=60)
    assert server.returncode in (0, -how)
    assert out == ""
    assert err == f"http://127.0.0.1:{port} shows {home.root}; Ctrl-C ends it\n"
