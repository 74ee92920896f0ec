"""CSV files as packets and quarantine rows."""

import csv
import gzip
import random
import re
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import ConfigError, SourceError, UsageError
from dante.schema import address_text
from dante.sources import Reading, load_mapping, parse_mapping, read_batches
from dante.sources.lines import Dialect, read_block, split_line
from tests.sources.drawn import frames, quick
from tests.sources.whole import GOOD, HEADER, read_file, read_text

REPOSITORY = Path(__file__).resolve().parents[2]
MARX = REPOSITORY / ".." / "shared" / "data" / "marx" / "marx.csv.gz"


@quick
@given(frames, st.booleans(), st.sampled_from([",", ";", "\t", "|"]))
def test_csv_round_trip(frame, as_text, separator):
    """Canonical packets written as CSV, addresses as numbers or text, are read back the same."""
    table = frame
    if as_text:
        table = frame.with_columns(address_text(frame["src"]), address_text(frame["dst"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "packets"
        table.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ", separator=separator)
        back = read_file(path, rows_per_batch=5)
    assert back.refused.is_empty(), back.refused
    assert_frame_equal(back.packets, frame)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(st.sampled_from('ab,"\r#é'), max_size=8), max_size=8))
def test_blocks_agree_with_lines(lines):
    """Lines cut in bulk give the fields that the csv module gives one by one."""
    dialect = Dialect(3, ",", '"', "#")
    data = "".join(line + "\n" for line in lines).encode()
    table = read_block(data, dialect)
    good, bad = [], []
    rows = [x[:-1] if x.endswith("\r") else x for x in lines]
    rows = [x for x in rows if x and not x.startswith("#")]
    for place, line in enumerate(rows):
        try:
            fields = split_line(line, dialect)
        except csv.Error:
            fields = []
        if len(fields) == 3:
            good.append((place, *fields))
        else:
            bad.append(place)
    found = table.frame.select("place", pl.col("0", "1", "2").fill_null("")).rows()
    assert table.rows == len(rows)
    # Of a carriage return inside a line the csv module makes an error, and we an ordinary byte.
    if "\r" not in "".join(rows):
        assert found == good
        assert [o.place for o in table.odd] == bad
    assert sorted([row[0] for row in found] + [o.place for o in table.odd]) == [*range(len(rows))]


def _broken_file(rows=20_000):
    chance = random.Random(7)
    kinds = [
        "x",
        "1,2,3",
        GOOD.strip() + ",more",
        "never,1.2.3.4,tcp,23,64",
        "2025-03-02T00:00:00Z,1.2.3.400,tcp,23,64",
        "2025-03-02T00:00:00Z,1.2.3.4,foo,23,64",
        "2025-03-02T00:00:00Z,1.2.3.4,tcp,70000,64",
        "2025-03-02T00:00:00Z,1.2.3.4,tcp,,64",
        "2025-03-02T00:00:00Z,1.2.3.4,tcp,23,999",
        '2025-03-02T00:00:00Z,1.2.3.4,"tcp,23,64',
        b"2025-03-02T00:00:00Z,1.2.3.4,\xff\xfe,23,64",
    ]
    lines, good = [], []
    for number in range(1, rows + 1):
        if chance.random() < 0.01:
            bad = chance.choice(kinds)
            lines.append(bad if isinstance(bad, bytes) else bad.encode())
        else:
            lines.append(f"2025-03-01T00:00:00Z,{number},tcp,23,64".encode())
            good.append(number)
    return HEADER.encode() + b"\n".join(lines) + b"\n", good


def test_one_percent_broken(tmp_path):
    """With 1 % of rows broken every other row is kept and every broken one is in quarantine."""
    data, good = _broken_file()
    back = read_text(tmp_path, data)
    assert back.packets["src"].to_list() == good
    assert back.packets.height + back.refused.height == 20_000
    assert sorted(good + back.refused["row"].to_list()) == list(range(1, 20_001))
    assert back.refused["reason"].null_count() == 0


@pytest.mark.parametrize("rows_per_batch", [1, 7, 2048])
def test_batches_of_any_size(tmp_path, rows_per_batch):
    """Batches of different sizes join to the same packets and the same refused rows."""
    data, _ = _broken_file(3_000 if rows_per_batch > 1 else 400)
    whole = read_text(tmp_path, data)
    batches = list(read_batches(tmp_path / "source", rows_per_batch=rows_per_batch))
    assert max(b.rows for b in batches) <= rows_per_batch
    assert_frame_equal(pl.concat([b.packets for b in batches]), whole.packets)
    assert_frame_equal(pl.concat([b.refused for b in batches]), whole.refused)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("never,1.2.3.4,tcp,23,64", "ts: not a time"),
        (",1.2.3.4,tcp,23,64", "ts: missing"),
        ("2025-03-01,1.2.3.4,tcp,23,64", "ts: not a time"),
        ("2025-02-30T10:00:00Z,1.2.3.4,tcp,23,64", "ts: not a time"),
        ("-5,1.2.3.4,tcp,23,64", "ts: not a time"),
        ("1740823200,1.2.3,tcp,23,64", "src: not an address"),
        ("1740823200,01.2.3.4,tcp,23,64", "src: not an address"),
        ("1740823200,1.2.3.4.5,tcp,23,64", "src: not an address"),
        ("1740823200,-1,tcp,23,64", "src: not an address"),
        ("1740823200, ,tcp,23,64", "src: missing"),
        ("1740823200,1.2.3.4,foo,23,64", "proto: unknown name 'foo'"),
        ("1740823200,1.2.3.4,256,23,64", "proto: 256 is out of 0..255"),
        ("1740823200,1.2.3.4,,23,64", "proto: missing"),
        ("1740823200,1.2.3.4,tcp,70000,64", "dport: 70000 is out of 0..65535"),
        ("1740823200,1.2.3.4,tcp,-1,64", "dport: -1 is out of 0..65535"),
        ("1740823200,1.2.3.4,tcp,http,64", "dport: 'http' is not a whole number"),
        ("1740823200,1.2.3.4,tcp,,64", "no destination port"),
        ("1740823200,1.2.3.4,17,,64", "no destination port"),
        ("1740823200,1.2.3.4,tcp,23,999", "ttl: 999 is out of 0..255"),
        ("1740823200,1.2.3.4,tcp,23,6.5", "ttl: '6.5' is not a whole number"),
        ("1740823200,1.2.3.4,tcp", "expected 5 fields, found 3"),
        ("1740823200,1.2.3.4,tcp,23,64,,", "expected 5 fields, found 7"),
        ('1740823200,"1.2.3.4,tcp,23,64', "a quote is not closed, or stands inside a field"),
        ("1740823200,1.2.3.4,a\x1b[1m,23,64", "proto: unknown name 'a?[1m'"),
    ],
)
def test_reason(tmp_path, row, reason):
    """Every refused row says which column is wrong and why."""
    back = read_text(tmp_path, HEADER + GOOD + row + "\n" + GOOD)
    assert back.refused["reason"].to_list() == [reason]
    assert back.refused["raw"].to_list() == [row]
    assert back.refused["row"].to_list() == [2]
    assert back.packets.height == 2


def test_day_of_refused(tmp_path):
    """A refused row carries its UTC day wherever its time could be read."""
    rows = "2025-03-01T23:30:00-01:00,x,tcp,1,1\n2025-03-01T00:00:00Z,1\nx,1.2.3.4,tcp,1,1\n"
    back = read_text(tmp_path, HEADER + rows)
    assert back.refused["day"].to_list() == [date(2025, 3, 2), date(2025, 3, 1), None]


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-01T10:00:00.25Z",
        "2025-03-01 10:00:00.25",
        "2025-03-01T11:00:00.25+01:00",
        "2025-03-01T11:00:00.250000999+0100",
        " 2025-03-01T10:00:00.25 ",
        "1740823200.25",
        "1740823200250",
        "1740823200250000",
        "1740823200250000999",
    ],
)
def test_times(tmp_path, text):
    """ISO 8601 with and without a zone, and epochs in any unit, mean the same time."""
    back = read_text(tmp_path, f"{HEADER}{text},1.2.3.4,tcp,23,64\n{GOOD}")
    assert back.packets["ts"][0] == datetime(2025, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)


def test_zone_and_clock_change(tmp_path):
    """Naive times are in the zone asked for; doubled or skipped ones are refused."""
    rows = "2025-07-01 10:00:00,1,6,1,1\n2025-10-26 02:30:00,1,6,1,1\n2025-03-30 02:30:00,1,6,1,1\n"
    back = read_text(tmp_path, HEADER + rows, Reading(tz="Europe/Rome"))
    assert back.packets["ts"].to_list() == [datetime(2025, 7, 1, 8, tzinfo=UTC)]
    assert back.refused["reason"].unique().to_list() == [
        "ts: not a time, or skipped or doubled by a clock change in Europe/Rome"
    ]


def test_values_are_lenient_in_writing_only(tmp_path):
    """Blanks, mixed address forms, upper-case names and whole decimals mean what they say."""
    rows = (
        " 1740823200 , 203.0.113.7 , TCP , 23.0 , 64 \n"
        "1740823200,3405803783,6,23,\n"
        '1740823200,2001:db8:1:2::5,"Udp",53,""\n'
        "1740823200,2001:db8:1:2::/64,17,53,64\n"
    )
    back = read_text(tmp_path, HEADER + rows)
    assert back.refused.is_empty()
    assert (
        address_text(back.packets["src"]).to_list()
        == ["203.0.113.7"] * 2 + ["2001:db8:1:2::/64"] * 2
    )
    assert back.packets["proto"].to_list() == [6, 6, 17, 17]
    assert back.packets["ttl"].to_list() == [64, None, None, 64]
    assert back.packets["dport"].to_list() == [23, 23, 53, 53]


def test_icmp(tmp_path):
    """ICMP has type and code for its destination port, and no source port."""
    text = (
        "ts,src,proto,icmp_type,icmp_code,sport,dport\n"
        "1740823200,1,icmp,3,1,9,9\n1740823200,1,icmp,8,,,\n1740823200,1,tcp,,,9,8\n"
        "1740823200,1,icmp,,,,2048\n1740823200,1,58,,1,,\n"
    )
    back = read_text(tmp_path, text)
    assert back.packets["dport"].to_list() == [769, 2048, 8, 2048]
    assert back.packets["sport"].to_list() == [None, None, 9, None]
    assert back.refused["reason"].to_list() == ["icmp_type: missing"]


def test_lines(tmp_path):
    """Blank lines are no rows; CRLF, a byte order mark and a last line without end are fine."""
    text = b"\xef\xbb\xbf" + f"{HEADER}\n{GOOD}\n\n{GOOD}".replace("\n", "\r\n").encode()
    back = read_text(tmp_path, text.rstrip(b"\r\n"))
    assert (back.packets.height, back.refused.height) == (2, 0)


def test_quoted_fields(tmp_path):
    """A quoted field may hold separators and doubled quotes."""
    text = 'ts,src,proto,dport,sensor\n"1740823200","1","tcp","23","a ""b"", c"\n'
    assert read_text(tmp_path, text).packets["sensor"].to_list() == ['a "b", c']


def test_not_utf8(tmp_path):
    """A line that is not UTF-8 is refused, with its bytes shown as replaced."""
    text = f"{HEADER}{GOOD}".encode() + b"1740823200,1,tc\xffp,23,64\n" + GOOD.encode()
    back = read_text(tmp_path, text)
    assert back.packets.height == 2
    assert back.refused["reason"].to_list() == ["byte 16 of the line is not UTF-8"]
    assert back.refused["raw"].to_list() == ["1740823200,1,tc\ufffdp,23,64"]


def test_endless_line(tmp_path):
    """A line of megabytes is refused in bounded memory and cut to 4,096 characters."""
    text = HEADER + GOOD + "x" * 3_000_000 + "\n" + GOOD
    for size in (1, 1_000_000):
        back = read_text(tmp_path, text, rows_per_batch=size)
        assert back.packets.height == 2
        assert back.refused.select("row", "raw").rows() == [(2, "x" * 4096)]
        assert back.refused["reason"].to_list() == ["a line of 1,048,576 bytes or more"]


def test_mapping_without_header(tmp_path):
    """A mapping names the columns of a table without a header, its separator and its comments."""
    mapping = parse_mapping(
        """
        [csv]
        separator = ";"
        columns = ["when", "who", "port", "rest"]
        comment = "#"
        [columns]
        ts = "when"
        src = "who"
        dport = "port"
        [ts]
        format = "%d/%m/%Y %H:%M:%S.%f"
        tz = "Europe/Rome"
        [proto]
        default = "udp"
        [defaults]
        sensor = "tower"
        """
    )
    text = "# a comment\n01/07/2025 12:00:00.5;1.2.3.4;53;x\n#1;2;3;4\n\n2025;1.2.3.4;53;x\n"
    back = read_text(tmp_path, text, Reading(mapping=mapping))
    assert back.packets.select("ts", "proto", "dport", "sensor").rows() == [
        (datetime(2025, 7, 1, 10, 0, 0, 500_000, tzinfo=UTC), 17, 53, "tower")
    ]
    assert back.refused["row"].to_list() == [2]


def test_year(tmp_path):
    """A time format without a year takes the reading's, and asks for it when it has none."""
    mapping = parse_mapping('[ts]\nformat = "%b %e %H:%M:%S"')
    text = HEADER + "Mar  1 10:00:00,1.2.3.4,tcp,23,64\n"
    back = read_text(tmp_path, text, Reading(mapping=mapping, year=2024))
    assert back.packets["ts"].to_list() == [datetime(2024, 3, 1, 10, tzinfo=UTC)]
    with pytest.raises(ConfigError, match="--year"):
        read_text(tmp_path, text, Reading(mapping=mapping))


def test_protocol_names(tmp_path):
    """A mapping may add names of protocols to the known ones."""
    mapping = parse_mapping('[proto]\nnames = { "Transmission" = 6 }')
    text = HEADER + GOOD + GOOD.replace("tcp", "TRANSMISSION")
    back = read_text(tmp_path, text, Reading(mapping=mapping))
    assert back.packets["proto"].to_list() == [6, 6]


def test_kinds_of_address(tmp_path):
    """A column that is declared to hold numbers takes no text, and the other way round."""
    text = HEADER + GOOD + GOOD.replace("203.0.113.7", "77")
    for kind, other in (("integer", 1), ("text", 2)):
        mapping = parse_mapping(f'[src]\nkind = "{kind}"')
        back = read_text(tmp_path, text, Reading(mapping=mapping))
        assert back.refused.select("row", "reason").rows() == [(other, "src: not an address")]


def test_sensor(tmp_path):
    """The reading's sensor fills rows that name none."""
    text = "ts,src,proto,dport,sensor\n1740823200,1,6,1,a\n1740823200,1,6,1,\n"
    back = read_text(tmp_path, text, Reading(sensor="b"))
    assert back.packets["sensor"].to_list() == ["a", "b"]


def test_unknown_columns_are_named_once(tmp_path, caplog):
    """Columns that are no field are left out and named in one warning a file."""
    text = "ts,src,proto,dport,geo,asn\n" + "1740823200,1,6,1,x,y\n" * 50
    assert read_text(tmp_path, text, rows_per_batch=7).packets.height == 50
    assert [r.getMessage().partition(": ")[2] for r in caplog.records] == [
        "columns that are not read: geo, asn"
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "unknown format"),
        (b"ts,proto,dport\n1,6,1\n", "there is no column 'src'; the columns are ts, proto, dport"),
        (b"ts,src,src,proto\n", "two columns are named 'src'"),
        (b"a,b\n1,2\n", "unknown format (it begins with 'a,b'); tried pcap ("),
        (b"\0\1\2\3", "unknown format (it begins with the bytes 00 01 02 03)"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"PAR1....PAR1", "not a readable Parquet file"),
        ("ts,src".encode("utf-16"), "UTF-16 text"),
        (gzip.compress(b"PAR1....PAR1"), "decompress it first"),
        (gzip.compress(HEADER.encode(), compresslevel=0)[:-12], "damaged"),
    ],
)
def test_unreadable(tmp_path, data, message):
    """A file that cannot be read at all says so in one sentence that names it."""
    with pytest.raises(SourceError, match="source: ") as caught:
        read_text(tmp_path, data)
    assert message in str(caught.value)


def test_missing_file_and_format(tmp_path):
    """A file that is not there and a format that is not known are errors of their own."""
    with pytest.raises(SourceError, match="no such file"):
        read_file(tmp_path / "none")
    with pytest.raises(UsageError, match="unknown format 'pcapx': give one of auto, "):
        read_file(tmp_path, Reading(format="pcapx"))
    with pytest.raises(ConfigError, match="not a time zone"):
        read_text(tmp_path, HEADER, Reading(tz="Mars/Olympus"))


def test_mapped_column_missing(tmp_path):
    """A column that the mapping names and the file lacks is an error that lists the columns."""
    mapping = parse_mapping('[columns]\nts = "ts"\nsrc = "sender"\nproto = "proto"')
    with pytest.raises(SourceError, match="'sender', which is not there; the columns are ts, src"):
        read_text(tmp_path, HEADER, Reading(mapping=mapping))


@pytest.mark.skipif(not MARX.exists(), reason="the shared data set marx is not here")
def test_marx():
    """All 451,581 rows of marx are read with the example mapping, and none is refused."""
    mapping = load_mapping(REPOSITORY / "examples" / "marx.toml")
    back = read_file(MARX, Reading(mapping=mapping), rows_per_batch=200_000)
    assert (back.packets.height, back.refused.height) == (451_581, 0)
    assert back.packets["proto"].value_counts().sort("proto").rows() == [
        (1, 44_811),
        (6, 327_991),
        (17, 78_779),
    ]
    assert back.packets["src"].n_unique() == 69_602
    with gzip.open(MARX, "rt") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number % 5_000 == 0:
                packet = back.packets.row(number, named=True)
                assert packet["ts"].strftime("%Y-%m-%d %H:%M:%S") == row["datetime"]
                assert (packet["src"], packet["sensor"]) == (int(row["src"]), row["host"])
                icmp = row["proto"] == "ICMP"
                assert packet["dport"] == (int(row["type"]) * 256 if icmp else int(row["dpt"]))


def test_page(tmp_path, documented):
    """The commands of the page run: tables of every kind, a folder, a pattern, and a pipe."""
    table = (HEADER + GOOD).encode()
    pl.read_csv(table).write_parquet(tmp_path / "t")
    marx = (
        b"datetime,host,src,proto,type,spt,dpt\n2013-03-03 21:53:00,h,1032051418,TCP,,6000,1433\n"
    )
    zstd = zstandard.ZstdCompressor().compress(table)
    said = documented(
        "formats/tables.md",
        {
            "packets.parquet": (tmp_path / "t").read_bytes(),
            "tables/a.csv": table,
            "tables/b/c.csv": table + GOOD.encode(),
            "logs/2025-03-01.csv.zst": zstd,
            "marx.csv.gz": gzip.compress(marx),
            "examples/marx.toml": (REPOSITORY / "examples" / "marx.toml").read_bytes(),
            "old.csv.gz": gzip.compress(table + GOOD.encode() * 3),
        },
    )
    kept = [re.search("([0-9]+) packets kept", text) for text in said]
    assert [found and found[1] for found in kept] == ["1", "3", "1", "1", "4"]
