"""Scenarios: TOML files, presets, and what cannot be asked for."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dante.errors import ConfigError, UsageError
from dante.simulate import PRESETS, Background, Group, Scenario, scenario_toml
from dante.simulate.apart import told_apart
from dante.simulate.plan import plan
from dante.simulate.roles import MEANINGS, ROLES
from dante.simulate.scenario import Role

DOCS = Path(__file__).resolve().parents[2] / "docs" / "simulator.md"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"days": 0}, "1 day"),
        ({"senders": 3}, "50 senders"),
        ({"senders": 11_000_000}, "10,000,000"),
        ({"seed": -1}, "seed"),
        ({"campaigns": 0}, "1 campaign"),
        ({"background": {"noise": 0.95}}, "0.95"),
        ({"background": {"backscatter": -0.1}}, "backscatter"),
        ({"renewal": 1.5}, "renewal"),
        ({"days": "many"}, "days"),
        ({"daze": 3}, "daze"),
        ({"group": [{"role": "giant", "renewl": [0.1]}]}, "renewl"),
        ({"group": [{"role": "gaint"}]}, "gaint"),
        ({"group": []}, "group"),
        ({"group": [{"role": "giant", "start": -1}]}, "start"),
        ({"group": [{"role": "giant", "start": 1, "families": ["x"]}]}, "'x'"),
        ({"group": [{"role": "giant", "start": 1, "tools": ["x"]}]}, "'x'"),
        ({"group": [{"role": "sleeper", "start": 1, "gap": [9, 2]}]}, "gap"),
        ({"group": [{"role": "worm", "start": 1, "growth": 0.5}]}, "growth"),
        ({"group": [{"role": "giant", "start": 1, "growth": 2.0}]}, "growth"),
        ({"group": [{"role": "split", "births": 1, "start": 1}]}, "start"),
    ],
)
def test_an_impossible_scenario_is_refused(wrong: dict[str, Any], says: str) -> None:
    """A scenario that cannot be simulated is a usage error in one sentence that names the knob."""
    with pytest.raises(UsageError) as caught:
        Scenario(**wrong)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_what_they_print(preset: str, tmp_path: Path) -> None:
    """A preset printed as TOML and read again is the same scenario."""
    scenario = Scenario.preset(preset, senders=321, seed=5)
    file = tmp_path / "scenario.toml"
    file.write_text(scenario_toml(scenario), encoding="utf-8")
    assert Scenario.read(file) == scenario
    assert Scenario.read(file, seed=6) == replace(scenario, seed=6)


@given(
    group=st.lists(
        st.builds(
            Group,
            role=st.sampled_from(["sleeper", "ordinary"]),
            start=st.integers(1, 9),
            births=st.floats(0, 4),
            renewal=st.none() | st.lists(st.floats(0, 1), min_size=1, max_size=3).map(tuple),
            tools=st.none() | st.just(("linux", "nmap")),
            gap=st.none() | st.just((2, 8)),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple)
)
def test_any_scenario_survives_its_text(
    group: tuple[Group, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """So is any scenario, to twelve digits."""
    rounded = tuple(
        replace(
            one,
            births=float(f"{one.births:.12g}"),
            renewal=one.renewal and tuple(float(f"{share:.12g}") for share in one.renewal),
        )
        for one in group
    )
    scenario = Scenario(group=rounded)
    file = tmp_path_factory.mktemp("text") / "scenario.toml"
    file.write_text(scenario_toml(scenario), encoding="utf-8")
    assert Scenario.read(file) == scenario


def test_without_groups_it_is_hard() -> None:
    """A scenario that names no groups plants those of `hard`."""
    hard = Scenario.preset("hard")
    assert Scenario(days=hard.days) == hard
    assert Background() == hard.background


@pytest.mark.parametrize("text", ["days = ", "days = 3\ndays = 4", "\x00", "days = 'x'", "no = 1"])
def test_a_file_that_is_no_scenario_is_named(tmp_path: Path, text: str) -> None:
    """A file that is no scenario is a usage error that names it."""
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        Scenario.read(file)
    with pytest.raises(ConfigError, match="nowhere"):
        Scenario.read(tmp_path / "nowhere")


def test_an_unknown_preset_is_refused() -> None:
    """A preset there is not is a usage error that names those there are."""
    with pytest.raises(UsageError, match="easy, hard, year, worm"):
        Scenario.preset("../hard")


@pytest.mark.parametrize("preset", ["hard", "worm", "year"])
@pytest.mark.parametrize("seed", range(4))
def test_no_two_campaigns_look_the_same(preset: str, seed: int) -> None:
    """Any two campaigns differ in ports or clearly in tool, hours or networks: truth is decidable.

    Floods apart, which are told by their packets; parents and children of splits share a past.
    """
    campaigns = plan(Scenario.preset(preset, seed=seed, days=60))
    known = [c for c in campaigns if c.role not in ("flood", "split")]
    for place, one in enumerate(known):
        for other in known[:place]:
            assert told_apart(one, other, max(one.first, other.first)), (one.name, other.name)


def test_rivals_work_the_very_same_ports() -> None:
    """Every rival of `hard` begins with the ports of some campaign that is there."""
    campaigns = plan(Scenario.preset("hard", seed=1))
    rivals = [c for c in campaigns if c.role == "rival"]
    assert len(rivals) >= 6
    for rival in rivals:
        ports = set(rival.phases[0].ports)
        assert any(
            ports <= set(other.phase(rival.first).ports)
            for other in campaigns
            if other.index != rival.index and other.first <= rival.first < other.end
        )


def test_in_easy_nobody_shares_a_port() -> None:
    """Campaigns of `easy` that live together have no port in common."""
    for seed in range(5):
        campaigns = plan(Scenario.preset("easy", seed=seed))
        for place, one in enumerate(campaigns):
            for other in campaigns[:place]:
                if other.first <= one.first < other.end:
                    assert not set(one.phases[0].ports) & set(other.phases[0].ports)


def test_every_role_is_explained_and_every_knob_documented() -> None:
    """docs/simulator.md names every knob and every role."""
    text = DOCS.read_text(encoding="utf-8")
    assert set(MEANINGS) == set(ROLES) == set(get_args(Role))
    knobs = {field.name for kind in (Scenario, Background, Group) for field in fields(kind)}
    for word in sorted(knobs | set(MEANINGS)):
        assert re.search(rf"^\| `{word}`", text, re.MULTILINE), word
