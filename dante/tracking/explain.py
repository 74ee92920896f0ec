"""Why clusters of a day continued a track, or did not, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from types import MappingProxyType
from typing import Final

__all__ = ["Candidate", "explain"]

_AWAY: Final = "was not continued"


@dataclass(frozen=True)
class Candidate:
    """One row of `decisions`, with the track's name; the numbers are as they are there."""

    cluster_id: int
    track: str
    probability: float
    taken: bool
    ports: float
    rare_ports: float
    headers: float
    hours: float
    networks: float
    senders_shared: float


def explain(
    candidates: Sequence[Candidate],
    elsewhere: Mapping[str, int],
    born: Mapping[int, str],
    merged: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """A sentence for each candidate: what was decided, against whom, and the numbers.

    Args:
        candidates: all those of the clusters that are spoken of.
        elsewhere: by track, the largest cluster that continued it that day.
        born: by cluster, the track that was born as it.
        merged: by track that merged into another that day, the other.
    """
    taken = {each.cluster_id: each for each in candidates if each.taken}
    rivals: dict[int, list[Candidate]] = {}
    for each in candidates:
        rivals.setdefault(each.cluster_id, []).append(each)
    fate = {track: f"went on as cluster {cluster}" for track, cluster in elsewhere.items()}
    fate |= {track: f"merged into {heir}" for track, heir in merged.items()}
    told = []
    for each in candidates:
        if each.taken:
            verdict = _continued(each, rivals[each.cluster_id], fate)
        else:
            verdict = _refused(each, taken.get(each.cluster_id), fate, born)
        told.append(f"{verdict}: {_numbers(each)}")
    return told


def _continued(mine: Candidate, rivals: Sequence[Candidate], fate: Mapping[str, str]) -> str:
    likelier = [each for each in rivals if each.probability > mine.probability]
    if not likelier:
        return "continued, no track was likelier"
    return "continued, as " + " and ".join(
        f"{each.track} ({each.probability:.2f}) {fate.get(each.track, _AWAY)}" for each in likelier
    )


def _refused(
    mine: Candidate,
    chosen: Candidate | None,
    fate: Mapping[str, str],
    born: Mapping[int, str],
) -> str:
    if chosen is None:
        begun = born.get(mine.cluster_id)
        said = "no track was likely enough"
        return f"refused, {said}" + (f" and {begun} was born" if begun else "")
    if chosen.probability >= mine.probability:
        return f"refused, {chosen.track} was likelier ({chosen.probability:.2f})"
    return f"refused though likelier than {chosen.track}, as it {fate.get(mine.track, _AWAY)}"


def _numbers(each: Candidate) -> str:
    times = exp(each.networks)
    near = (
        f"{times:.1f} times likelier the track's"
        if times >= 1
        else f"{1 / times:.1f} times less likely the track's"
    )
    return (
        f"ports {each.ports:.0%} alike (rare ones {each.rare_ports:.0%}), "
        f"headers {each.headers:.0%}, hours {each.hours:.0%}, "
        f"its networks {near} than anybody's, {each.senders_shared:.0%} of senders shared"
    )
