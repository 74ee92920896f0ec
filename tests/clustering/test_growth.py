"""How the work of a day grows with its senders and clusters, counted and not timed."""

from importlib import import_module

import numpy as np
import pytest
from numpy.typing import NDArray

from dante.clustering import cluster_day, evidence_of, groups_of, weighted_hdbscan
from dante.clustering.likelihood import Nobody, beyond_chance
from dante.clustering.mixture import Crowd
from dante.clustering.rivals import split_rivals
from dante.clustering.weighted import bounded_hdbscan
from dante.config import ClusterSettings

from .conftest import MIRAI, ZMAP, Actor, crowd, parts, port_model

LIKELIHOOD = import_module("dante.clustering.likelihood")
RIVALS = import_module("dante.clustering.rivals")
WEIGHTED = import_module("dante.clustering.weighted")


@pytest.mark.parametrize("clusters", [8, 64])
def test_each_sender_is_held_against_chance_once_however_many_clusters_there_are(
    clusters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odds worked out are senders times one block of clusters at most, and say the same in any."""
    frame, owner = crowd(*(Actor(6, [100 + n], networks=[300 + n]) for n in range(clusters)))
    day = evidence_of(frame)
    groups, nobody = groups_of(day, owner), Nobody(np.zeros(day.n, dtype=np.bool_), 2.0)
    whole = beyond_chance(day, groups, nobody, owner)
    monkeypatch.setattr(LIKELIHOOD, "_GROUPS", 4)
    judged = 0
    of = LIKELIHOOD._Odds.of

    def counted(
        self: object, rows: NDArray[np.int64], own: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        nonlocal judged
        table: NDArray[np.float64] = of(self, rows, own)
        judged += table.size
        return table

    monkeypatch.setattr(LIKELIHOOD._Odds, "of", counted)
    assert np.array_equal(beyond_chance(day, groups, nobody, owner), whole)
    assert judged <= day.n * 5


def test_density_never_looks_at_more_profiles_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a day of many profiles the bound is clustered, and the clusters are those of all."""
    frame, owner = crowd(
        Actor(150, list(range(1, 13)), pick=4, headers=MIRAI),
        Actor(150, list(range(30, 42)), pick=4, headers=ZMAP),
        seed=3,
    )
    looked: list[int] = []
    whole = weighted_hdbscan

    def counted(
        points: NDArray[np.float64], weights: NDArray[np.int64], **how: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        looked.append(len(points))
        assert weights.sum() <= len(frame)
        return whole(points, weights, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(WEIGHTED, "weighted_hdbscan", counted)
    settings = ClusterSettings()
    model = port_model()
    all_of_them = cluster_day(frame, model, settings).members["cluster_id"]
    some = cluster_day(frame, model, settings.model_copy(update={"most_profiles": 100}))
    assert looked[0] > 150 and looked[1] == 100
    assert some.members["cluster_id"].equals(all_of_them)
    assert parts(all_of_them.fill_null(-1).to_numpy().astype(np.int64)) == parts(owner)


def test_light_profiles_are_where_the_heavy_one_next_to_them_is() -> None:
    """Beyond the bound a point joins what is within half a radius, and lends it its weight."""
    places = np.array([[0, 0], [5, 0], [0.05, 0], [5.05, 0], [0.05, 0.05], [2.5, 3]])
    weights = np.array([4, 4, 1, 1, 1, 1])
    how = {"min_senders": 5, "radius": 0.2}
    labels = bounded_hdbscan(places, weights, **how, most=2)  # type: ignore[arg-type]
    assert labels[[0, 2, 4]].tolist() == [labels[0]] * 3
    assert labels[[1, 3]].tolist() == [labels[1]] * 2
    assert labels[0] != labels[1] and min(labels[0], labels[1]) >= 0
    assert labels[5] == -1


@pytest.mark.parametrize("times", [1, 3])
def test_a_cluster_of_any_size_is_searched_for_rivals_at_the_cost_of_a_sample(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Senders whose likelihood is worked out are a bounded number of samples, and all once."""
    monkeypatch.setattr(RIVALS, "_SAMPLE", 200)
    looked: list[int] = []
    kinds = Crowd.kinds

    def counted(self: Crowd, part: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
        looked.append(len(part))
        return kinds(self, part)

    monkeypatch.setattr(Crowd, "kinds", counted)
    frame, owner = crowd(
        Actor(250 * times, [23, 2323], networks=[300, 301], hours=0b1111),
        Actor(250 * times, [23, 2323], networks=[400, 401], hours=0b1111 << 11),
    )
    labels = split_rivals(evidence_of(frame), np.zeros(len(owner), dtype=np.int64), min_senders=5)
    assert parts(labels) == parts(owner)
    assert sum(n > 200 for n in looked) == 2  # both parts, over everybody
    assert len(looked) < 400
