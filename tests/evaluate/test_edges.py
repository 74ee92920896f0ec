"""Whether splits and merges are told as such."""

import datetime as dt
import itertools
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.evaluate import EdgeScore, edges

FIRST = dt.date(2025, 3, 1)
OWN = pl.DataFrame(
    {"predicted": [1, 2, 3, 4, 9], "truth": ["a", "b", "c", "a", None]},
    schema={"predicted": pl.Int64, "truth": pl.String},
)
True_ = tuple[int, str, str, str | None]
Told = tuple[int, str, int, int | None]


def _score(true: list[True_], told: list[Told], last: int = 20, within: int = 2) -> EdgeScore:
    def frame(rows: list[tuple[object, ...]], names: dict[str, type[pl.DataType]]) -> pl.DataFrame:
        dated = [(FIRST + dt.timedelta(days=row[0]), *row[1:]) for row in rows]  # type: ignore[arg-type]
        return pl.DataFrame(
            dated, schema={"day": pl.Date, "event": pl.String, **names}, orient="row"
        )

    return edges(
        OWN,
        frame(list(true), {"truth": pl.String, "related": pl.String}),
        frame(list(told), {"predicted": pl.Int64, "related": pl.Int64}),
        FIRST,
        FIRST + dt.timedelta(days=last),
        within,
    )


def test_the_right_edges_score_one() -> None:
    """Splits and merges between the right tracks, on their day or up to two off, are all found."""
    true: list[True_] = [(5, "split", "b", "a"), (9, "merge", "c", "a")]
    score = _score(true, [(5, "split", 2, 1), (11, "merge", 3, 4)])
    assert (score.precision, score.recall, score.f1) == (1.0, 1.0, 1.0)
    assert (score.true_edges, score.track_edges) == (2, 2)


@pytest.mark.parametrize(
    "told",
    [
        (8, "split", 2, 1),  # three days late
        (5, "merge", 2, 1),  # not a split
        (5, "split", 1, 2),  # the wrong way round
        (5, "split", 2, 3),  # from somebody else
        (5, "split", 2, 9),  # from noise
        (5, "split", 4, 1),  # within one campaign
        (5, "split", 2, None),  # from nowhere
    ],
)
def test_wrong_edges_score_nothing(told: Told) -> None:
    """The day, the kind, both ends and the direction have to be right."""
    score = _score([(5, "split", "b", "a")], [told])
    assert (score.precision, score.recall, score.f1) == (0.0, 0.0, 0.0)


def test_an_edge_told_twice_is_right_once() -> None:
    """The second telling of a split is a false one."""
    score = _score([(5, "split", "b", "a")], [(5, "split", 2, 1), (6, "split", 2, 4)])
    assert (score.precision, score.recall) == (0.5, 1.0)


def test_what_cannot_be_told_yet_is_not_missed() -> None:
    """A true edge of the last two days counts only if found; the first day never does."""
    assert math.isnan(_score([(20, "merge", "b", "a")], []).recall)
    assert _score([(20, "merge", "b", "a")], [(20, "merge", 2, 1)]).f1 == 1.0
    assert _score([(18, "merge", "b", "a")], []).recall == 0.0
    assert _score([(0, "split", "b", "a")], [(0, "split", 2, 1)]).true_edges == 0


def test_other_events_are_not_edges() -> None:
    """Births, sleeps and the like are passed over on both sides; nothing at all has no score."""
    score = _score([(5, "birth", "b", None)], [(5, "birth", 2, None), (6, "continue", 2, None)])
    assert (score.true_edges, score.track_edges) == (0, 0)
    assert math.isnan(score.f1)


_ends = st.tuples(st.integers(1, 5), st.sampled_from(["split", "merge"]))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(_ends, st.sampled_from("abc"), st.sampled_from("abc")), max_size=4),
    st.lists(
        st.tuples(_ends, st.sampled_from([1, 2, 3, 4, 9]), st.sampled_from([1, 2, 3, 4, 9])),
        max_size=4,
    ),
)
def test_f1_is_that_of_the_best_pairing(
    true: list[tuple[tuple[int, str], str, str]], told: list[tuple[tuple[int, str], int, int]]
) -> None:
    """Taking the nearest first finds as many as the best of all one-to-one pairings."""
    name = dict(zip(OWN["predicted"].to_list(), OWN["truth"].to_list(), strict=True))
    trues: list[True_] = [(*when, a, b) for when, a, b in true]
    tolds: list[Told] = [(*when, a, b) for when, a, b in told]

    def fits(i: int, j: int) -> bool:
        (day, event, a, b), (when, kind, p, q) = trues[i], tolds[j]
        return (day, event, a, b) == (when, kind, name[p], name[q or 0])

    best = max(
        sum(fits(i, j) for i, j in enumerate(order) if j < len(tolds))
        for order in itertools.permutations(range(max(len(trues), len(tolds))), len(trues))
    )
    score = _score(trues, tolds, within=0)
    both = len(trues) + len(tolds)
    assert score.f1 == pytest.approx(2 * best / both if both else math.nan, nan_ok=True)
