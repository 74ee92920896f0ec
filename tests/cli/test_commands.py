"""The commands there are, what they cost to start, and how they end."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_COMMANDS = [
    "demo",
    "init",
    "ingest",
    "train",
    "run",
    "backfill",
    "rewind",
    "status",
    "quarantine",
    "tracks",
    "lineage",
    "threats",
    "floods",
    "query",
    "report",
    "serve",
    "label",
    "labels",
    "export",
    "simulate",
    "evaluate",
    "doctor",
    "up",
    "backup",
    "restore",
    "prune",
]
_HEAVY = [
    "polars",
    "great_expectations",
    "prefect",
    "gensim",
    "hdbscan",
    "duckdb",
    "pandas",
    "sklearn",
    "numpy",
    "scipy",
]
_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_of_each(dante, command):
    """Each command has help that says what it does, on stdout, and names every option."""
    answer = dante(command, "--help")
    assert answer.code == 0
    assert answer.err == ""
    assert re.search(rf"Usage: .*\b{command}\b", answer.out)
    assert re.search(r"[A-Z][^\n]{20,}", answer.out.split("Options")[0].split("Usage")[1])


def test_help_names_all(dante):
    """`dante --help` names every command once, and no other."""
    answer = dante("--help")
    assert answer.code == 0
    found = re.findall(r"^│ ([a-z]+) ", answer.out, flags=re.MULTILINE)
    assert sorted(found) == sorted(_COMMANDS)


def test_version(dante):
    """`dante --version` says the version on stdout."""
    answer = dante("--version")
    assert (answer.code, answer.err) == (0, "")
    assert re.fullmatch(r"dante \d+\.\d+\.\d+\S*\n", answer.out)


def test_quick_start():
    """The front door and its help load none of the heavy packages, and few modules at all."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import dante.cli.app\n"
        "from dante.cli import main\n"
        "sys.argv = ['dante', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('MODULES', *sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=_ROOT, check=True
    )
    loaded = done.stdout.split("MODULES ")[1].split()
    assert "dante.cli.app" in loaded
    assert not {name.partition(".")[0] for name in loaded} & set(_HEAVY)
    assert len(loaded) < 700


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["tracks", "--no-such"], 2)])
def test_the_process_ends_at_once_and_whole(words: list[str], code: int) -> None:
    """All is printed, all that wants to be called at the end is, and the exit code is main's."""
    script = (
        "import atexit, sys\n"
        "from dante.cli import command\n"
        "class Last:\n"
        "    def __del__(self):\n        print('taken apart')\n"
        f"sys.argv = ['dante', *{words}]\n"
        "sys.modules['kept'] = Last()\n"
        "import threading\n"
        "threading.Timer(0.2, lambda: atexit.register(print, 'tidied up')).start()\n"
        "command()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.endswith("tidied up\n")
    assert bool(done.stderr) == (code == 2)


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    """Daemons close them: nothing is said of that, and the exit code is what it is."""
    code = (
        "import os, sys\n"
        f"sys.{closed} = None\n"
        "from dante.cli import command\n"
        "sys.argv = ['dante', '--version']\n"
        "command()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_that_messages_name():
    """Every command that a message or a setting file tells people to type exists."""
    named = set()
    for room in ("dante", "flows", "tasks"):
        for path in (_ROOT / room).rglob("*.py"):
            named |= set(re.findall(r"(?:`|next: |bin/)dante ([a-z]+)", path.read_text("utf-8")))
    assert "backfill" in named, "the search finds what is there"
    assert named <= set(_COMMANDS)


def test_exit_code_0(dante, home):
    """A command that did what was asked ends with 0."""
    assert dante("tracks", "--home", home).code == 0


def test_exit_code_1(dante, new_home, tmp_path):
    """A file that cannot be read is a failure: 1."""
    (tmp_path / "empty.csv").touch()
    dante("ingest", tmp_path / "empty.csv", "--home", new_home).fault(1)


@pytest.mark.parametrize(
    "words", ["nosuch", "tracks --nosuch", "tracks --limit 0", "run", "lineage"]
)
def test_exit_code_2(dante, words):
    """A command line that is not understood is wrong usage, 2, and says so on stderr."""
    answer = dante(*words.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("words", ["nosuch", "tracks --nosuch", "run", "demo --days 1"])
def test_usage_in_one_sentence(dante, words):
    """Wrong usage is told in one sentence like any other fault."""
    dante(*words.split()).fault(2)


def test_exit_code_3(dante, new_home, packets):
    """A day that breaks its contract, here with fewer than ten packets, ends with 3."""
    few = packets(rows=9)
    assert dante("ingest", few, "--home", new_home).code == 0
    for command in (["run", "2025-03-01"], ["backfill", "2025-03-01", "2025-03-01", "--jobs", 1]):
        sentence = dante(*command, "--home", new_home).fault(3)
        assert "2025-03-01" in sentence
        assert "9 packets" in sentence
    runs = dante("query", "SELECT flow, status FROM runs", "--home", new_home, "--format", "csv")
    assert runs.out.splitlines()[1:] == ["run,failed", "backfill,failed"]
    listed = dante("tracks", "--home", new_home, "--format", "json")
    assert (listed.code, listed.out) == (0, "[]\n")


@pytest.mark.parametrize("words", ["run 2024-01-01", "backfill 2024-01-01 2024-02-01"])
def test_exit_code_4(dante, home, words):
    """Days without packets are too little data, 4, and the message says what there is."""
    sentence = dante(*words.split(), "--home", home).fault(4)
    assert "2024-01-01" in sentence
    assert "2025-03-01 to 2025-03-06" in sentence


@pytest.mark.parametrize("words", ["train", "run 2025-03-01", "backfill 2025-03-01 2025-03-01"])
def test_empty_home(dante, new_home, words):
    """A home without packets is too little data too."""
    dante(*words.split(), "--home", new_home).fault(4)


_UNPUBLISHED = ["tracks", "threats", "lineage 1", "query SELECT", "evaluate x", "report x.html"]


@pytest.mark.parametrize("words", _UNPUBLISHED)
def test_nothing_published(dante, new_home, words):
    """Asking a home where nothing is published ends with 4 whatever asks, and makes nothing."""
    sentence = dante(*words.split(), "--home", new_home).fault(4)
    assert "backfill" in sentence or "run the days first" in sentence
    assert [path.name for path in new_home.iterdir()] == ["dante.toml"]


def test_nothing_published_is_told(dante, new_home):
    """Asking a home where nothing is published says what to do next, in one sentence."""
    for words in (["tracks"], ["threats"], ["lineage", "1"], ["query", "SELECT 1"]):
        answer = dante(*words, "--home", new_home)
        assert answer.code in (1, 4)
        assert "dante backfill" in answer.fault(answer.code)


def test_interrupted(tmp_path):
    """Ctrl-C ends with 130 and one sentence that says the command can be repeated."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from dante.cli import main; main()", "simulate"),
            *(str(tmp_path / "sim"), "--days", "3000", "--senders", "2000"),
        ],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while not list(tmp_path.glob("sim/packets/*.parquet")) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "dante: stopped; the same command goes on from here\n"


def test_reader_has_enough(home):
    """A reader that closes the pipe early (`| head -1`) is no fault and makes no noise."""
    command = "from dante.cli import main; main()"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", command, "query", "FROM memberships, range(30)"),
            *("--format", "csv", "--home", str(home)),
        ],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("day,src,")
    process.stdout.close()
    assert process.stderr is not None
    noise = process.stderr.read()
    assert process.wait(timeout=60) in (0, 1, 141)
    assert noise == ""
