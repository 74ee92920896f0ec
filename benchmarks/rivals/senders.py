"""Senders as words: the incremental embedding of DarkVec's authors (i-DarkVec, ACM TOIT 23, 2023).

Whoever reaches the same service at about the same time is each other's company. A model lives on
from day to day: a day's new senders join its vocabulary, and it is trained on that day's sentences.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["SenderModel", "sentences_by"]

_LONGEST = 10_000
"""gensim reads no longer sentences; what is longer goes on in the next one."""


def sentences_by(packets: pl.DataFrame, *service: str) -> list[list[int]]:
    """The senders of each service in order of time, one after itself told once.

    Args:
        packets: `src`, `ts` and the columns that make a service.
        service: the names of those columns.
    """
    spoken = (
        packets.sort(*service, "ts", "src")
        .filter(
            pl.any_horizontal(
                (pl.col(name) != pl.col(name).shift(1)).fill_null(True)
                for name in (*service, "src")
            )
        )
        .group_by(*service, maintain_order=True)
        .agg("src")
    )
    return [
        said[start : start + _LONGEST]
        for said in spoken["src"].to_list()
        for start in range(0, len(said), _LONGEST)
    ]


class SenderModel:
    """A skip-gram model of senders that is trained day after day."""

    def __init__(self, *, dimensions: int, context: int, epochs: int, seed: int = 15) -> None:
        from gensim.models import Word2Vec

        self._model: Any = Word2Vec(
            vector_size=dimensions, window=context, epochs=epochs, min_count=1, sg=1, negative=5,
            sample=0, workers=1, seed=seed,
        )  # fmt: skip
        self._begun = False

    def learn(self, sentences: Sequence[Sequence[int]]) -> None:
        """Train on a day's sentences, whose senders need not be known yet."""
        if not sentences:
            return
        with tempfile.TemporaryDirectory(prefix="rival-") as folder:
            corpus = Path(folder) / "corpus.txt"
            corpus.write_text("\n".join(" ".join(map(str, said)) for said in sentences) + "\n")
            self._model.build_vocab(corpus_file=str(corpus), update=self._begun)
            self._begun = True
            self._model.train(
                corpus_file=str(corpus),
                total_examples=self._model.corpus_count,
                total_words=self._model.corpus_total_words,
                epochs=self._model.epochs,
            )

    def vectors(self, senders: Sequence[int]) -> NDArray[np.float32]:
        """Vectors of senders that it has learnt, (n, dimensions) float32."""
        return np.asarray(self._model.wv[[str(src) for src in senders]], dtype=np.float32)
