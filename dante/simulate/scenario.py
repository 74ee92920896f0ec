"""What a simulated telescope is asked for: a readable TOML file, checked, as a frozen dataclass."""

import datetime as dt
import tomllib
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from dante.errors import ConfigError, UsageError
from dante.simulate.services import FAMILIES
from dante.simulate.tools import Tool

__all__ = ["PRESETS", "Background", "Group", "Order", "Role", "Scenario", "Timing"]

PRESETS: Final = ("easy", "hard", "year", "worm")
"""The scenarios that come with DANTE, as `presets/<name>.toml`."""

Role = Literal[
    "giant", "anchor", "ordinary", "twin", "rival", "slow", "vertical", "drift", "sleeper",
    "benign", "worm", "flood", "split", "merge", "misconfigured",
]  # fmt: skip
"""What a campaign is there for; `split` and `merge` happen to campaigns that are there."""

Timing = Literal["steady", "diurnal", "burst"]
"""When a campaign's senders start: at any hour, mostly around a peak hour, or within 3 hours."""

Order = Literal["walk", "block", "random"]
"""How a sender goes through its ports: round and round, one after the other, or at random."""

Share = Annotated[float, Field(ge=0, le=1)]
Days = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]

# Knobs that mean something to these roles only.
_ONLY: Final[dict[str, tuple[str, ...]]] = {
    "awake": ("ordinary", "sleeper"),
    "gap": ("ordinary", "sleeper"),
    "same_senders": ("ordinary", "sleeper"),
    "overlap": ("twin",),
    "apart": ("twin", "rival"),
    "drift_days": ("drift",),
    "growth": ("worm",),
    "ceiling": ("worm",),
    "decay": ("worm",),
}
_STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, config=_STRICT)
class Group:
    """Campaigns of one role; what is not given is the role's own (`roles.py`).

    Where several values are given (`renewal`, `packets`, `ports`, `families`, `tools`, `timing`,
    `peak`, `order`, `networks`), each campaign draws one of them; a value given twice
    is drawn twice as often.
    """

    role: Role
    start: Annotated[int, Field(ge=0)] = 0
    births: Annotated[float, Field(ge=0)] = 0.0
    size: Annotated[float, Field(gt=0)] | None = None
    renewal: Annotated[tuple[Share, ...], Field(min_length=1)] | None = None
    packets: Annotated[tuple[Annotated[float, Field(ge=1)], ...], Field(min_length=1)] | None = None
    ports: (
        Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=1)] | None
    ) = None
    families: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    tools: Annotated[tuple[Tool, ...], Field(min_length=1)] | None = None
    timing: Annotated[tuple[Timing, ...], Field(min_length=1)] | None = None
    peak: (
        Annotated[tuple[Annotated[float, Field(ge=0, lt=24)], ...], Field(min_length=1)] | None
    ) = None
    order: Annotated[tuple[Order, ...], Field(min_length=1)] | None = None
    networks: (
        Annotated[tuple[Annotated[int, Field(ge=0, le=1000)], ...], Field(min_length=1)] | None
    ) = None
    life: Annotated[float, Field(ge=0)] | None = None
    awake: Days | None = None
    gap: Days | None = None
    same_senders: Share | None = None
    overlap: Share | None = None
    apart: Annotated[int, Field(ge=1, le=3)] | None = None
    drift_days: Annotated[int, Field(ge=1)] | None = None
    growth: Annotated[float, Field(gt=1)] | None = None
    ceiling: Annotated[float, Field(gt=0)] | None = None
    decay: Annotated[float, Field(gt=0, lt=1)] | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning, with a `UsageError`."""
        for knob in (field.name for field in fields(self)):
            roles = _ONLY.get(knob)
            event = self.role in ("split", "merge") and knob not in ("role", "births")
            if (event and getattr(self, knob)) or (
                roles and self.role not in roles and getattr(self, knob) is not None
            ):
                raise UsageError(f"The knob `{knob}` means nothing to the role {self.role!r}.")
        known = {*FAMILIES, "custom"}
        unknown = [name for name in self.families or () if name not in known]
        if unknown:
            raise UsageError(
                f"There is no family of services {unknown[0]!r}; known: {', '.join(sorted(known))}."
            )
        for name, span in (("awake", self.awake), ("gap", self.gap)):
            if span is not None and span[0] > span[1]:
                raise UsageError(f"The shortest {name} is longer than the longest: {span}.")


@dataclass(frozen=True, config=_STRICT)
class Background:
    """What no campaign sends, as shares of the senders of a day.

    `noise`: one-off senders; `popular` of their packets hit ports that campaigns work too, and
    `stuck` of them repeat one port. `backscatter`: victims of spoofed attacks.
    """

    noise: Share = 0.15
    backscatter: Share = 0.03
    popular: Share = 0.05
    stuck: Share = 0.1


def _preset_text(name: str) -> str:
    if name not in PRESETS:
        raise UsageError(f"There is no preset {name!r}; there are {', '.join(PRESETS)}.")
    return (resources.files("dante.simulate") / "presets" / f"{name}.toml").read_text("utf-8")


def _hard_groups() -> tuple[Group, ...]:
    return tuple(Group(**group) for group in tomllib.loads(_preset_text("hard"))["group"])


@dataclass(frozen=True, config=_STRICT)
class Scenario:
    """The wishes of one simulation; the same scenario gives the same bytes.

    `senders` is roughly how many addresses are seen a day, everything counted. `campaigns` is
    how many are planted in the first two weeks; `None` lets the groups say it, but no more than a
    telescope of that many senders has room for. `renewal`, if given, replaces every campaign's
    own daily share of new addresses (benign organisations keep theirs). A campaign that imitates
    none shares at most `common_ports` of its ports, or of the other's, with a living one. Without
    `group`, the campaigns are those of the preset `hard`.

    Raises:
        UsageError: it cannot be simulated; the sentence names the knob.
    """

    days: int = 14
    senders: int = 2000
    seed: int = 7
    first_day: dt.date = dt.date(2025, 3, 1)
    campaigns: int | None = None
    renewal: Share | None = None
    common_ports: Share = 0.5
    background: Background = Background()
    group: tuple[Group, ...] = Field(default_factory=_hard_groups)

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_sentence(cls, value: Any, handler: Any) -> Self:
        try:
            made: Self = handler(value)
        except ValidationError as error:
            raise UsageError(_sentence(error)) from None
        return made

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, with a `UsageError`."""
        if self.days < 1:
            raise UsageError(f"A simulation needs at least 1 day, not {self.days}.")
        if self.first_day.toordinal() + self.days - 1 > dt.date.max.toordinal():
            raise UsageError(f"{self.days} days from {self.first_day} on end after the year 9999.")
        if self.senders < 50:
            raise UsageError(f"A simulation needs at least 50 senders a day, not {self.senders}.")
        if self.senders > 10_000_000:
            raise UsageError(f"A simulation has at most 10,000,000 senders, not {self.senders:,}.")
        if self.seed < 0:
            raise UsageError(f"The seed must be 0 or more, not {self.seed}.")
        if self.campaigns is not None and self.campaigns < 1:
            raise UsageError(f"A simulation needs at least 1 campaign, not {self.campaigns}.")
        if not any(group.start or group.births for group in self.group):
            raise UsageError("A scenario needs a group with campaigns: start or births above 0.")
        shares = (self.background.noise, self.background.backscatter)
        if sum(shares) > 0.9:
            raise UsageError(
                "The shares of noise and backscatter must leave a tenth of the senders to "
                f"campaigns, not {shares[0]} and {shares[1]}."
            )

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """One of `PRESETS`, with some knobs changed.

        Raises:
            UsageError: there is no such preset, or a change cannot be.
        """
        return cls(**{**tomllib.loads(_preset_text(name)), **changes})

    @classmethod
    def read(cls, path: Path, **changes: Any) -> Self:
        """A scenario from a TOML file, with some knobs changed.

        Raises:
            ConfigError: the file cannot be read, or says something that is not understood.
        """
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path} is not TOML: {error}.") from error
        try:
            return cls(**{**told, **changes})
        except UsageError as error:
            raise ConfigError(f"{path}: {error}") from error
        except TypeError:  # a table whose keys are no names of arguments
            raise ConfigError(f"{path} is not a scenario; docs/simulator.md shows one.") from None


def _sentence(error: ValidationError) -> str:
    """The first fault as one sentence that names the knob."""
    fault = error.errors(include_url=False, include_context=False)[0]
    words = []
    for part in fault["loc"]:
        words.append(f"number {part + 1}" if isinstance(part, int) else str(part))
    place = ", ".join(words)
    if fault["type"] == "unexpected_keyword_argument":
        return f"There is no knob `{place}`; docs/simulator.md lists those there are."
    if fault["type"] == "literal_error" and fault["loc"][-1] == "role":
        return (
            f"`{place}`: there is no role {fault['input']!r}; known: {', '.join(get_args(Role))}."
        )
    message = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"`{place}`: {message}, not {str(fault['input'])[:80]!r}."
