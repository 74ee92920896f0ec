"""`dante export …`: what other systems take in."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dante.cli.options import HomeOption, parse_day, published_home, understood
from dante.cli.output import say
from dante.errors import UsageError

if TYPE_CHECKING:
    from dante.export import Wanted

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Write what other systems take in: STIX, MISP, tables, blocklists, vectors.",
)

File = Annotated[str, typer.Argument(metavar="OUT", help="The file to write; - is stdout.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Campaigns that were threats from this day on.")
]
Until = Annotated[str | None, typer.Option("--until", help="Nothing after this day.")]
Kind = Annotated[
    str | None,
    typer.Option("--kind", metavar="new|returned|grown", help="Only threats of this kind."),
]
Score = Annotated[
    float, typer.Option("--min-score", min=0, max=1, help="Only threats of this score or more.")
]
Every = Annotated[
    bool, typer.Option("--every", help="All campaigns, those that never were a threat too.")
]
Telescope = Annotated[
    str,
    typer.Option("--telescope", help="Who saw it: named in all objects and part of their ids."),
]


def _wanted(
    since: str | None, until: str | None, kind: str | None, score: float, every: bool
) -> "Wanted":
    from dante.export import Wanted

    if kind not in (None, "new", "returned", "grown"):
        raise UsageError(f"there is no kind {kind!r}; choose new, returned or grown")
    return Wanted(parse_day(since), parse_day(until), kind, score, every)


@app.command()
def stix(
    out: File,
    home: HomeOption = None,
    since: Since = None,
    until: Until = None,
    kind: Kind = None,
    min_score: Score = 0.0,
    every: Every = False,
    telescope: Telescope = "dante",
    senders: Annotated[
        int, typer.Option("--senders", min=1, help="Addresses of each day and campaign, at most.")
    ] = 100,
) -> None:
    """A STIX 2.1 bundle: campaigns as Groupings, their days as ObservedData and Sightings."""
    from dante.export import stix_bundle, write_chunks

    wanted = _wanted(since, until, kind, min_score, every)
    place = published_home(home)
    with understood(place):
        write_chunks(place, out, stix_bundle(place, wanted, telescope=telescope, senders=senders))
    _wrote(out)


@app.command()
def misp(
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT", help="A feed's folder, or a file that ends in .json for all events."
        ),
    ],
    home: HomeOption = None,
    since: Since = None,
    until: Until = None,
    kind: Kind = None,
    min_score: Score = 0.0,
    every: Every = False,
    telescope: Telescope = "dante",
    senders: Annotated[
        int, typer.Option("--senders", min=1, help="Addresses of each event, at most.")
    ] = 1000,
) -> None:
    """A MISP feed or file of events: a threat is an event, seen again it is a sighting in it."""
    from dante.export import write_misp

    wanted = _wanted(since, until, kind, min_score, every)
    place = published_home(home)
    with understood(place):
        count = write_misp(place, out, wanted, telescope=telescope, senders=senders)
    say(f"wrote {count} events to {out}")


@app.command()
def csv(
    view: Annotated[str, typer.Argument(metavar="VIEW", help="A view, such as tracks.")],
    out: File,
    home: HomeOption = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Leave text as it is that a spreadsheet takes for a formula."),
    ] = False,
) -> None:
    """A published view as CSV."""
    from dante.export import csv_of, write_chunks

    place = published_home(home)
    with understood(place):
        write_chunks(place, out, csv_of(place, view, raw=raw))
    _wrote(out)


@app.command()
def parquet(
    view: Annotated[str, typer.Argument(metavar="VIEW", help="A view, such as tracks.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="The file to write.")],
    home: HomeOption = None,
) -> None:
    """A published view as Parquet."""
    from dante.export import write_parquet

    _to_file(home, out, lambda place, path: write_parquet(place, view, path))


@app.command()
def sqlite(
    out: Annotated[str, typer.Argument(metavar="OUT", help="The file to write.")],
    home: HomeOption = None,
    views: Annotated[
        list[str] | None,
        typer.Option("--view", help="Only this view; may be said several times."),
    ] = None,
) -> None:
    """The published views as a SQLite database, for datasette."""
    from dante.export import VIEWS, write_sqlite

    _to_file(home, out, lambda place, path: write_sqlite(place, path, views or VIEWS))


@app.command()
def blocklist(
    out: File,
    home: HomeOption = None,
    form: Annotated[
        str,
        typer.Option("--format", metavar="plain|nftables|ipset|suricata", help="Whose syntax."),
    ] = "plain",
    since: Since = None,
    until: Until = None,
    kind: Kind = None,
    min_score: Score = 0.5,
    days: Annotated[
        int, typer.Option("--days", min=1, help="Senders of the last so many days.")
    ] = 7,
    min_days: Annotated[
        int, typer.Option("--min-days", min=1, help="Seen on at least so many of these days.")
    ] = 1,
    spoofable: Annotated[
        bool,
        typer.Option("--spoofable", help="Also senders of UDP or ICMP alone, who may be forged."),
    ] = False,
    sid: Annotated[
        int,
        typer.Option("--sid", min=1, help="The first of a million numbers for Suricata's rules."),
    ] = 1_000_000,
) -> None:
    """Senders of threats for a firewall or Suricata; never a known benign scanner."""
    from dante.config import load_settings
    from dante.export import FORMS, Chosen, choose_senders, write_chunks
    from dante.export import blocklist as text_of
    from dante.labels.book import open_book
    from dante.labels.scanners import load_benign

    if form not in FORMS:
        raise UsageError(f"there is no blocklist {form!r}; choose one of {', '.join(FORMS)}")
    place = published_home(home)
    chosen = Chosen(_wanted(since, until, kind, min_score, False), days, min_days, spoofable)
    listed = load_benign(load_settings(home).threat.benign, place.root)
    # Whoever is known today to be benign is not blocked for what he did before it was known.
    benign = open_book(place.labels).ever_benign(listed)
    with understood(place):
        blocked = choose_senders(place, chosen, benign)
    write_chunks(place, out, text_of(blocked, form, sid=sid))
    told = blocked.senders["campaign"].n_unique()
    parts = [f"{blocked.senders.height} senders of {told} campaigns"]
    parts += [f"{n} left out ({reason})" for reason, n in blocked.left_out.items()]
    say("; ".join(parts))


@app.command()
def vectors(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="First day, as 2025-03-01.")],
    last: Annotated[str, typer.Argument(metavar="LAST", help="Last day, included.")],
    out: Annotated[str, typer.Argument(metavar="OUT.parquet", help="The file to write.")],
    home: HomeOption = None,
) -> None:
    """Each sender of a span with its packets and its vector, for researchers."""
    from dante.export import checked_target, write_vectors
    from dante.pipeline.context import open_context
    from dante.pipeline.vectors import span_vectors

    first_day, last_day = parse_day(first), parse_day(last)
    assert first_day is not None and last_day is not None
    context = open_context(home)
    path = checked_target(context.home, out)
    found = span_vectors(context, first_day, last_day)
    write_vectors(found, path)
    say(f"wrote {found.height:,} senders to {out}")


def _to_file(home: Path | None, out: str, write: "Callable[..., None]") -> None:
    from dante.export import checked_target

    place = published_home(home)
    path = checked_target(place, out)
    with understood(place):
        write(place, path)
    _wrote(out)


def _wrote(out: str) -> None:
    if out != "-":
        say(f"wrote {out}")
