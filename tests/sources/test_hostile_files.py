"""What a hostile sender of files may try, found by mutation."""

import gzip
import zlib

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dante.errors import ConfigError, SourceError
from dante.sources import Reading, parse_mapping, read_batches, source_digest

HEADER = b"ts,src,proto,dport\n"
ROW = b"2025-03-01T00:00:00,1.2.3.4,6,23\n"


def _read(path, data, mapping=None, rows_per_batch=1000):
    path = path / "file"
    path.write_bytes(data)
    reading = Reading(mapping=None if mapping is None else parse_mapping(mapping))
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    return pl.concat([b.packets for b in batches]), pl.concat([b.refused for b in batches])


@pytest.mark.parametrize("time", [b"1740787200000000000", b"+1740787200"])
def test_bad_neighbour_of_epochs(tmp_path, time):
    """One bad time costs its own row only, whatever the unit of the others."""
    row = ROW.replace(b"2025-03-01T00:00:00", time)
    packets, refused = _read(tmp_path, HEADER + row * 5 + row.replace(time, b"x"))
    assert (packets.height, refused["row"].to_list()) == (5, [6])


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"x\x01", zlib.compress(b"1,2,3,4\n", 0)[:2]])
@pytest.mark.parametrize("rows_per_batch", [1, 1000])
def test_marks_within_a_file(tmp_path, mark, rows_per_batch):
    """A row that begins like a byte order mark or a zlib stream is refused as any bad time is."""
    packets, refused = _read(tmp_path, HEADER + ROW + mark + ROW, None, rows_per_batch)
    assert (packets.height, refused["reason"].to_list()) == (1, ["ts: not a time"])


@pytest.mark.parametrize("rows_per_batch", [1, 1000])
@pytest.mark.parametrize("middle", [b"a\rb", b"A" * 140_000])
def test_quoted_lines_are_judged_by_one(tmp_path, middle, rows_per_batch):
    """A bare CR or a huge field beside a quoted one is refused, whatever its neighbours."""
    strange = b'2025-03-01T00:00:00,1.2.3.4,"6",' + middle + b"\n"
    refused = _read(tmp_path, HEADER + ROW + strange, None, rows_per_batch)[1]
    assert refused["reason"].to_list() == ["a quote is not closed, or stands inside a field"]


def test_blank_lines_before_the_header(tmp_path):
    """Sixty thousand blank lines before the header cost no time."""
    assert _read(tmp_path, b"\n" * 60_000 + HEADER + ROW * 50_000)[0].height == 50_000


def test_many_gzip_members(tmp_path):
    """A file of thousands of tiny gzip members is read like one."""
    data = b"".join(gzip.compress(bytes([b])) for b in HEADER + ROW * 20)
    assert _read(tmp_path, data)[0].height == 20


def test_two_fields_of_one_column(tmp_path):
    """Two fields may be read from one Parquet column, and refused rows shown."""
    names = '[columns]\nts = "a"\nsrc = "a"\nproto = "p"\ndport = "p"'
    path = tmp_path / "table"
    pl.DataFrame({"a": [1740787200, -1], "p": [6, 6]}).write_parquet(path)
    packets, refused = _read(tmp_path, path.read_bytes(), names)
    assert (packets.height, refused["raw"].to_list()) == (1, ['{"a":-1,"p":6}'])


def test_long_rows_are_given_early(tmp_path):
    """Batches are bounded in bytes too: megabytes of refused rows are not held together."""
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(HEADER + (b"A" * 4000 + b"\n") * 50_000, 1))
    heights = [b.rows for b in read_batches(path)]
    assert sum(heights) == 50_000
    assert max(heights) * 4000 < 1.2 * (1 << 27)


@pytest.mark.parametrize("tail", [b"," * 20_000, b"c" * (1 << 21)])
def test_giant_header(tmp_path, tail):
    """A header of too many columns or bytes is an error, not gigabytes of columns."""
    with pytest.raises(SourceError, match=r"at most 16,384 are read|1,048,576 bytes or more"):
        _read(tmp_path, HEADER[:-1] + tail + b"\n" + ROW)


def test_quote_that_separates(tmp_path):
    """A mapping whose quote turns out to be the separator is an error."""
    with pytest.raises(ConfigError, match="which the mapping says is the quote"):
        _read(tmp_path, HEADER + ROW, "[csv]\nquote = ','")


@pytest.mark.parametrize(
    "text",
    [
        "x = 1" + "0" * 5000,
        "x = " + "[" * 5000,
        '[ts]\ntz = ""',
        f"[csv]\ncomment = '{'#' * 99}'",
        "[proto.names]\n6 = 17",
        "[proto.names]\nTCP = 6\ntcp = 7",
    ],
)
def test_hostile_mapping(text):
    """A mapping without sense, measure or end is a ConfigError of one line."""
    with pytest.raises(ConfigError) as caught:
        parse_mapping(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("default", ["9" * 5000, "\u0663"])
def test_hostile_default_protocol(tmp_path, default):
    """A default protocol that is no plain number in 0..255 is an error."""
    with pytest.raises(ConfigError, match="is not a protocol"):
        _read(tmp_path, HEADER + ROW, f'[proto]\ndefault = "{default}"')


def test_digest_of_a_folder(tmp_path):
    """What is no regular file has no digest and is not waited for."""
    with pytest.raises(SourceError, match="not a regular file"):
        source_digest(tmp_path)


def test_wide_decimals(tmp_path):
    """A Parquet column of 256-bit decimals is named in an error."""
    ports = pa.array([23], pa.decimal256(40, 0))
    path = tmp_path / "table"
    pq.write_table(pa.table({"ts": [1740787200], "src": [1], "proto": [6], "dport": ports}), path)
    with pytest.raises(SourceError, match="'dport' is a decimal of 256 bits"):
        _read(tmp_path, path.read_bytes())


LOGGED = (
    b"2025-03-01T10:00:00+00:00 tower kernel: IN=eth0 OUT= SRC=203.0.113.9 DST=198.51.100.7 LEN=40 "
    b"TTL=51 ID=1 PROTO=TCP SPT=4000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0\n"
)


@pytest.mark.parametrize(
    "start",
    [
        HEADER + ROW,
        b'{"eventid":"cowrie.session.connect","timestamp":"2025-03-01T00:00:00Z","src_ip":"1.2.3.4",'
        b'"src_port":1,"dst_ip":"1.2.3.5","dst_port":22}\n',
    ],
)
def test_lines_of_another_format(tmp_path, start):
    """Lines of a log that got into a file refuse themselves only; its first line tells its form."""
    packets, refused = _read(tmp_path, start + LOGGED * 3 + start.splitlines(keepends=True)[-1])
    assert (packets.height, refused["row"].to_list()) == (2, [2, 3, 4])


def test_numbers_beyond_measure_as_times(tmp_path):
    """A float that no integer can hold is no time, whichever its sign."""
    times = [1740787200.5, 1e300, -1e300, float("inf"), float("-inf"), float("nan")]
    path = tmp_path / "table"
    pl.DataFrame({"ts": times, "src": 1, "proto": 6, "dport": 23}).write_parquet(path)
    packets, refused = _read(tmp_path, path.read_bytes())
    assert (packets.height, refused["row"].to_list()) == (1, [2, 3, 4, 5, 6])


def test_text_of_a_damaged_page(tmp_path):
    """Text that is no UTF-8, as a page without a checksum may hold, refuses its rows only."""
    path = tmp_path / "table"
    frame = pl.DataFrame({"ts": [1740787200] * 3, "src": ["1.2.3.4", "9.8.7.6", "1.2.3.5"]})
    frame = frame.with_columns(proto=6, dport=23)
    frame.write_parquet(path, compression="uncompressed", statistics=False, use_pyarrow=True)
    data = path.read_bytes()
    assert data.count(b"9.8.7.6") == 1
    packets, refused = _read(tmp_path, data.replace(b"9.8.7.6", b"9.8\xff7.6"))
    assert (packets.height, refused["row"].to_list()) == (2, [2])
    assert "\ufffd" in refused["raw"][0]


def test_objects_of_another_format(tmp_path):
    """Of objects the first ones tell the form: others further down refuse themselves only."""
    event = b'{"SourceIP":"1.2.3.4","Port":22,"Traffic":11,"First":"2025-03-01T00:00:00Z"}\n'
    other = b'{"eventid":"cowrie.session.connect","timestamp":"2025-03-01T00:00:00Z"}\n'
    packets, refused = _read(tmp_path, event * 2 + other * 3)
    assert (packets.height, refused["row"].to_list()) == (2, [3, 4, 5])
