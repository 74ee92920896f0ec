"""Models of ports: what they learn, and that they are the same every time and safe to read."""

import dataclasses
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
from hypothesis import given
from hypothesis import strategies as st

from dante.config import ModelSettings
from dante.embedding import (
    PortModel,
    load_model,
    save_model,
    train_model,
)
from dante.embedding.train import how_often
from dante.errors import DanteError, NotEnoughDataError
from tests.embedding.conftest import SMALL, TCP, crowd_of_trades, senders_of, trained

REPO = Path(__file__).resolve().parents[2]


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
    crowd_of_trades().write_parquet(tmp_path / "senders.parquet")
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
    other = trained(crowd_of_trades(), SMALL.model_copy(update={"seed": 2}))
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
    other = trained(senders_of([[1, 2, 3, 4]] * 8))
    unknown = np.array([TCP + port for port in range(40_000, 40_020)], dtype=np.uint32)
    vectors = model.word_vectors(unknown)
    assert np.array_equal(vectors, other.word_vectors(unknown))
    known = model.word_vectors(model.words)
    # Random directions in 16 dimensions: the standard deviation of a cosine is 0.25.
    assert np.abs(vectors @ known.T).max() < 0.9
    between = vectors @ vectors.T - np.eye(len(vectors))
    assert np.abs(between).max() < 0.9
    assert abs(between.mean()) < 0.1


def test_how_common_a_word_is_comes_from_allsenders_of(model: PortModel) -> None:
    """A word of senders with one word only has no vector, but its share is known."""
    words = np.array([TCP + 53, TCP + 23, TCP + 9], dtype=np.uint32)
    assert model.share(words).tolist() == [0.1, 0.3, 0.0]
    assert not model.vectors[np.searchsorted(model.words, TCP + 53)].any()


@pytest.mark.parametrize("trades", [2, 3, 6])
def test_a_tiny_corpus_does_not_collapse(trades: int) -> None:
    """With a handful of senders, ports of different trades still point to different sides."""
    sentences = [[100 * t + k for k in range(4)] * 2 for t in range(trades) for _ in range(4)]
    made = trained(senders_of(sentences))
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
    crowd = pl.concat([crowd_of_trades()] * 4)
    words = int(crowd["sentence"].list.len().sum())
    bounded = SMALL.model_copy(update={"train_most_words": words // 2})
    one, again = trained(crowd, bounded), trained(crowd, bounded)
    assert np.array_equal(one.vectors, again.vectors)
    assert one.card.tokens == pytest.approx(words / 2, rel=0.2)
    assert one.card.sentences < crowd.height
    assert one.card.sender_days == crowd.height
    other = trained(crowd, bounded.model_copy(update={"seed": bounded.seed + 1}))
    assert other.card.tokens != one.card.tokens


def test_days_without_sentences_still_make_a_model() -> None:
    """A day of backscatter, or of senders with one word each, gives a model that knows shares."""
    for senders in (senders_of([]), senders_of([[23], [80], [80]])):
        made = trained(senders)
        assert made.card.words == 0
        words = np.array([TCP + 80], dtype=np.uint32)
        assert np.isclose(np.linalg.norm(made.word_vectors(words)), 1)
        assert made.share(words)[0] == (2 / 3 if senders.height else 0)


def test_a_word_of_fewer_senders_than_wanted_gets_no_vector() -> None:
    """One sender that says a word often does not make it known."""
    made = trained(senders_of([[80, 443]] * 10 + [[1000, 2000] * 5]))
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


def test_a_model_is_frozen(model: PortModel) -> None:
    """What is passed around cannot be changed by whoever gets it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.card.days = 3  # type: ignore[misc]
