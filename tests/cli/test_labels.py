"""`dante labels …`, `dante label`: whose tracks are, shown in what is published."""

import csv
import io
import json

import pytest

from dante.labels.analyst import set_analyst
from dante.store.home import Home


def _rows(dante, home, sql):
    text = dante("query", sql, "--home", home, "--format", "csv").out
    return list(csv.DictReader(io.StringIO(text)))


def _biggest(dante, home):
    return _rows(dante, home, "FROM tracks ORDER BY senders DESC LIMIT 1")[0]


@pytest.fixture
def known(dante, own_home, tmp_path):
    """A list that names most of the newest senders of the biggest track, and its name."""
    track = _biggest(dante, own_home)
    sql = (
        f"SELECT DISTINCT src FROM memberships WHERE track_id = {track['track_id']} "
        f"AND day > '{track['last_day']}'::DATE - 7 ORDER BY src"
    )
    senders = [row["src"] for row in _rows(dante, own_home, sql)]
    path = tmp_path / "acme.txt"
    path.write_text(
        "".join(f"{src}\n" for src in senders[: len(senders) * 4 // 5 + 1]) + "no line\n"
    )
    return path, track["name"], (len(senders) * 4 // 5 + 1) / len(senders)


def _label(dante, home, name):
    (row,) = _rows(dante, home, f"FROM tracks WHERE name = '{name}'")
    return row["label"], row["label_share"]


def test_tracks_are_labelled(dante, own_home, known):
    """A track most of whose senders a list names has its name and the share of them."""
    path, name, share = known
    done = dante("labels", "import", path, "--as-of", "2025-02-28", "--home", own_home)
    assert (done.code, done.out) == (0, "")
    assert "left out: acme.txt:" in done.err
    label, shown = _label(dante, own_home, name)
    assert label == f"acme ({share:.0%})"
    assert float(shown) == pytest.approx(share)
    assert "acme" in dante("tracks", "--home", own_home).out


def test_never_of_the_future(dante, own_home, known):
    """A list of today does not label days long past, and it is said how to have it do so."""
    path, name, share = known
    done = dante("labels", "import", path, "--home", own_home)
    assert "--always" in done.err
    assert _label(dante, own_home, name) == ("", "")
    dante("labels", "import", path, "--always", "--home", own_home)
    assert _label(dante, own_home, name)[0] == f"acme ({share:.0%})"


def test_list(dante, own_home, known):
    """What was imported is listed, with what it is of."""
    path = known[0]
    empty = dante("labels", "list", "--home", own_home, "--format", "json")
    assert json.loads(empty.out) == []
    dante("labels", "import", path, "--as-of", "2025-02-28", "--name", "mine", "--home", own_home)
    (row,) = json.loads(dante("labels", "list", "--home", own_home, "--format", "json").out)
    assert (row["name"], row["kind"], row["as_of"]) == ("mine", "scanners", "2025-02-28")
    assert (row["refused"], row["benign"]) == (1, False)


def test_benign_lists_make_days_stale(dante, own_home, known):
    """Whom a list calls benign from a day on changes threats from that day on: these are stale."""
    path = known[0]
    words = ("--as-of", "2025-03-05", "--benign", "--home", own_home)
    done = dante("labels", "import", path, *words)
    assert "next: dante backfill 2025-03-05 2025-03-06" in done.err
    months = dante("status", "--home", own_home, "--format", "csv").out.splitlines()
    assert dict(zip(months[0].split(","), months[1].split(","), strict=True))["stale"] == "2"
    done = dante("backfill", "2025-03-01", "2025-03-06", "--home", own_home, "--jobs", 1)
    assert "2 days done, 4 were done already" in done.err


def test_analysts_come_first_and_for_life(dante, own_home, known):
    """What an analyst calls a track outlives a list, a rewind to nothing and a new backfill."""
    path, name, share = known
    words = ("--home", own_home)
    assert dante("label", name, " <b>ours</b>, \u00e9 ", *words).code == 0
    dante("labels", "import", path, "--as-of", "2025-02-28", *words)
    assert _label(dante, own_home, name) == ("<b>ours</b>, \u00e9", "")
    dante("rewind", "2025-03-01", *words)
    assert _rows(dante, own_home, "FROM tracks") == []
    dante("backfill", "2025-03-01", "2025-03-06", *words, "--jobs", 1)
    assert _label(dante, own_home, name) == ("<b>ours</b>, \u00e9", "")
    gone = dante("label", name, "--remove", *words)
    assert "any more" in gone.err
    assert _label(dante, own_home, name)[0] == f"acme ({share:.0%})"
    assert "nothing was changed" in dante("label", name, "--remove", *words).err


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "\x1b[31mred", "a\u202eb", "x" * 201])
def test_odd_labels(dante, own_home, text):
    """A label that is empty, long or holds control characters is refused, and nothing kept."""
    dante("label", 1, text, "--home", own_home).fault(2)
    assert not (own_home / "labels").exists()


@pytest.mark.parametrize("words", ["1", "1 x --remove", "nix x"])
def test_wrong_usage(dante, own_home, words):
    """Neither or both of text and --remove, or a track that is not there, is wrong usage."""
    dante("label", *words.split(), "--home", own_home).fault(2)


@pytest.mark.parametrize(
    "words", ["none.txt", "acme.txt --name ../x", "acme.txt --as-of never", "acme.txt --name A/b"]
)
def test_imports_that_fail(dante, own_home, known, words):
    """What cannot be imported is said, and the home stays as it was."""
    first, *rest = words.split()
    answer = dante("labels", "import", known[0].parent / first, *rest, "--home", own_home)
    answer.fault(1 if first == "none.txt" else 2)
    assert not (own_home / "labels").exists()


def test_a_damaged_file_of_labels(dante, own_home):
    """A file of labels that is damaged is named; it is never written over."""
    set_analyst(Home(own_home), "x@2025-03-01", "kept")
    file = own_home / "labels" / "analyst.json"
    file.write_text("{")
    assert "analyst.json" in dante("label", 1, "x", "--home", own_home).fault(1)
    assert file.read_text() == "{"
