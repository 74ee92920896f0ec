"""Models of ports: what they learn, and that they are the same every time and safe to read."""

import dataclasses
import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.config import ModelSettings
from dante.embedding import (
    PortModel,
    day_profiles,
    embed_profiles,
    load_model,
    save_model,
    train_model,
)
from dante.embedding.train import how_often
from dante.errors import DanteError, NotEnoughDataError
from dante.pipeline.schedule import model_for, training_days
from dante.sequences import SENDERS

DAY = dt.date(2025, 3, 1)
TCP = 6 * 65536
REPO = Path(__file__).resolve().parents[2]
SMALL = ModelSettings(dimensions=16, epochs=2, train_words=20_000)


def _senders(sentences: list[list[int]]) -> pl.DataFrame:
    rows = []
    for src, ports in enumerate(sentences):
        words = sorted({TCP + port for port in ports})
        counts = [sum(TCP + port == word for port in ports) for word in words]
        rows.append(
            {
                "src": src,
                "packets": len(ports),
                "sentence": [TCP + port for port in ports],
                "words": words,
                "counts": counts,
            }
        )
    return pl.DataFrame(rows, schema=SENDERS)


def _crowd() -> pl.DataFrame:
    """Three trades of thirty senders each, and some who try one port only."""
    trades = [[23, 2323, 26], [445, 139, 135, 3389], [80, 8080, 443, 8443, 81]]
    sentences = [
        [trade[(i + k) % len(trade)] for k in range(12)] for trade in trades for i in range(30)
    ]
    return _senders(sentences + [[53]] * 10)


def _train(senders: pl.DataFrame, how: ModelSettings = SMALL) -> PortModel:
    return train_model([(DAY, senders)], how, model_id="m", inputs="i")


@pytest.fixture(scope="module")
def model() -> PortModel:
    """A model of the crowd."""
    return _train(_crowd())


def _digest(folder: Path) -> str:
    bodies = [path.name.encode() + path.read_bytes() for path in sorted(folder.iterdir())]
    return hashlib.sha256(b"".join(bodies)).hexdigest()


_CHILD = """
import sys
from pathlib import Path
import datetime as dt
import polars as pl
from dante.config import ModelSettings
from dante.embedding import save_model, train_model
senders = pl.read_parquet(sys.argv[1])
how = ModelSettings.model_validate_json(sys.argv[3])
made = train_model([(dt.date(2025, 3, 1), senders)], how, model_id="m", inputs="i")
save_model(made, Path(sys.argv[2]))
"""


def test_the_same_input_gives_the_same_bytes_in_any_process(
    model: PortModel, tmp_path: Path
) -> None:
    """Models trained here and in processes with other hash seeds are equal byte for byte."""
    _crowd().write_parquet(tmp_path / "senders.parquet")
    save_model(model, tmp_path / "here")
    digests = {_digest(tmp_path / "here")}
    for seed in ("1", "4711"):
        folder = tmp_path / f"seed{seed}"
        arguments = [str(tmp_path / "senders.parquet"), str(folder), SMALL.model_dump_json()]
        subprocess.run(
            [sys.executable, "-c", _CHILD, *arguments],
            check=True,
            cwd=REPO,
            # Everything else as here: another BLAS kernel rounds otherwise.
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPO)},
        )
        digests.add(_digest(folder))
    assert len(digests) == 1


def test_another_seed_gives_another_model(model: PortModel) -> None:
    """The seed is really used."""
    other = _train(_crowd(), SMALL.model_copy(update={"seed": 2}))
    assert not np.array_equal(other.vectors, model.vectors)


def test_ports_of_one_trade_are_nearer_than_ports_of_two(model: PortModel) -> None:
    """The least similar pair within a trade is more alike than any pair across trades."""
    trades = [[23, 2323, 26], [445, 139, 135, 3389], [80, 8080, 443, 8443, 81]]
    words = np.array([TCP + port for trade in trades for port in trade], dtype=np.uint32)
    owner = np.repeat(range(3), [len(trade) for trade in trades])
    vectors = model.word_vectors(words)
    cosine = vectors @ vectors.T
    same = owner[:, None] == owner[None, :]
    assert cosine[same].min() > cosine[~same].max()


def test_vectors_are_unit_vectors_or_nothing(model: PortModel) -> None:
    """Every row is of length 1, or of zeros for a word that was too rare."""
    lengths = np.linalg.norm(model.vectors, axis=1)
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
    assert model.card.words == int((lengths > 0).sum())
    assert np.all(np.diff(model.words.astype(np.int64)) > 0)


def test_unknown_words_are_far_from_all_others_and_the_same_in_all_models(
    model: PortModel,
) -> None:
    """A word no model knows has one direction for ever, near to no other word's."""
    other = _train(_senders([[1, 2, 3, 4]] * 8))
    unknown = np.array([TCP + port for port in range(40_000, 40_020)], dtype=np.uint32)
    vectors = model.word_vectors(unknown)
    assert np.array_equal(vectors, other.word_vectors(unknown))
    known = model.word_vectors(model.words)
    # Random directions in 16 dimensions: the standard deviation of a cosine is 0.25.
    assert np.abs(vectors @ known.T).max() < 0.9
    between = vectors @ vectors.T - np.eye(len(vectors))
    assert np.abs(between).max() < 0.9
    assert abs(between.mean()) < 0.1


def test_how_common_a_word_is_comes_from_all_senders(model: PortModel) -> None:
    """A word of senders with one word only has no vector, but its share is known."""
    words = np.array([TCP + 53, TCP + 23, TCP + 9], dtype=np.uint32)
    assert model.share(words).tolist() == [0.1, 0.3, 0.0]
    assert not model.vectors[np.searchsorted(model.words, TCP + 53)].any()


@pytest.mark.parametrize("trades", [2, 3, 6])
def test_a_tiny_corpus_does_not_collapse(trades: int) -> None:
    """With a handful of senders, ports of different trades still point to different sides."""
    sentences = [[100 * t + k for k in range(4)] * 2 for t in range(trades) for _ in range(4)]
    made = _train(_senders(sentences))
    vectors = made.word_vectors(made.words)
    owner = (made.words - TCP) // 100
    across = (vectors @ vectors.T)[owner[:, None] != owner[None, :]]
    assert across.mean() < 0.2
    assert across.max() < 0.95


@given(st.integers(0, 10**10), st.integers(1, 10**6), st.integers(1, 10**8))
def test_the_words_read_in_training_are_bounded_whatever_the_telescope(
    tokens: int, least: int, most: int
) -> None:
    """Training reads at most so many words, and all of a corpus that is not above the bound."""
    how = ModelSettings(train_words=least, train_most_words=most)
    share, epochs = how_often(tokens, how)
    assert epochs >= 1
    assert tokens * share * epochs <= most * (1 + 1e-9)
    assert (share == 1) == (tokens <= most)


def test_of_a_large_corpus_a_sample_is_read_that_the_seed_draws() -> None:
    """The card says what was read: about the bound, the same senders in every run of one seed."""
    crowd = pl.concat([_crowd()] * 4)
    words = int(crowd["sentence"].list.len().sum())
    bounded = SMALL.model_copy(update={"train_most_words": words // 2})
    one, again = _train(crowd, bounded), _train(crowd, bounded)
    assert np.array_equal(one.vectors, again.vectors)
    assert one.card.tokens == pytest.approx(words / 2, rel=0.2)
    assert one.card.sentences < crowd.height
    assert one.card.sender_days == crowd.height
    other = _train(crowd, bounded.model_copy(update={"seed": bounded.seed + 1}))
    assert other.card.tokens != one.card.tokens


def test_days_without_sentences_still_make_a_model() -> None:
    """A day of backscatter, or of senders with one word each, gives a model that knows shares."""
    for senders in (_senders([]), _senders([[23], [80], [80]])):
        made = _train(senders)
        assert made.card.words == 0
        words = np.array([TCP + 80], dtype=np.uint32)
        assert np.isclose(np.linalg.norm(made.word_vectors(words)), 1)
        assert made.share(words)[0] == (2 / 3 if senders.height else 0)


def test_a_word_of_fewer_senders_than_wanted_gets_no_vector() -> None:
    """One sender that says a word often does not make it known."""
    made = _train(_senders([[80, 443]] * 10 + [[1000, 2000] * 5]))
    alone = np.searchsorted(made.words, [TCP + 1000, TCP + 2000])
    assert made.senders[alone].tolist() == [1, 1]
    assert not made.vectors[alone].any()


def test_training_on_no_days_says_so() -> None:
    """No days at all is an error in a sentence."""
    with pytest.raises(NotEnoughDataError):
        train_model([], SMALL, model_id="m", inputs="i")


def test_a_saved_model_is_read_back_as_it_was(model: PortModel, tmp_path: Path) -> None:
    """Saving over an older folder and loading gives the same card and arrays."""
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "old").write_text("left over")
    save_model(model, folder)
    back = load_model(folder)
    assert back.card == model.card
    for name in ("words", "vectors", "senders"):
        mine, theirs = getattr(model, name), getattr(back, name)
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)
    assert not (folder / "old").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["m"]


def _cut(folder: Path, name: str) -> None:
    body = (folder / name).read_bytes()
    (folder / name).write_bytes(body[: len(body) // 2])


def _objects(folder: Path) -> None:
    np.save(folder / "vectors.npy", np.array([{"a": 1}, None], dtype=object))


def _fewer(folder: Path) -> None:
    np.save(folder / "senders.npy", np.load(folder / "senders.npy")[1:])


def _card(folder: Path, **changes: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **changes}))


def _zipped(folder: Path) -> None:
    words = np.load(folder / "words.npy")
    with (folder / "words.npy").open("wb") as file:
        np.savez(file, words=words)


def _not_a_zip(folder: Path) -> None:
    (folder / "words.npy").write_bytes(b"PK\x03\x04 and then nothing of a zip")


def _unsorted(folder: Path) -> None:
    np.save(folder / "words.npy", np.load(folder / "words.npy")[::-1])


def _floats(folder: Path) -> None:
    np.save(folder / "words.npy", np.load(folder / "words.npy").astype(np.float64))


def _nan(folder: Path) -> None:
    vectors = np.load(folder / "vectors.npy")
    vectors[0, 0] = np.nan
    np.save(folder / "vectors.npy", vectors)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda f: _cut(f, "words.npy"), id="words cut"),
        pytest.param(lambda f: _cut(f, "vectors.npy"), id="vectors cut"),
        pytest.param(lambda f: _cut(f, "card.json"), id="card cut"),
        pytest.param(lambda f: (f / "card.json").unlink(), id="no card"),
        pytest.param(lambda f: (f / "senders.npy").unlink(), id="no senders"),
        pytest.param(lambda f: (f / "words.npy").write_bytes(b""), id="words empty"),
        pytest.param(lambda f: (f / "card.json").write_text("[]"), id="card is a list"),
        pytest.param(lambda f: (f / "card.json").write_bytes(b"\xff\xfe"), id="card is no text"),
        pytest.param(lambda f: _card(f, window_end="soon"), id="no date"),
        pytest.param(lambda f: _card(f, extra=1), id="unknown key"),
        pytest.param(lambda f: _card(f, dimensions=3), id="other dimensions"),
        pytest.param(_objects, id="pickled objects"),
        pytest.param(_fewer, id="arrays of two lengths"),
        pytest.param(_zipped, id="a zip of arrays"),
        pytest.param(_not_a_zip, id="half a zip"),
        pytest.param(_unsorted, id="words not sorted"),
        pytest.param(_floats, id="words are floats"),
        pytest.param(_nan, id="vectors not finite"),
        pytest.param(lambda f: (f / "card.json").write_text("[" * 100_000), id="deep card"),
    ],
)
def test_a_damaged_model_is_an_error_in_a_sentence(
    model: PortModel, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """A model that is not whole, or holds pickles, is refused by its name."""
    save_model(model, tmp_path / "m")
    damage(tmp_path / "m")
    with pytest.raises(DanteError, match="model m cannot be read"):
        load_model(tmp_path / "m")


DATES = st.lists(st.integers(0, 90), unique=True, min_size=1, max_size=60).map(
    lambda numbers: [DAY + dt.timedelta(days=n) for n in sorted(numbers)]
)


@given(days=DATES, every=st.integers(1, 12), window=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_no_model_sees_its_day_or_a_later_one(days: list[dt.date], every: int, window: int) -> None:
    """Training days lie before the day, are days with packets in order, and fit the window."""
    how = ModelSettings(train_every=every, train_window=window)
    assert training_days(days, days[0], how) == (days[0],)
    for number, day in enumerate(days[1:], 1):
        seen = training_days(days, day, how)
        assert seen
        assert max(seen) < day
        assert len(seen) <= window
        # Without holes, and never older than the schedule allows.
        first = days.index(seen[0])
        assert seen == tuple(days[first : first + len(seen)])
        assert number - (first + len(seen)) < every
        assert seen == training_days(days[: number + 1], day, how), "later days changed it"


@given(days=DATES, every=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_model_is_kept_between_two_trainings(days: list[dt.date], every: int) -> None:
    """Beyond the first days a new model comes every `train_every` days with packets."""
    how = ModelSettings(train_every=every)
    lasts = [training_days(days, day, how)[-1] for day in days]
    assert lasts == sorted(lasts)
    young = 5
    changes = [i for i in range(max(young, every) + 1, len(days)) if lasts[i] != lasts[i - 1]]
    assert all(i % every == 0 for i in changes)


def test_a_day_before_all_packets_has_no_model() -> None:
    """There is nothing to learn from before the first day."""
    with pytest.raises(NotEnoughDataError, match="2025-02-28"):
        training_days([DAY], DAY - dt.timedelta(days=1), ModelSettings())


def test_the_name_of_a_model_says_what_it_is_made_from() -> None:
    """Other inputs or other learning give another name; another schedule does not."""
    how = ModelSettings()
    name = model_for([DAY], "a", how).model_id
    assert name == model_for([DAY], "a", how).model_id
    assert name != model_for([DAY], "b", how).model_id
    assert name != model_for([DAY], "a", how.model_copy(update={"seed": 9})).model_id
    later = how.model_copy(update={"train_every": 3, "train_window": 9})
    assert name == model_for([DAY], "a", later).model_id


COUNTS = st.dictionaries(st.integers(1, 6), st.integers(1, 300), min_size=1, max_size=5)


@given(crowd=st.lists(COUNTS, max_size=30), least=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_profiles_group_senders_that_differ_by_a_factor_only(
    crowd: list[dict[int, int]], least: int
) -> None:
    """Every sender has the profile of its words by powers of two, and profiles are distinct."""
    senders = pl.DataFrame(
        [
            {
                "src": src,
                "packets": sum(counts.values()),
                "sentence": sorted(counts),
                "words": sorted(counts),
                "counts": [counts[word] for word in sorted(counts)],
            }
            for src, counts in enumerate(crowd)
        ],
        schema=SENDERS,
    )
    made = day_profiles(senders, min_senders=least)
    users = {word: sum(word in counts for counts in crowd) for word in range(1, 7)}
    wanted = {}
    for src, counts in enumerate(crowd):
        steps = {w: n.bit_length() - 1 for w, n in counts.items() if users[w] >= least}
        if steps:
            low = min(steps.values())
            wanted[src] = {w: min(step - low, 5) + 1 for w, step in steps.items()}
    dense = made.use.toarray()
    rows = {
        int(src): {
            int(word): int(use) for word, use in zip(made.words, dense[profile], strict=True) if use
        }
        for src, profile in zip(made.src, made.profile, strict=True)
    }
    assert rows == wanted
    assert len({tuple(row) for row in dense.tolist()}) == len(dense) == len(made.senders)
    assert made.senders.tolist() == np.bincount(made.profile, minlength=len(dense)).tolist()


def test_vectors_of_profiles_do_not_depend_on_the_order_of_senders(model: PortModel) -> None:
    """Shuffled senders get the same vectors, each its own."""
    crowd = _crowd()
    vectors = {}
    for name, senders in (
        ("in order", crowd),
        ("shuffled", crowd.sample(fraction=1, shuffle=True, seed=3)),
    ):
        made = day_profiles(senders, min_senders=3)
        points = embed_profiles(made, model, everyday_share=0.01, header_weight=0.1)
        assert np.allclose(np.linalg.norm(points, axis=1), 1)
        vectors[name] = points[made.profile]
    assert np.array_equal(vectors["in order"], vectors["shuffled"])


def test_senders_of_the_only_two_ports_have_a_vector() -> None:
    """On a telescope that sees two ports only, senders of both are embedded like others."""
    senders = _senders([[22, 23]] * 20)
    made = day_profiles(senders, min_senders=5)
    assert np.isfinite(
        embed_profiles(made, _train(senders), everyday_share=0.01, header_weight=0.1)
    ).all()


def test_a_model_is_frozen(model: PortModel) -> None:
    """What is passed around cannot be changed by whoever gets it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.card.days = 3  # type: ignore[misc]
