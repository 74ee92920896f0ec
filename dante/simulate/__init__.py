"""A seeded telescope: packets of planted campaigns, noise and backscatter, and the truth."""

from dante.simulate.scenario import Scenario
from dante.simulate.telescope import SimulatedDay, TruthPaths, simulate, simulate_days

__all__ = ["Scenario", "SimulatedDay", "TruthPaths", "simulate", "simulate_days"]
