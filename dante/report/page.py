"""The page: what is asked of the published database, put into words and drawings.

As HTML, or as Markdown where a mail, a ticket or a wiki wants text.
"""

from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import duckdb
import polars as pl

from dante import __version__
from dante.errors import DanteError, NotEnoughDataError, UsageError
from dante.report import queries, words
from dante.report.charts import HEIGHT, WIDE, Chart, Series, chart
from dante.report.markdown import markdown, strip
from dante.report.queries import Span
from dante.report.timeline import LANE, RECENT, choose, timeline
from dante.store.home import Home, write_whole
from dante.store.publish import read_lineage

if TYPE_CHECKING:
    import jinja2

__all__ = ["render", "write_report"]

_MARKDOWN: Final = (".md", ".markdown")
_LANES: Final = 60
_THREATS_OPEN: Final = 20
_THREATS: Final = 200
_ACTIVITIES: Final = 25
_CHECKS: Final = 40
_SOURCES: Final = 20
_STOPPED: Final = 20
_FLOODS: Final = 20
_ORIGINS: Final = (("country", 3), ("asn", 1), ("scanners", 1))
_DAYS: Final = 400
"""How much of each list the page shows; it says how much it leaves out, and where that is."""

_HAPPENED: Final = (
    ("birth", "track was born", "tracks were born"),
    ("recur", "came back", "came back"),
    ("split", "split off from another", "split off from others"),
    ("merge", "merged into another", "merged into others"),
    ("sleep", "fell asleep", "fell asleep"),
    ("end", "ended", "ended"),
)
"""Events of a day in words, after their number."""


def write_report(
    home: Home, out: Path, *, last: date | None = None, days: int | None = None
) -> None:
    """Write the report of a home's published days as one file, whole or not at all.

    An HTML page needs no network and runs no script. The same database gives the same bytes.

    Args:
        home: whose published database is read; the state is not touched.
        out: the file, replaced if it is there; Markdown if it ends in `.md` or `.markdown`,
            HTML otherwise.
        last: leave later days out; the report ends with the newest committed day by then.
        days: calendar days to look back over; None for all there are.

    Raises:
        NotEnoughDataError: nothing is published, or no day by `last`.
        UsageError: `days` is less than 1, or `out` is a folder.
        DanteError: the published database cannot be opened, or the file not written.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name the HTML or Markdown file to write")
    if not home.lineage.is_file():
        raise NotEnoughDataError(
            f"nothing is published in {home.root} yet; ingest packets and run `dante backfill`"
        )
    with closing(read_lineage(home)) as con:
        form: Literal["html", "md"] = "md" if out.suffix.lower() in _MARKDOWN else "html"
        page = render(con, last=last, days=days, form=form)
    try:
        with write_whole(out) as path:
            path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DanteError(
            f"{out} cannot be written ({error.strerror}); name a file in a folder you may write to"
        ) from None


def render(
    con: duckdb.DuckDBPyConnection,
    *,
    last: date | None = None,
    days: int | None = None,
    form: Literal["html", "md"] = "html",
) -> str:
    """The report as text of HTML or Markdown; arguments and errors as in `write_report`."""
    span = queries.find_span(con, last=last, days=days)
    context = _headline(con, span) | _activity(con, span) | _quality(con, span)
    return _environment(form).get_template(f"report.{form}").render(context)


def _environment(form: Literal["html", "md"]) -> "jinja2.Environment":
    import jinja2

    escaped = words.clean if form == "html" else markdown
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dante.report"),
        autoescape=form == "html",  # noqa: S701 (Markdown has an escape of its own, below)
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Names, sources and reasons may come from whoever sent packets or files.
        finalize=lambda value: escaped(value) if type(value) is str else value,
    )
    environment.filters.update(
        n=words.thousands, day=words.day_text, counted=words.counted, ports=words.read_ports
    )
    environment.globals.update(LANE=LANE, HEIGHT=HEIGHT, WIDE=WIDE, version=__version__)
    return environment


def _headline(con: duckdb.DuckDBPyConnection, span: Span) -> dict[str, Any]:
    daily = queries.daily(con, span)
    packets = int(daily["packets"].sum())
    senders = daily["senders"].sort()
    there = set(daily["day"])
    every = [span.first + timedelta(days=n) for n in range(span.days)]
    return {
        "span": span,
        "span_text": words.span_text(span.first, span.last),
        "days": daily.height,
        "missing": words.day_ranges([day for day in every if day not in there]),
        "missing_days": span.days - daily.height,
        "packets": packets,
        "backscatter": words.percent(int(daily["backscatter_packets"].sum()), packets),
        "senders": senders[(senders.len() - 1) // 2],
        "senders_peak": senders[-1],
        "noise": words.percent(int(daily["noise_senders"].sum()), int(senders.sum())),
        "today": daily.row(daily.height - 1, named=True),
        "charts": _charts(daily, span),
        "daily": daily.tail(_DAYS).reverse().to_dicts(),
        "daily_left_out": max(0, daily.height - _DAYS),
    }


def _charts(daily: pl.DataFrame, span: Span) -> list[Chart]:
    drawn = (
        (
            "Packets a day",
            Series("packets", "all packets", "whole"),
            Series("backscatter_packets", "of them backscatter", "part"),
        ),
        (
            "Senders a day",
            Series("senders", "all senders", "whole"),
            Series("noise_senders", "of them noise", "part"),
        ),
        ("Tracks at work", Series("tracks_active", "tracks", "whole")),
        ("Tracks born", Series("births", "births", "whole")),
    )
    return [chart(title, daily, span.first, span.last, series) for title, *series in drawn]


def _activity(con: duckdb.DuckDBPyConnection, span: Span) -> dict[str, Any]:
    tracks = queries.tracks(con, span)
    threats = queries.threats(con, span)
    events = queries.events(con, span)
    chosen = choose(tracks, _LANES)
    days = queries.track_days(con, span, chosen["track_id"].to_list())
    today = queries.activities(con, span.last)
    happened = events.filter(pl.col("day") == span.last)["event"]
    recent = threats.filter(pl.col("day") > span.last - timedelta(days=RECENT))
    floods = queries.floods(con, span)
    return {
        "held": queries.held(con, span),
        "floods": floods.head(_FLOODS).to_dicts(),
        "floods_left_out": max(0, floods.height - _FLOODS),
        "origins": _origins(queries.origins(con, span)),
        "tracks": tracks.height,
        "tracks_active": int((tracks["state"] == "active").sum()),
        "threats": threats.height,
        "threats_recent": recent.height,
        "recent_days": RECENT,
        "threat_rows": threats.head(_THREATS).to_dicts(),
        "threats_open": _THREATS_OPEN,
        "threats_left_out": max(0, threats.height - _THREATS),
        "timeline": timeline(
            chosen, days, events, threats, (span.first, span.last), of=tracks.height
        ),
        "strips": {
            key[0]: strip(part, span.first, span.last)
            for key, part in days.partition_by("track_id", as_dict=True).items()
        },
        "activities": today.head(_ACTIVITIES).to_dicts(),
        "activities_left_out": max(0, today.height - _ACTIVITIES),
        "happened": [
            words.counted(number, one, many)
            for event, one, many in _HAPPENED
            if (number := int((happened == event).sum()))
        ],
    }


def _origins(labels: pl.DataFrame) -> dict[int, list[tuple[str, str]]]:
    """By track the commonest countries and owners of its senders: names and shares in words."""
    found: dict[int, list[tuple[str, str]]] = {}
    for kind, most in _ORIGINS:
        first = labels.filter(pl.col("kind") == kind).group_by("track_id").head(most)
        for track_id, _, name, share in first.sort("track_id", maintain_order=True).iter_rows():
            found.setdefault(track_id, []).append((name, words.percent(round(1000 * share), 1000)))
    return found


def _quality(con: duckdb.DuckDBPyConnection, span: Span) -> dict[str, Any]:
    counts = queries.check_counts(con, span).row(0, named=True)
    failed = queries.failed_checks(con, span)
    stopped = queries.stopped_days(con, span)
    sources = queries.sources(con, span)
    rows, refused = int(sources["rows"].sum()), int(sources["quarantined"].sum())
    return {
        "checks_made": counts["made"],
        "checks_failed": counts["failed"],
        "checks": failed.head(_CHECKS).to_dicts(),
        "checks_left_out": max(0, failed.height - _CHECKS),
        "stopped": stopped.head(_STOPPED).to_dicts(),
        "stopped_left_out": max(0, stopped.height - _STOPPED),
        "sources": sources.head(_SOURCES).to_dicts(),
        "sources_left_out": max(0, sources.height - _SOURCES),
        "rows_kept": rows,
        "rows_refused": refused,
        "refused_share": words.percent(refused, rows + refused),
        "models": queries.models(con, span).to_dicts(),
    }
