"""Tracks over days: births, continuations, splits, merges, sleeps and returns; and threats."""

from dante.tracking.memory import load_memory
from dante.tracking.step import DayTracks, track_day
from dante.tracking.track import Memory, Track

__all__ = ["DayTracks", "Memory", "Track", "load_memory", "track_day"]
