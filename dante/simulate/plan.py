"""Which campaigns a telescope sees, and when: planned two weeks at a time.

Each cycle of 14 days is planned from its own stream and from the cycles before it, and changes
nothing before its first day, so a longer run begins with exactly the days of a shorter one.
"""

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from dante.schema import TCP
from dante.simulate.apart import clear_differences, overlap, told_apart
from dante.simulate.campaign import SMALLEST, Campaign, Phase
from dante.simulate.dates import dated
from dante.simulate.draw import draw_manner, draw_ports, elsewhere
from dante.simulate.roles import Traits, traits_of
from dante.simulate.scenario import Group, Scenario
from dante.simulate.services import FAMILIES
from dante.simulate.streams import CAMPAIGN, PLAN, stream

__all__ = ["CYCLE", "plan", "planted"]

CYCLE: Final = 14
"""Days planned together."""

_TRIES: Final = 60
_EVENTS: Final = ("split", "merge")
_IMITATORS: Final = ("twin", "rival")
_IMITATED: Final = ("giant", "anchor", "ordinary", "sleeper", "slow", "split")
_BACKGROUND: Final = (*_EVENTS, "misconfigured")
# Days of the first cycle, so that a short run has them, on which these are born.
_BIRTH_DAYS: Final = {"worm": 2, "flood": 5, "twin": 4, "rival": 6}


def _born(group: Group, cycle: int) -> int:
    """How many of a group are born in a cycle; half a birth is one every other cycle."""
    return math.floor((cycle + 1) * group.births + 1e-9) - math.floor(cycle * group.births + 1e-9)


def _room(scenario: Scenario) -> int:
    """How many campaigns are planted in the first two weeks."""
    if scenario.campaigns is not None:
        return scenario.campaigns
    counted = [group for group in scenario.group if group.role not in _BACKGROUND]
    asked: int = sum(group.start + math.ceil(group.births) for group in counted)
    return min(asked, max(4, int(1.7 * scenario.senders**0.4)))


def _dealt(counts: list[int], room: int) -> list[int]:
    """The counts brought to a sum of `room`, one of each in turn, so that variety is kept last."""
    dealt = [0] * len(counts)
    while sum(dealt) < room and any(counts):
        for place, count in enumerate(counts):
            more = dealt[place] < count or all(d >= c for d, c in zip(dealt, counts, strict=True))
            if count and more and sum(dealt) < room:
                dealt[place] += 1
    return dealt


def planted(scenario: Scenario) -> tuple[list[int], list[int]]:
    """How many of each group are there on the first day, and are born in the first two weeks.

    Misconfigured hosts, splits and merges need no room of their own.
    """
    room = _room(scenario)
    counted = [group.role not in _BACKGROUND for group in scenario.group]
    starts = [g.start if c else 0 for g, c in zip(scenario.group, counted, strict=True)]
    births = [math.ceil(g.births) if c else 0 for g, c in zip(scenario.group, counted, strict=True)]
    later = min(room - 1, round(room * sum(births) / (sum(births) + sum(starts))))
    if not sum(starts):
        later = room
    first, second = _dealt(starts, room - later), _dealt(births, later)
    for place, group in enumerate(scenario.group):
        if not counted[place]:
            first[place], second[place] = group.start, math.ceil(group.births)
    return first, second


@dataclass
class _Plan:
    scenario: Scenario
    campaigns: list[Campaign] = field(default_factory=list)
    ranked: int = 0
    sleepers: int = 0
    imitators: Counter[int] = field(default_factory=Counter)

    def living(self, day: int) -> list[Campaign]:
        return [c for c in self.campaigns if c.first <= day < c.end and c.known]

    def families(self) -> list[str]:
        """All families in an order of the seed's own, two of them without a known service."""
        names = [*sorted(FAMILIES), "custom", "unknown"]
        order = stream(self.scenario.seed, PLAN).permutation(len(names))
        return [names[i] for i in order]

    def size(self, role: str, traits: Traits) -> int:
        """Senders a day: the role's own, else by rank with a heavy tail, ranks in random order."""
        senders = self.scenario.senders
        if traits.size:
            own = traits.size * senders if traits.size < 1 else traits.size
            return max(SMALLEST, round(own))
        starts, births = planted(self.scenario)
        taken = self.scenario.background.noise + self.scenario.background.backscatter
        ranks = 0
        for group, start, birth in zip(self.scenario.group, starts, births, strict=True):
            share = traits_of(group).size
            if share:
                taken += start * (share if share < 1 else share / senders)
            elif group.role not in _EVENTS:
                ranks += start + birth
        weights = np.arange(1, max(4, ranks) + 1, dtype=np.float64) ** -1.1
        order = stream(self.scenario.seed, PLAN, 1, self.ranked // weights.size)
        rank = int(order.permutation(weights.size)[self.ranked % weights.size])
        self.ranked += 1
        share = max(0.1, 1 - taken)
        size = round(share * senders * float(weights[rank] / weights.sum()))
        # Anchors are the ones that splits and merges happen to: parts of them must be clusters.
        return max(3 * SMALLEST if role == "anchor" else SMALLEST, size)

    def model(self, role: str, day: int, rng: np.random.Generator) -> Campaign | None:
        """The living campaign a twin or rival takes after, one of the least imitated, or None."""
        fewest = 4 if role == "twin" else 1
        fit = [
            c for c in self.living(day)
            if c.role in _IMITATED and len(c.phase(day).ports) >= fewest and c.merged_into < 0
        ]  # fmt: skip
        least = min((self.imitators[c.index] for c in fit), default=0)
        fit = [c for c in fit if self.imitators[c.index] == least]
        if not fit:
            return None
        model = fit[int(rng.integers(len(fit)))]
        self.imitators[model.index] += 1
        return model

    def ports(
        self, traits: Traits, role: str, day: int, rng: np.random.Generator
    ) -> tuple[str, tuple[int, ...]]:
        """A family, and ports that few living campaigns work."""
        pool = list(traits.families) or self.families()
        if role == "vertical":
            return "vertical", tuple(TCP * 65536 + port for port in range(1, 1025))
        if traits.families:
            family = pool[int(rng.integers(len(pool)))]
        else:
            family = pool[len(self.campaigns) % len(pool)]
        others = [c.phase(day).ports for c in self.living(day) if c.role != "vertical"]
        for _ in range(_TRIES):
            wanted = int(rng.choice(traits.ports))
            ports = draw_ports(rng, family, wanted)
            fits = wanted < 3 or family != "ping"
            if fits and all(overlap(ports, p) <= self.scenario.common_ports for p in others):
                return family, ports
            family = pool[int(rng.integers(len(pool)))]
        # Everything known is taken: ports of no service.
        return "custom", draw_ports(rng, "custom", int(rng.choice(traits.ports)))

    def add(self, group: Group, first: int) -> None:
        """Draw the next campaign from a stream of its own and append it."""
        index, traits, role = len(self.campaigns), traits_of(group), group.role
        rng = stream(self.scenario.seed, CAMPAIGN, index)
        model = self.model(role, first, rng) if role in _IMITATORS else None
        if model is None:
            family, ports = self.ports(traits, role, first, rng)
        else:
            family = model.name.rsplit("-", 1)[0]
            ports = model.phase(first).ports
            if role == "twin":
                ports = _near(rng, ports, traits.overlap)
        size = self.size(role, traits)
        bare = Campaign(index, f"{family}-{index:03d}", role, "linux",
                        (Phase(first, ports, size),), first)  # fmt: skip
        unlike = self.unlike(bare, traits, family, model, rng)
        made = dated(unlike, traits, self.sleepers, rng)
        self.sleepers += bool(made.sleeps)
        self.campaigns.append(made)

    def unlike(
        self, bare: Campaign, traits: Traits, family: str, model: Campaign | None,
        rng: np.random.Generator,
    ) -> Campaign:  # fmt: skip
        """The campaign in a manner that tells it apart from every other there was or is.

        A flood excepted: one day of it is told by its packets alone.
        """
        day, made = bare.first, bare
        for _ in range(_TRIES):
            made = draw_manner(rng, traits, bare, family)
            if bare.role == "flood":
                break
            unlike_model = model is None or clear_differences(made, model) >= traits.apart
            if unlike_model and all(told_apart(made, c, max(day, c.first)) for c in self.campaigns):
                break
        else:
            made = elsewhere(rng, made, made.phases[0].size)
        if made.role == "worm":
            made = _outbreak(made, traits, self.scenario.senders)
        if made.role == "flood":
            made = replace(made, packets=max(400.0, 3.0 * self.scenario.senders))
        renewal = self.scenario.renewal
        return made if renewal is None or made.subnets else replace(made, renewal=renewal)


def _near(
    rng: np.random.Generator, ports: tuple[int, ...], shared: float
) -> tuple[int, ...]:  # fmt: skip
    """As many ports, the given share of them the same."""
    kept = max(1, min(len(ports) - 1, round(shared * len(ports))))
    old = [ports[place] for place in np.sort(rng.permutation(len(ports))[:kept])]
    new = [port for port in draw_ports(rng, "custom", 2 * len(ports)) if port not in ports]
    return (*old, *new[: len(ports) - kept])


def _outbreak(worm: Campaign, traits: Traits, senders: int) -> Campaign:
    """The worm with its ceiling, its turn, and the day by which it has died out."""
    own = traits.ceiling * senders if traits.ceiling < 1 else traits.ceiling
    ceiling = max(3 * SMALLEST, round(own))
    # Days until the logistic curve is at 95 % of its ceiling, and three more.
    rise = math.log(19 * (ceiling / worm.phases[0].size - 1)) / math.log(traits.growth)
    turn = worm.first + math.ceil(rise) + 3
    fall = math.ceil(math.log(ceiling / SMALLEST) / -math.log(traits.decay))
    return replace(worm, growth=traits.growth, decay=traits.decay, ceiling=ceiling, turn=turn,
                   end=turn + max(1, fall))  # fmt: skip


def plan(scenario: Scenario) -> tuple[Campaign, ...]:
    """Every campaign that begins before the run ends, by index."""
    from dante.simulate.restructure import restructure

    made = _Plan(scenario)
    starts, births = planted(scenario)
    for cycle, begin in enumerate(range(0, scenario.days, CYCLE)):
        rng = stream(scenario.seed, PLAN, 2, begin)
        if begin == 0:
            groups = list(zip(scenario.group, starts, strict=True))
            # Those who imitate others come when these are there.
            for group, count in sorted(groups, key=lambda pair: pair[0].role in _IMITATORS):
                for _ in range(count if group.role not in _EVENTS else 0):
                    made.add(group, 0)
        newborn = []
        for group, most in zip(scenario.group, births, strict=True):
            if group.role not in _EVENTS:
                # A telescope with less room than the scenario asks for gets fewer births too.
                share = most / math.ceil(group.births) if group.births else 0
                count = most if cycle == 0 else round(_born(group, cycle) * share)
                newborn += [group] * count
        days = rng.integers(1, CYCLE, len(newborn))
        seen: set[str] = set()
        when = []
        for place, (group, day) in enumerate(zip(newborn, days, strict=True)):
            first_of_role = cycle == 0 and group.role in _BIRTH_DAYS and group.role not in seen
            seen.add(group.role)
            when.append((begin + (_BIRTH_DAYS[group.role] if first_of_role else int(day)), place))
        for day, place in sorted(when):
            made.add(newborn[place], day)
        counts = {
            event: sum(_born(group, cycle) for group in scenario.group if group.role == event)
            for event in _EVENTS
        }
        restructure(made.campaigns, begin, counts["split"], counts["merge"], rng)
    return tuple(campaign for campaign in made.campaigns if campaign.first < scenario.days)
