"""Training: gensim's Word2Vec (skip-gram, negative sampling) on port sentences.

Only sentences of at least two words teach company, so only they are read; how common a word is
comes from all senders. A word's vector is the sum of what skip-gram knows of it as a word and as
company (Levy, Goldberg, Dagan, TACL 2015): ports that are used together are then alike even if
they share no third port. Two measures keep the vectors of a small or young telescope from
collapsing into one direction: a small corpus is read more often, and the mean vector is taken off
(Mu and Viswanath, "All-but-the-top", ICLR 2018). How long training takes is bounded: a large
corpus is read less often, and of a very large one a sample of the sentences.
"""

import tempfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.config import ModelSettings
from dante.embedding.model import ModelCard, PortModel
from dante.errors import NotEnoughDataError

__all__ = ["how_often", "train_model"]

# Frequent words are thinned as in Mikolov et al. 2013; gensim's own default.
_SAMPLE = 1e-3
# Reading a tiny corpus more often than this adds nothing.
_MOST_EPOCHS = 400
# So few words say nothing about each other, and without their mean they would cancel out.
_FEWEST_WORDS = 10


def train_model(
    days: Iterable[tuple[date, pl.DataFrame]],
    settings: ModelSettings,
    *,
    model_id: str,
    inputs: str,
) -> PortModel:
    """Learn the ports from the senders of some days.

    Args:
        days: each day with its frame of `dante.sequences.SENDERS`, in order of days.
        settings: how to learn; with one worker the same input gives the same bytes.
        model_id: the name the model will have.
        inputs: digest of what was ingested for the days, kept on the card.

    Raises:
        NotEnoughDataError: there are no days.
    """
    seen: list[date] = []
    counted: list[pl.DataFrame] = []
    said: list[pl.Series] = []
    sender_days = 0
    for day, senders in days:
        seen.append(day)
        sender_days += senders.height
        counted.append(
            senders.select(pl.col("words").explode(empty_as_null=False))
            .group_by("words")
            .agg(n=pl.len().cast(pl.Int64))
        )
        said.append(senders.filter(pl.col("sentence").list.len() > 1)["sentence"])
    if not seen:
        raise NotEnoughDataError(f"there are no days to train {model_id} on; ingest packets")
    common = (
        pl.concat(counted)
        .group_by("words")
        .agg(pl.col("n").sum())
        .sort("words")
        .with_columns(pl.col("words").cast(pl.UInt32))
    )
    share, epochs = how_often(_tokens(said), settings)
    said = _sampled(said, share, settings.seed)
    learnt = _word2vec(said, epochs, settings) if _tokens(said) else {}
    words = common["words"].to_numpy()
    vectors = np.zeros((len(words), settings.dimensions), dtype=np.float32)
    used = dict(zip(words.tolist(), common["n"].to_list(), strict=True))
    # gensim counts how often a word is said; here it counts by how many.
    learnt = {w: vector for w, vector in learnt.items() if used[w] >= settings.min_senders}
    if len(learnt) >= _FEWEST_WORDS:
        ours = np.array(sorted(learnt), dtype=np.uint32)
        stacked = np.stack([learnt[int(word)] for word in ours]).astype(np.float64)
        vectors[np.searchsorted(words, ours)] = _centred(stacked)
    card = ModelCard(
        model_id=model_id,
        window_start=seen[0],
        window_end=seen[-1],
        days=len(seen),
        words=int(vectors.any(axis=1).sum()),
        dimensions=settings.dimensions,
        sentences=sum(len(day) for day in said),
        tokens=_tokens(said),
        sender_days=sender_days,
        inputs=inputs,
        settings=settings.model_dump(mode="json"),
    )
    return PortModel(card, words, vectors, common["n"].to_numpy())


def _centred(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors without the direction all of them share."""
    return _unit(vectors - vectors.mean(axis=0))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1))


def how_often(tokens: int, settings: ModelSettings) -> tuple[float, int]:
    """What share of the sentences of a corpus of so many words is read, and how many times."""
    most = settings.train_most_words
    if tokens > most:
        return most / tokens, 1
    often = min(_MOST_EPOCHS, -(-settings.train_words // max(tokens, 1)))
    return 1.0, min(max(settings.epochs, often), most // max(tokens, 1))


def _tokens(said: Sequence[pl.Series]) -> int:
    return sum(int(day.list.len().sum()) for day in said)


def _sampled(said: Sequence[pl.Series], share: float, seed: int) -> list[pl.Series]:
    """The same share of each day's sentences, drawn at random."""
    if share == 1:
        return list(said)
    rng = np.random.Generator(np.random.PCG64(seed))
    return [day.filter(pl.Series(rng.random(len(day)) < share)) for day in said]


def _word2vec(
    said: Sequence[pl.Series], epochs: int, settings: ModelSettings
) -> dict[int, NDArray[np.float64]]:
    """Vectors of the words that are said often enough, of sentences read so many times."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=settings.dimensions,
        window=settings.window,
        min_count=settings.min_senders,
        negative=settings.negative,
        epochs=epochs,
        seed=settings.seed,
        workers=settings.workers,
        sample=_SAMPLE,
        sg=1,
    )
    # gensim would count words in plain Python, half as slow again as it learns them.
    spoken = pl.concat(said).explode(empty_as_null=False).rename("word").to_frame()
    often = spoken.group_by("word", maintain_order=True).agg(n=pl.len())
    sentences = sum(len(day) for day in said)
    model.build_vocab_from_freq(
        {str(word): n for word, n in often.iter_rows()}, corpus_count=sentences
    )
    if not len(model.wv):
        return {}
    with tempfile.TemporaryDirectory(prefix="dante-train-") as folder:
        corpus = Path(folder) / "corpus.txt"
        with corpus.open("wb") as file:
            for day in said:
                lines = day.cast(pl.List(pl.String)).list.join(" ").to_frame()
                lines.write_csv(file, include_header=False, quote_style="never")
        model.train(
            corpus_file=str(corpus),
            total_examples=sentences,
            total_words=spoken.height,
            epochs=model.epochs,
        )
    both = _unit(model.wv.vectors.astype(np.float64)) + _unit(model.syn1neg.astype(np.float64))
    return {int(word): both[row] for row, word in enumerate(model.wv.index_to_key)}
