"""Commands that show what was found: `status`, `threats`, `tracks`, `lineage`, `query`, `report`.

All but `status` read the published database only.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dante.cli.options import (
    Format,
    HomeOption,
    home_words,
    parse_day,
    published_home,
    understood,
)
from dante.cli.output import clean, emit, say
from dante.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["find_track", "floods", "lineage", "query", "report", "status", "threats", "tracks"]

DayOption = Annotated[str | None, typer.Option("--day", help="Only this day.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="From this day on.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


def _known(home: Path | None, sql: str, parameters: list[object]) -> "pl.DataFrame":
    """The answer to a question of ours, which only a damaged database can refuse."""
    from dante.store.publish import read_lineage

    place = published_home(home)
    with understood(place), read_lineage(place) as con:
        rows: pl.DataFrame = con.sql(sql, params=parameters).pl()
        return rows


def status(home: HomeOption = None, form: Format = "table") -> None:
    """What is done, stale, waiting, broken, missing or quarantined, by month, and what is next."""
    import polars as pl

    from dante.pipeline.backfill import day_states, is_current
    from dante.pipeline.context import open_context
    from dante.pipeline.declared import pending_files
    from dante.store.manifests import ingests

    context = open_context(home)
    if not context.manifests and not context.home.state.is_file():
        say(f"{context.home.root} is empty; next: dante ingest FILE")
        emit(pl.DataFrame(schema={"month": pl.String}), form, empty="no days")
        return
    known = day_states(context)
    states = pl.DataFrame(
        list(known.items()), schema={"day": pl.Date, "state": pl.String}, orient="row"
    )
    held = (
        ingests(context.manifests)
        .group_by("day")
        .agg(pl.col("rows").sum(), pl.col("quarantined").sum())
    )
    months = (
        states.join(held, on="day", how="full", coalesce=True)
        .group_by(month=pl.col("day").dt.strftime("%Y-%m").fill_null("unknown"))
        .agg(
            pl.col("day").drop_nulls().n_unique().alias("days"),
            *[
                (pl.col("state") == state).sum().alias(state)
                for state in ("done", "stale", "waiting", "broken", "gone")
            ],
            _gaps().alias("missing"),
            pl.col("rows").sum().alias("packets"),
            pl.col("quarantined").sum(),
        )
        .sort("month")
    )
    if _pretty(form) and months.height:
        from dante.cli.draw import draw_status

        draw_status(months, known)
    else:
        emit(months, form, empty="no days")
    broken = [day for day, state in known.items() if state == "broken"]
    if broken:
        say(
            f"{len(broken)} days break their contract, the newest {broken[-1]}: "
            f"dante query \"FROM quality WHERE NOT passed AND day = '{broken[-1]}'\""
        )
    if context.pruned:
        say(f"packets up to {max(context.pruned)} were removed by age; their days stand")
    files = len(pending_files(context))
    if files:
        say(f"{files} files of declared sources are not ingested yet: the next run takes them")
    if not is_current(context):
        say("what is published is older than the state: the next backfill or daily run publishes")
    redo = [day for day, state in known.items() if state not in ("done", "broken")]
    if not redo:
        say("all days are done")
    else:
        say(f"{len(redo)} days are to be done; the daily flow does them by itself")
        say(f"next: dante backfill {redo[0]} {redo[-1]}{home_words(home)}")


def _gaps() -> "pl.Expr":
    """Days between the first and the last of a month's days that have nothing at all."""
    import polars as pl

    day = pl.col("day").drop_nulls()
    span = (day.max() - day.min()).dt.total_days() + 1
    return (span - day.n_unique()).fill_null(0)


def threats(
    home: HomeOption = None,
    form: Format = "table",
    day: DayOption = None,
    since: SinceOption = None,
    limit: LimitOption = 50,
) -> None:
    """New and returned campaigns that are worth a look, newest first, with the reasons."""
    frame = _known(
        home,
        "SELECT day, score, kind, shape, name, key, track_id, threats.senders, label, reasons "
        "FROM threats JOIN tracks USING (track_id) "
        "WHERE ($1 IS NULL OR day = $1) AND ($2 IS NULL OR day >= $2) "
        "ORDER BY day DESC, score DESC, track_id LIMIT $3",
        [_iso(day), _iso(since), limit],
    )
    if _pretty(form) and frame.height:
        from dante.cli.draw import draw_threats

        draw_threats(frame, _trends(home, frame["track_id"]))
    else:
        emit(frame, form, empty=_no_threats(home))


def floods(
    home: HomeOption = None,
    form: Format = "table",
    day: DayOption = None,
    since: SinceOption = None,
    limit: LimitOption = 50,
) -> None:
    """Floods and sweeps of a few senders, too few for a campaign, newest first."""
    frame = _known(
        home,
        "SELECT day, shape, src, port, ports, packets, usual, times FROM floods "
        "WHERE ($1 IS NULL OR day = $1) AND ($2 IS NULL OR day >= $2) "
        "ORDER BY day DESC, shape, packets DESC, address, port LIMIT $3",
        [_iso(day), _iso(since), limit],
    )
    emit(frame, form, empty="no floods")


def _no_threats(home: Path | None) -> str:
    """Why there may be none: a home without a past has none by definition."""
    from dante.config import load_settings

    young = load_settings(home).threat.history_days
    days = _known(home, "SELECT count(*) FROM daily", []).item()
    if days > young:
        return "no threats"
    return (
        f"no threats: this home holds {days} days, and in the first {young} everything is new "
        "(threat.history_days)"
    )


def _iso(text: str | None) -> object:
    return parse_day(text)


def tracks(
    home: HomeOption = None,
    form: Format = "table",
    state: Annotated[
        str | None, typer.Option("--state", help="Only active, asleep or ended ones.")
    ] = None,
    limit: LimitOption = 50,
) -> None:
    """Campaigns: what they do, since when, how many senders; the longest-lived first."""
    if state is not None and state not in ("active", "asleep", "ended"):
        raise UsageError(f"there is no state {state!r}; choose active, asleep or ended")
    frame = _known(
        home,
        "SELECT track_id, name, state, first_day, last_day, days_active, senders, packets, "
        "label, top_ports FROM tracks WHERE ($1 IS NULL OR state = $1) "
        "ORDER BY days_active DESC, track_id LIMIT $2",
        [state, limit],
    )
    if _pretty(form) and frame.height:
        from dante.cli.draw import draw_tracks

        draw_tracks(frame, _trends(home, frame["track_id"]))
    else:
        emit(frame, form, empty="no tracks")


def find_track(home: Path | None, track: str) -> dict[str, Any]:
    """A published track by its number or name.

    Raises:
        UsageError: there is none.
    """
    known = _known(
        home,
        "SELECT * FROM tracks WHERE CAST(track_id AS VARCHAR) = $1 OR name = $1 ORDER BY track_id",
        [track],
    )
    if not known.height:
        raise UsageError(f"there is no track {track!r}; `dante tracks` lists them")
    return known.row(0, named=True)


def lineage(
    track: Annotated[str, typer.Argument(metavar="TRACK", help="A track's number or name.")],
    home: HomeOption = None,
    form: Format = "table",
    every: Annotated[
        bool, typer.Option("--all", help="Also the days on which it just went on.")
    ] = False,
    why: Annotated[
        str | None,
        typer.Option(
            "--explain", metavar="DAY", help="Why clusters of this day continued it, or did not."
        ),
    ] = None,
) -> None:
    """The life of one track: birth, splits, merges, sleeps, returns, with the numbers."""
    row = find_track(home, track)
    if why is not None:
        _explain(home, row, why, form)
        return
    if _pretty(form) and not every:
        _draw_life(home, row)
        return
    say(
        f"{clean(row['name'])} ({row['state']}): {row['first_day']} to {row['last_day']}, "
        f"{row['days_active']} days, {row['senders']:,} senders, {row['packets']:,} packets"
    )
    frame = _known(
        home,
        # Of a split or merge the other track has the row; it belongs to the life of both.
        "WITH mine AS (SELECT day, event, related_track_id AS other, similarity, shared_senders "
        "FROM lineage WHERE track_id = $1 UNION ALL "
        "SELECT day, CASE event WHEN 'split' THEN 'split off' ELSE 'merged in' END, track_id, "
        "similarity, shared_senders FROM lineage WHERE related_track_id = $1) "
        "SELECT mine.day, event, others.name AS related, similarity, shared_senders, "
        "track_days.senders, track_days.packets, track_days.top_ports "
        "FROM mine LEFT JOIN track_days ON track_days.day = mine.day AND track_days.track_id = $1 "
        "LEFT JOIN tracks AS others ON others.track_id = other "
        "WHERE $2 OR event <> 'continue' OR mine.day = $3 ORDER BY mine.day, event, other",
        [row["track_id"], every, row["last_day"]],
    )
    emit(frame, form)
    quiet = row["days_active"] - frame.filter(frame["senders"].is_not_null())["day"].n_unique()
    if quiet > 0:
        say(f"and {quiet} days on which it just went on (--all shows them)")


def _explain(home: Path | None, row: dict[str, Any], text: str, form: str) -> None:
    """Why each cluster that might have been a track was or was not, likelier candidates with it."""
    import polars as pl

    from dante.report.why import reasons
    from dante.store.publish import read_lineage

    day = parse_day(text)
    if not _known(home, "SELECT count(*) FROM daily WHERE day = $1", [day]).item():
        raise UsageError(f"{day} is not among the days that are done; `dante status` lists them")
    assert day is not None
    place = published_home(home)
    with understood(place), read_lineage(place) as con:
        told = reasons(con, row["track_id"], [day], births_of=day)
    sizes = _known(
        home,
        "SELECT cluster_id, count(*) AS senders FROM memberships WHERE day = $1 GROUP BY 1",
        [day],
    )
    told = told.drop("day").join(sizes, on="cluster_id", maintain_order="left")
    first = ["cluster_id", "senders", "track_id", "track", "probability", "taken"]
    frame = told.select(*first, pl.exclude(*first))
    emit(frame, form, empty=f"{clean(row['name'])} was held against no cluster of {day}")


def _pretty(form: str) -> bool:
    """Whether a list is drawn for a person; programs get rows."""
    return form == "table" and sys.stdout.isatty()


def _trends(home: Path | None, track_ids: "pl.Series") -> dict[int, list[int]]:
    """Senders of each track on each of the newest days, nought where it was not at work."""
    from dante.cli.draw import TREND_DAYS

    rows = _known(
        home,
        "WITH newest AS (SELECT max(day) AS day FROM daily) "
        "SELECT track_id, track_days.day - newest.day + $1 - 1 AS place, senders "
        "FROM track_days, newest WHERE track_days.day > newest.day - $1 "
        "AND list_contains($2, track_id)",
        [TREND_DAYS, track_ids.unique().to_list()],
    )
    trends = {track_id: [0] * TREND_DAYS for track_id in track_ids}
    for track_id, place, senders in rows.iter_rows():
        trends[track_id][place] = senders
    return trends


def _draw_life(home: Path | None, row: dict[str, Any]) -> None:
    import polars as pl

    from dante.cli.draw import draw_life

    events = _known(home, "FROM lineage WHERE event <> 'continue'", [])
    names = _known(home, "SELECT track_id, name FROM tracks", [])
    days = _known(home, "FROM track_days WHERE track_id = $1 ORDER BY day", [row["track_id"]])
    trends = _trends(home, pl.Series([row["track_id"]]))
    draw_life(row, events, dict(names.iter_rows()), days, trends)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A question in SQL.")],
    home: HomeOption = None,
    form: Format = "table",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds until it is stopped.")
    ] = 60.0,
) -> None:
    """Ask the published database; nothing can be written, and no file be read."""
    from dante.store.ask import Limits, ask

    emit(ask(published_home(home), sql, Limits(timeout), _give_up), form, empty="no rows")


def _give_up(sentence: str) -> NoReturn:
    """End the process from a thread beside the database, which does not come back."""
    say(f"dante: {sentence}")
    os._exit(UsageError.exit_code)


def report(
    out: Annotated[Path, typer.Argument(metavar="OUT.html|OUT.md", help="The file to write.")],
    home: HomeOption = None,
    last: Annotated[str | None, typer.Option("--last", help="The newest day to show.")] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="How many days.")] = None,
) -> None:
    """Write one page, HTML or Markdown: threats, timeline, the day's activities, data quality."""
    from dante.report import write_report

    with understood(published_home(home)):
        write_report(published_home(home), out, last=parse_day(last), days=days)
    say(f"wrote {out}")
