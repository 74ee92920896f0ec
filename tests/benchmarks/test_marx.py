"""Bursts by counting, and what published threats say of them."""

import datetime as dt
import json
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from benchmarks import marx

FIRST = dt.date(2025, 3, 1)


def _day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


@pytest.fixture(scope="module")
def packets() -> pl.DataFrame:
    """Forty quiet days of two ports; on day 30 three bursts, one of them on two ports."""
    rng = np.random.Generator(np.random.PCG64(1))
    rows = [
        (_day(day), int(src), port)
        for day in range(40)
        for port, many in (("22/tcp", 40), ("23/tcp", 3))
        for src in rng.integers(1, 500, many)
    ]
    rows += [(_day(30), 1000 + i, port) for i in range(12) for port in ("81/tcp", "82/tcp")]
    rows += [(_day(30), 2000 + i, "23/tcp") for i in range(10)]
    rows += [(_day(31), 2000 + i, "23/tcp") for i in range(10)]  # goes on: no second burst
    rows += [(_day(30), 3000, "5000/udp")] * 500
    rows += [(_day(30), 4000, "5001/udp")] * 50  # too few
    rows += [(_day(3), 5000 + i, "99/tcp") for i in range(99)]  # too early to know
    schema = {"day": pl.Date, "src": pl.UInt64, "port": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_bursts_are_the_days_that_jump(packets: pl.DataFrame) -> None:
    """Many new senders, or very many packets, once each; ports of the same senders together."""
    found = marx.bursts(packets)
    assert set(found["day"]) == {_day(30)}
    assert sorted(found.select("kind", "ports").rows()) == [
        ("packets", ["5000/udp"]),
        ("senders", ["23/tcp"]),
        ("senders", ["81/tcp", "82/tcp"]),
    ]
    flood = found.filter(pl.col("kind") == "packets").row(0, named=True)
    assert (flood["senders"], flood["packets"], flood["carriers"]) == (1, 500, [3000])
    pair = found.filter(pl.col("ports").list.len() == 2).row(0, named=True)
    assert (pair["senders"], pair["packets"], pair["most_before"]) == (12, 24, 0)
    assert pair["carriers"] == list(range(1000, 1012))


def test_order_of_packets_does_not_matter(packets: pl.DataFrame) -> None:
    """The log is not in order of time, and bursts are the same in any order."""
    other = packets.sample(fraction=1, shuffle=True, seed=2)
    assert marx.bursts(other).equals(marx.bursts(packets))


def _threats(rows: list[tuple[int, int, str]]) -> pl.DataFrame:
    named = [(_day(day), f"t-{track}", "new", 0.7, ports) for day, track, ports in rows]
    schema = {
        "day": pl.Date, "name": pl.String, "kind": pl.String, "score": pl.Float64,
        "top_ports": pl.String,
    }  # fmt: skip
    return pl.DataFrame(named, schema=schema, orient="row")


def _members(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    dated = [(_day(day), src, f"t-{track}") for day, src, track in rows]
    schema = {"day": pl.Date, "address": pl.UInt64, "name": pl.String}
    return pl.DataFrame(dated, schema=schema, orient="row")


def _floods(rows: list[tuple[int, int, str]]) -> pl.DataFrame:
    dated = [(_day(day), src, port) for day, src, port in rows]
    schema = {"day": pl.Date, "address": pl.UInt64, "port": pl.String}
    return pl.DataFrame(dated, schema=schema, orient="row")


def test_a_burst_is_hit_by_a_threat_on_its_port_in_time(packets: pl.DataFrame) -> None:
    """The port must be a top one of the track, and the threat at most three days late."""
    found = marx.bursts(packets)
    threats = _threats(
        [
            (30, 1, "82/tcp 100%, 81/tcp 40%"),
            (30, 2, "443/tcp 100%"),
            (32, 3, "22/tcp 90%, 23/tcp 30%"),
            (30, 4, "5000/udp 100%"),
        ]
    )
    members = _members([(30, 1000 + i, 1) for i in range(9)])
    table = marx.judged(found, threats, members, _floods([]), min_senders=8)
    by_port = {row["ports"][0]: row for row in table.iter_rows(named=True)}
    pair = by_port["81/tcp"]
    assert (pair["outcome"], pair["days_late"], pair["track"]) == ("hit", 0, "t-1")
    assert (pair["other_alerts"], pair["in_track"]) == (2, 0.75)
    late = by_port["23/tcp"]
    assert (late["outcome"], late["days_late"], late["other_alerts"]) == ("hit", 2, 0)
    in_time = marx.judged(found, threats, members, _floods([]), min_senders=8, within=1)
    assert in_time.filter(pl.col("outcome") == "missed")["ports"].to_list() == [["23/tcp"]]


def test_a_flood_of_one_sender_is_out_of_reach(packets: pl.DataFrame) -> None:
    """Whatever threat names its port, one sender is no campaign: never a hit, never a miss."""
    table = marx.judged(
        marx.bursts(packets),
        _threats([(30, 4, "5000/udp 100%")]),
        _members([]),
        _floods([(31, 3000, "5000/udp"), (30, 3000, "1/udp"), (30, 1000, "5000/udp")]),
        min_senders=8,
    )
    flood = table.filter(pl.col("kind") == "packets").row(0, named=True)
    assert (flood["within_reach"], flood["outcome"]) == (False, "out of reach")


def test_a_flood_that_was_counted_is_told_apart_from_hits(packets: pl.DataFrame) -> None:
    """The sender, the port and the day must be in the floods; a threat's hit it is not."""
    floods = _floods([(30, 3000, "5000/udp"), (30, 1000, "81/tcp"), (31, 1, "9/udp")])
    found = marx.bursts(packets)
    table = marx.judged(found, _threats([]), _members([]), floods, min_senders=8)
    assert dict(table.select("kind", "outcome").rows()) == {"packets": "flood", "senders": "missed"}
    told = marx.summary(table, _threats([]), floods, 40)
    keys = ("found_as_flood", "out_of_reach", "hit", "floods")
    assert [told[key] for key in keys] == [1, 0, 0, 3]


def test_rare_ports_of_a_track_are_no_hit(packets: pl.DataFrame) -> None:
    """A track of which few senders touch the port is about something else; it is named."""
    threats = _threats([(30, 1, "22/tcp 100%, 81/tcp 2%, 82/tcp <1%, 23/tcp 24%")])
    members = _members([(30, 1000 + i, 1 if i < 8 else 5) for i in range(12)])
    table = marx.judged(marx.bursts(packets), threats, members, _floods([]), min_senders=8)
    assert "hit" not in table["outcome"].to_list()
    pair = table.filter(pl.col("ports").list.len() == 2).row(0, named=True)
    assert (pair["outcome"], pair["track"], pair["in_track"]) == ("missed", "t-1", 8 / 12)


def test_the_log_s_known_events_are_among_the_bursts() -> None:
    """The flood of 2193/udp from one sender, and the 58 senders on 8000/tcp."""
    if not marx.DATA.is_file():
        pytest.skip("the shared data folder is absent")
    found = marx.bursts(marx.counted(marx.DATA))
    rows = {(str(row["day"]), row["ports"][0]): row for row in found.iter_rows(named=True)}
    flood = rows["2013-07-24", "2193/udp"]
    assert (flood["kind"], flood["senders"], flood["packets"]) == ("packets", 1, 11116)
    many = rows["2013-08-07", "8000/tcp"]
    assert (many["kind"], many["senders"]) == ("senders", 58)
    assert found.filter(pl.col("kind") == "senders").height >= 8


def test_the_script_reads_a_published_home_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From `lineage.duckdb` alone: a table on stdout, and the same as JSON; no home, a sentence."""
    data, out, home = tmp_path / "log.csv", tmp_path / "out" / "m.json", tmp_path / "home"
    start = dt.datetime(2025, 3, 1)
    lines = ["datetime,host,src,proto,type,spt,dpt"]
    for day in range(30):
        stamp = start + dt.timedelta(days=day)
        lines += [f"{stamp},a,{100 + i},TCP,,1,22" for i in range(12)]
        lines.append(f"{stamp},a,9,ICMP,3,,")
    lines += [f"{stamp},a,{700 + i},TCP,,1,81" for i in range(20)]
    data.write_text("\n".join(lines) + "\n", "utf-8")
    asked = ["--data", str(data), "--home", str(home), "--json", str(out)]
    assert marx.main(asked) == 4
    home.mkdir()
    with duckdb.connect(str(home / "lineage.duckdb")) as con:
        con.execute(
            "CREATE TABLE threats AS SELECT DATE '2025-03-30' AS day, 7 AS track_id, "
            "'new' AS kind, 0.8 AS score;"
            "CREATE TABLE track_days AS SELECT DATE '2025-03-30' AS day, 7 AS track_id, "
            "'81/tcp 100%' AS top_ports;"
            "CREATE TABLE tracks AS SELECT 7 AS track_id, 'tcp81-7' AS name;"
            "CREATE TABLE memberships AS SELECT DATE '2025-03-30' AS day, "
            "CAST(700 + i AS UBIGINT) AS address, 7 AS track_id FROM range(20) t(i);"
            "CREATE TABLE floods AS SELECT DATE '2025-03-01' AS day, 9::UBIGINT AS address, "
            "'1/udp' AS port;"
            "CREATE TABLE daily AS SELECT DATE '2025-03-01' + CAST(i AS INTEGER) AS day "
            "FROM range(30) t(i);"
        )
    assert marx.main(asked) == 0
    assert "tcp81-7" in capsys.readouterr().out
    told = json.loads(out.read_text("utf-8"))
    assert told["bursts"][0]["ports"] == ["81/tcp"]
    assert told["bursts"][0]["in_track"] == 1.0
    keys = ("hit", "missed", "out_of_reach", "days", "threats", "threats_a_day_median")
    assert [told["summary"][key] for key in keys] == [1, 0, 0, 30, 1, 0.0]
    assert marx.main(["--data", str(tmp_path / "none")]) == 1
