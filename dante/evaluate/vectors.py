"""Scores a file of sender vectors against a file of labels."""

from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl

from dante.errors import NotEnoughDataError, SourceError, UsageError
from dante.evaluate.neighbours import KnnScore, knn_score

__all__ = ["UNKNOWN", "VECTOR_MEANINGS", "VectorScore", "evaluate_vectors"]

UNKNOWN: Final = "(unknown)"
"""The class of senders without a label, where they are kept."""

VECTOR_MEANINGS: Final[dict[str, str]] = {
    "accuracy": "share of senders whose nearest neighbours have their label",
    "macro_f1": "mean F1 over labels, a small one counting as a big one",
    "weighted_f1": "mean F1 over labels, each by its senders",
    "senders": "senders judged",
    "labelled": "of these with a label of their own",
    "labels": "different labels, the class of the unknown among them if kept",
    "without_vector": "senders whose vector is missing, zero or not finite: counted as wrong",
    "labels_not_seen": "senders the labels name that have no row of vectors",
}

VectorScore = tuple[pl.DataFrame, pl.DataFrame]
"""`measure`, `value`, `meaning`; and `label`, `senders`, `precision`, `recall`, `f1`."""


def _vectors(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise SourceError(f"There is no {path}; name a Parquet file of `src` and `vector`.")
    try:
        frame = pl.read_parquet(
            path, columns=["src", "vector"], glob=False, hive_partitioning=False
        )
        frame = frame.select(
            pl.col("src").cast(pl.String), pl.col("vector").cast(pl.List(pl.Float32))
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"{path} is no file of vectors (`src`, `vector` a list of numbers): {reason}"
        ) from None
    return _once(frame.drop_nulls("src"), path)


def _labels(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise SourceError(f"There is no {path}; name a CSV file of `src,label`.")
    try:
        frame = pl.read_csv(path, columns=["src", "label"], infer_schema=False, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} is no CSV file of `src,label`: {reason}") from None
    frame = frame.select(pl.col("src").str.strip_chars(), pl.col("label").str.strip_chars())
    return _once(frame.filter(pl.col("label") != "").drop_nulls().unique(maintain_order=True), path)


def _once(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    twice = frame.filter(pl.col("src").is_duplicated())["src"].sort()
    if len(twice):
        raise SourceError(f"{path} names {twice[0]!r} more than once; a sender has one row.")
    return frame


def _matrix(vectors: pl.Series, path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Rows × dimensions; a null vector is a row of zeros, a null in one makes it not finite."""
    sizes = vectors.list.len().drop_nulls().unique().sort().to_list()
    if len(sizes) != 1 or sizes[0] == 0:
        raise SourceError(f"{path} holds vectors of {sizes or 'no'} dimensions; all need the same.")
    filled = vectors.fill_null(pl.Series([[0.0] * sizes[0]], dtype=pl.List(pl.Float32)))
    flat = filled.explode(empty_as_null=True, keep_nulls=True).fill_null(float("nan"))
    return flat.to_numpy().reshape(len(vectors), sizes[0])


def evaluate_vectors(
    vectors: Path,
    labels: Path,
    k: int = 5,
    unknown: Literal["keep", "drop"] = "keep",
) -> VectorScore:
    """Leave-one-out `k`-nearest-neighbour scores of vectors, overall and by label.

    `vectors` is Parquet with `src` text and `vector`, `labels` CSV with `src,label`; further
    columns are left out. Senders without a label are a class of their own (`keep`) or left out
    (`drop`). Raises `SourceError` for files that are not such, `UsageError` for other options,
    `NotEnoughDataError` where fewer than two senders or two labels are left.
    """
    if k < 1:
        raise UsageError(f"--k is {k}; at least 1 neighbour is needed.")
    if unknown not in ("keep", "drop"):
        raise UsageError(f"--unknown is {unknown!r}; say keep or drop.")
    given, known = _vectors(vectors), _labels(labels)
    judged = given.join(known, on="src", how="left").sort("src")
    labelled = int(judged["label"].count())
    if unknown == "drop":
        judged = judged.filter(pl.col("label").is_not_null())
    judged = judged.with_columns(pl.col("label").fill_null(UNKNOWN))
    if not labelled:
        raise NotEnoughDataError(f"No sender of {vectors} has a label in {labels}.")
    if judged["label"].n_unique() < 2:
        raise NotEnoughDataError(
            f"All senders of {vectors} that are judged have one label; at least two are needed."
        )
    matrix = _matrix(judged["vector"], vectors)
    score: KnnScore = knn_score(matrix, judged["label"], k)
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    values = {
        "accuracy": score.accuracy,
        "macro_f1": score.macro_f1,
        "weighted_f1": score.weighted_f1,
        "senders": float(judged.height),
        "labelled": float(labelled),
        "labels": float(score.by_class.height),
        "without_vector": float((~(np.isfinite(norms) & (norms > 0))).sum()),
        "labels_not_seen": float(known.join(given, on="src", how="anti").height),
    }
    rows = [(name, values[name], meaning) for name, meaning in VECTOR_MEANINGS.items()]
    schema = {"measure": pl.String, "value": pl.Float64, "meaning": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row"), score.by_class
