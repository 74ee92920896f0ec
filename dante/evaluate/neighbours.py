"""Whether vectors tell actors apart: leave-one-out k-nearest-neighbour classification.

Darknet senders often have the very same vector (one port is one vector), and then which of many
equally near senders are "the k nearest" is chance, or worse the order of addresses, which puts
an organisation's senders side by side. Here equally near ones share the vote: if 2 places are
left and 10 senders with one vector are next, each has 2/10 of a vote, which is the mean over all
ways to pick. So the answer does not depend on the order of rows, and equal vectors are compared
once.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["KnnScore", "knn_predictions", "knn_score"]

_DIGITS = 6
_CELLS = 8_000_000  # similarities held at once: 32 MB, and their order twice that


@dataclass(frozen=True)
class KnnScore:
    """Accuracy and F1 over the senders, and `by_class`: a row a label, in order of name.

    `by_class` has `label`, `senders`, `precision`, `recall`, `f1`.
    """

    accuracy: float
    macro_f1: float
    weighted_f1: float
    by_class: pl.DataFrame


def _usable(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    usable: NDArray[np.bool_] = np.isfinite(norms) & (norms > 0)
    return usable


def knn_predictions(
    vectors: NDArray[np.float32], classes: NDArray[np.int64], k: int = 5
) -> NDArray[np.int64]:
    """The class each row would get from its `k` nearest other rows by cosine, one vote each.

    `vectors` is rows × dimensions, `classes` counts from 0. Of classes with as many votes the
    smallest number wins. A row whose vector is not finite or all zero has no neighbours, is
    nobody's, and gets −1; so does everyone where only one row is usable. Memory is bounded: the
    similarities are made in blocks.
    """
    result = np.full(len(classes), -1, dtype=np.int64)
    usable = np.flatnonzero(_usable(vectors))
    if len(usable) < 2:
        return result
    rows = vectors[usable].astype(np.float64)
    unit = np.round(rows / np.linalg.norm(rows, axis=1, keepdims=True), _DIGITS)
    distinct, group = np.unique(unit.astype(np.float32), axis=0, return_inverse=True)
    group = group.reshape(-1)
    labels = classes[usable]
    width = int(labels.max()) + 1
    counts = np.zeros((len(distinct), width), dtype=np.int32)
    np.add.at(counts, (group, labels), 1)
    # Rows of one vector and one class all see the same others.
    asked, back = np.unique(group * np.int64(width) + labels, return_inverse=True)
    own, label = np.divmod(asked, width)
    near = _nearest(distinct, k)
    answers = np.empty(len(asked), dtype=np.int64)
    for start in range(0, len(asked), 20_000):
        part = slice(start, start + 20_000)
        answers[part] = _votes(counts, near, own[part], label[part], k).argmax(axis=1)
    result[usable] = answers[back.reshape(-1)]
    return result


def _nearest(distinct: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The up to `k` other vectors nearest to each, nearest first; each holds one row or more."""
    n = len(distinct)
    k = min(k, n - 1)
    found = np.empty((n, k), dtype=np.int64)
    step = max(1, _CELLS // n)
    for start in range(0, n, step):
        cosine = distinct[start : start + step] @ distinct.T
        here = np.arange(len(cosine))
        cosine[here, start + here] = -np.inf
        if k == 0:
            break
        some = np.argpartition(cosine, n - k, axis=1)[:, n - k :]
        some.sort(axis=1)  # so that of equally near ones the order is the vectors' own
        order = np.argsort(-np.take_along_axis(cosine, some, axis=1), axis=1, kind="stable")
        found[start : start + step] = np.take_along_axis(some, order, axis=1)
    return found


def _votes(
    counts: NDArray[np.int32],
    near: NDArray[np.int64],
    own: NDArray[np.int64],
    label: NDArray[np.int64],
    k: int,
) -> NDArray[np.float64]:
    """Votes by class for a row of vector `own` and class `label`, itself left out."""
    mates = counts[own].astype(np.float64)
    mates[np.arange(len(own)), label] -= 1
    votes = np.zeros(mates.shape)
    left = np.full(len(own), float(k))
    for place in range(near.shape[1] + 1):
        if place:
            mates = counts[near[own, place - 1]].astype(np.float64)
        total = mates.sum(axis=1)
        used = np.minimum(left, total)
        share = np.divide(used, total, out=np.zeros(len(own)), where=total > 0)
        votes += mates * share[:, None]
        left -= used
    return np.round(votes, 9)  # sums of the same shares in another order are as many votes


def knn_score(vectors: NDArray[np.float32], labels: pl.Series, k: int = 5) -> KnnScore:
    """Leave-one-out accuracy, macro- and weighted F1 of text `labels` (no nulls).

    Macro-F1 is the mean over the labels that occur, weighted F1 by their senders. A row without
    a usable vector counts as classified wrongly.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    names = labels.unique().sort()
    classes = labels.rank("dense").cast(pl.Int64).to_numpy() - 1
    guess = knn_predictions(vectors, classes, k)
    every = np.arange(len(names))
    precision, recall, f1, support = precision_recall_fscore_support(
        classes, guess, labels=every, zero_division=0
    )
    return KnnScore(
        accuracy=float(accuracy_score(classes, guess)),
        macro_f1=float(np.mean(f1)),
        weighted_f1=float(np.average(f1, weights=support)),
        by_class=pl.DataFrame(
            {
                "label": names.rename("label"),
                "senders": pl.Series(support.astype(np.int64)),
                "precision": precision,
                "recall": recall,
                "f1": f1,
            }
        ),
    )
