"""`dante export …`: where it writes, and where it never does."""

import hashlib
import json

import duckdb
import pytest


@pytest.fixture
def threatened(own_home):
    """A published home with a threat in it."""
    with duckdb.connect(own_home / "lineage.duckdb") as con:
        con.execute("DELETE FROM threats")
        con.execute(
            "INSERT INTO threats BY NAME SELECT last_day AS day, track_id, 'new' AS kind, "
            "0.8 AS score, 'r' AS reasons, senders FROM tracks ORDER BY track_id LIMIT 3"
        )
    return own_home


_FILES = {
    "stix": "stix {out}",
    "csv": "csv tracks {out}",
    "parquet": "parquet memberships {out}",
    "sqlite": "sqlite {out}",
    "blocklist": "blocklist {out}",
    "nftables": "blocklist {out} --format nftables",
    "misp": "misp {out}.json",
}


def _words(text, out):
    return [word.replace("{out}", str(out)) for word in text.split()]


@pytest.mark.parametrize("what", _FILES)
def test_files(dante, threatened, tmp_path, what):
    """Each export writes its file with nothing on stdout, and the same bytes again."""
    found = []
    for name in ("a b [1]", "second"):
        out = tmp_path / name
        answer = dante("export", *_words(_FILES[what], out), "--home", threatened)
        assert (answer.code, answer.out) == (0, ""), answer.err
        (path,) = [each for each in tmp_path.iterdir() if each.name.startswith(name)]
        found.append(path.read_bytes())
    assert found[0] == found[1] != b""


@pytest.mark.parametrize("what", ["stix", "csv", "blocklist"])
def test_stdout(dante, threatened, what):
    """With - as the file, text goes to stdout, alone."""
    answer = dante("export", *_words(_FILES[what], "-"), "--home", threatened)
    assert answer.code == 0
    if what == "stix":
        assert json.loads(answer.out)["type"] == "bundle"
    assert answer.out.strip()


def test_feed(dante, threatened, tmp_path):
    """A folder becomes a MISP feed."""
    answer = dante("export", "misp", tmp_path / "feed", "--home", threatened)
    assert (answer.code, answer.out) == (0, "")
    manifest = json.loads((tmp_path / "feed" / "manifest.json").read_text())
    assert len(manifest) == 3


def _digests(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("what", [*sorted(_FILES.keys() - {"misp"}), "feed"])
@pytest.mark.parametrize(
    "place",
    ["lineage.duckdb", "state.duckdb", "lake/x", "../home/models/m", "dante.toml", "labels/x"],
)
def test_never_over_the_home(dante, threatened, what, place):
    """What the home keeps for itself is never written over, by whatever path it is named."""
    before = _digests(threatened)
    out = threatened / place
    words = ["misp", out] if what == "feed" else _words(_FILES[what], out)
    dante("export", *words, "--home", threatened).fault(2)
    assert _digests(threatened) == before


@pytest.mark.parametrize(
    "words",
    [
        "csv nothing -",
        "csv tracks {folder}",
        "parquet tracks {folder}",
        "stix - --kind odd",
        "stix - --since yesterday",
        "blocklist - --format iptables",
        "sqlite {folder}/x.db --view nothing",
    ],
)
def test_wrong_usage(dante, threatened, tmp_path, words):
    """What cannot be done is said in a sentence, and no file is left."""
    before = sorted(tmp_path.iterdir())
    asked = [word.replace("{folder}", str(tmp_path)) for word in words.split()]
    dante("export", *asked, "--home", threatened).fault(2)
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_to_tell(dante, new_home):
    """A home without a publication, or without threats, has not enough data."""
    for words in ("stix -", "misp x.json", "blocklist -", "csv tracks -"):
        dante("export", *words.split(), "--home", new_home).fault(4)
