"""Peers' methods, each our own implementation from its paper, behind one door.

What each paper leaves open, and what was chosen in its favour, stands in its module and in
docs/rivals.md.
"""

from benchmarks.rivals.dante_published import dante_published
from benchmarks.rivals.door import Answer, Day, DayAnswer, Rival, answered
from benchmarks.rivals.trivial import trivial

__all__ = ["MEANINGS", "RIVALS", "TELLS", "Answer", "Day", "DayAnswer", "Rival", "answered"]

RIVALS: dict[str, Rival] = {
    "dante-published": dante_published,
    "trivial": trivial,
}
"""The systems, by the names they have in tables."""

MEANINGS: dict[str, str] = {
    "dante-published": "DANTE as published (Cohen et al., ESORICS 2020)",
    "trivial": "a sender's most-used port is its campaign",
}
"""A clause each."""

TELLS: frozenset[str] = frozenset()
"""Those that tell splits, merges and returns of their own."""
