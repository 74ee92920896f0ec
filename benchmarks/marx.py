"""Real events: does DANTE find the bursts of the `marx` honeypot log of 2013?

    python -m benchmarks.marx [--home HOME] [--jobs 2]

The bursts are found first, by counting alone and without DANTE: for each port and day the senders
and the packets, against the port's own days before. Then the log is ingested and backfilled into
a temporary home (about 80 s; a home where that was done may be given), and of what is published,
and only of that, each burst is asked after: is there a threat whose track has the port among its
top ports, how many days late, and how many other alerts had an analyst to read that day?

Two kinds of burst are counted apart, for they are not the same question. Where many senders join
in on a port (`senders`), DANTE should raise a threat. Where a sender or two send very much
(`packets`), there is no campaign in DANTE's sense: it needs `cluster.min_senders` senders that do
alike before there is a cluster, and `threat.min_senders` before there is a threat, so a flood
from one sender is out of a threat's reach by design, whatever its volume. DANTE counts those by
itself, in the view `floods`; they are held against it apart, and never counted as a threat's hit.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

__all__ = ["bursts", "counted", "judged", "main"]

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT / ".." / "shared" / "data" / "marx" / "marx.csv.gz"
_REPLIES: Final = [0, 3, 4, 5, 11, 12, 14, 16, 18]  # ICMP types that answer forged packets

PAST: Final = 28
"""Days before that a port's day is held against."""
_LEAST_PAST: Final = 14
_SENDERS, _SENDERS_TIMES = 8, 2
_PACKETS, _PACKETS_TIMES = 200, 4
_ALIKE: Final = 0.3
"""Bursts of one day with so much of their senders in common (Jaccard) are one event."""
_SHARE: Final = 25
"""A track is about a port if this many of 100 of its senders use it, of several ports any."""

BURSTS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "ports": pl.List(pl.String()),
    "kind": pl.String(),
    "senders": pl.Int64(),
    "packets": pl.Int64(),
    "most_before": pl.Int64(),
    "carriers": pl.List(pl.UInt64()),
}
"""`most_before`: the most senders (or packets, by kind) of one of the days before. `carriers`:
whose burst it is: of senders all of them, of packets the fewest that sent half of them."""


def counted(path: Path) -> pl.DataFrame:
    """The log as `day`, `src`, `port` (`23/tcp`; ICMP: the type), without backscatter."""
    frame = pl.read_csv(path, columns=["datetime", "src", "proto", "type", "dpt"])
    proto = pl.col("proto").str.to_lowercase()
    icmp = proto == "icmp"
    number = pl.when(icmp).then("type").otherwise("dpt").cast(pl.Int64)
    return frame.filter(~(icmp & pl.col("type").is_in(_REPLIES)).fill_null(False)).select(
        day=pl.col("datetime").str.slice(0, 10).str.to_date(),
        src=pl.col("src").cast(pl.UInt64),
        port=pl.format("{}/{}", number, proto),
    )


def bursts(packets: pl.DataFrame) -> pl.DataFrame:
    """The days on which a port's senders or packets jump, in order of time (schema `BURSTS`).

    A burst of senders: at least 8, and twice the most of any of the 28 days before (14 at
    the start of the log, before which nothing is judged). A burst of packets: at least 200, and
    four times the most. The days after a burst have it in their past, so a flood of two days is
    one. Bursts of senders of one day that have senders in common are one event on several ports.
    """
    daily = packets.group_by("port", "day").agg(
        senders=pl.col("src").n_unique().cast(pl.Int64), packets=pl.len().cast(pl.Int64)
    )
    days = packets.select(
        pl.date_range(pl.col("day").min(), pl.col("day").max(), interval="1d").alias("day")
    )
    grid = (
        packets.select("port").unique().join(days, how="cross")
        .join(daily, on=["port", "day"], how="left")
        .with_columns(pl.col("senders", "packets").fill_null(0))
        .sort("port", "day")
        .with_columns(
            pl.col(name).shift(1).rolling_max(PAST, min_samples=_LEAST_PAST).over("port")
            .alias(f"{name}_before")
            for name in ("senders", "packets")
        )
    )  # fmt: skip
    many = (pl.col("senders") >= _SENDERS) & (
        pl.col("senders") >= _SENDERS_TIMES * pl.col("senders_before")
    )
    much = (pl.col("packets") >= _PACKETS) & (
        pl.col("packets") >= _PACKETS_TIMES * pl.col("packets_before")
    )
    rows: list[tuple[Any, ...]] = []
    for (day,), part in grid.filter(many).sort("day", "port").group_by("day", maintain_order=True):
        rows += _events(day, part, packets.filter(pl.col("day") == day))
    for one in grid.filter(much & ~many).sort("day", "port").iter_rows(named=True):
        sent = packets.filter(pl.col("day") == one["day"], pl.col("port") == one["port"])
        by_sender = sent.group_by("src").len().sort("len", "src", descending=[True, False])
        half = by_sender.filter(pl.col("len").cum_sum().shift(1, fill_value=0) * 2 < sent.height)
        before, who = one["packets_before"], half["src"].to_list()
        rows.append(
            (one["day"], [one["port"]], "packets", one["senders"], one["packets"], before, who)
        )
    return pl.DataFrame(rows, schema=BURSTS, orient="row").sort(
        "day", "kind", "senders", pl.col("ports").list.first()
    )


def _events(day: Any, part: pl.DataFrame, packets: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The bursts of senders of one day, those of the same senders put together."""
    groups: list[tuple[list[dict[str, Any]], set[int]]] = []
    for one in part.iter_rows(named=True):
        senders = set(packets.filter(pl.col("port") == one["port"])["src"])
        members = [one]
        apart = []
        for group in groups:
            if len(senders & group[1]) >= _ALIKE * len(senders | group[1]):
                members, senders = [*group[0], *members], senders | group[1]
            else:
                apart.append(group)
        groups = [*apart, (members, senders)]
    rows = []
    for members, senders in groups:
        ports = sorted((m["port"] for m in members), key=lambda p: (len(p), p))
        sent = packets.filter(pl.col("port").is_in(ports)).height
        before = max(m["senders_before"] for m in members)
        rows.append((day, ports, "senders", len(senders), sent, before, sorted(senders)))
    return rows


def _shares(top_ports: str) -> dict[str, int]:
    """`23/tcp 100%, 2323/tcp 41%` as numbers."""
    pairs = [entry.rsplit(" ", 1) for entry in top_ports.split(", ") if " " in entry]
    return {port: int(share.rstrip("%").lstrip("<")) for port, share in pairs}


def judged(
    found: pl.DataFrame,
    threats: pl.DataFrame,
    members: pl.DataFrame,
    floods: pl.DataFrame,
    *,
    min_senders: int,
    within: int = 3,
) -> pl.DataFrame:
    """Each burst with what the published threats say of it.

    `threats` has `day`, `name`, `kind`, `score`, `top_ports` (of that day), `members` `day`,
    `address`, `name` (of the track; null: noise), `floods` `day`, `address`, `port`. Added are
    `within_reach` (as many carriers as a threat needs senders), `outcome` (`hit`, `missed`; or,
    where no threat counts as a hit, `flood`, if a carrier and the port are in the floods of the
    day, else `out of reach`), `days_late`, `track` (the threat's; where there is none, the one
    that most carriers are in, if any), `in_track` (the share of the carriers that are, on the
    burst's day), `threat` (its kind), `score` and `other_alerts`: the threats besides it on the
    day of the hit, or of the burst where there is none.
    """
    rows = []
    for burst in found.iter_rows(named=True):
        hit, late = None, None
        reach = len(burst["carriers"]) >= min_senders
        days = (threats["day"] - burst["day"]).dt.total_days()
        near = threats.with_columns(late=days).filter(pl.col("late").is_between(0, within))
        for one in near.sort("late", "score", descending=[False, True]).iter_rows(named=True):
            shares = _shares(one["top_ports"])
            if reach and max(shares.get(port, 0) for port in burst["ports"]) >= _SHARE:
                hit, late = one, one["late"]
                break
        day = burst["day"] if hit is None else hit["day"]
        alerts = threats.filter(pl.col("day") == day).height - (hit is not None)
        whose = members.filter(
            pl.col("day") == burst["day"], pl.col("address").is_in(burst["carriers"])
        )["name"].drop_nulls()
        track = hit["name"] if hit else _most(whose)
        share = None if track is None else (whose == track).sum() / len(burst["carriers"])
        told = floods.filter(
            pl.col("day") == burst["day"],
            pl.col("port").is_in(burst["ports"]),
            pl.col("address").is_in(burst["carriers"]),
        )
        beyond = "out of reach" if told.is_empty() else "flood"
        rows.append(
            burst
            | {
                "within_reach": reach,
                "outcome": "hit" if hit else "missed" if reach else beyond,
                "days_late": late,
                "track": track,
                "threat": hit["kind"] if hit else None,
                "score": hit["score"] if hit else None,
                "in_track": share,
                "other_alerts": alerts,
            }
        )
    schema = BURSTS | {
        "within_reach": pl.Boolean(),
        "outcome": pl.String(),
        "days_late": pl.Int64(),
        "track": pl.String(),
        "threat": pl.String(),
        "score": pl.Float64(),
        "in_track": pl.Float64(),
        "other_alerts": pl.Int64(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _most(names: pl.Series) -> str | None:
    """The commonest name, of several the first; none of nothing."""
    counts = names.value_counts().sort("count", "name", descending=[True, False])
    return None if counts.is_empty() else str(counts["name"][0])


def summary(
    table: pl.DataFrame, threats: pl.DataFrame, floods: pl.DataFrame, days: int
) -> dict[str, Any]:
    """Hits by kind, and what an analyst had to read: alerts a day over all `days`."""
    by_day = threats.group_by("day").len()["len"].to_list()
    a_day = by_day + [0] * (days - len(by_day))
    reach = table.filter(pl.col("within_reach"))
    hits = table.filter(pl.col("outcome") == "hit")
    return {
        "bursts_of_senders": table.filter(pl.col("kind") == "senders").height,
        "bursts_of_packets": table.filter(pl.col("kind") == "packets").height,
        "within_reach": reach.height,
        "hit": hits.height,
        "hit_by_second_day": hits.filter(pl.col("days_late") <= 1).height,
        "missed": reach.height - reach.filter(pl.col("outcome") == "hit").height,
        "found_as_flood": table.filter(pl.col("outcome") == "flood").height,
        "out_of_reach": table.filter(pl.col("outcome") == "out of reach").height,
        "floods": floods.height,
        "days_late_most": max(hits["days_late"].to_list(), default=None),
        "days": days,
        "threats": threats.height,
        "threats_that_are_a_burst": hits["track"].n_unique(),
        "days_with_threats": len(by_day),
        "threats_a_day_median": statistics.median(a_day),
        "threats_a_day_most": max(a_day),
    }


def _run(home: Path, data: Path, jobs: int, span: tuple[Any, Any]) -> float:
    """Ingest and backfill by the commands a user would type; the seconds they took."""
    began = time.monotonic()
    mapping = ROOT / "examples" / "marx.toml"
    for words in (
        ["ingest", data, "--mapping", mapping],
        ["backfill", *span, "--jobs", jobs],
    ):
        command = "from dante.cli import main; main()"
        subprocess.run(
            [sys.executable, "-c", command, *map(str, words), "--home", str(home)],
            cwd=ROOT,
            check=True,
        )
    return time.monotonic() - began


def _published(home: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, int]:
    """Of the published views: threats with the ports of their day, members, floods, days."""
    with duckdb.connect(str(home / "lineage.duckdb"), read_only=True) as con:
        threats = con.sql(
            "SELECT t.day, k.name, t.kind, t.score, d.top_ports "
            "FROM threats t JOIN track_days d USING (day, track_id) JOIN tracks k USING (track_id) "
            "ORDER BY t.day, t.track_id"
        ).pl()
        members = con.sql(
            "SELECT day, address, name FROM memberships LEFT JOIN tracks USING (track_id)"
        ).pl()
        floods = con.sql("SELECT day, address, port FROM floods").pl()
        days = con.sql("SELECT day FROM daily").pl().height
    return threats, members, floods, days


def _print(table: pl.DataFrame, told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 150)
    shown = Table(title="Bursts of marx, by counting, and what DANTE published of them")
    for name in ("day", "ports", "kind", "senders", "packets", "before", "outcome", "days late",
                 "track", "in it", "score", "other alerts"):  # fmt: skip
        shown.add_column(name, overflow="fold")
    for row in table.iter_rows(named=True):
        score = None if row["score"] is None else round(row["score"], 2)
        inside = None if row["in_track"] is None else f"{row['in_track']:.0%}"
        cells = (
            row["day"], " ".join(row["ports"]), row["kind"], row["senders"], row["packets"],
            row["most_before"], row["outcome"], row["days_late"], row["track"], inside,
            score, row["other_alerts"],
        )  # fmt: skip
        shown.add_row(*("-" if cell is None else str(cell) for cell in cells))
    console.print(shown)
    late = "" if told["days_late_most"] is None else f", at most {told['days_late_most']} days late"
    print(
        f"{told['hit']} of the {told['within_reach']} bursts that have the senders a threat needs "
        f"are hit{late}; of those of fewer senders {told['found_as_flood']} are floods, and "
        f"{told['out_of_reach']} are nowhere. {told['floods']} floods and sweeps in all.\n"
        f"{told['threats']} threats on {told['days_with_threats']} of {told['days']} days: median "
        f"{told['threats_a_day_median']:g} a day, most {told['threats_a_day_most']}; "
        f"{told['threats_that_are_a_burst']} of them are one of these bursts, the others are "
        "births and returns too small or too gradual to be counted as one. The track of a burst "
        "that is no hit is the one its senders are in, without a threat."
    )


def main(arguments: list[str] | None = None) -> int:
    """Find the bursts, run DANTE or take a home, print the table, write it as JSON."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m benchmarks.marx", None, __doc__, formatter_class=form
    )
    parser.add_argument("--data", type=Path, default=DATA, help="marx.csv.gz")
    parser.add_argument("--home", type=Path, help="a home with marx backfilled; else a new one")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the backfill")
    parser.add_argument("--within", type=int, default=3, help="days a threat may be late")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "marx.json")
    asked = parser.parse_args(arguments)
    if not asked.data.is_file():
        print(f"There is no {asked.data}; name marx.csv.gz with --data.", file=sys.stderr)
        return 1
    packets = counted(asked.data)
    found = bursts(packets)
    span = (packets["day"].min(), packets["day"].max())
    seconds = None
    with tempfile.TemporaryDirectory() as scratch:
        home = asked.home or Path(scratch) / "home"
        if asked.home is None:
            seconds = _run(home, asked.data, asked.jobs, span)
        elif not (home / "lineage.duckdb").is_file():
            print(f"Nothing is published in {home}; leave --home out.", file=sys.stderr)
            return 4
        threats, members, floods, days = _published(home)
        from dante.config import load_settings

        settings = load_settings(home)
    least = max(settings.threat.min_senders, settings.cluster.min_senders)
    table = judged(found, threats, members, floods, min_senders=least, within=asked.within)
    told = summary(table, threats, floods, days)
    _print(table, told)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    written = {
        "summary": told,
        "bursts": table.with_columns(pl.col("carriers").list.len()).to_dicts(),
        "settings": {"min_senders": least, "within": asked.within},
        "seconds": None if seconds is None else round(seconds, 1),
        "python": platform.python_version(),
    }
    asked.json.write_text(json.dumps(written, indent=1, default=str) + "\n", encoding="utf-8")
    print(f"Written to {asked.json}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
