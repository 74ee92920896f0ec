"""A small published home, and `dante` as a function."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dante.cli import main

_ROOT = Path(__file__).resolve().parents[2]
_SETTINGS = "[model]\ntrain_words = 20000\n"


@dataclass(frozen=True)
class Answer:
    """What a command did: its exit code, and what it printed where."""

    code: int
    out: str
    err: str

    def fault(self, code: int) -> str:
        """The one sentence of a fault, after seeing that it is one and nothing else was said."""
        assert self.code == code, (self.code, self.out, self.err)
        assert self.out == "", "what went wrong is no data"
        assert "Traceback" not in self.err
        assert "nanobind" not in self.err
        assert "a bug:" not in self.err, self.err
        assert self.err.endswith("\n")
        *before, last = self.err[:-1].split("\n")
        assert last.startswith("dante: "), self.err
        assert not [line for line in before if line.startswith("dante: ")], self.err
        assert all(line.isprintable() for line in (*before, last)), "no control characters"
        return last.removeprefix("dante: ")


Dante = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own settings reaches a test."""
    for name in list(os.environ):
        if name.startswith(("DANTE_", "PREFECT_API")):
            monkeypatch.delenv(name)


@pytest.fixture
def dante(monkeypatch: pytest.MonkeyPatch) -> Dante:
    """Run a command in this process, as `dante ...` would."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["dante", *map(str, arguments)])
        out, err = io.StringIO(), io.StringIO()
        code: object = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
        assert isinstance(code, int)
        return Answer(code, out.getvalue(), err.getvalue())

    return run


def _environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DANTE_", "PREFECT_"))}
    return {**kept, "PYTHONPATH": str(_ROOT), "COLUMNS": "80", **more}


@pytest.fixture(scope="session")
def shell() -> Dante:
    """Run a command in a process of its own; `cwd` is where."""

    def run(*arguments: object, cwd: Path | None = None) -> Answer:
        done = subprocess.run(
            [sys.executable, "-c", "from dante.cli import main; main()", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=_environment(),
            timeout=120,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@dataclass(frozen=True)
class Journey:
    """A newcomer's first steps: the folder they were made in, and each command's answer."""

    folder: Path
    steps: dict[str, Answer]

    @property
    def home(self) -> Path:
        """The published home."""
        return self.folder / "home"


@pytest.fixture(scope="session")
def journey(shell: Dante, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Simulate, init, ingest and backfill six days, each by the real command."""
    folder = tmp_path_factory.mktemp("journey")
    steps = {
        "simulate": shell("simulate", "sim", "--days", 6, "--senders", 300, cwd=folder),
        "init": shell("init", "--home", "home", cwd=folder),
    }
    with (folder / "home" / "dante.toml").open("a", encoding="utf-8") as file:
        file.write(_SETTINGS)
    steps["ingest"] = shell("ingest", "sim/packets", "--home", "home", cwd=folder)
    span = ("2025-03-01", "2025-03-06")
    steps["backfill"] = shell("backfill", *span, "--home", "home", "--jobs", 1, cwd=folder)
    return Journey(folder, steps)


@pytest.fixture
def home(journey: Journey) -> Path:
    """The published home, to be looked at and never changed."""
    return journey.home


@pytest.fixture
def own_home(journey: Journey, tmp_path: Path) -> Path:
    """A copy of the published home, to do anything to."""
    return Path(shutil.copytree(journey.home, tmp_path / "home"))


@pytest.fixture
def new_home(tmp_path: Path) -> Path:
    """A home without packets, in which training is quick."""
    made = tmp_path / "new-home"
    made.mkdir()
    (made / "dante.toml").write_text(_SETTINGS)
    return made


@pytest.fixture
def packets(tmp_path: Path) -> Callable[..., Path]:
    """Write a CSV of so many good packets of 2025-03-01, on seven ports."""

    def write(name: str = "packets.csv", rows: int = 60, sensor: str | None = None) -> Path:
        path = tmp_path / name
        head = "ts,src,proto,dport" + ("" if sensor is None else ",sensor")
        tail = "" if sensor is None else ',"' + sensor.replace('"', '""') + '"'
        ports = (23, 80, 443, 445, 22, 8080, 3389)
        lines = [
            f"2025-03-01T00:{n // 60:02d}:{n % 60:02d}Z,10.1.{n % 20}.7,tcp,{ports[n % 7]}{tail}"
            for n in range(rows)
        ]
        path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        return path

    return write
