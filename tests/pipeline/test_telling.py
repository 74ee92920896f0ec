"""What the pipeline tells others: the webhook, the log, the doctor; and what it tells nobody."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from dante.errors import ConfigError, UnreachableError
from dante.pipeline.context import Context, open_context
from dante.pipeline.doctor import examine
from dante.pipeline.logs import JsonLines, of_run
from dante.pipeline.progress import Pace, Step
from dante.pipeline.run import run_day
from dante.pipeline.webhook import tell_threats
from dante.store.state import open_state

from .conftest import FIRST, LAST, SETTINGS

ROOT = Path(__file__).resolve().parents[2]
SECRET = "token-that-nobody-may-see"


class Receiver(HTTPServer):
    """Takes what is posted, after refusing some."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuse = 0
        self.asked = 0
        self.taken: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook?token={SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        well = self.server.refuse <= 0
        self.server.refuse -= 1
        if well:
            self.server.taken.append(body)
        self.send_response(200 if well else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver of this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr("dante.pipeline.webhook._FIRST_WAIT", 0.01)
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def threatened(done: Context, receiver: Receiver) -> Context:
    """A home with two threats on its last day and one long ago, and a webhook."""
    (done.home.root / "dante.toml").write_text(
        f'{SETTINGS}[webhook]\nurl = "{receiver.url}"\nattempts = 3\n'
    )
    with open_state(done.home) as state:
        state.con.execute("DELETE FROM threats")
        for day, track in ((LAST, 1), (LAST, 2), (FIRST, 3)):
            state.con.execute(
                "INSERT INTO threats "
                "(day, track_id, kind, score, reasons, senders, key, shape, news_day) "
                "VALUES (?, ?, 'new', 0.9, 'never seen', 8, ?, 'campaign', ?)",
                [day, track, f"t-{track}", day],
            )
    return open_context(done.home.root)


def test_threats_are_told_once(threatened: Context, receiver: Receiver) -> None:
    """Those of the last days are posted, a request a day, each once however often it is asked."""
    assert tell_threats(threatened) == 2
    assert tell_threats(threatened) == 0
    (body,) = receiver.taken
    assert (body["event"], body["day"]) == ("dante.threat.found", str(LAST))
    assert [threat["track_id"] for threat in body["threats"]] == [1, 2]
    assert body["threats"][0]["reasons"] == "never seen"


def test_a_refusal_is_met_by_trying_again(threatened: Context, receiver: Receiver) -> None:
    """Two refusals in a row, and the third try is taken."""
    receiver.refuse = 2
    assert tell_threats(threatened) == 2
    assert receiver.asked == 3


def test_what_was_not_taken_is_told_next_time(
    threatened: Context, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """After all tries an error without the address's secret; the next run tells all of it."""
    receiver.refuse = 3
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UnreachableError, match="told again with the next run") as error:
        tell_threats(threatened)
    assert SECRET not in str(error.value) + caplog.text
    assert tell_threats(threatened) == 2


def test_a_webhook_is_an_address_of_the_web(tmp_path: Path) -> None:
    """No other scheme is taken, and the refusal does not repeat what was given."""
    (tmp_path / "dante.toml").write_text(f'[webhook]\nurl = "file:///etc/{SECRET}"\n')
    with pytest.raises(ConfigError, match="https") as error:
        open_context(tmp_path)
    assert SECRET not in str(error.value)


def test_a_log_line_is_an_object_with_day_and_run() -> None:
    """Inside a run its day and id are in the line; outside both are null; a line is one line."""
    record = logging.LogRecord("dante.x", logging.INFO, "", 0, "two\nlines %s", ("é",), None)
    with of_run(FIRST, "abc"):
        inside = JsonLines().format(record)
    assert "\n" not in inside
    line = json.loads(inside)
    assert (line["day"], line["run"], line["level"]) == (str(FIRST), "abc", "info")
    assert line["message"] == "two\nlines é"
    assert json.loads(JsonLines().format(record))["run"] is None


def test_a_run_is_logged_with_its_id(done: Context, caplog: pytest.LogCaptureFixture) -> None:
    """The line that says a day is done has the id of its row in `runs`."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(JsonLines().format(record))  # type: ignore[method-assign]
    logging.getLogger("dante").addHandler(handler)
    caplog.set_level(logging.INFO, "dante")
    try:
        run_day(done, LAST)
    finally:
        logging.getLogger("dante").removeHandler(handler)
    told = [json.loads(line) for line in lines]
    (line,) = [line for line in told if "done in" in line["message"]]
    with open_state(done.home) as state:
        ids = {run for (run,) in state.con.execute("SELECT run_id FROM runs").fetchall()}
    assert line["run"] in ids
    assert line["day"] == str(LAST)


def test_the_time_that_is_left_is_said() -> None:
    """Of what is done and how long it took; nothing is left at the end."""
    pace = Pace()
    pace.add(Step("track", 1, 2, 500, ""))
    pace.add(Step("track", 2, 2, 500, ""))
    assert pace.left == 0
    assert pace.words() == "1,000 packets, about 0 seconds left"


def test_the_doctor_finds_misconfigurations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources that are not there, retention that eats a window, no server: each is said."""
    (tmp_path / "dante.toml").write_text(
        '[[sources]]\npath = "none/*.csv"\nmapping = "no.toml"\n[retention]\npackets_days = 3\n'
    )
    monkeypatch.setenv("PREFECT_API_URL", f"http://user:{SECRET}@127.0.0.1:9/api")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = {finding.check: finding for finding in examine(tmp_path)}
    for check, words in (
        ("sources", "none does not exist"),
        ("sources", "mapping no.toml"),
        ("retention", "learns from 30 days"),
        ("prefect", "no server answers at http://127.0.0.1:9"),
    ):
        assert not found[check].well
        assert words in found[check].found
    assert SECRET not in str(found)


def test_no_secret_is_printed(done: Context, tmp_path: Path) -> None:
    """Whatever a command says, with logs and errors, no key, token or password is in it."""
    home = done.home.root
    (home / "dante.toml").write_text(
        f'{SETTINGS}[webhook]\nurl = "http://127.0.0.1:9/{SECRET}"\n'
        '[[sources]]\npath = "nowhere.csv"\n'
    )
    said = ""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DANTE_LOG_FORMAT": "json",
        "PREFECT_API_URL": f"http://user:{SECRET}@127.0.0.1:9/api",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "DANTE_DEBUG": "",
    }
    code = (
        "import sys\nfrom dante.cli import main\n"
        "for words in (['-v', 'status'], ['doctor'], ['-v', 'backfill', '2025-03-01', "
        "'2025-03-08', '--no-prefect'], ['-v', 'run', '2025-03-08', '--no-prefect']):\n"
        "    sys.argv[:] = ['dante', *words, '--home', sys.argv[-1]]\n"
        "    try:\n        main()\n    except SystemExit:\n        pass\n"
    )
    done_ = subprocess.run(
        [sys.executable, "-c", code, str(home)], env=env, capture_output=True, text=True, check=True
    )
    said = done_.stdout + done_.stderr
    assert "done in" in said, "the day was run, with its log"
    assert SECRET not in said
    kept = [path for path in home.rglob("*") if path.is_file() and path.name != "dante.toml"]
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
