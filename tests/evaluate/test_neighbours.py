"""Leave-one-out nearest neighbours, against brute force and scikit-learn."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dante.evaluate import knn_predictions, knn_score
from dante.evaluate import neighbours as module

_POINTS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 2, 3), (2, 0, 0)]
_ROWS = st.lists(st.tuples(st.sampled_from(_POINTS), st.integers(0, 2)), min_size=2, max_size=8)


def _brute(vectors: NDArray[np.float32], classes: list[int], k: int) -> list[int]:
    """Votes averaged over every order in which equally near rows could have been picked."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    answers = []
    for row in range(len(unit)):
        others = [i for i in range(len(unit)) if i != row]
        cosine = {i: round(float(unit[i] @ unit[row]), 5) for i in others}
        votes = np.zeros(max(classes) + 1)
        orders = list(itertools.permutations(others))
        kept = [o for o in orders if all(cosine[a] >= cosine[b] for a, b in itertools.pairwise(o))]
        for order in kept:
            for i in order[:k]:
                votes[classes[i]] += 1 / len(kept)
        answers.append(int(np.round(votes, 6).argmax()))
    return answers


def _distinct_cosines(vectors: NDArray[np.float32]) -> bool:
    """Whether different vectors are never equally near to a third, which are not shared out."""
    unit = np.unique(np.round(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 5), axis=0)
    near = np.round(unit @ unit.T, 5)
    return all(len(set(row)) == len(row) for row in near.tolist())


@settings(max_examples=60)
@given(_ROWS, st.integers(1, 4))
def test_equally_near_senders_share_the_vote(
    rows: list[tuple[tuple[int, int, int], int]], k: int
) -> None:
    """With many equal vectors the votes are the mean over all ways to pick k of them."""
    vectors = np.array([point for point, _ in rows], dtype=np.float32)
    # A little of its own, so that only equal vectors are equally near.
    vectors = (vectors + np.array([0.01, 0.02, 0.037], dtype=np.float32)).astype(np.float32)
    if not _distinct_cosines(vectors):
        return
    classes = [label for _, label in rows]
    got = knn_predictions(vectors, np.array(classes, dtype=np.int64), k)
    assert got.tolist() == _brute(vectors, classes, k)


def test_it_agrees_with_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """On 2,000 different vectors each is classified as scikit-learn does, in blocks or at once."""
    from sklearn.model_selection import LeaveOneOut, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

    rng = np.random.Generator(np.random.PCG64(4))
    classes = rng.integers(0, 9, 2000)
    vectors = (rng.normal(size=(9, 16))[classes] + 1.2 * rng.normal(size=(2000, 16))).astype("f4")
    near = (
        NearestNeighbors(n_neighbors=5, metric="cosine")
        .fit(vectors)
        .kneighbors(return_distance=False)
    )
    expected = [int(np.bincount(votes, minlength=9).argmax()) for votes in classes[near]]
    at_once = knn_predictions(vectors, classes, 5)
    monkeypatch.setattr(module, "_CELLS", 2000 * 7)
    assert at_once.tolist() == expected
    assert knn_predictions(vectors, classes, 5).tolist() == expected
    few = slice(0, 150)
    model = KNeighborsClassifier(5, metric="cosine", algorithm="brute")
    assert (
        knn_predictions(vectors[few], classes[few], 5).tolist()
        == cross_val_predict(model, vectors[few], classes[few], cv=LeaveOneOut()).tolist()
    )


@settings(max_examples=30)
@given(_ROWS, st.randoms(use_true_random=False))
def test_order_of_senders_does_not_matter(
    rows: list[tuple[tuple[int, int, int], int]], random: object
) -> None:
    """Shuffled rows get the same answers: neighbours in a file tell nothing."""
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    vectors = np.array([point for point, _ in rows], dtype=np.float32)
    classes = np.array([label for _, label in rows], dtype=np.int64)
    was = knn_predictions(vectors, classes, 3)
    assert knn_predictions(vectors[order], classes[order], 3).tolist() == was[order].tolist()


def test_scale_does_not_matter_and_no_vector_is_wrong() -> None:
    """Cosine looks at direction only; a zero or broken vector has no neighbours and is nobody's."""
    vectors = np.array([[1, 0], [9, 0], [0, 1], [0, 5], [0, 0], [np.nan, 1]], dtype=np.float32)
    classes = np.array([0, 0, 1, 1, 0, 1])
    assert knn_predictions(vectors, classes, 1).tolist() == [0, 0, 1, 1, -1, -1]
    assert knn_predictions(vectors[:1], classes[:1], 5).tolist() == [-1]
    score = knn_score(vectors, pl.Series(["a", "a", "b", "b", "a", "b"]), 1)
    assert score.accuracy == pytest.approx(4 / 6)
    assert score.macro_f1 == pytest.approx(0.8)


def test_scores_are_scikit_learns() -> None:
    """Accuracy and F1s of the answers equal scikit-learn's of the same answers."""
    from sklearn.metrics import accuracy_score, f1_score

    rng = np.random.Generator(np.random.PCG64(7))
    classes = np.minimum(rng.geometric(0.4, 600) - 1, 4)
    vectors = (rng.normal(size=(5, 6))[classes] + rng.normal(size=(600, 6))).astype("f4")
    guess = knn_predictions(vectors, classes, 5)
    score = knn_score(vectors, pl.Series([f"l{c}" for c in classes]), 5)
    assert score.accuracy == pytest.approx(accuracy_score(classes, guess))
    assert score.macro_f1 == pytest.approx(f1_score(classes, guess, average="macro"))
    assert score.weighted_f1 == pytest.approx(f1_score(classes, guess, average="weighted"))
    assert score.by_class["senders"].to_list() == np.bincount(classes).tolist()


def test_perfect_and_meaningless_vectors() -> None:
    """Vectors that are the label score 1; vectors that know nothing are near chance."""
    rng = np.random.Generator(np.random.PCG64(2))
    classes = rng.integers(0, 20, 1500)
    labels = pl.Series([f"l{c:02}" for c in classes])
    best = knn_score(np.eye(20, dtype=np.float32)[classes], labels)
    assert (best.accuracy, best.macro_f1, best.weighted_f1) == (1.0, 1.0, 1.0)
    worst = knn_score(rng.normal(size=(1500, 8)).astype("f4"), labels)
    assert worst.accuracy < 0.1
    same = knn_score(np.ones((1500, 4), dtype=np.float32), labels)
    assert same.macro_f1 < 0.02
