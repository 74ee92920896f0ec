"""Shapes of threats: what passes for a worm, a flood and a sweep, and how often by chance."""

import numpy as np
import pytest

from dante.tracking.shapes import Volume, growth_curve, shape_of

STILL = growth_curve([0], [8])


def _pass_rate(means: list[float], seed: int = 3) -> float:
    """How often Poisson counts of these means pass for exponential growth, of 500 series."""
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = np.maximum(rng.poisson(means, (500, len(means))), 1)
    return float(np.mean([growth_curve(range(len(means)), row).grows for row in drawn.tolist()]))


@pytest.mark.parametrize(
    ("means", "least", "most"),
    [
        ([20.0] * 6, 0, 0.01),
        ([100.0] * 4, 0, 0.01),
        ([10.0 + 10 * n for n in range(5)], 0, 0.12),
        ([100.0 + 100 * n for n in range(6)], 0, 0.05),
        ([20.0, 80, 80, 80, 80], 0, 0.01),
        ([10 * 2.2**n for n in range(4)], 0.9, 1),
        ([20 * 1.6**n for n in range(5)], 0.85, 1),
        ([20 * 1.35**n for n in range(7)], 0.8, 1),
    ],
)
def test_exponential_growth_is_told_from_all_other_growth(
    means: list[float], least: float, most: float
) -> None:
    """Constant, straight, and stepped series seldom pass; exponential ones mostly do."""
    assert least <= _pass_rate(means) <= most


def test_the_rate_of_growth_is_estimated() -> None:
    """Days need not follow one another: the factor is one of a day."""
    assert growth_curve([0, 1, 2, 3], [10, 20, 40, 80]).times == pytest.approx(2)
    assert growth_curve([-6, -4, -2, 0], [10, 20, 40, 80]).times == pytest.approx(2**0.5)
    assert growth_curve([0, 1], [10, 40]).times == pytest.approx(4)


def test_few_days_never_make_a_worm() -> None:
    """One, two and three days may grow as they like."""
    for days in (1, 2, 3):
        assert not growth_curve(range(days), [10**n for n in range(1, days + 1)]).grows


def _volume(**changes: int) -> Volume:
    values = {
        "senders": 8,
        "packets": 4000,
        "ports": 1,
        "in_one_network": 1,
        "day_senders": 2008,
        "day_packets": 10_000,
    }
    return Volume(**values | changes)


def test_few_senders_and_very_many_packets_are_a_flood() -> None:
    """Eight senders of 500 packets each, where others send 3; on one port."""
    assert shape_of(_volume(), STILL) == "flood"
    assert shape_of(_volume(packets=400), STILL) == "campaign"  # 50 each
    assert shape_of(_volume(day_packets=2_000_000), STILL) == "campaign"  # a small part of the day
    assert shape_of(_volume(day_packets=70_000), STILL) == "campaign"  # all are loud
    assert shape_of(_volume(ports=50), STILL) == "campaign"
    assert shape_of(_volume(day_senders=8, day_packets=4000), STILL) == "flood"  # nobody else


def test_one_network_and_many_ports_are_a_sweep_however_loud() -> None:
    """A sweep is one before it is a flood or a worm; a botnet with many ports is none."""
    worm = growth_curve([0, 1, 2, 3], [10, 20, 40, 80])
    wide = _volume(ports=1024, in_one_network=7, packets=8192)
    assert shape_of(wide, worm) == "sweep"
    assert shape_of(_volume(ports=1024, in_one_network=6), STILL) == "campaign"
    assert shape_of(_volume(packets=24), worm) == "worm"
