"""Telescopes simulated once and looked at by several tests."""

import polars as pl
import pytest

from dante.simulate import Scenario, SimulatedDay, simulate_days

SMALL = Scenario(days=14, senders=600, seed=11)


@pytest.fixture(scope="session")
def small() -> Scenario:
    """Two weeks of a small telescope, as asked for."""
    return SMALL


@pytest.fixture(scope="session")
def run() -> list[SimulatedDay]:
    """Two weeks of a small telescope."""
    return list(simulate_days(SMALL))


@pytest.fixture(scope="session")
def month() -> list[SimulatedDay]:
    """The preset `hard`, its whole month, with fewer senders."""
    return list(simulate_days(Scenario.preset("hard", senders=1000, seed=3)))


@pytest.fixture(scope="session")
def members(month: list[SimulatedDay]) -> pl.DataFrame:
    """True members of the month."""
    return pl.concat([day.members for day in month])


@pytest.fixture(scope="session")
def events(month: list[SimulatedDay]) -> pl.DataFrame:
    """True events of the month."""
    return pl.concat([day.events for day in month])
