"""Peers' methods, each our own implementation from its paper, behind one door.

What each paper leaves open, and what was chosen in its favour, stands in its module and in
docs/rivals.md.
"""

from benchmarks.rivals.dante_published import dante_published
from benchmarks.rivals.darkvec import darkvec
from benchmarks.rivals.door import Answer, Day, DayAnswer, Rival, answered
from benchmarks.rivals.novtrack import novtrack, novtrack_best
from benchmarks.rivals.portsets import portsets
from benchmarks.rivals.tfidf import tfidf
from benchmarks.rivals.trivial import trivial

__all__ = ["MEANINGS", "RIVALS", "TELLS", "Answer", "Day", "DayAnswer", "Rival", "answered"]

RIVALS: dict[str, Rival] = {
    "dante-published": dante_published,
    "novtrack": novtrack,
    "novtrack-best": novtrack_best,
    "darkvec": darkvec,
    "portsets": portsets,
    "tfidf": tfidf,
    "trivial": trivial,
}
"""The systems, by the names they have in tables."""

MEANINGS: dict[str, str] = {
    "dante-published": "DANTE as published (Cohen et al., ESORICS 2020)",
    "novtrack": "NovTrack at its published settings (Huang et al., arXiv 2405.10545)",
    "novtrack-best": "NovTrack at the best settings found for it on `hard`",
    "darkvec": "DarkVec (Gioacchini et al., CoNEXT 2021), followed by shared members",
    "portsets": "frequent port sets, in the manner of Ban et al. (IJCNN 2015)",
    "tfidf": "port tf-idf with DBSCAN, followed by members and by likeness",
    "trivial": "a sender's most-used port is its campaign",
}
"""A clause each."""

TELLS: frozenset[str] = frozenset({"novtrack", "novtrack-best"})
"""Those that tell splits, merges and returns of their own."""
