"""What campaigns of each role are like where a scenario does not say, and what each role means."""

from dataclasses import dataclass, fields, replace
from typing import Final

from dante.simulate.scenario import Group, Order, Role, Timing
from dante.simulate.services import MIRAI_FAMILIES
from dante.simulate.tools import Tool

__all__ = ["MEANINGS", "ROLES", "Traits", "traits_of"]

MEANINGS: Final[dict[Role, str]] = {
    "giant": "a botnet that is a good part of every day, to the end",
    "anchor": "well staffed and there for weeks",
    "ordinary": "of any size, age and manner",
    "twin": "shares most ports with a campaign that is there",
    "rival": "works the very ports of a campaign there; tool, hours, networks are its own",
    "slow": "1 to 3 packets a sender and day",
    "vertical": "a few senders, every low port",
    "drift": "gives up a port for another again and again",
    "sleeper": "away now and then, back on the same or on wholly new senders",
    "benign": "a known organisation in a few /24, no secret",
    "worm": "grows by a factor a day until all are infected, then dies out",
    "flood": "a few senders, one day, more packets than all others",
    "split": "a part of a campaign goes its own way",
    "merge": "one campaign takes over another's senders",
    "misconfigured": "no campaign: many hosts that call one wrong address and odd port, steadily",
}
"""One clause a role."""


@dataclass(frozen=True)
class Traits:
    """What one role's campaigns draw from; the names are the knobs of `Group`.

    `size` 0: by rank, heavy-tailed; below 1 a share of the day's senders, from 1 on a number of
    senders. `packets` is the median of a sender and day, `spread` the sigma of its logarithm
    (below 0: evenly from 1 to `packets`). `peak` are hours (UTC; none: any). `life` is the
    mean number of days lived, 0 for ever. `sleeps` is the chance that the campaign sleeps at all.
    """

    size: float = 0.0
    renewal: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.6, 1.0)
    packets: tuple[float, ...] = (2.0, 3.0, 4.0, 6.0)
    spread: tuple[float, float] = (0.7, 1.3)
    ports: tuple[int, ...] = (1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 10, 14, 20, 30)
    families: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    timing: tuple[Timing, ...] = ("steady", "steady", "diurnal", "burst")
    peak: tuple[float, ...] = ()
    order: tuple[Order, ...] = ("walk", "walk", "block", "random")
    networks: tuple[int, ...] = (0, 2, 5, 12, 40)
    presence: tuple[float, ...] = (0.7, 0.85, 1.0)
    port_share: tuple[float, float] = (0.4, 1.0)
    life: float = 42.0
    shortest: int = 3
    sleeps: float = 0.0
    awake: tuple[int, int] = (4, 9)
    gap: tuple[int, int] = (3, 12)
    same_senders: float = 0.5
    overlap: float = 0.75
    apart: int = 1
    drift_days: int = 7
    growth: float = 1.6
    ceiling: float = 0.06
    decay: float = 0.8


_ANY: Final = Traits()

ROLES: Final[dict[Role, Traits]] = {
    "giant": replace(
        _ANY, size=0.2, ports=(3, 4, 5), families=MIRAI_FAMILIES, tools=("mirai",),
        renewal=(0.2,), packets=(4.0,), networks=(0,), life=0.0,
    ),
    "anchor": replace(
        _ANY, ports=(4, 5, 6, 8), renewal=(0.02, 0.1, 0.3), presence=(0.9,), shortest=28
    ),
    "ordinary": replace(_ANY, sleeps=0.3),
    "twin": replace(_ANY, ports=(6, 8, 10), shortest=14),
    "rival": replace(_ANY, apart=2, timing=("steady", "burst", "burst"), networks=(0, 2, 5, 12),
                     shortest=14),
    "slow": replace(_ANY, size=0.03, packets=(3.0,), spread=(-1.0, -1.0), ports=(1, 2, 3, 4),
                    shortest=14),
    "vertical": replace(
        _ANY, size=8.0, packets=(500.0,), spread=(0.5, 0.5), tools=("linux", "nmap"),
        renewal=(0.1,), presence=(1.0,), port_share=(1.0, 1.0), order=("walk",),
    ),
    "drift": replace(_ANY, ports=(5, 6, 8), life=120.0, shortest=28),
    "sleeper": replace(_ANY, sleeps=1.0, life=120.0, shortest=28),
    "benign": replace(
        _ANY, size=0.01, ports=(10, 20, 30), tools=("zmap", "zmap-new", "masscan"), renewal=(0.0,),
        packets=(30.0,), spread=(0.5, 0.5), timing=("steady",), presence=(1.0,),
        networks=(1, 1, 4), port_share=(1.0, 1.0), life=0.0,
    ),
    "worm": replace(_ANY, size=8.0, ports=(2, 3, 4), families=MIRAI_FAMILIES, tools=("mirai",),
                    renewal=(0.1,), networks=(0,), timing=("steady",), order=("random",)),
    "flood": replace(_ANY, size=8.0, ports=(1,), spread=(0.3, 0.3), renewal=(0.0,),
                     presence=(1.0,), timing=("burst",), port_share=(1.0, 1.0)),
    "split": _ANY,
    "merge": _ANY,
    "misconfigured": replace(
        _ANY, size=0.015, ports=(1,), families=("custom",), tools=("linux", "windows"),
        renewal=(0.1, 0.3), packets=(2.0, 4.0), networks=(0, 40), timing=("steady", "diurnal"),
        life=60.0, port_share=(1.0, 1.0),
    ),
}  # fmt: skip
"""The traits of each role. What splits off, and what merges, has those of its past."""


def traits_of(group: Group) -> Traits:
    """The role's traits with whatever the group says instead."""
    known = {field.name for field in fields(Traits)}
    given = {
        field.name: getattr(group, field.name)
        for field in fields(Group)
        if field.name in known and getattr(group, field.name) is not None
    }
    return replace(ROLES[group.role], **given)
