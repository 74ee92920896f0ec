"""`dante labels …`, `dante label`: who is who, from lists and from analysts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dante.cli.options import Format, HomeOption, home_words, parse_day, published_home
from dante.cli.output import clean, emit, say
from dante.errors import BusyError, UsageError

if TYPE_CHECKING:
    from dante.labels.book import Card

__all__ = ["app", "label"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Import and list names: scanners, owners and countries of networks, ports.",
)
# More refused lines than this are counted, and stand on the version's card.
_TOLD = 10


@app.command("import")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Lists, CSVs, .mmdb files, or folders.")
    ],
    home: HomeOption = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The list's name; a later import of it replaces it."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="The day the list is of.", show_default="today"),
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Also label days before it, where no older one is.")
    ] = False,
    benign: Annotated[
        bool,
        typer.Option("--benign", help="Whoever it names is benign; his scans are no threat."),
    ] = False,
) -> None:
    """Take in lists of scanners, owners or countries of networks, or names of ports."""
    import re
    from datetime import UTC, datetime

    from dante.labels.book import save_labels
    from dante.labels.read import label_files, read_labels
    from dante.pipeline.context import open_context

    day = parse_day(as_of) or datetime.now(UTC).date()
    # Settings that are not understood are refused before anything is written.
    context = open_context(home)
    every = read_labels(label_files(paths))
    if name is None:
        stem = paths[0].resolve().name.split(".")[0].lower()
        name = re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:64] or "labels"
    for content in every:
        card, already = save_labels(
            context.home.labels, content, name=name, as_of=day, always=always,
            benign=benign and content.kind == "scanners",
        )  # fmt: skip
        _tell(card, already)
    _publish_again(home)
    context = open_context(home)
    stale = _stale(home) if benign else []
    if stale:
        say(
            f"{len(stale)} days know their benign scanners better now; "
            f"next: dante backfill {stale[0]} {stale[-1]}{home_words(home)}"
        )
    early = [each for each in context.days if each < day]
    if early and not always:
        say(
            f"labels of {day} are not asked of the {len(early)} days before it; --always imports "
            "them for those too"
        )


def _tell(card: "Card", already: bool) -> None:
    for line in card.refused_lines[:_TOLD]:
        say(f"left out: {clean(line)}")
    if card.refused > _TOLD:
        say(f"left out: {card.refused - _TOLD} more lines, which its card.json names")
    what = "ports" if card.kind == "ports" else "networks"
    says = "was there already" if already else "imported"
    say(f"{card.version} {says}: {card.rows:,} {what}, {card.names:,} names ({card.kind})")


def _stale(home: Path | None) -> "list[object]":
    from dante.pipeline.backfill import day_states
    from dante.pipeline.context import open_context

    return [day for day, state in day_states(open_context(home)).items() if state == "stale"]


def _publish_again(home: Path | None) -> None:
    """Show new labels in what is published, if anything is."""
    from datetime import date

    from dante.pipeline.context import open_context
    from dante.pipeline.stages import publish_lineage

    context = open_context(home)
    if not context.home.state.is_file():
        return
    try:
        publish_lineage(context, date.min)
    except BusyError:
        say("a run is at work; it will publish the labels with its next day")


@app.command("list")
def list_(home: HomeOption = None, form: Format = "table") -> None:
    """What was imported: each list's versions."""
    import polars as pl

    from dante.labels.book import open_book

    cards = open_book(published_home(home).labels).cards
    frame = pl.DataFrame(
        [
            (c.name, c.kind, c.as_of, c.rows, c.names, c.refused, c.benign, c.always, c.version)
            for c in cards
        ],
        schema={
            "name": pl.String, "kind": pl.String, "as_of": pl.Date, "rows": pl.Int64,
            "names": pl.Int64, "refused": pl.Int64, "benign": pl.Boolean, "always": pl.Boolean,
            "version": pl.String,
        },
        orient="row",
    )  # fmt: skip
    emit(frame, form, empty="no labels; next: dante labels import PATH")


def label(
    track: Annotated[str, typer.Argument(metavar="TRACK", help="A track's number or name.")],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What to call it.", show_default=False)
    ] = None,
    home: HomeOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take its label away.")] = False,
) -> None:
    """Call a track something; it outlives reruns, rewinds and republication."""
    from dante.cli.look import find_track
    from dante.labels.analyst import set_analyst, track_key

    if remove == (text is not None):
        raise UsageError("say `dante label TRACK TEXT`, or `dante label TRACK --remove`")
    row = find_track(home, track)
    key = track_key(row["name"], row["first_day"])
    before = set_analyst(published_home(home), key, text)
    _publish_again(home)
    if text is not None:
        say(f"{clean(row['name'])} is called {clean(text.strip())}")
    elif before is None:
        say(f"{clean(row['name'])} has no label of an analyst; nothing was changed")
    else:
        say(f"{clean(row['name'])} is not called {clean(before)} any more")
