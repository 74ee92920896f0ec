"""The classifier of senders, against the same sums written out in plain Python."""

from importlib import import_module
from math import exp, log

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.evidence import COUNTED, evidence_of, trait_codes
from dante.clustering.histogram import Histogram, mixed, scaled
from dante.clustering.likelihood import Nobody, likeliest
from dante.clustering.refine import groups_of

from .conftest import MIRAI, ZMAP, Actor, crowd, shift

CHANCE = 2 * 65536
TUNED = import_module("dante.clustering.likelihood")
"""Where the numbers are that are found by measurement."""


def _crowd(seed: int) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    return crowd(
        Actor(12, [23, 2323], headers=MIRAI, hours=shift(1, 2, 3), networks=[300, 301]),
        Actor(9, list(range(100, 120)), pick=3, headers=ZMAP),
        Actor(4, [443]),
        Actor(5, list(range(1, 60)), pick=12, headers=(("ttl", 128),)),
        seed=seed,
    )


def _smooth(hours: NDArray[np.float64]) -> list[float]:
    return [hours[h] / 2 + hours[h - 1] / 4 + hours[(h + 1) % 24] / 4 for h in range(24)]


def _oracle(
    frame: pl.DataFrame,
    groups: list[Histogram],
    sizes: list[float],
    strangers: list[bool],
    margin: float,
    own: list[int],
    bonus: NDArray[np.float64],
) -> list[list[float]]:
    """The logarithm of every sender's odds of every group, and of none (last)."""
    rows = frame.to_dicts()
    n = len(rows)
    total = sum(sizes) + max(sum(strangers), 1)
    blocks = [row["src"] >> 16 for row in rows]
    nobody = [row for row, is_one in zip(rows, strangers, strict=True) if is_one]

    def share(word: int) -> float:
        return sum(1 / len(row["words"]) for row in rows if word in row["words"]) / n

    several = [row["words"] for row in nobody if len(row["words"]) >= TUNED.SEVERAL]

    def popular(word: int) -> float:
        again = max(sum(word in words for words in several) - 1, 0)
        unseen = TUNED._UNSEEN * TUNED._POPULAR * share(word)
        return (again + unseen) / (sum(map(len, several)) + TUNED._UNSEEN)

    def common(name: str, value: int) -> float:
        everybody = [row[name] for row in rows if row[name] is not None]
        return sum(each == value for each in everybody) / len(everybody)

    def of_nobody(name: str, value: int) -> float:
        shown = [row[name] for row in nobody if row[name] is not None]
        return log((shown.count(value) + common(name, value)) / (len(shown) + 1))

    def trait(counts: dict[int, float], name: str, value: int, itself: int) -> float:
        code = int(trait_codes(name, pl.Series([value]))[0])
        shown = [n for key, n in counts.items() if key >> 32 == code >> 32]
        once = sum(n for n in shown if n <= 1 + 1e-9)
        new = max(min((once + 0.5) / (sum(shown) + 1), 1), 1 / (sum(shown) + 1))
        others = max(counts.get(code, 0) - itself, 0) / max(sum(shown) - itself, 1e-9)
        return log((1 - new) * others + new * common(name, value))

    table = []
    for i, row in enumerate(rows):
        anybody = (blocks.count(blocks[i]) + 1) / (n + 65536)
        tell = min(len(row["words"]), 8) / len(row["words"])
        hours = [h for h in range(24) if row["hours"] >> h & 1]
        line = []
        for g, group in enumerate(groups):
            words = dict(zip(group.words.keys.tolist(), group.words.weights, strict=True))
            once = sum(u for u in group.users if u <= 1 + 1e-9)
            new = min((once + 0.5) / (group.users.sum() + 1), TUNED._MOST_NEW)
            other = new + (1 - new) * max(0.0, 1 - sum(words.values()) / group.senders)
            odds = log(sizes[g] / total) + bonus[i, g]
            mine = 1 / len(row["words"]) if own[i] == g else 0.0
            for word in row["words"]:
                others = max(words.get(word, 0) - mine, 0)
                odds += tell * log((1 - new) * others / group.senders + other / CHANCE)
            counts = dict(zip(group.traits.keys.tolist(), group.traits.weights, strict=True))
            itself = int(own[i] == g)
            odds += sum(trait(counts, x, row[x], itself) for x in COUNTED if row[x] is not None)
            smooth = _smooth(group.hours)
            odds += sum(log((smooth[h] + 1 / 24) / (group.senders + 1)) for h in hours) / len(hours)
            near = dict(zip(group.networks.keys.tolist(), group.networks.weights, strict=True))
            strange = min((group.lone + 0.5) / (group.placed + 1), 1)
            there = max(near.get(blocks[i], 0) - (own[i] == g), 0)
            known = (1 - strange) * there / max(group.placed, 1)
            line.append(odds + log(known + strange * anybody))
        odds = log(max(sum(strangers), 1) / total) + margin + log(anybody) + log(1 / 24)
        for word in row["words"]:
            odds += tell * log((1 - TUNED._POPULAR) / CHANCE + popular(word))
        apart = 0.0
        for name in COUNTED:
            if row[name] is not None:
                if name == "window":
                    odds += of_nobody(name, row[name])
                else:
                    apart += of_nobody(name, row[name])
        system = [name for name in COUNTED if name != "window"]
        alike = sum(all(r[name] == row[name] for name in system) for r in nobody)
        told = sum(all((r[name] is None) == (row[name] is None) for name in system) for r in nobody)
        odds += log((alike + TUNED._KINDS * exp(apart)) / (told + TUNED._KINDS))
        table.append([*line, odds])
    return table


@given(seed=st.integers(0, 10_000), margin=st.floats(0, 4))
@settings(max_examples=12)
def test_odds_are_those_of_sums_written_out(seed: int, margin: float) -> None:
    """Choice and probability of every sender agree with a plain naive Bayes to a billionth."""
    frame, owner = _crowd(seed)
    day = evidence_of(frame)
    labels = np.where(owner == 3, -1, owner)
    groups = groups_of(day, labels)
    # One of them remembers another day, in which it was larger.
    groups[0] = mixed(scaled(groups[0], 0.8), scaled(groups[1], 0.3))
    rng = np.random.Generator(np.random.PCG64(seed))
    bonus = np.where(rng.random((day.n, 3)) < 0.1, 2.0, 0.0)
    sizes = np.array([12.0, 0.5, 4.0])
    best, strength = likeliest(
        day, groups, sizes, Nobody(labels < 0, margin), labels, sparse.csr_array(bonus)
    )
    strangers = (labels < 0).tolist()
    table = _oracle(frame, groups, sizes.tolist(), strangers, margin, labels.tolist(), bonus)
    for line, choice, sure in zip(table, best.tolist(), strength.tolist(), strict=True):
        wanted = max(range(4), key=line.__getitem__)
        assert choice == (-1 if wanted == 3 else wanted)
        assert sure == pytest.approx(1 / sum(exp(x - max(line)) for x in line), abs=1e-9)


def test_how_many_are_judged_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders judged seven at a time are judged as all at once."""
    frame, owner = _crowd(5)
    day = evidence_of(frame)
    groups = groups_of(day, owner)
    sizes, nobody = np.bincount(owner).astype(float), Nobody(np.zeros(day.n, dtype=bool), 2.0)
    bonus = sparse.csr_array((np.ones(5), (np.arange(5) * 3, [0, 1, 2, 3, 0])), shape=(day.n, 4))
    whole = likeliest(day, groups, sizes, nobody, owner, bonus)
    monkeypatch.setattr(TUNED, "_ROWS", 7)
    pieces = likeliest(day, groups, sizes, nobody, owner, bonus)
    assert np.array_equal(pieces[0], whole[0])
    assert np.allclose(pieces[1], whole[1], rtol=1e-12)


def test_windows_drawn_at_random_draw_nobody_to_the_smaller_group() -> None:
    """Of two groups of one tool that draws its windows, a new one is as likely of either."""
    frame, owner = crowd(Actor(300, [23]), Actor(16, [23], networks=[300, 301]), seed=3)
    windows = pl.Series(range(frame.height), dtype=frame["window"].dtype)
    known = np.arange(frame.height) % 2 == 0
    nobody, sizes = Nobody(np.zeros(frame.height, dtype=bool), 2.0), np.array([150.0, 8.0])
    chosen = []
    for day in (evidence_of(frame), evidence_of(frame.with_columns(window=windows))):
        groups = groups_of(day, np.where(known, owner, -1))
        chosen.append(likeliest(day, groups, sizes, nobody, np.where(known, owner, -1))[0][~known])
    assert np.array_equal(*chosen)
    assert set(chosen[0].tolist()) == {0, 1}


def test_nobody_is_known_by_his_own_network() -> None:
    """A sender alone in its network is no likelier in the group it is counted in."""
    frame, _ = crowd(Actor(20, [23], networks=[300]), Actor(1, [23], networks=[999]))
    day = evidence_of(frame)
    groups = groups_of(day, np.zeros(day.n, dtype=np.int64))
    nobody = Nobody(np.zeros(day.n, dtype=bool), 2.0)
    counted = likeliest(day, groups, np.array([21.0]), nobody, np.zeros(day.n, dtype=np.int64))
    apart = likeliest(day, groups, np.array([21.0]), nobody, np.full(day.n, -1))
    alone = int(np.argmax(day.src >> np.uint64(16) == 999))
    assert counted[1][alone] < apart[1][alone]
    assert counted[1][alone] < counted[1][alone - 1]


@pytest.mark.parametrize("traits", ["no headers", "one sender"])
def test_the_barest_days_are_judged_without_warnings(traits: str) -> None:
    """Groups of one sender and days without headers divide by nothing and take no log of 0."""
    frame, _ = crowd(Actor(1 if traits == "one sender" else 6, [23]))
    day = evidence_of(frame)
    zeros = np.zeros(day.n, dtype=np.int64)
    groups = groups_of(day, zeros)
    with np.errstate(all="raise"):
        best, strength = likeliest(day, groups, np.array([0.0]), Nobody(zeros > 0, 2.0), zeros)
    assert np.isfinite(strength).all()
    assert set(best.tolist()) <= {-1, 0}
