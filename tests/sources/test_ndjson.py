"""Zeek, Suricata, Cowrie and Merit as JSON; the objects are in the form their makers document."""

import gzip
import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.schema import PACKETS, address_text, backscatter
from dante.sources import Reading, format_of, read_batches
from tests.sources.whole import joined

ZEEK = {
    "ts": 1740823202.125, "uid": "CMdzit1AMNsmfAIiQc", "id.orig_h": "203.0.113.7",
    "id.orig_p": 40000, "id.resp_h": "198.51.100.7", "id.resp_p": 23, "proto": "tcp",
    "conn_state": "S0", "local_orig": False, "local_resp": True, "missed_bytes": 0, "history": "S",
    "orig_pkts": 1, "orig_ip_bytes": 60, "resp_pkts": 0, "resp_ip_bytes": 0, "tunnel_parents": [],
}  # fmt: skip
FLOW = {
    "timestamp": "2025-03-01T11:01:33.000001+0100", "flow_id": 1676750115612680,
    "in_iface": "eth0", "event_type": "flow", "src_ip": "203.0.113.7", "src_port": 40000,
    "dest_ip": "198.51.100.7", "dest_port": 23, "proto": "TCP", "app_proto": "failed",
    "flow": {
        "pkts_toserver": 1, "pkts_toclient": 0, "bytes_toserver": 60, "bytes_toclient": 0,
        "start": "2025-03-01T11:00:02.125000+0100", "end": "2025-03-01T11:00:02.125000+0100",
        "age": 0, "state": "new", "reason": "timeout", "alerted": False,
    },
    "tcp": {"tcp_flags": "02", "tcp_flags_ts": "02", "tcp_flags_tc": "00", "syn": True},
    "host": "edge",
}  # fmt: skip
ALERT = {
    **FLOW, "event_type": "alert", "tx_id": 0, "tcp": None,
    "alert": {"action": "allowed", "gid": 1, "signature_id": 2018358, "rev": 10},
    "timestamp": "2025-03-01T11:00:02.125000+0100",
}  # fmt: skip
COWRIE = {
    "eventid": "cowrie.session.connect", "src_ip": "203.0.113.7", "src_port": 40000,
    "dst_ip": "198.51.100.7", "dst_port": 2222, "session": "a64b0e2d9a1c", "protocol": "ssh",
    "message": "New connection: 203.0.113.7:40000 (198.51.100.7:2222) [session: a64b0e2d9a1c]",
    "sensor": "edge", "timestamp": "2025-03-01T10:00:02.125000Z",
}  # fmt: skip
MERIT = {
    "SourceIP": "203.0.113.7", "Port": 23, "Traffic": 11, "First": "2025-03-01T10:00:02.125Z",
    "Last": "2025-03-01T10:31:07.48213Z", "Packets": 815, "Bytes": 48900, "UniqueDests": 702,
    "UniqueDest24s": 310, "Lat": 45.07, "Long": 7.68, "Country": "IT", "City": "Turin",
    "ASN": 64496, "Org": "EXAMPLE", "Prefix": "203.0.113.0/24", "RDNS": None,
    "Zmap": False, "Masscan": False, "Mirai": True, "Samples": ["AAECAwQF", "BgcICQoL"],
    "TCP": "TCPSYN", "ICMP": "",
}  # fmt: skip
KINDS = {"zeek-json": ZEEK, "suricata": FLOW, "cowrie": COWRIE, "merit": MERIT}
WHEN = datetime(2025, 3, 1, 10, 0, 2, 125_000, tzinfo=UTC)


def _line(record, **values):
    return json.dumps({**record, **values}, separators=(",", ":")) + "\n"


def _read(path, text, reading=None, rows_per_batch=1_000_000):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    return joined(batches)


def _row(**values):
    usual = {"ts": WHEN, "src": 0xCB007107, "dst": 0xC6336407, "sensor": "edge", "proto": 6}
    return dict.fromkeys(PACKETS) | usual | values


EXPECTED = {
    "zeek-json": _row(dport=23, sport=40000, tcp_flags=2, length=60, packets=1),
    "suricata": _row(dport=23, sport=40000, tcp_flags=2, packets=1),
    "cowrie": _row(dport=2222, sport=40000, tcp_flags=2),
    "merit": _row(dport=23, dst=None, tcp_flags=2, packets=815),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_field(tmp_path, kind, pack):
    """A record is told by its keys, whatever the file's name, and has the fields it says."""
    path = tmp_path / "log.csv"
    back = _read(path, pack((_line(KINDS[kind]) * 2).encode()), Reading(sensor="edge"))
    assert format_of(path) == kind
    assert back.refused.is_empty()
    assert back.packets.to_dicts() == [EXPECTED[kind]] * 2


def test_zeek_times(tmp_path):
    """`ts` may be seconds, milliseconds, or ISO text."""
    times = [1740823202.125, "2025-03-01T10:00:02.125000Z", 1740823202125.0, 1740823202125]
    back = _read(tmp_path / "log", "".join(_line(ZEEK, ts=time) for time in times))
    assert back.packets["ts"].to_list() == [WHEN] * 4


def test_zeek_logs_together(tmp_path):
    """Of several logs in one stream those of connections are read, the others refused by name."""
    dns = {key: ZEEK[key] for key in ("ts", "uid", "id.orig_h", "id.resp_h", "proto")}
    text = (
        _line(ZEEK, _path="conn", _system_name="tower") + _line(dns, _path="dns") + _line(dns)
        + _line(ZEEK, history="^h", orig_pkts=0, resp_pkts=3, local_orig=True, local_resp=False)
    )  # fmt: skip
    back = _read(tmp_path / "log", text, Reading(sensor="edge"))
    columns = ("sensor", "sport", "tcp_flags", "packets")
    assert back.packets.select(columns).rows() == [("tower", 40000, 2, 1), ("edge", 23, 18, 3)]
    assert back.refused.select("row", "reason").rows() == [
        (2, "not a log of connections, but of dns"),
        (3, "not a record of a connection: it has no conn_state"),
    ]


def _flow(flags="02", packets=1, **values):
    flow = {**FLOW["flow"], "pkts_toserver": packets}
    return _line(FLOW, flow=flow, tcp={"tcp_flags_ts": flags, "tcp_flags_tc": "00"}, **values)


@pytest.mark.parametrize(
    ("flags", "one", "several"),
    [("02", 2, 2), ("12", 18, 18), ("04", 4, 4), ("14", 20, 20), ("06", 6, None), ("16", 22, None),
     ("1b", 27, None), ("C2", 194, 194), ("00", None, None), ("10", 16, 16), ("52", 82, 82)],
)  # fmt: skip
def test_suricata_flags(tmp_path, flags, one, several):
    """The flags of a flow are those of all its packets: given where they mean the same in each."""
    text = _flow(flags) + _flow(flags, packets=3) + _flow(flags, proto="UDP")
    assert _read(tmp_path / "log", text).packets["tcp_flags"].to_list() == [one, several, None]


def test_suricata_answers(tmp_path):
    """A flow of which only the other end sent packets is that end's."""
    flow = {**FLOW["flow"], "pkts_toserver": 0, "pkts_toclient": 2}
    tcp = {"tcp_flags_ts": "00", "tcp_flags_tc": "12"}
    back = _read(tmp_path / "log", _flow() + _line(FLOW, flow=flow, tcp=tcp) + _flow()).packets
    assert back.select("sport", "dport", "packets", "tcp_flags").row(1) == (23, 40000, 2, 18)
    assert address_text(back["src"])[1] == "198.51.100.7"
    assert back["sport"].to_list() == [40000, 23, 40000]


def test_suricata_protocols(tmp_path):
    """Protocols are names or numbers; ICMP has its type and code beside them."""
    ends = {"src_port": None, "dest_port": None, "tcp": None}
    text = (
        _line(FLOW, proto="ICMP", icmp_type=3, icmp_code=1, **ends)
        + _line(FLOW, proto="IPv6-ICMP", icmp_type=129, icmp_code=0, **ends)
        + _line(FLOW, proto="GRE", **ends) + _line(FLOW, proto="SCTP", tcp=None)
        + _line(FLOW, proto="103", **ends) + _line(FLOW, proto="L2TP", **ends)
    )  # fmt: skip
    back = _read(tmp_path / "log", text)
    assert back.packets.select("proto", "dport").rows() == [
        (1, 769), (58, 33024), (47, None), (132, 23), (103, None), (115, None),
    ]  # fmt: skip
    assert back.packets.select(backscatter()).to_series().to_list()[:2] == [True, True]


def test_suricata_counts_no_packet_twice(tmp_path):
    """Alerts are packets of their own only in a file without flows, and once a packet."""
    later = "2025-03-01T11:00:02.125001+0100"
    alerts = _line(ALERT) + _line(ALERT, alert={}) + _line(ALERT, timestamp=later) + _line(ALERT)
    twice = "not a packet of its own: one more alert of the packet before"
    for rows in (1, 2, 1000):
        back = _read(tmp_path / "log", alerts, rows_per_batch=rows)
        assert back.packets.select("packets", "tcp_flags").rows() == [(None, None)] * 3
        assert back.refused.select("row", "reason").rows() == [(2, twice)]
    counted = "not a packet of its own: an alert, counted in the record of its flow"
    back = _read(tmp_path / "log", alerts + _flow())
    assert back.packets.height == 1
    assert back.refused["reason"].to_list() == [counted] * 4
    spaced = json.dumps(FLOW) + "\n"
    assert _read(tmp_path / "log", alerts + spaced).refused.height == 4


def test_suricata_other_events(tmp_path):
    """Events that are no packets are refused by their kind."""
    text = (
        _line({"timestamp": FLOW["timestamp"], "event_type": "stats", "stats": {"uptime": 1}})
        + _line(FLOW, event_type="dns") + _line(FLOW, event_type="a\x1bb") + _flow(packets=0)
        + _line({"timestamp": FLOW["timestamp"]}) + _flow()
    )  # fmt: skip
    back = _read(tmp_path / "log", text)
    assert back.packets.height == 1
    assert back.refused["reason"].to_list() == [
        "not a packet: an event of type stats",
        "not a packet: an event of type dns",
        "not a packet: an event of type a?b",
        "no packet: the record counts 0 from the sender",
        "not a packet: no event_type",
    ]
    assert back.refused["day"].to_list() == [date(2025, 3, 1)] * 5


def test_cowrie_other_events(tmp_path):
    """What goes on in a session is no packet; a message may be anything."""
    text = (
        _line(COWRIE, eventid="cowrie.login.failed") + _line(COWRIE, message=["a", 1], dst_port=23)
        + _line(COWRIE, eventid=None) + _line(COWRIE, timestamp="2025-03-01T11:00:02.125")
    )  # fmt: skip
    back = _read(tmp_path / "log", text, Reading(tz="Europe/Rome"))
    assert back.packets.select("dport", "ts").rows() == [(23, WHEN), (2222, WHEN)]
    assert back.refused["reason"].to_list() == [
        "not a connection: cowrie.login.failed",
        "not a connection: no eventid",
    ]


MERIT_KINDS = [
    # proto, dport, sport, tcp_flags, backscatter, by the number of the kind of traffic
    (1, 2048, None, None, False), (1, 0, None, None, True), (1, 768, None, None, True),
    (1, 1024, None, None, True), (1, 1280, None, None, True), (1, 2816, None, None, True),
    (1, 3072, None, None, True), (1, 3584, None, None, True), (1, 4096, None, None, True),
    (1, 4608, None, None, True), None, (6, 80, None, 2, False), (6, None, 80, 18, True),
    (6, 80, None, 16, False), (6, None, 80, 4, True), (6, 80, None, None, False),
    (17, 80, None, None, False), None, None,
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MERIT_KINDS)))
def test_merit_kinds_of_traffic(tmp_path, number):
    """The kind of traffic tells protocol, ICMP type and flags, and whose port the port is."""
    back = _read(tmp_path / "log", _line(MERIT) + _line(MERIT, Traffic=number, Port=80))
    if (expected := MERIT_KINDS[number]) is None:
        assert back.refused["reason"][0].startswith(("no ICMP type", "no protocol", "no kind of"))
        return
    last = back.packets.tail(1).select("proto", "dport", "sport", "tcp_flags", backscatter())
    assert last.row(0) == expected


def test_merit_ipv6_and_single_packets(tmp_path):
    """ICMP from an IPv6 address is ICMPv6, and one packet alone has a length."""
    text = _line(MERIT, SourceIP="2001:db8::7", Traffic=0) + _line(MERIT, Packets=1, Bytes=54)
    back = _read(tmp_path / "log", text).packets
    assert back.select("proto", "dport", "length").rows() == [(58, 32768, None), (6, 23, 54)]


def test_merit_array(tmp_path):
    """Written as one array, with a comma behind each event, a file is read in the same way."""
    events = [_line(MERIT, Port=port).rstrip() for port in range(5)]
    back = _read(tmp_path / "log", "[" + ",\n".join(events) + "]")
    assert format_of(tmp_path / "log") == "merit"
    assert back.packets["dport"].to_list() == [0, 1, 2, 3, 4]
    assert back.refused.is_empty()


BROKEN = {
    '{"SourceIP":': "not JSON",
    "x": "not JSON",
    "{}x}": "not JSON",
    '{"a":NaN}': "not JSON",
    '{"a":1e999}': "not JSON",
    '{"a":"\t"}': "not JSON",
    "{" * 5000 + "}" * 5000: "not JSON",
    '{"a":' + "[" * 3000 + "]" * 3000 + "}": "not JSON",
    "[1]": "not a JSON object",
    "null": "not a JSON object",
    '"x"': "not a JSON object",
    "{}": "not a packet: no event_type",
    _line(FLOW, flow=[1]).strip(): "not such an object: 'flow' holds no object",
    _line(FLOW, src_ip=["1.2.3.4"]).strip(): "src: not an address",
    _line(FLOW, src_port=1.5).strip(): "sport: '1.5' is not a whole number",
    _line(FLOW, src_port=1e30).strip(): "sport: 1000000000000000000000000000000 is out of 0..65535",
    _line(FLOW, src_port={"a": 1}).strip(): "sport: '{\"a\": 1}' is not a whole number",
}


@pytest.mark.parametrize("bad", BROKEN)
@pytest.mark.parametrize("around", [0, 1, 300])
def test_broken_lines(tmp_path, bad, around):
    """A broken line is refused as it came, and costs no other line."""
    text = _flow() + _flow() * around + bad + "\n" + _flow() * around
    back = _read(tmp_path / "log", text)
    assert back.packets.height == 1 + 2 * around
    assert back.refused.select("row", "reason").rows() == [(2 + around, BROKEN[bad])]
    assert bad.startswith(back.refused["raw"][0])


@pytest.mark.parametrize("bad", [b'{"a":"\xff"}', b'{"a":"' + b"x" * (1 << 20) + b'"}', b"\0\0\0"])
def test_lines_that_are_no_text(tmp_path, bad):
    """Bytes that are no text, and endless lines, are refused."""
    line = _flow().encode()
    back = _read(tmp_path / "log", line + bad + b"\n" + line)
    assert (back.packets.height, back.refused["row"].to_list()) == (2, [2])


def test_zero_bytes_at_the_start(tmp_path):
    """Zero bytes that a crash left are a refused line, and the log is told all the same."""
    back = _read(tmp_path / "log", b"\0\0\n" + _flow().encode())
    assert (back.packets.height, back.refused.height) == (1, 1)


def test_many_broken_lines(tmp_path):
    """Lines that are all broken are refused in bulk, not one by one."""
    back = _read(tmp_path / "log", _flow() + "{\n" * 100_000 + '{"a":NaN}\n' * 20_000 + _flow())
    assert (back.packets.height, back.refused.height) == (2, 120_000)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_stream(tmp_path, kind):
    """A cut gzip file keeps every whole line and says where it was cut."""
    lines = [_line(KINDS[kind], number=number) for number in range(3000)]
    back = _read(tmp_path / "log", gzip.compress("".join(lines).encode())[:-200])
    kept = back.packets.height
    assert 500 < kept < 3000
    assert back.refused["row"].to_list() == [kept + 1]
    assert "decompressed bytes" in back.refused["reason"][0]


def test_none_of_them(tmp_path):
    """JSON of something else is no log, and what was tried is said."""
    with pytest.raises(SourceError, match=r"cowrie \(JSON objects with an eventid cowrie\.…\)"):
        _read(tmp_path / "log", '{"event":"x"}\n')


odd = st.sampled_from([*BROKEN, "", "  ", "\r"]) | st.text(max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(KINDS)),
    st.lists(st.integers(0, 3) | odd, max_size=25),
    st.integers(1, 9),
)
def test_batches_of_any_size(kind, lines, rows_per_batch):
    """What is read does not depend on how much is read at once, and every line is counted."""
    good = [_line(KINDS[kind]), _line(KINDS[kind], ts=1), _line(ALERT), _line(KINDS[kind], proto=1)]
    texts = [
        good[line] if isinstance(line, int) else line.replace("\n", "") + "\n" for line in lines
    ]
    text = good[0] + "".join(texts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        back = _read(path, text, rows_per_batch=rows_per_batch)
        whole = _read(path, text)
    assert_frame_equal(back.packets, whole.packets)
    assert_frame_equal(back.refused, whole.refused)
    assert whole.rows == 1 + sum(bool(line.strip("\r\n")) for line in texts)


def test_page(documented):
    """The commands of the page run."""
    files = {"eve.json": _flow() + _line(ALERT), "cowrie.json": _line(COWRIE)}
    files["events.json"] = _line(MERIT) * 2
    said = documented("formats/sensors.md", {name: t.encode() for name, t in files.items()})
    assert ["1 packets kept" in text for text in said] == [True, True, False]
    assert "1,630 packets kept in 2 records" in said[2]
