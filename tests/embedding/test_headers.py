"""Vectors of ports and headers together."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from dante.config import ClusterSettings
from dante.embedding import PortModel, day_profiles, embed_profiles
from dante.embedding.model import ModelCard
from dante.embedding.profiles import HEADER
from dante.sequences import SENDERS

TCP = 6 * 65536
DAY = dt.date(2025, 3, 1)
SETTINGS = ClusterSettings()


def _model() -> PortModel:
    words = np.arange(TCP + 1, TCP + 51, dtype=np.uint32)
    vectors = np.random.Generator(np.random.PCG64(3)).standard_normal((50, 12))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    card = ModelCard("m", DAY, DAY, 1, 50, 12, 0, 0, 1000, "i", {})
    return PortModel(card, words, vectors.astype(np.float32), np.full(50, 9))


def _senders(*groups: tuple[int, list[int], dict[str, int]]) -> pl.DataFrame:
    rows = [
        {"words": [TCP + port for port in ports], "counts": [2] * len(ports), **headers}
        for n, ports, headers in groups
        for _ in range(n)
    ]
    rows = [
        {"src": src, "packets": 9, "sentence": row["words"], **row} for src, row in enumerate(rows)
    ]
    return pl.DataFrame(rows, schema=SENDERS)


def _vectors(senders: pl.DataFrame, header_weight: float = SETTINGS.header_weight) -> np.ndarray:
    made = day_profiles(senders, min_senders=3)
    points = embed_profiles(
        made, _model(), everyday_share=SETTINGS.everyday_share, header_weight=header_weight
    )
    return points[made.profile]


MIRAI = {"tool": 1, "ttl": 64, "tcp_length": 40}
PORTS = [(6, [1, 2], {}), (6, [1, 9, 30], {}), (6, [44], {})]


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.9])
def test_a_source_without_headers_has_the_vectors_of_ports_alone(weight: float) -> None:
    """Whatever headers weigh, where there are none the vectors are the same byte for byte."""
    made = _vectors(_senders(*PORTS), weight)
    assert made.shape == (18, 12)
    assert made.tobytes() == _vectors(_senders(*PORTS), 0.5).tobytes()
    assert np.allclose(np.linalg.norm(made, axis=1), 1)


def test_one_kind_of_headers_for_all_changes_no_distance() -> None:
    """Headers that everybody has alike scale the distances of ports and do nothing else."""
    bare = _vectors(_senders(*PORTS))
    alike = _vectors(_senders(*((n, ports, MIRAI) for n, ports, _ in PORTS)))
    between = [np.linalg.norm(v[:, None] - v[None, :], axis=2) for v in (bare, alike)]
    assert np.allclose(between[1], between[0] * np.sqrt(1 - SETTINGS.header_weight))


@pytest.mark.parametrize("name", HEADER)
def test_two_systems_on_the_same_ports_lie_beyond_one_radius(name: str) -> None:
    """Senders of the same ports that differ in one header are never kept together by nearness."""
    other = {**MIRAI, name: {"tool": 2, "ttl": 255, "tcp_length": 44}[name]}
    made = _vectors(_senders((6, [1, 2], MIRAI), (6, [1, 2], other)))
    assert np.linalg.norm(made[0] - made[-1]) > SETTINGS.radius
    assert np.allclose(made[0], made[5])
    assert np.allclose(np.linalg.norm(made, axis=1), 1)


def test_an_unknown_header_is_nearer_than_another_one() -> None:
    """A sender whose header is unknown lies between those who have this and that one."""
    unknown = {name: value for name, value in MIRAI.items() if name != "tool"}
    one, none, other = _vectors(
        _senders((3, [1, 2], MIRAI), (3, [1, 2], unknown), (3, [1, 2], {**MIRAI, "tool": 2}))
    )[[0, 3, 6]]
    assert np.linalg.norm(one - none) < np.linalg.norm(one - other)


def test_profiles_are_told_apart_by_headers() -> None:
    """The same ports with two tools are two profiles, with none known a third."""
    senders = _senders((4, [1, 2], MIRAI), (5, [1, 2], {**MIRAI, "tool": 2}), (6, [1, 2], {}))
    made = day_profiles(senders, min_senders=3)
    assert made.senders.tolist() == [4, 5, 6]
    assert made.profile.tolist() == [0] * 4 + [1] * 5 + [2] * 6
