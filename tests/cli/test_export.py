"""`dante export …`: where it writes, and where it never does."""

import hashlib
import json

import duckdb
import polars as pl
import pytest

from dante.schema import address_text


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


def test_vectors(dante, home, tmp_path):
    """Every sender of the span has its packets and a unit vector, the same bytes every time."""
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        done = dante("export", "vectors", "2025-03-02", "2025-03-04", path, "--home", home)
        assert (done.code, done.out) == (0, ""), done.err
    assert paths[0].read_bytes() == paths[1].read_bytes()
    frame = pl.read_parquet(paths[0])
    assert dict(frame.schema) == {
        "src": pl.String, "packets": pl.UInt64, "vector": pl.List(pl.Float32),
    }  # fmt: skip
    lengths = frame["vector"].list.eval(pl.element() ** 2).list.sum()
    assert lengths.is_between(0.999, 1.001).all()
    assert frame["vector"].list.len().n_unique() == 1
    with duckdb.connect(home / "lineage.duckdb", read_only=True) as con:
        known = con.sql(
            "SELECT src, CAST(sum(packets) AS UBIGINT) AS packets FROM memberships "
            "WHERE day BETWEEN '2025-03-02' AND '2025-03-04' GROUP BY src ORDER BY min(address)"
        ).pl()
    assert frame.select("src", "packets").equals(known)


def test_vectors_tell_campaigns_apart(dante, journey, tmp_path):
    """By their vectors alone, neighbours are nearly always of the same planted campaign."""
    out = tmp_path / "v.parquet"
    span = ("2025-03-01", "2025-03-06")
    assert dante("export", "vectors", *span, out, "--home", journey.home).code == 0
    truth = pl.read_parquet(journey.folder / "sim" / "truth" / "members.parquet")
    labels = truth.filter(pl.col("kind") == "campaign").unique("src", maintain_order=True)
    labels.select(address_text(labels["src"]), label="campaign").write_csv(tmp_path / "labels.csv")
    answer = dante(
        "evaluate", "vectors", out, tmp_path / "labels.csv", "--unknown", "drop", "--format", "csv"
    )
    scores = dict(line.split(",")[:2] for line in answer.out.splitlines()[1:])
    assert float(scores["accuracy"]) > 0.7


@pytest.mark.parametrize(
    ("words", "code"),
    [("2025-03-04 2025-03-02", 2), ("2024-01-01 2024-01-02", 4), ("never 2025-03-02", 2)],
)
def test_vectors_of_no_span(dante, home, tmp_path, words, code):
    """A span turned round is wrong usage, one without packets not enough data."""
    out = tmp_path / "v.parquet"
    dante("export", "vectors", *words.split(), out, "--home", home).fault(code)
    assert not out.exists()
