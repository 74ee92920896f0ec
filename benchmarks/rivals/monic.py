"""What becomes of clusters from one day to the next, as NovTrack tells it (after MONIC).

The overlap of X in Y is |X ∩ Y| / |X|. A cluster of yesterday, of whose members too few are seen
today, is inactive; of the others the overlaps are taken over those that are seen. Where most of
them are in one cluster it survives there, or is absorbed if that one is mostly others'; where no
cluster has most of them it splits; where noise or nobody has them it disappears.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

__all__ = ["Transitions", "transitions"]


@dataclass(frozen=True)
class Transitions:
    """Yesterday's clusters by what became of them; what is in none disappeared or is inactive.

    Attributes:
        survived: yesterday's label → today's, one to one.
        absorbed: yesterday's label → today's, of which it is the smaller part.
        split: yesterday's label → today's labels that have a good part of it each.
    """

    survived: dict[int, int] = field(default_factory=dict)
    absorbed: dict[int, int] = field(default_factory=dict)
    split: dict[int, list[int]] = field(default_factory=dict)


def transitions(
    before: Mapping[int, Set[int]],
    after: Mapping[int, Set[int]],
    noise: Set[int],
    *,
    strong: float = 0.6,
    loose: float = 0.35,
) -> Transitions:
    """What became of each cluster of `before`.

    Args:
        before: yesterday's clusters, label → members.
        after: today's.
        noise: members seen today in no cluster.
        strong: share that makes a match.
        loose: share below which nothing is left.
    """
    found = Transitions()
    matched: dict[int, list[int]] = {}
    for old, members in before.items():
        shares = {new: len(members & theirs) for new, theirs in after.items()}
        lost = len(members & noise)
        seen = lost + sum(shares.values())
        if seen < loose * len(members) or lost >= strong * seen:
            continue
        best = max(shares, key=lambda new: (shares[new], -new)) if shares else None
        if best is None or shares[best] < loose * seen:
            continue
        if shares[best] >= strong * seen:
            matched.setdefault(best, []).append(old)
        else:
            found.split[old] = sorted(new for new, n in shares.items() if n > loose * seen)
    for new, olds in matched.items():
        for old in olds:
            major = len(before[old] & after[new]) >= strong * len(after[new])
            if len(olds) == 1 or major:
                found.survived[old] = new
            else:
                found.absorbed[old] = new
    return found
