"""A newcomer's way: each command says what to type next, and doing it all again changes nothing."""

import html.parser
import shlex

import pytest

_SPAN = ("2025-03-01", "2025-03-06")
_VIEWS = [
    "memberships",
    "tracks",
    "lineage",
    "track_days",
    "threats",
    "daily",
    "models",
    "quality",
    "ingests",
    "runs",
]


def _published(dante, home, views=_VIEWS):
    """Every row of every view, in a total order."""
    return {
        view: dante("query", f"FROM {view} ORDER BY ALL", "--home", home, "--format", "csv").out
        for view in views
    }


@pytest.mark.parametrize("step", ["simulate", "init", "ingest", "backfill"])
def test_steps(journey, step):
    """Each of the first steps ends well, with messages on stderr and nothing on stdout."""
    answer = journey.steps[step]
    assert (answer.code, answer.out) == (0, "")
    assert "Traceback" not in answer.err
    assert "nanobind" not in answer.err
    assert "Warning" not in answer.err


@pytest.mark.parametrize("step", ["simulate", "init", "ingest"])
def test_next_step_is_told(journey, step):
    """Each of the first steps says which command comes next, and that is what the test typed."""
    told = journey.steps[step].err.splitlines()[-1]
    wanted = {
        "simulate": "dante ingest sim/packets",
        "init": "dante ingest FILE --home home",
        "ingest": "dante backfill 2025-03-01 2025-03-06 --home home",
    }[step]
    assert told.endswith(f"next: {wanted}")


def test_only_our_words(journey):
    """A backfill that goes well says nothing beside its progress and its result."""
    lines = journey.steps["backfill"].err.splitlines()
    assert [line for line in lines if "days" not in line] == []


def test_status_next_step(dante, own_home):
    """What `status` says to type next can be typed as it is, and does what is left."""
    assert dante("rewind", "2025-03-06", "--home", own_home).code == 0
    answer = dante("status", "--home", own_home)
    words = shlex.split(answer.err.splitlines()[-1].split("next: dante ")[1])
    assert words[:3] == ["backfill", "2025-03-06", "2025-03-06"]
    assert "--home" in words


def test_next_step_of_an_odd_home(dante, tmp_path, packets):
    """The command that comes next can be pasted into a shell also where the home has a space."""
    home = tmp_path / "my telescope"
    answer = dante("ingest", packets(), "--home", home)
    words = shlex.split(answer.err.splitlines()[-1].split("next: dante ")[1])
    assert words == ["backfill", "2025-03-01", "2025-03-01", "--home", str(home)]


def test_again_changes_nothing(dante, journey, own_home):
    """Ingesting and backfilling again change no row of any view, runs and ingests included."""
    before = _published(dante, own_home)
    assert all(text.count("\n") > 1 for text in before.values())
    packets = journey.folder / "sim" / "packets"
    again = dante("ingest", packets, "--home", own_home)
    assert again.code == 0
    assert "0 packets kept, 0 rows quarantined; 6 of 6 files were there already" in again.err
    done = dante("backfill", *_SPAN, "--home", own_home, "--jobs", 1)
    assert done.code == 0
    assert "0 days done, 6 were done already" in done.err
    assert _published(dante, own_home) == before


def test_read_again_changes_nothing(dante, journey, own_home):
    """Reading the same files again by force leaves every day done and every row as it was."""
    before = _published(dante, own_home)
    packets = journey.folder / "sim" / "packets"
    assert dante("ingest", packets, "--home", own_home, "--again").code == 0
    done = dante("backfill", *_SPAN, "--home", own_home, "--jobs", 1)
    assert "0 days done, 6 were done already" in done.err
    assert _published(dante, own_home) == before


def test_rewind_and_backfill(dante, own_home):
    """Days taken back and done again have the same rows as before."""
    views = [view for view in _VIEWS if view != "runs"]
    before = _published(dante, own_home, views)
    gone = dante("rewind", "2025-03-05", "--home", own_home)
    assert (gone.code, gone.out) == (0, "")
    assert "took back 2 days, 2025-03-05 to 2025-03-06" in gone.err
    days = dante("query", "SELECT max(day) FROM daily", "--home", own_home, "--format", "csv")
    assert days.out.split() == ["max(day)", "2025-03-04"] or "2025-03-04" in days.out
    done = dante("backfill", *_SPAN, "--home", own_home, "--jobs", 1)
    assert "2 days done, 4 were done already" in done.err
    assert _published(dante, own_home, views) == before


def test_day_run_again(dante, own_home):
    """A day run again is replaced by the same rows; the days after it are stale until done."""
    views = [view for view in _VIEWS if view != "runs"]
    before = _published(dante, own_home, views)
    answer = dante("run", "2025-03-05", "--home", own_home)
    assert (answer.code, answer.out) == (0, "")
    assert "2025-03-05: " in answer.err
    months = dante("status", "--home", own_home, "--format", "csv").out.splitlines()
    assert dict(zip(months[0].split(","), months[1].split(","), strict=True))["stale"] == "1"
    assert dante("doctor", "--home", own_home).code == 1
    done = dante("backfill", *_SPAN, "--home", own_home, "--jobs", 1)
    assert "1 days done, 5 were done already" in done.err
    assert _published(dante, own_home, views) == before


def test_train(dante, own_home):
    """Training ahead says which model and which day; again it says that it was there."""
    first = dante("train", "--home", own_home)
    again = dante("train", "--home", own_home)
    assert (first.code, first.out, again.code, again.out) == (0, "", 0, "")
    assert "it judges 2025-03-07" in first.err
    assert "was there already" in again.err


class _Page(html.parser.HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self):
        super().__init__()
        self.loads = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "iframe", "object", "embed"):
            self.loads.append(tag)
        self.loads += [
            v for k, v in attrs if k in ("src", "onload") or (k == "href" and tag == "link")
        ]


def test_report(dante, home, tmp_path):
    """The report is one file that loads and runs nothing, and the same bytes every time."""
    first, second = tmp_path / "a b [1].html", tmp_path / "second.html"
    for out in (first, second):
        answer = dante("report", out, "--home", home)
        assert (answer.code, answer.out) == (0, "")
        assert str(out) in answer.err
    assert first.read_bytes() == second.read_bytes()
    page = _Page()
    page.feed(first.read_text("utf-8"))
    assert page.loads == []


def test_evaluate(dante, journey):
    """Against the simulation's own truth most of what was found is right."""
    truth = journey.folder / "sim" / "truth"
    answer = dante("evaluate", truth, "--home", journey.home, "--format", "csv")
    scores = dict(line.split(",")[:2] for line in answer.out.splitlines()[1:])
    assert float(scores["ari"]) > 0.7
    assert float(scores["coverage"]) > 0.7


def test_doctor(dante, home):
    """A home that is well is found well."""
    answer = dante("doctor", "--home", home, "--format", "csv")
    assert answer.code == 0
    assert answer.out.count(",true,") == answer.out.count("\n") - 1


def test_doctor_finds_faults(dante, home, new_home, monkeypatch):
    """Settings that are not understood, and a proxy before the server, are found; exit code 1."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    answer = dante("doctor", "--home", home, "--format", "csv")
    assert answer.code == 1
    assert 'prefect,false,"http://127.0.0.1:4200 would go through a proxy' in answer.out
    (new_home / "dante.toml").write_text("[modle]\n")
    answer = dante("doctor", "--home", new_home, "--format", "csv")
    assert answer.code == 1
    assert "settings,false," in answer.out


def test_telescope_of_two_ports(dante, new_home, tmp_path):
    """A telescope that sees two ports only, tried together, is small but no fault."""
    path = tmp_path / "two.csv"
    rows = [
        f"2025-03-01T00:00:{n:02d}Z,10.1.1.{n % 25},tcp,{23 if n % 2 else 80}" for n in range(50)
    ]
    path.write_text("\n".join(["ts,src,proto,dport", *rows]) + "\n")
    assert dante("ingest", path, "--home", new_home).code == 0
    done = dante("run", "2025-03-01", "--home", new_home)
    assert done.code == 0, done.err


@pytest.mark.parametrize("senders", [1, 12])
def test_telescope_of_one_port(dante, new_home, tmp_path, senders):
    """A telescope that sees one port only, from one sender or some, is small but no fault."""
    path = tmp_path / "one.csv"
    rows = [f"2025-03-01T00:00:{n:02d}Z,10.1.1.{n % senders},tcp,23" for n in range(36)]
    path.write_text("\n".join(["ts,src,proto,dport", *rows]) + "\n")
    assert dante("ingest", path, "--home", new_home).code == 0
    done = dante("run", "2025-03-01", "--home", new_home)
    assert done.code == 0, done.err
    assert f"36 packets, {senders} senders" in done.err


def test_telescope_of_backscatter(dante, new_home, tmp_path):
    """A day of nothing but replies has no senders to cluster, and is done all the same."""
    path = tmp_path / "replies.csv"
    rows = [f"2025-03-01T00:00:{n:02d}Z,10.1.1.{n},tcp,{1000 + n},18" for n in range(40)]
    path.write_text("\n".join(["ts,src,proto,dport,tcp_flags", *rows]) + "\n")
    assert dante("ingest", path, "--home", new_home).code == 0
    done = dante("run", "2025-03-01", "--home", new_home)
    assert done.code == 0, done.err
    sql = "SELECT packets, backscatter_packets, senders FROM daily"
    told = dante("query", sql, "--home", new_home, "--format", "csv")
    assert told.out.splitlines()[1] == "40,40,0"


def test_demo_of_a_file(dante, tmp_path, packets, monkeypatch):
    """The demo on a file shows its threats and writes a report, without Prefect if asked."""
    monkeypatch.setenv("DANTE_MODEL__TRAIN_WORDS", "20000")
    answer = dante("demo", "--input", packets(), "--folder", tmp_path / "demo", "--no-prefect")
    assert answer.code == 0, answer.err
    assert "60 packets of 1 days" in answer.err
    assert (tmp_path / "demo" / "report-of-input.html").is_file()


def test_demo_of_a_useless_file(dante, tmp_path):
    """The demo on a file without packets fails as `ingest` does."""
    (tmp_path / "bad.csv").write_text("ts,src,proto,dport\n" + "never,x,y,z\n" * 12)
    words = ("--folder", tmp_path / "demo", "--no-prefect")
    dante("demo", "--input", tmp_path / "bad.csv", *words).fault(1)
