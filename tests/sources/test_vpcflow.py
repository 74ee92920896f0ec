"""AWS VPC flow logs as packets; the records are those that AWS documents, or like them."""

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.schema import address_text, backscatter
from dante.sources import Reading, read_batches
from tests.sources.whole import joined

DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start "
    "end action log-status\n"
)
ACCEPTED = (
    "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 "
    "1418530070 ACCEPT OK\n"
)
REJECTED = (
    "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 "
    "1418530070 REJECT OK\n"
)
NODATA = (
    "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA\n"
)  # fmt: skip
SKIPDATA = NODATA.replace("NODATA", "SKIPDATA").replace("eni-1235b8ca123456789", "eni-2")
WIDE = (
    "2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 "
    "2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK\n"
)
CUSTOM = (
    "version interface-id srcaddr dstaddr srcport dstport protocol tcp-flags type pkt-srcaddr "
    "pkt-dstaddr packets bytes start end flow-direction action log-status\n"
)


def _custom(**values):
    fields = {
        "version": 5, "interface-id": "eni-0a", "srcaddr": "203.0.113.9", "dstaddr": "10.0.0.5",
        "srcport": 40000, "dstport": 23, "protocol": 6, "tcp-flags": 2, "type": "IPv4",
        "pkt-srcaddr": "203.0.113.7", "pkt-dstaddr": "10.0.0.6", "packets": 1, "bytes": 40,
        "start": 1740823200, "end": 1740823259, "flow-direction": "ingress", "action": "REJECT",
        "log-status": "OK",
    }  # fmt: skip
    fields |= {name.replace("_", "-"): value for name, value in values.items()}
    return " ".join(str(fields[name]) for name in CUSTOM.split()) + "\n"


def _read(path, text, reading=None, rows_per_batch=1_000_000):
    path.write_text(text, encoding="utf-8", newline="")
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    return joined(batches)


LINES = ACCEPTED + REJECTED + WIDE


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT + LINES,
        LINES,
        DEFAULT + ACCEPTED + DEFAULT + REJECTED + WIDE,
        (DEFAULT + LINES).replace("\n", "\r\n"),
        "".join("2015-01-01T00:00:00.000Z " + line for line in LINES.splitlines(keepends=True)),
    ],
)
def test_default_format(tmp_path, text):
    """The default format is read with a header, without, with several, and from CloudWatch."""
    back = _read(tmp_path / "log", text, Reading(sensor="vpc"))
    assert back.refused.is_empty()
    assert address_text(back.packets["src"]).to_list() == [
        "172.31.16.139",
        "172.31.9.69",
        "2001:db8:1234:a100::/64",
    ]
    columns = ("ts", "sensor", "proto", "dport", "sport", "packets", "length", "tcp_flags", "ttl")
    assert back.packets.select(columns).row(0) == (
        datetime(2014, 12, 14, 4, 6, 50, tzinfo=UTC),
        "eni-1235b8ca123456789",
        6,
        22,
        20641,
        20,
        None,
        None,
        None,
    )


def test_no_records(tmp_path):
    """Intervals without data, and those that were skipped, are refused for what they are."""
    for header in (DEFAULT, ""):
        back = _read(tmp_path / "log", header + NODATA + ACCEPTED + SKIPDATA)
        assert back.packets.height == 1
        assert back.refused.select("row", "day", "reason").rows() == [
            (1, date(2015, 5, 10), "not a flow: NODATA, none was seen"),
            (3, date(2015, 5, 10), "not a flow: SKIPDATA, some are lost"),
        ]
        assert back.refused["raw"][0] == NODATA.rstrip()


def test_custom_format(tmp_path):
    """Fields are found by their names; the packet's own addresses outrank the interface's."""
    back = _read(tmp_path / "log", CUSTOM + _custom() + _custom(pkt_srcaddr="-", interface_id="-"))
    assert address_text(back.packets["src"]).to_list() == ["203.0.113.7", "203.0.113.9"]
    assert address_text(back.packets["dst"]).to_list() == ["10.0.0.6", "10.0.0.6"]
    assert back.packets["sensor"].to_list() == ["eni-0a", None]
    assert back.packets.select("dport", "sport", "tcp_flags", "length", "packets").row(0) == (
        23,
        40000,
        2,
        40,
        1,
    )


@settings(max_examples=40, deadline=None)
@given(st.permutations(CUSTOM.split()))
def test_any_order(names):
    """The order of the fields does not matter, nor do fields that are not read."""
    values = dict(zip(CUSTOM.split(), _custom().split(), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        back = _read(path, " ".join(names) + "\n" + " ".join(values[n] for n in names) + "\n")
        assert_frame_equal(back.packets, _read(path, CUSTOM + _custom()).packets)


@pytest.mark.parametrize(
    ("flags", "packets", "shown", "answers"),
    [
        (2, 9, 2, False),
        (18, 9, 18, True),
        (19, 9, 19, True),
        (22, 9, 22, True),
        (4, 9, 4, True),
        (1, 9, 1, False),
        (3, 9, 3, False),
        (6, 9, None, False),
        (7, 9, None, False),
        (6, 1, 6, True),
        (0, 1, None, False),
        ("-", 1, None, False),
    ],
)
def test_flags(tmp_path, flags, packets, shown, answers):
    """Flags are given but where a SYN and an RST may be of two packets, or none is recorded."""
    found = _read(tmp_path / "log", CUSTOM + _custom(tcp_flags=flags, packets=packets)).packets
    assert found["tcp_flags"].to_list() == [shown]
    assert found.select(backscatter()).to_series().to_list() == [answers]
    udp = _read(tmp_path / "log", CUSTOM + _custom(tcp_flags=flags, protocol=17)).packets
    assert udp["tcp_flags"].to_list() == [None]


def test_icmp(tmp_path):
    """ICMP has neither type nor code in these logs."""
    back = _read(tmp_path / "log", CUSTOM + _custom(protocol=1, srcport=0, dstport=0, tcp_flags=0))
    assert back.packets.select("proto", "dport", "sport").rows() == [(1, None, None)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"flow_direction": "egress"}, "not a packet from outside: egress"),
        ({"packets": 0}, "no packet: the record counts 0 from the sender"),
        ({"packets": 1 << 32}, "packets: 4294967296 is out of 0..4294967295"),
        ({"start": "-"}, "ts: missing"),
        ({"srcaddr": "-", "pkt_srcaddr": "-"}, "src: missing"),
        ({"dstport": "-"}, "no destination port"),
        ({"dstport": 70000}, "dport: 70000 is out of 0..65535"),
        ({"tcp_flags": "x"}, "tcp_flags: 'x' is not a whole number"),
        ({"protocol": "-"}, "proto: missing"),
        ({"bytes": "1 2"}, "expected 18 fields, found 19"),
    ],
)
def test_refused(tmp_path, change, reason):
    """A line that is no packet from outside is refused as it came."""
    line = _custom(**change)
    back = _read(tmp_path / "log", CUSTOM + _custom() + line + _custom())
    assert back.packets.height == 2
    assert back.refused.select("row", "raw", "reason").rows() == [(2, line.rstrip(), reason)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("version srcaddr dstport protocol action\n", "a flow log without start; its fields are"),
        ("start start srcaddr dstport protocol\n", "two fields of the flow log are named 'start'"),
        ("hello\n", "a flow log without start, protocol, dstport, srcaddr"),
    ],
)
def test_unreadable(tmp_path, header, message):
    """A log that lacks what every packet needs says what it lacks."""
    with pytest.raises(SourceError, match=message):
        _read(tmp_path / "log", header + "1 2 3 4 5\n", Reading(format="vpcflow"))


odd = st.text(max_size=30).map(lambda text: text.replace("\n", "") + "\n")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([ACCEPTED, WIDE, NODATA, SKIPDATA, DEFAULT, "\n"]) | odd, max_size=30),
    st.integers(1, 9),
)
def test_batches_of_any_size(lines, rows_per_batch):
    """What is read does not depend on how much is read at once, and every line is counted."""
    text = DEFAULT + ACCEPTED + "".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        back = _read(path, text, rows_per_batch=rows_per_batch)
        whole = _read(path, text)
    assert_frame_equal(back.packets, whole.packets)
    assert_frame_equal(back.refused, whole.refused)
    counted = sum(line not in (DEFAULT, "\n") and bool(line.rstrip("\r\n")) for line in lines) + 1
    assert whole.rows == counted
    assert whole.packets.height == sum(line in (ACCEPTED, WIDE) for line in lines) + 1
