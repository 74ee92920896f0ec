"""Which campaigns a telescope sees, and when: planned two weeks at a time.

Each cycle of 14 days is planned from its own stream and from the cycles before it, and changes
nothing before its first day, so a longer run begins with exactly the days of a shorter one.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from dante.schema import TCP
from dante.simulate.campaign import NEVER, TOOLS, Campaign, Phase, Sleep
from dante.simulate.scenario import Scenario
from dante.simulate.services import FAMILIES, MIRAI_FAMILIES
from dante.simulate.streams import CAMPAIGN, PLAN, stream
from dante.simulate.traits import draw_ports, draw_traits, jaccard, one_other_port

__all__ = ["CYCLE", "plan"]

CYCLE: Final = 14
"""Days planned together."""

_MEAN_LIFE: Final = 42.0  # days; three cycles, so that ends balance a third of births a cycle
_SMALLEST: Final = 8  # senders
_FIRST_ROLES: Final = (
    "giant",
    "anchor",
    "anchor",
    "anchor",
    "benign",
    "sleeper-same",
    "slow",
    "drift",
    "sleeper-new",
    "twin",
    "vertical",
)
_BIRTH_ROLES: Final = ("worm", "flood", "twin-of", "rival")
_BIRTH_DAYS: Final = {"worm": 2, "flood": 5, "twin-of": 4, "rival": 6}


@dataclass
class _Plan:
    scenario: Scenario
    campaigns: list[Campaign] = field(default_factory=list)
    ranked: int = 0

    def living(self, day: int) -> list[Campaign]:
        return [c for c in self.campaigns if c.first <= day < c.end]

    def families(self) -> list[str]:
        """All families in an order of the seed's own, two of them without a known service."""
        names = [*sorted(FAMILIES), "custom", "unknown"]
        order = stream(self.scenario.seed, PLAN).permutation(len(names))
        return [names[i] for i in order]

    def size(self, role: str) -> int:
        """Senders a day: fixed by role, else by rank with a heavy tail, ranks in random order."""
        senders, planted = self.scenario.senders, self.scenario.planted
        fixed = {
            "giant": 0.3 * senders, "benign": min(120.0, max(10.0, 0.01 * senders)),
            "slow": 0.03 * senders, "vertical": 8.0, "worm": 8.0, "flood": 8.0,
        }  # fmt: skip
        if role in fixed:
            return max(_SMALLEST, round(fixed[role]))
        share = 1 - 0.35 - self.scenario.noise_share - self.scenario.backscatter_share
        weights = np.arange(1, max(4, planted - len(fixed)) + 1, dtype=np.float64) ** -1.1
        order = stream(self.scenario.seed, PLAN, 1, self.ranked // weights.size)
        rank = int(order.permutation(weights.size)[self.ranked % weights.size])
        self.ranked += 1
        smallest = 3 * _SMALLEST if role == "anchor" else _SMALLEST
        return max(
            smallest, round(max(0.1, share) * senders * float(weights[rank] / weights.sum()))
        )

    def ports(
        self, role: str, family: str, day: int, rng: np.random.Generator
    ) -> tuple[str, tuple[int, ...]]:
        """A family and ports that fit the role and differ from every living campaign's."""
        living = self.living(day)
        if role == "vertical":
            return "vertical", tuple(TCP * 65536 + port for port in range(1, 1025))
        if role == "rival":
            models = [c for c in living if c.role in ("ordinary", "anchor")] or living
            model = models[int(rng.integers(len(models)))]
            return model.name.rsplit("-", 1)[0], model.phase(day).ports
        if role == "twin-of":
            twins = [c for c in living if c.role == "twin"]
            if twins:
                old = twins[0].phase(day).ports
                shared, new = old[: len(old) // 2], draw_ports(rng, "custom", 2 * len(old))
                return "twin", tuple(dict.fromkeys((*shared, *new)))[: len(old)]
        counts = {
            "anchor": 6,
            "benign": 10,
            "twin": 8,
            "drift": 5,
            "flood": 1,
            "giant": 3,
            "worm": 4,
        }
        pool = MIRAI_FAMILIES if role == "worm" else tuple(sorted(FAMILIES))
        if role in counts:
            pool = tuple(name for name in pool if name != "ping")
        if role == "worm" or (family == "ping" and role in counts):
            family = MIRAI_FAMILIES[int(rng.integers(len(MIRAI_FAMILIES)))]
        for _ in range(30):
            ports = draw_ports(rng, family, counts.get(role))
            if all(jaccard(ports, c.phase(day).ports) < 0.5 for c in living):
                break
            family = pool[int(rng.integers(len(pool)))]
        return family, ports

    def add(self, role: str, first: int) -> None:
        """Draw the next campaign from a stream of its own and append it."""
        index = len(self.campaigns)
        rng = stream(self.scenario.seed, CAMPAIGN, index)
        families = self.families()
        family, ports = self.ports(role, families[index % len(families)], first, rng)
        campaign = draw_traits(
            rng,
            index=index,
            role=role,
            family=family,
            ports=ports,
            size=self.size(role),
            first=first,
            senders=self.scenario.senders,
            renewal=self.scenario.renewal,
        )
        if role == "rival":
            campaign = _unlike(campaign, self.living(first), rng)
        self.campaigns.append(_dated(campaign, rng))


def _unlike(campaign: Campaign, living: list[Campaign], rng: np.random.Generator) -> Campaign:
    """The campaign with another tool and other hours than the one whose ports it shares."""
    ports = campaign.phases[0].ports
    model = next(c for c in living if c.phase(campaign.first).ports == ports)
    tools = [tool for tool in TOOLS[1:] if tool != model.tool]
    return replace(
        campaign,
        tool=tools[int(rng.integers(len(tools)))],
        timing="burst",
        peak=(model.peak + 0.5) % 1,
    )


def _dated(campaign: Campaign, rng: np.random.Generator) -> Campaign:
    """The campaign with its end, sleeps and drift."""
    role, first = campaign.role, campaign.first
    end = first + 3 + int(rng.exponential(_MEAN_LIFE))
    start, rest = first + int(rng.integers(3, 6)), int(rng.integers(2, 5))
    same, sleepy = bool(rng.random() < 0.5), bool(rng.random() < 0.3)
    match role:
        case "giant":
            return replace(campaign, end=NEVER)
        case "flood":
            return replace(campaign, end=first + 1)
        case "anchor" | "benign" | "twin":
            return replace(campaign, end=max(end, first + 2 * CYCLE))
        case "drift":
            size = campaign.phases[0].size
            ports = one_other_port(rng, campaign.phases[0].ports)
            phases = (*campaign.phases, Phase(first + 5, ports, size))
            return replace(campaign, end=max(end, first + CYCLE), phases=phases)
        case "sleeper-same" | "sleeper-new":
            sleep = Sleep(start, start + rest, role == "sleeper-same")
            return replace(campaign, end=max(end, first + CYCLE), sleeps=(sleep,))
        case "ordinary" if sleepy and end >= start + rest + 3:
            return replace(campaign, end=end, sleeps=(Sleep(start, start + rest, same),))
        case _:
            return replace(campaign, end=end)


def _restructure(plan: _Plan, begin: int, rng: np.random.Generator) -> None:
    """One split and one merge among living campaigns in the cycle, if three are fit for it."""
    day_split, day_merge = (begin + int(day) for day in rng.integers(4, 9, 2))
    fit = [
        c for c in plan.living(begin)
        if c.role in ("anchor", "ordinary") and c.end > begin + CYCLE and not c.merged_into >= 0
        and all(sleep.until <= begin for sleep in c.sleeps) and len(c.phase(begin).ports) >= 4
        and c.phase(begin).size >= 2 * _SMALLEST
    ]  # fmt: skip
    if fit:
        parent = fit.pop(int(rng.integers(len(fit))))
        _split(plan, parent, day_split, rng)
    if len(fit) >= 2:
        left, right = sorted(fit.pop(int(rng.integers(len(fit)))).index for _ in range(2))
        _merge(plan, left, right, day_merge)


def _split(plan: _Plan, parent: Campaign, day: int, rng: np.random.Generator) -> None:
    """From `day` on, four of ten senders go their own way with half the ports and new ones."""
    ports, size = parent.phase(day).ports, parent.phase(day).size
    half = len(ports) // 2
    new = tuple(p for p in draw_ports(rng, "custom", half + 1) if p not in ports)
    index = len(plan.campaigns)
    name = f"{parent.name.rsplit('-', 1)[0]}-{index:03d}"
    child = replace(
        parent, index=index, name=name, role="split", parent=parent.index, first=day, sleeps=(),
        phases=(Phase(day, (*ports[half:], *new), max(_SMALLEST, round(0.4 * size))),),
        end=max(parent.end, day + CYCLE),
    )  # fmt: skip
    rest = Phase(day, ports[: half + 1], max(_SMALLEST, round(0.6 * size)))
    plan.campaigns[parent.index] = replace(parent, phases=(*parent.phases, rest))
    plan.campaigns.append(child)


def _merge(plan: _Plan, survivor: int, absorbed: int, day: int) -> None:
    """From `day` on, the absorbed campaign's senders work the ports of both for the survivor."""
    one, other = plan.campaigns[survivor], plan.campaigns[absorbed]
    ports = tuple(dict.fromkeys((*one.phase(day).ports, *other.phase(day).ports)))[:30]
    both = Phase(day, ports, one.phase(day).size + other.phase(day).size)
    plan.campaigns[survivor] = replace(one, phases=(*one.phases, both))
    plan.campaigns[absorbed] = replace(other, end=day, merged_into=survivor)


def plan(scenario: Scenario) -> tuple[Campaign, ...]:
    """Every campaign that begins before the run ends, by index."""
    made = _Plan(scenario)
    births = scenario.planted // 3
    for begin in range(0, scenario.days, CYCLE):
        rng = stream(scenario.seed, PLAN, 2, begin)
        if begin == 0:
            count = scenario.planted - births
            roles = [*_FIRST_ROLES[:count], *["ordinary"] * (count - len(_FIRST_ROLES))]
            for role in roles:
                made.add(role, 0)
        roles = [*_BIRTH_ROLES[:births], *["ordinary"] * (births - len(_BIRTH_ROLES))]
        days = rng.integers(1, CYCLE, len(roles))
        dated = [(begin + _BIRTH_DAYS.get(role, int(day)), i, role)
                 for i, (role, day) in enumerate(zip(roles, days, strict=True))]  # fmt: skip
        for day, _, role in sorted(dated):
            made.add(role, day)
        _restructure(made, begin, rng)
    return tuple(campaign for campaign in made.campaigns if campaign.first < scenario.days)
