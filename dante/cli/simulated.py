"""`dante simulate`: a telescope with truth."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dante.cli.options import parse_day
from dante.cli.output import say

__all__ = ["simulate"]


def simulate(
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Folder to write to.", show_default=False)
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="easy, hard, year or worm.", show_default="hard"),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--scenario", help="TOML file that says what to plant."),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", help="How many days.")] = None,
    senders: Annotated[int | None, typer.Option("--senders", help="Senders a day, about.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same bytes.")] = None,
    first: Annotated[str | None, typer.Option("--first-day", help="The first day.")] = None,
    form: Annotated[
        Literal["parquet", "pcap"],
        typer.Option("--format", help="How to write packets; a pcap has no sensors."),
    ] = "parquet",
    show: Annotated[
        bool, typer.Option("--print", help="Print the scenario as TOML and write nothing.")
    ] = False,
) -> None:
    """Write packets of a simulated telescope with planted campaigns, and the truth beside it."""
    from dante.errors import UsageError
    from dante.simulate import Scenario, scenario_toml
    from dante.simulate import simulate as simulate_to

    if preset is not None and file is not None:
        raise UsageError("Give --preset or --scenario, not both.")
    asked: dict[str, Any] = {
        "days": days, "senders": senders, "seed": seed, "first_day": parse_day(first)
    }  # fmt: skip
    changes = {knob: value for knob, value in asked.items() if value is not None}
    if file is not None:
        scenario = Scenario.read(file, **changes)
    else:
        scenario = Scenario.preset(preset or "hard", **changes)
    if show:
        typer.echo(scenario_toml(scenario), nl=False)
        return
    if out is None:
        raise UsageError("Name a folder to write to: dante simulate OUT")
    paths = simulate_to(scenario, out, form)
    say(f"packets in {paths.packets}, the truth in {paths.members.parent}")
    say(f"next: dante ingest {paths.packets}")
