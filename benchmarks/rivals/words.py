"""Word2Vec as the rivals use it: skip-gram with negative sampling, one thread, one seed."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["unit", "word2vec"]


def word2vec(
    sentences: Sequence[Sequence[int]],
    *,
    dimensions: int,
    context: int,
    epochs: int,
    seed: int = 1,
) -> dict[int, NDArray[np.float32]]:
    """Vectors of all words of the sentences, (dimensions,) float32 each; the same every time."""
    from gensim.models import Word2Vec

    if not sentences:
        return {}
    model = Word2Vec(
        vector_size=dimensions, window=context, epochs=epochs, min_count=1, sg=1, negative=5,
        workers=1, seed=seed,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="rival-") as folder:
        corpus = Path(folder) / "corpus.txt"  # gensim reads a file several times as fast as lists
        corpus.write_text("\n".join(" ".join(map(str, said)) for said in sentences) + "\n")
        model.build_vocab(corpus_file=str(corpus))
        model.train(
            corpus_file=str(corpus),
            total_examples=model.corpus_count,
            total_words=model.corpus_total_words,
            epochs=epochs,
        )
    return {int(word): model.wv.vectors[row] for row, word in enumerate(model.wv.index_to_key)}


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of length one, and zeros where there was nothing, float64 rounded to six digits.

    Rounded, so that rows that are sums of the same numbers in another order are the same rows.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = vectors.astype(np.float64) / np.where(lengths > 0, lengths, 1)
    return np.asarray(np.round(scaled, 6))
