"""Heads of log lines: their times in all forms, the year that many lack, hosts and programs."""

import logging
import os
from datetime import UTC, date, datetime
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.errors import ConfigError, DanteError
from dante.sources import Reading, read_batches, settled
from dante.sources.syslog import local_zones, read_heads
from dante.sources.years import Years

LINE = (
    "IN=eth0 OUT= SRC=203.0.113.7 DST=198.51.100.9 LEN=40 TTL=47 ID=1 PROTO=UDP SPT=1 DPT=53 LEN=9"
)


def _head(line):
    return read_heads(pl.Series([line])).row(0, named=True)


def _times(tmp_path, text, written=None, rows_per_batch=1_000_000, **reading):
    path = tmp_path / "kern.log"
    path.write_text(text)
    if written is not None:
        stamp = written.replace(tzinfo=UTC).timestamp()
        os.utime(path, (stamp, stamp))
    asked = Reading(format="firewall", **reading)
    batches = list(read_batches(path, asked, rows_per_batch=rows_per_batch))
    packets = pl.concat([batch.packets for batch in batches])
    return [when.replace(tzinfo=None) for when in packets["ts"].to_list()]


def _log(*times):
    return "".join(f"{time} tower kernel: {LINE}\n" for time in times)


FORMS = [
    ("Mar  1 10:00:00 tower kernel: ", datetime(2025, 3, 1, 10), "tower"),
    ("Mar 01 10:00:00.250 tower kernel: ", datetime(2025, 3, 1, 10, 0, 0, 250_000), "tower"),
    ("<4>Mar  1 10:00:00 tower kernel: ", datetime(2025, 3, 1, 10), "tower"),
    ("<4> Mar  1 10:00:00 2024 klogd: ", datetime(2024, 3, 1, 10), None),
    ("Mar  1 2024 10:00:00 tower kernel: ", datetime(2024, 3, 1, 10), "tower"),
    ("Mar  1 10:00:00 kernel: ", datetime(2025, 3, 1, 10), None),
    ("Mar  1 10:00:00 tower kern.warn kernel: ", datetime(2025, 3, 1, 10), "tower"),
    ("<4>1 2025-03-01T10:00:00.123456+01:00 tower kernel - - - ",
     datetime(2025, 3, 1, 9, 0, 0, 123_456), "tower"),
    ('<4>1 2025-03-01T10:00:00Z - kernel 7 ID [a@1 b="c d"] ', datetime(2025, 3, 1, 10), None),
    ("2025-03-01T10:00:00+01:00 tower kernel: ", datetime(2025, 3, 1, 9), "tower"),
    ("2025-03-01T10:00:00-0530 tower kernel: ", datetime(2025, 3, 1, 15, 30), "tower"),
    ("2025-03-01 10:00:00.5 2001:db8::7 kernel: ", datetime(2025, 3, 1, 10, 0, 0, 500_000),
     "2001:db8::7"),
    ("2025-03-01T10:00:00,123456+01:00 ", datetime(2025, 3, 1, 9, 0, 0, 123_456), None),
    ("Sat 2025-03-01 10:00:00 UTC tower kernel: ", datetime(2025, 3, 1, 10), "tower"),
    ("Sat 2025-03-01 10:00:00 -03 tower kernel: ", datetime(2025, 3, 1, 13), "tower"),
    ("[Sat Mar  1 10:00:00 2025] ", datetime(2025, 3, 1, 10), None),
    ("Sat Mar  1 10:00:00 2025 kern.warn kernel: [12.5] DROP ", datetime(2025, 3, 1, 10), None),
    ("1740823200.250000 tower kernel: ", datetime(2025, 3, 1, 10, 0, 0, 250_000), "tower"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "time", "sensor"), FORMS, ids=[head for head, _, _ in FORMS])
def test_times_and_hosts_of_every_form_are_read(tmp_path, head, time, sensor):
    """Syslog of both RFCs, ISO times, journalctl's forms, dmesg's and OpenWrt's."""
    path = tmp_path / "kern.log"
    path.write_text(head + LINE)
    (batch,) = read_batches(path, Reading(year=2025))
    packet = batch.packets.row(0, named=True)
    assert (packet["ts"], packet["sensor"]) == (time.replace(tzinfo=UTC), sensor)


def test_forms_may_be_mixed():
    """What a line is read as does not depend on the lines around it."""
    lines = pl.Series([head + LINE for head, _, _ in FORMS] + ["nothing", ""])
    assert read_heads(lines).rows() == [read_heads(lines.slice(i, 1)).row(0) for i in range(20)]


def test_a_host_names_the_sensor_before_the_option_does(tmp_path):
    """--sensor fills lines that name no host."""
    path = tmp_path / "kern.log"
    path.write_text(f"[Sat Mar  1 10:00:00 2025] {LINE}\n2025-03-01T10:00:00Z tower kernel: {LINE}")
    (batch,) = read_batches(path, Reading(sensor="given"))
    assert batch.packets["sensor"].to_list() == ["given", "tower"]


@pytest.mark.parametrize(
    "line", ["", "nothing", "Mar 1", "Foo  1 10:00:00 a b", "[12.5] IN=", "{}"]
)
def test_lines_without_a_head_have_none(line):
    """Nothing is made up."""
    assert set(_head(line).values()) == {None}


@pytest.mark.parametrize("time", ["Feb 30 10:00:00", "Mar  1 25:00:00", "Feb 29 10:00:00"])
def test_times_that_do_not_exist_are_refused(tmp_path, time):
    """Also the 29th of February in a year that has none."""
    path = tmp_path / "kern.log"
    path.write_text(_log(time, "Mar  1 10:00:00"))
    (batch,) = read_batches(path, Reading(year=2025))
    assert batch.refused["reason"].to_list() == ["ts: not a time"]


def test_local_times_are_in_the_zone_that_was_given(tmp_path):
    """A time that a clock change skips or doubles is refused, unless it says its zone's name."""
    assert _times(tmp_path, _log("Mar  1 10:00:00"), year=2025, tz="Europe/Rome") == [
        datetime(2025, 3, 1, 9)
    ]
    assert (
        _times(tmp_path, _log("Mar 30 02:30:00", "Oct 26 02:30:00"), year=2025, tz="Europe/Rome")
        == []
    )
    named = _log("Sun 2025-10-26 02:30:00 CEST", "Sun 2025-10-26 02:30:00 CET")
    assert _times(tmp_path, named, tz="Europe/Rome") == [
        datetime(2025, 10, 26, 0, 30),
        datetime(2025, 10, 26, 1, 30),
    ]


def test_a_zones_name_is_only_believed_where_the_zone_has_it():
    """CST is a name of three zones: without --tz, or with another's, the line is refused."""
    times = pl.Series(["2025-03-01 10:00:00CST"])
    assert local_zones(times, "America/Chicago").item() == "2025-03-01 10:00:00-0600"
    assert local_zones(times, "Asia/Shanghai").item() == "2025-03-01 10:00:00+0800"
    assert local_zones(times, "UTC").item() == times.item()


@pytest.mark.parametrize("rows_per_batch", [1, 2, 100])
def test_a_log_that_runs_over_new_year_gets_the_next_year(tmp_path, rows_per_batch):
    """--year is the first line's; a line that came late is of the old year."""
    text = _log("Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:58", "Jan  1 00:00:01")
    assert _times(tmp_path, text, year=2024, rows_per_batch=rows_per_batch) == [
        datetime(2024, 12, 31, 23, 59, 59),
        datetime(2025, 1, 1),
        datetime(2024, 12, 31, 23, 59, 58),
        datetime(2025, 1, 1, 0, 0, 1),
    ]


def test_only_the_turn_of_the_year_changes_it(tmp_path):
    """A clock that starts in January, a long silence and lines out of order do not."""
    text = _log(
        *("Jan  1 10:00:00", "Dec  1 10:00:00", "Sep  5 10:00:00", "Jan  1 00:00:09"),
        *("Sep  5 10:01:00", "Nov 30 10:00:00", "Feb  1 10:00:00"),
    )
    years = [time.year for time in _times(tmp_path, text, year=2025)]
    assert years == [2025] * 6 + [2026]


days = st.dates(date(2000, 1, 1), date(2006, 12, 31))


@given(days=st.lists(days, min_size=1, max_size=30), cut=st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_years_go_on_from_block_to_block(days, cut):
    """A log in order without a silence over ten months gets its years, however it is cut."""
    days = sorted(days)
    heads = read_heads(pl.Series([f"{day:%b} {day.day:2} 10:00:00 tower x" for day in days]))
    years, halves = Years(lambda: days[0].year), Years(lambda: days[0].year)
    whole = years.of(heads).to_list()
    assert whole == halves.of(heads.head(cut)).to_list() + halves.of(heads.slice(cut)).to_list()
    if all((b - a).days < 60 for a, b in pairwise(days)):
        assert whole == [day.year for day in days]


def test_the_year_is_guessed_from_the_files_date_and_said(tmp_path, caplog):
    """The last line was written when the file was; the warning comes once."""
    text = _log("Dec 31 23:00:00", "Jan  2 10:00:00")
    with caplog.at_level(logging.WARNING):
        times = _times(tmp_path, text, datetime(2025, 1, 2, 11), rows_per_batch=1)
    assert times == [datetime(2024, 12, 31, 23), datetime(2025, 1, 2, 10)]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith(
        "no year in the log; taken as 2024 to 2025 from the file's date (say --year if wrong)"
    )


def test_the_guess_is_the_same_in_the_logs_own_zone(tmp_path):
    """A file that is written on New Year's morning may end on New Year's Eve elsewhere."""
    written = datetime(2025, 1, 1, 3)
    text = _log("Dec 31 22:00:00")
    assert _times(tmp_path, text, written, tz="America/New_York") == [datetime(2025, 1, 1, 3)]


@pytest.mark.parametrize(
    ("times", "written"),
    [
        (["Mar  1 10:00:00"], datetime(2025, 8, 1)),
        (["Mar  9 10:00:00"], datetime(2025, 3, 1)),
        (["Sep  1 10:00:00", "Mar  1 10:00:00"], datetime(2025, 3, 1, 11)),
        (["Feb 29 10:00:00"], datetime(2025, 2, 28, 10)),
        (["Jan  1 10:00:00", "May  1 10:00:00", "Sep  1 10:00:00", "Jan  1 10:00:00"],
         datetime(2025, 1, 1, 11)),
    ],
    ids=["copied later", "older than its lines", "backwards", "no such day", "a whole year"],
)  # fmt: skip
def test_a_year_that_could_be_wrong_is_asked_for(tmp_path, times, written):
    """The error names the file and the option."""
    with pytest.raises(ConfigError, match=r"kern\.log: the log has no year: .*--year"):
        _times(tmp_path, _log(*times), written)


def test_a_log_whose_times_have_years_needs_none(tmp_path):
    """The file's date is not looked at."""
    assert _times(tmp_path, _log("2020-03-01T10:00:00Z")) == [datetime(2020, 3, 1, 10)]


@given(text=st.text(max_size=60), head=st.sampled_from([head for head, _, _ in FORMS]))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_the_reading_of_heads(text, head):
    """Hostile lines have a head or none, never an error."""
    try:
        read_heads(pl.Series([head[: len(text)] + text, text + head, head + text]))
    except DanteError:
        pytest.fail("an error for a line")


def test_a_reading_can_be_settled_so_that_the_files_date_says_nothing_more(tmp_path):
    """The year that was guessed once is the year of the same bytes ever after."""
    path = tmp_path / "kern.log"
    path.write_text(_log("Dec 31 10:00:00", "Jan  1 10:00:00"))
    stamp = datetime(2025, 1, 1, 12, tzinfo=UTC).timestamp()
    os.utime(path, (stamp, stamp))
    reading = settled(path, Reading(tz="UTC"))
    assert reading == Reading(tz="UTC", year=2024)
    os.utime(path)
    (batch,) = read_batches(path, reading)
    assert batch.packets["ts"].dt.year().to_list() == [2024, 2025]
    dated = tmp_path / "iso.log"
    dated.write_text(_log("2025-01-01T10:00:00Z"))
    assert settled(dated) == Reading()
