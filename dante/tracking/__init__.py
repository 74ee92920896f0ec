"""Tracks over days: births, continuations, splits, merges, sleeps and returns; and threats."""

from dante.tracking.floods import Floods, find_floods, load_volumes
from dante.tracking.memory import load_memory
from dante.tracking.parting import EARLIER, WINDOW, Earlier
from dante.tracking.step import DayTracks, track_day
from dante.tracking.track import Memory, Track

__all__ = [
    "EARLIER",
    "WINDOW",
    "DayTracks",
    "Earlier",
    "Floods",
    "Memory",
    "Track",
    "find_floods",
    "load_memory",
    "load_volumes",
    "track_day",
]
