"""Files that are not what they should be, and what `ingest` says of them."""

import os

import pytest


def _ingest(dante, home, *words):
    return dante("ingest", *words, "--home", home)


def test_missing_file(dante, new_home, tmp_path):
    """A file that is not there is wrong usage and is named."""
    assert "nofile.csv" in _ingest(dante, new_home, tmp_path / "nofile.csv").fault(2)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "empty"),
        ("empty.csv.gz", b"", "empty"),
        ("header.csv", b"ts,src,proto,dport\n", "only a header"),
        ("blank.csv", b"\n\n\n", "no"),
        ("noproto.csv", b"ts,src,dport\n2025-03-01T00:00:00Z,1.2.3.4,23\n", "'proto'"),
        ("foreign.csv", b"when;who;what\n1;2;3\n", "--mapping"),
        ("twice.csv", b"ts,src,src,proto,dport\n1,2,3,4,5\n", "two columns"),
        ("nul.csv", b"ts,src\0,proto\n" * 9, "unknown format"),
        ("utf16.csv", "ts,src,proto\n".encode("utf-16"), "UTF-16"),
        ("archive.csv", b"PK\x03\x04" + b"x" * 99, "zip"),
        ("random.bin", bytes(range(256)) * 9, "unknown format"),
        ("cut.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "damaged"),
        ("magic.parquet", b"PAR1" + b"\0" * 99 + b"PAR1", "Parquet"),
        ("short.parquet", b"PAR1", "Parquet"),
        ("esc\x1b[31m.csv", b"", "empty"),
    ],
)
def test_useless_files(dante, new_home, tmp_path, name, content, says):
    """A file that holds no packets at all fails with one sentence that names it and the cause."""
    (tmp_path / name).write_bytes(content)
    sentence = _ingest(dante, new_home, tmp_path / name).fault(1)
    assert says in sentence
    assert name.split("\x1b")[0] in sentence
    assert not (new_home / "lake").exists()


@pytest.mark.parametrize(
    "where",
    [
        "end",
        "middle",
        "footer",
    ],
)
def test_damaged_parquet(dante, journey, new_home, tmp_path, where):
    """A Parquet file that is cut or overwritten is refused whole: no packet of it stays."""
    whole = (journey.folder / "sim" / "packets" / "2025-03-01.parquet").read_bytes()
    third = len(whole) // 3
    damaged = {
        "end": whole[:third],
        "middle": whole[:third] + b"\xff" * 300 + whole[third + 300 :],
        "footer": whole[:-300] + b"\xff" * 292 + whole[-8:],
    }[where]
    (tmp_path / "damaged.parquet").write_bytes(damaged)
    assert "damaged.parquet" in _ingest(dante, new_home, tmp_path / "damaged.parquet").fault(1)
    assert not list(new_home.rglob("*.parquet"))


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_wrong_format(dante, journey, new_home, packets, form):
    """A file read as what it is not fails with one sentence."""
    parquet = journey.folder / "sim" / "packets" / "2025-03-01.parquet"
    path = packets() if form == "parquet" else parquet
    _ingest(dante, new_home, path, "--format", form).fault(1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "pcapng2"], "pcapng2"),
        (["--tz", "Mars/Base"], "Mars/Base"),
        (["--mapping", "nowhere.toml"], "nowhere.toml"),
        (["--mapping", "."], "mapping"),
    ],
)
def test_wrong_options(dante, new_home, packets, words, says):
    """An option that names what there is not is wrong usage."""
    assert says in _ingest(dante, new_home, packets(), *words).fault(2)


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ('[colums]\nts = "ts"\n', "'colums'"),
        ('[columns]\nts = "ts"\nsource = "src"\n', "'source'"),
        ('[columns]\nts = "ts"\n', "'src'"),
        ("[columns]\nts = 1\n", "ts"),
        ("[columns\n", "TOML"),
        ('[ts]\nformat = "%Q"\n', "%Q"),
        ('[ts]\ntz = "Mars"\n', "Mars"),
        ('[csv]\nseparator = ";;"\n', "separator"),
        ("[proto]\nnames = { tcp = 999 }\n", "tcp"),
    ],
)
def test_wrong_mappings(dante, new_home, packets, tmp_path, mapping, says):
    """A mapping that is not understood is wrong usage, and nothing in it is passed over."""
    (tmp_path / "map.toml").write_text(mapping)
    sentence = _ingest(dante, new_home, packets(), "--mapping", tmp_path / "map.toml").fault(2)
    assert says in sentence
    assert "map.toml" in sentence


@pytest.fixture
def swapped(tmp_path):
    """A mapping under which no row of `packets` is a packet."""
    path = tmp_path / "swapped.toml"
    path.write_text('[columns]\nts = "dport"\nsrc = "proto"\nproto = "src"\ndport = "ts"\n')
    return path


def test_every_row_refused(dante, new_home, packets, swapped):
    """If no row is a packet the ingest fails, with the commonest reason and how many rows."""
    sentence = _ingest(dante, new_home, packets(), "--mapping", swapped).fault(1)
    assert "not an address" in sentence
    assert "60 rows" in sentence
    assert "--mapping" in sentence


def test_every_row_refused_then_read_rightly(dante, new_home, packets, swapped):
    """After the wrong mapping the right reading replaces what it left, quarantine and all."""
    path = packets()
    _ingest(dante, new_home, path, "--mapping", swapped).fault(1)
    answer = _ingest(dante, new_home, path)
    assert answer.code == 0
    assert "60 packets kept, 0 rows quarantined" in answer.err
    assert not list((new_home / "lake" / "quarantine").rglob("*.parquet"))


def test_every_row_refused_twice(dante, new_home, packets, swapped):
    """The same wrong ingest fails the second time as it did the first."""
    path = packets()
    first = _ingest(dante, new_home, path, "--mapping", swapped).fault(1)
    assert _ingest(dante, new_home, path, "--mapping", swapped).fault(1) == first


def test_every_new_row_refused(dante, new_home, packets, tmp_path):
    """If the only new file is all refused, the reason told is that file's own."""
    good, bad = packets("a.csv"), tmp_path / "b.csv"
    bad.write_text("ts,src,proto,dport\n" + "never,x,y,z\n" * 12)
    assert _ingest(dante, new_home, good).code == 0
    sentence = _ingest(dante, new_home, good, bad).fault(1)
    assert "not a time" in sentence


def test_one_file_refused_whole(dante, new_home, packets, tmp_path):
    """A file of which every row was refused is named, though another file went well."""
    good, bad = packets("a.csv"), tmp_path / "b.csv"
    bad.write_text("ts,src,proto,dport\n" + "never,x,y,z\n" * 12)
    answer = _ingest(dante, new_home, good, bad)
    said = [line for line in answer.err.splitlines() if not line.startswith("reading files")]
    assert any("b.csv" in line for line in said)


def test_broken_rows_are_counted(dante, new_home, packets):
    """Of 1 % broken rows none is lost: kept and quarantined are what was read, and published."""
    path = packets(rows=2000)
    lines = path.read_text().splitlines()
    for at in range(50, 2001, 100):
        fields = lines[at].split(",")
        broken = {50: ("x", *fields[1:]), 150: (*fields[:3], "99999"), 250: ("only", "two")}
        lines[at] = ",".join(broken.get(at, (fields[0], "300.1.2.3", *fields[2:])))
    path.write_text("\n".join(lines) + "\n")
    answer = _ingest(dante, new_home, path)
    assert answer.code == 0
    assert "1,980 packets kept, 20 rows quarantined" in answer.err
    done = dante("backfill", "2025-03-01", "2025-03-01", "--home", new_home, "--jobs", 1)
    assert done.code == 0, done.err
    sql = "SELECT sum(rows) AS kept, sum(quarantined) AS refused FROM ingests"
    told = dante("query", sql, "--home", new_home, "--format", "csv")
    assert told.out.splitlines() == ["kept,refused", "1980,20"]
    months = dante("status", "--home", new_home, "--format", "csv").out
    assert months.splitlines()[1].endswith(",1980,18")
    assert months.splitlines()[2].endswith(",0,2"), "two rows have no day that can be read"


def test_status_tells_quarantine(dante, new_home, packets, swapped):
    """What was refused shows in `status` also where nothing was kept."""
    _ingest(dante, new_home, packets(), "--mapping", swapped)
    assert "60" in dante("status", "--home", new_home, "--format", "csv").out


def test_columns_left_out_are_told(shell, new_home, tmp_path):
    """Columns that are not read are named once, on stderr, and the ingest goes on."""
    path = tmp_path / "more.csv"
    path.write_text("ts,src,proto,dport,colour\n" + "2025-03-01T00:00:00Z,1.2.3.4,tcp,23,red\n" * 9)
    answer = shell("ingest", path, "--home", new_home)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.count("colour") == 1


def test_same_bytes_under_another_name(dante, new_home, packets):
    """A copy of a file that is there already adds nothing, and the message says so."""
    assert _ingest(dante, new_home, packets("a.csv")).code == 0
    answer = _ingest(dante, new_home, packets("b.csv"))
    assert answer.code == 0
    assert "1 of 1 files were there already" in answer.err


_NAMES = [
    "two words",
    "it's",
    'a "b"',
    "[1]",
    "{a,b}",
    "star*",
    "q?",
    "#x%20&y",
    "é☃",
    "-x",
    "a\nb",
]


@pytest.mark.parametrize("name", _NAMES)
def test_names_of_files(dante, new_home, packets, name):
    """A file may be named anything: it is read, and its own name is published."""
    answer = _ingest(dante, new_home, packets(f"{name}.csv"))
    assert answer.code == 0, answer.err
    found = dante("status", "--home", new_home, "--format", "json")
    assert '"packets": 60' in found.out


@pytest.mark.parametrize(
    "name",
    [name for name in _NAMES if "?" not in name],
)
def test_names_of_homes(dante, tmp_path, packets, name):
    """A home may be named anything."""
    answer = _ingest(dante, tmp_path / name, packets())
    assert answer.code == 0, answer.err
    assert '"packets": 60' in dante("status", "--home", tmp_path / name, "--format", "json").out


def test_name_no_home_can_have(dante, tmp_path, packets):
    """A home that DuckDB cannot write below, for the `?` in its name, is refused at once."""
    assert "?" in _ingest(dante, tmp_path / "q?", packets()).fault(2)


def test_declared_sources_in_an_odd_home(dante, tmp_path, packets):
    """A declared pattern is relative to the home, whose own name is no pattern."""
    home = tmp_path / "telescope [1]"
    home.mkdir()
    (home / "dante.toml").write_text('[[sources]]\npath = "*.csv"\n[model]\ntrain_words = 20000\n')
    packets().rename(home / "packets.csv")
    done = dante("backfill", "2025-03-01", "2025-03-01", "--home", home, "--jobs", 1)
    assert done.code == 0, done.err


def test_name_that_is_no_text(dante, new_home, packets):
    """A file whose name is not UTF-8 can be ingested without harm to the home."""
    path = packets()
    odd = path.rename(path.with_name(os.fsdecode(b"\xff.csv")))
    assert _ingest(dante, new_home, odd).code == 0
    assert '"packets": 60' in dante("status", "--home", new_home, "--format", "json").out


_SENSORS = ["edge 1", "it's", 'a "b"', "[bold]x[/]", "{0}", "'; DROP TABLE runs; --", "é☃", "NULL"]


def test_names_of_sensors(dante, new_home, packets, tmp_path):
    """Sensors may be named anything, in the file or by the option; the day is done all the same."""
    for n, sensor in enumerate([*_SENSORS, "esc\x1b[31m", "tab\tx"]):
        answer = _ingest(dante, new_home, packets(f"{n}.csv", 60 + n, sensor))
        assert answer.code == 0, answer.err
        answer = _ingest(dante, new_home, packets(f"o{n}.csv", 80 + n), "--sensor", sensor)
        assert answer.code == 0, answer.err
    done = dante("run", "2025-03-01", "--home", new_home)
    assert done.code == 0, done.err
    checks = dante("query", "FROM quality", "--home", new_home)
    assert checks.code == 0
    assert all(line.isprintable() for line in checks.out.splitlines())
    assert dante("report", tmp_path / "r.html", "--home", new_home).code == 0
    assert "\x1b" not in (tmp_path / "r.html").read_text("utf-8")


def test_sensor_without_a_name(dante, new_home, packets):
    """A sensor's name longer than the contract allows sends the rows to quarantine, with why."""
    sentence = _ingest(dante, new_home, packets(), "--sensor", "x" * 300).fault(1)
    assert "sensor_length" in sentence
