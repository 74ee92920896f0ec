"""Homes, settings, days and databases that are not as they should be."""

import re
import shutil
import subprocess
import sys

import duckdb
import pytest

from dante.config import load_settings, settings_template

_DAY = "2025-03-06"


@pytest.mark.parametrize(
    "day", ["yesterday", "2025-02-30", "2025-3-1", "", "01/03/2025", "\x1b[31m"]
)
@pytest.mark.parametrize("words", ["run DAY", "backfill DAY 2025-03-01", "rewind DAY", "train DAY"])
def test_no_day(dante, home, words, day):
    """What is no day is wrong usage, shown harmlessly, with a day as it should be written."""
    arguments = [day if word == "DAY" else word for word in words.split()]
    assert "write it as 2025-03-01" in dante(*arguments, "--home", home).fault(2)


@pytest.mark.parametrize("option", ["threats --day", "threats --since", "report r.html --last"])
def test_no_day_as_option(dante, home, option):
    """An option that is no day is wrong usage too."""
    assert "'x' is no day" in dante(*option.split(), "x", "--home", home).fault(2)


def test_last_before_first(dante, home):
    """A span that ends before it begins is wrong usage."""
    sentence = dante("backfill", "2025-03-06", "2025-03-01", "--home", home).fault(2)
    assert "2025-03-06" in sentence
    assert "2025-03-01" in sentence


def test_days_without_packets_in_a_span(dante, home):
    """Days of a span that have no packets are told, and are no fault when others are done."""
    done = dante("backfill", "2025-02-20", "2025-03-08", "--home", home, "--jobs", 1)
    assert done.code == 0
    assert "0 days done, 6 were done already" in done.err
    assert "11 days have no packets (2025-02-20 to 2025-03-08)" in done.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[modle]\nx = 1\n", "modle"),
        (b"[model]\ndimension = 3\n", "model.dimension"),
        (b'[model]\ndimensions = "many"\n', "model.dimensions"),
        (b"[model]\ndimensions = 1\n", "model.dimensions"),
        (b"model = 3\n", "model"),
        (b"[cluster]\nradius = nan\n", "cluster.radius"),
        (b"[track]\nwindow = 7\n", "track.sleep_after must be less than track.window"),
        (b"[[sources]]\npath = 3\n", "sources.0.path"),
        (b"[[sources]]\nmapping = 'x'\n", "sources.0.path"),
        (b"[model\n", "not valid TOML"),
        (b"[model]\nseed = 1\nseed = 2\n", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
    ],
)
@pytest.mark.parametrize("command", ["status", "init", "tracks", "run 2025-03-01"])
def test_settings(dante, new_home, command, text, says):
    """A settings file that is not understood is wrong usage for every command, and is named."""
    (new_home / "dante.toml").write_bytes(text)
    sentence = dante(*command.split(), "--home", new_home).fault(2)
    assert says in sentence
    assert "dante.toml" in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DANTE_CLUSTER__RADIUS", "wide"),
        ("DANTE_MODEL", "{"),
    ],
)
def test_variables(dante, home, monkeypatch, name, value):
    """A variable that is not understood is wrong usage like a line of the file."""
    monkeypatch.setenv(name, value)
    dante("status", "--home", home).fault(2)


def test_home_by_variable(dante, home, monkeypatch, tmp_path):
    """DANTE_HOME names the home; --home outranks it."""
    monkeypatch.setenv("DANTE_HOME", str(home))
    assert dante("tracks", "--format", "csv").out.count("\n") > 3
    assert "tmp" not in dante("tracks", "--home", tmp_path / "no").out


def test_declared_source_that_is_missing(dante, new_home):
    """A declared source that holds nothing yet is waited for: the span has no packets so far."""
    (new_home / "dante.toml").write_text('[[sources]]\npath = "nowhere/*.csv"\n')
    sentence = dante("backfill", "2025-03-01", "2025-03-01", "--home", new_home).fault(4)
    assert "no packets of 2025-03-01" in sentence


def test_init(dante, tmp_path):
    """`init` makes a file that changes nothing and is understood, and never overwrites one."""
    home = tmp_path / "made" / "here"
    assert dante("init", "--home", home).code == 0
    made = (home / "dante.toml").read_text("utf-8")
    assert all(not line or line.startswith("#") for line in made.splitlines())
    assert dante("status", "--home", home).code == 0
    (home / "dante.toml").write_text("[model]\nseed = 5\n")
    assert dante("init", "--home", home).code == 0
    assert (home / "dante.toml").read_text() == "[model]\nseed = 5\n"


def test_settings_template(tmp_path):
    """Every line of what `init` writes is right: with its marks removed nothing changes."""
    template = settings_template()
    before = load_settings(tmp_path).fingerprint()
    lines = [line[2:] for line in template.splitlines() if re.match(r"# (\[|[a-z_]+ = )", line)]
    assert len(lines) > 30
    (tmp_path / "dante.toml").write_text("\n".join(lines), encoding="utf-8")
    settings = load_settings(tmp_path)
    assert settings.fingerprint() == before
    assert settings.sources[0].mapping == "mapping.toml"


@pytest.mark.parametrize(
    "words",
    [
        "init --home FILE",
        "ingest PACKETS --home FILE",
        "ingest PACKETS --home FILE/below",
        "simulate FILE",
        "demo --no-prefect --folder FILE",
    ],
)
def test_file_where_a_folder_is_expected(dante, packets, tmp_path, words):
    """A file where a folder is expected is a fault of one sentence that names it."""
    file = tmp_path / "plain.txt"
    file.write_text("x")
    names = {"PACKETS": str(packets()), "FILE": str(file), "FILE/below": str(file / "below")}
    answer = dante(*(names.get(word, word) for word in words.split()))
    assert answer.code in (1, 2)
    assert "plain.txt" in answer.fault(answer.code)


@pytest.mark.parametrize("kind", ["folder", "below a file"])
def test_report_that_cannot_be_written(dante, home, tmp_path, kind):
    """A report is not written over a folder or below a file; the message names the path."""
    (tmp_path / "plain.txt").touch()
    out = tmp_path if kind == "folder" else tmp_path / "plain.txt" / "r.html"
    answer = dante("report", out, "--home", home)
    assert answer.code in (1, 2)
    assert str(out) in answer.fault(answer.code)


def test_full_disk(home):
    """A full disk is told in one sentence."""
    command = "from dante.cli import main; main()"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", command, "query", "FROM memberships", "--home", str(home)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr
    assert "a bug:" not in done.stderr


def test_settings_that_are_a_folder(dante, tmp_path):
    """A folder named dante.toml is not taken for settings that are understood."""
    (tmp_path / "dante.toml").mkdir()
    answer = dante("init", "--home", tmp_path)
    assert answer.code in (1, 2)
    answer.fault(answer.code)


_HOLDER = (
    "import sys, duckdb\n"
    "con = duckdb.connect(sys.argv[1])\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.mark.parametrize("command", ["status", "run 2025-03-06", "rewind 2025-03-06"])
def test_state_held_by_another_program(dante, own_home, command):
    """While another program has the state open, work fails with 1 and names the file."""
    state = own_home / "state.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            sentence = dante(*command.split(), "--home", own_home).fault(1)
        finally:
            assert holder.stdin is not None
            holder.stdin.close()
    assert str(state) in sentence
    assert "open in another program" in sentence


@pytest.mark.parametrize(
    "command", ["run 2025-03-06", "backfill 2025-03-01 2025-03-06", "rewind 2025-03-06"]
)
def test_home_at_work(dante, own_home, command):
    """While another dante works on the home, work fails with 1 at once and names the home."""
    from dante.store.home import Home

    with Home(own_home).lock("pipeline"):
        assert str(own_home) in dante(*command.split(), "--home", own_home).fault(1)


def _junk(path):
    path.write_bytes(b"junk" * 5000)


def _empty(path):
    path.write_bytes(b"")


def _cut(path):
    body = path.read_bytes()
    path.write_bytes(body[: len(body) // 2])


def _folder(path):
    path.unlink()
    path.mkdir()


def _overwritten(path):
    body = path.read_bytes()
    path.write_bytes(body[: 1 << 18] + b"\xa5" * (len(body) - (1 << 18)))


_DAMAGES = [
    _junk,
    _empty,
    _cut,
    _folder,
]


@pytest.mark.parametrize("damage", _DAMAGES)
@pytest.mark.parametrize("command", ["status", "run 2025-03-06", "rewind 2025-03-05"])
def test_damaged_state(dante, own_home, command, damage):
    """A damaged state.duckdb is named, with the way out; what is published can still be asked."""
    damage(own_home / "state.duckdb")
    sentence = dante(*command.split(), "--home", own_home).fault(1)
    assert "state.duckdb" in sentence
    assert "backfill" in sentence
    assert dante("tracks", "--home", own_home).code == 0


def test_way_out_of_a_damaged_state(dante, own_home):
    """As the message says: move the state away and backfill; the rows are the same again."""
    tables = ("memberships", "tracks", "lineage", "threats", "daily", "models", "ingests")

    def published():
        return [
            dante("query", f"FROM {table} ORDER BY ALL", "--home", own_home, "--format", "csv").out
            for table in tables
        ]

    before = published()
    (own_home / "state.duckdb").unlink()
    done = dante("backfill", "2025-03-01", _DAY, "--home", own_home, "--jobs", 1)
    assert done.code == 0, done.err
    assert published() == before


@pytest.mark.parametrize(
    "damage",
    [
        _junk,
        _folder,
        _empty,
        _overwritten,
    ],
)
def test_damaged_publication(dante, own_home, tmp_path, damage):
    """A damaged lineage.duckdb is a fault of one sentence for everything that reads it."""
    damage(own_home / "lineage.duckdb")
    for words in (["tracks"], ["threats"], ["lineage", "1"], ["report", tmp_path / "r.html"]):
        answer = dante(*words, "--home", own_home)
        assert answer.code in (1, 4)
        answer.fault(answer.code)


def test_damaged_publication_is_not_busy(dante, journey, own_home):
    """A damaged publication is not told to be at work: trying again would never help."""
    _overwritten(own_home / "lineage.duckdb")
    answer = dante("evaluate", journey.folder / "sim" / "truth", "--home", own_home)
    assert "try again" not in answer.fault(1)


def test_missing_packets_of_the_lake(dante, own_home):
    """A packets file that is gone from the lake is named by its source, with the way out."""
    next((own_home / "lake" / "packets" / f"day={_DAY}").iterdir()).unlink()
    sentence = dante("run", _DAY, "--home", own_home).fault(1)
    assert "2025-03-06.parquet" in sentence
    assert "--again" in sentence


def test_damaged_packets_of_the_lake(dante, own_home):
    """A damaged packets file of the lake is named by its source, with the way out."""
    _cut(next((own_home / "lake" / "packets" / f"day={_DAY}").iterdir()))
    sentence = dante("run", _DAY, "--home", own_home).fault(1)
    assert "2025-03-06.parquet" in sentence
    assert "--again" in sentence


def test_damaged_manifest(dante, own_home):
    """A damaged manifest is named, with the way out."""
    manifest = next((own_home / "lake" / "ingests").glob("*.json"))
    _cut(manifest)
    assert manifest.name in dante("status", "--home", own_home).fault(1)


def test_damaged_model(dante, own_home):
    """A damaged model is named, with the way out; without its folder it is trained anew."""
    for folder in (own_home / "models").iterdir():
        (folder / "vectors.npy").write_bytes(b"junk")
    assert "w2v-2025-03-" in dante("run", _DAY, "--home", own_home).fault(1)
    shutil.rmtree(own_home / "models")
    assert dante("run", _DAY, "--home", own_home).code == 0


def test_damaged_memory_of_sources(dante, own_home, packets):
    """A damaged note of what was read is no reason to stop: the sources are read again."""
    packets().rename(own_home / "packets.csv")
    (own_home / "dante.toml").write_text('[[sources]]\npath = "packets.csv"\n')
    (own_home / "work" / "sources.json").write_text("{")
    done = dante("backfill", "2025-02-01", "2025-03-01", "--home", own_home, "--jobs", 1)
    assert done.code == 0, done.err


@pytest.mark.parametrize("kind", ["file", "database of others"])
def test_foreign_truth_and_database(dante, journey, own_home, tmp_path, kind):
    """A truth that is none, and a database that is another's, are told and never a bug."""
    if kind == "file":
        for name in ("members", "events"):
            (tmp_path / f"{name}.parquet").write_bytes(b"junk")
        dante("evaluate", tmp_path, "--home", own_home).fault(1)
    else:
        (own_home / "lineage.duckdb").unlink()
        with duckdb.connect(own_home / "lineage.duckdb") as con:
            con.execute("CREATE TABLE t AS SELECT 1")
        dante("tracks", "--home", own_home).fault(1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--days 0", "1 day"),
        ("--senders 1", "50 senders"),
        ("--seed -1", "seed"),
        ("--first-day x", "'x'"),
        pytest.param(
            "--first-day 9999-12-31 --days 3 --senders 60",
            "9999",
        ),
    ],
)
def test_simulations_that_cannot_be(dante, tmp_path, words, says):
    """A simulation that cannot be is wrong usage."""
    assert says in dante("simulate", tmp_path / "s", *words.split()).fault(2)


def test_simulation_over_another(dante, journey):
    """Days of two simulations never mix."""
    dante("simulate", journey.folder / "sim").fault(2)


def test_wrong_truth(dante, home, tmp_path):
    """A truth folder that is none is a failure, and one of other days is too little data."""
    dante("evaluate", tmp_path / "nowhere", "--home", home).fault(1)


def test_rewind_of_nothing(dante, home):
    """Taking back days that were never done changes nothing and says so."""
    answer = dante("rewind", "2030-01-01", "--home", home)
    assert answer.code == 0
    assert "nothing was changed" in answer.err


@pytest.mark.parametrize("words", ["rewind 2025-03-01", "backfill 2025-03-01 2025-03-02"])
def test_misspelt_home(dante, tmp_path, words):
    """A home that is misspelt is not made by a command that found nothing in it."""
    dante(*words.split(), "--home", tmp_path / "hoem")
    assert not (tmp_path / "hoem").exists()
