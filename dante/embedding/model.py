"""A trained model of ports: vectors, how common each word is, and what it saw."""

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dante.errors import DanteError
from dante.store.home import sync

__all__ = ["ModelCard", "PortModel", "load_model", "save_model"]

_CARD, _WORDS, _VECTORS, _SENDERS = "card.json", "words.npy", "vectors.npy", "senders.npy"


@dataclass(frozen=True)
class ModelCard:
    """What a model is and what it saw; everything in it is a function of its input.

    Attributes:
        model_id: name of its folder.
        window_start, window_end: first and last day it learnt from.
        days: how many days with packets lie between.
        words: words it has a vector for.
        dimensions: length of a vector.
        sentences: sentences of two words or more it read.
        tokens: words in them.
        sender_days: senders of all its days, each day anew.
        inputs: digest of what was ingested for its days.
        settings: the model settings it was trained with.
    """

    model_id: str
    window_start: date
    window_end: date
    days: int
    words: int
    dimensions: int
    sentences: int
    tokens: int
    sender_days: int
    inputs: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class PortModel:
    """A model of ports.

    Attributes:
        card: what it is and saw.
        words: (n,) uint32, sorted: every word of its window.
        vectors: (n, dimensions) float32: unit vectors; a row of zeros where a word was too rare
            to be learnt.
        senders: (n,) int64: sender-days that used the word.
    """

    card: ModelCard
    words: NDArray[np.uint32]
    vectors: NDArray[np.float32]
    senders: NDArray[np.int64]

    def _row(self, words: NDArray[np.uint32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Each word's row, and whether it has one."""
        place = np.searchsorted(self.words, words)
        inside = place < len(self.words)
        inside[inside] = self.words[place[inside]] == words[inside]
        return place, inside

    def learnt(self, words: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Whether the model has a vector for each word, (len(words),)."""
        place, inside = self._row(words)
        inside[inside] = self.vectors[place[inside]].any(axis=1)
        return inside

    def word_vectors(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Unit vectors of words, (len(words), dimensions) float64.

        A word the model could not learn gets a direction of its own, drawn from its number, so
        that it is far from every other word and the same in every run and model.
        """
        out = np.zeros((len(words), self.card.dimensions))
        place, inside = self._row(words)
        out[inside] = self.vectors[place[inside]]
        for row in np.flatnonzero(~out.any(axis=1)):
            out[row] = _own_direction(int(words[row]), self.card.dimensions)
        return out

    def share(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """The share of the window's sender-days that used each word, (len(words),) float64."""
        place, inside = self._row(words)
        out = np.zeros(len(words))
        out[inside] = self.senders[place[inside]] / max(self.card.sender_days, 1)
        return out


def _own_direction(word: int, dimensions: int) -> NDArray[np.float64]:
    direction = np.random.Generator(np.random.PCG64(word)).standard_normal(dimensions)
    return np.asarray(direction / np.linalg.norm(direction), dtype=np.float64)


def _validate(card: ModelCard, words: Any, vectors: Any, senders: Any) -> None:
    if (words.dtype, vectors.dtype, senders.dtype) != (np.uint32, np.float32, np.int64):
        raise ValueError("its arrays are of other types")
    if vectors.shape != (len(words), card.dimensions) or senders.shape != words.shape:
        raise ValueError("its arrays do not fit its card")
    if (np.diff(words.astype(np.int64)) <= 0).any() or not np.isfinite(vectors).all():
        raise ValueError("its words are out of order or its vectors no numbers")


def save_model(model: PortModel, folder: Path) -> None:
    """Write a model as a folder of `.npy` arrays and a JSON card; whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    np.save(temporary / _WORDS, model.words, allow_pickle=False)
    np.save(temporary / _VECTORS, model.vectors, allow_pickle=False)
    np.save(temporary / _SENDERS, model.senders, allow_pickle=False)
    card = json.dumps(asdict(model.card), indent=1, default=str, sort_keys=True)
    (temporary / _CARD).write_text(card + "\n", encoding="utf-8")
    for file in temporary.iterdir():
        sync(file)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    sync(folder.parent)


def load_model(folder: Path) -> PortModel:
    """Read a model from its folder; nothing in it is ever executed.

    Raises:
        DanteError: a file is missing or damaged.
    """
    try:
        raw = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        for key in ("window_start", "window_end"):
            raw[key] = date.fromisoformat(raw[key])
        card = ModelCard(**raw)
        words = np.load(folder / _WORDS, allow_pickle=False)
        vectors = np.load(folder / _VECTORS, allow_pickle=False)
        senders = np.load(folder / _SENDERS, allow_pickle=False)
        _validate(card, words, vectors, senders)
        return PortModel(card, words, vectors, senders)
    # A damaged file can make the readers of JSON and arrays raise nearly anything.
    except Exception as error:
        raise DanteError(
            f"model {folder.name} cannot be read ({error}); delete its folder and run the day "
            "again, which trains the same model anew"
        ) from None
