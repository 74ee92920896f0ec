"""Zeek's conn.log of columns as packets; lines are in the form that Zeek documents."""

import bz2
import gzip
import lzma
import random
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.schema import address_text, backscatter
from dante.sources import Reading, format_of, read_batches
from tests.sources.whole import joined

FIELDS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes "
    "conn_state local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts "
    "resp_ip_bytes tunnel_parents"
)
KINDS = (
    "time string addr port addr port enum string interval count count string bool bool count "
    "string count count count count set[string]"
)

NAMES = FIELDS.split()
USUAL = {
    "ts": "1740823202.125000", "uid": "CMdzit1AMNsmfAIiQc", "id.orig_h": "203.0.113.7",
    "id.orig_p": "40000", "id.resp_h": "198.51.100.7", "id.resp_p": "23", "proto": "tcp",
    "service": "-", "duration": "-", "orig_bytes": "-", "resp_bytes": "-", "conn_state": "S0",
    "local_orig": "F", "local_resp": "T", "missed_bytes": "0", "history": "S", "orig_pkts": "1",
    "orig_ip_bytes": "60", "resp_pkts": "0", "resp_ip_bytes": "0", "tunnel_parents": "(empty)",
}  # fmt: skip
END = "#close\t2025-03-01-11-00-00\n"


def header(names=NAMES, separator="\t", path="conn", unset="-", empty="(empty)"):
    """The lines that Zeek writes above a log."""
    kinds = [dict(zip(NAMES, KINDS.split(), strict=True)).get(name, "string") for name in names]
    escaped = "".join(f"\\x{ord(char):02x}" for char in separator)
    lines = [["#set_separator", ","], ["#empty_field", empty], ["#unset_field", unset]]
    lines += [["#path", path], ["#open", "2025-03-01-10-00-00"], ["#fields", *names]]
    lines += [["#types", *kinds]]
    return f"#separator {escaped}\n" + "".join(separator.join(line) + "\n" for line in lines)


def record(names=NAMES, separator="\t", **values):
    """One line; an argument's `__` is a dot."""
    fields = USUAL | {name.replace("__", "."): str(value) for name, value in values.items()}
    return separator.join(fields.get(name, "-") for name in names) + "\n"


def _read(path, text, reading=None, rows_per_batch=1_000_000):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    return joined(batches)


def test_every_field(tmp_path):
    """A record is one row of its sender, with what is the same in all its packets."""
    back = _read(tmp_path / "log", header() + record() + END, Reading(sensor="edge"))
    assert back.refused.is_empty()
    assert back.packets.to_dicts() == [
        {
            "ts": datetime(2025, 3, 1, 10, 0, 2, 125_000, tzinfo=UTC),
            "src": 0xCB007107, "dst": 0xC6336407, "sensor": "edge", "proto": 6, "dport": 23,
            "sport": 40000, "ttl": None, "tcp_flags": 2, "tcp_window": None, "ip_id": None,
            "tcp_seq": None, "length": 60, "packets": 1,
        }
    ]  # fmt: skip


def test_told_by_content(tmp_path):
    """A conn.log is told by its header lines, whatever its name and compression."""
    text = (header() + record() + END).encode()
    for number, data in enumerate(
        [text, gzip.compress(text), bz2.compress(text), lzma.compress(text)]
    ):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(data)
        assert format_of(path) == "zeek"
        assert sum(batch.packets.height for batch in read_batches(path)) == 1


@settings(max_examples=40, deadline=None)
@given(st.permutations(NAMES), st.sampled_from("\t,;|"), st.sampled_from(["-", "NULL", ""]))
def test_the_header_rules(names, separator, unset):
    """Fields are found by their names, cut by their separator, and null as the header says."""
    line = record(names, separator, service=unset, history=unset, tunnel_parents=unset)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        text = header(names, separator, unset=unset) + line
        back = _read(path, text, Reading(format="zeek"))
        assert back.packets["tcp_flags"].to_list() == [None]
        usual = _read(path, header() + record(history="-"))
    assert_frame_equal(back.packets, usual.packets)


def test_concatenated_logs(tmp_path):
    """What follows another header is read by it; a log of something else is refused by name."""
    few = ("id.resp_p", "ts", "id.orig_h", "proto", "id.resp_h", "note")
    text = (
        header() + record() + record(id__resp_p=22) + END
        + header(few, path="conn_summary") + record(few, id__resp_p=80) + END
        + header(few, path="dns") + record(few) + END
        + header(few[1:], path="conn") + record(few[1:]) + END
        + header() + record(id__resp_p=443)
    )  # fmt: skip
    back = _read(tmp_path / "log", text)
    assert back.packets["dport"].to_list() == [23, 22, 80, 443]
    assert back.refused.select("row", "reason").rows() == [
        (4, "not a log of connections, but of 'dns'"),
        (5, "not a log of connections: there is no id.resp_p"),
    ]


def test_labelled(tmp_path):
    """Labels at the end of each line, set off by tabs or by blanks, change nothing."""
    plain = _read(tmp_path / "log", header() + record()).packets
    for names in (
        [*NAMES, "label", "detailed-label"],
        [*NAMES[:-1], "tunnel_parents   label   detailed-label"],
    ):
        line = record(names, **{"label": "Malicious", names[-1]: "(empty)   Malicious   C&C"})
        assert_frame_equal(_read(tmp_path / "log", header(names) + line).packets, plain)


@pytest.mark.parametrize(
    ("history", "packets", "flags", "answer"),
    [
        ("S", 1, 2, False),
        ("S", 3, 2, False),
        ("SW", 3, 2, False),
        ("ST", 3, 2, False),
        ("A", 1, 16, False),
        ("D", 1, None, False),
        ("F", 1, None, False),
        ("H", 1, 18, True),
        ("HR", 2, 22, True),
        ("HF", 2, 19, True),
        ("HAD", 3, 18, True),
        ("R", 1, 4, True),
        ("RA", 2, 20, True),
        ("I", 1, 5, True),
        ("SR", 2, None, False),
        ("SF", 2, None, False),
        ("Q", 1, None, False),
        ("ShADadFf", 6, None, False),
        ("Sr", 1, 2, False),
        ("-", 1, None, False),
        ("C", 1, None, False),
    ],
)
def test_flags_of_the_originator(tmp_path, history, packets, flags, answer):
    """Capital letters tell the flags, where they mean the same whichever packet had which."""
    back = _read(tmp_path / "log", header() + record(history=history, orig_pkts=packets))
    assert back.packets["tcp_flags"].to_list() == [flags]
    assert back.packets.select(backscatter()).to_series().to_list() == [answer]
    udp = _read(tmp_path / "log", header() + record(history=history, proto="udp"))
    assert udp.packets["tcp_flags"].to_list() == [None]


@pytest.mark.parametrize(
    ("history", "flags"), [("^h", 18), ("^hr", 22), ("^r", 4), ("h", 18), ("^hA", 18)]
)
def test_only_the_responder_sent(tmp_path, history, flags):
    """Where Zeek took the sender of an answer for the responder, the record is the responder's."""
    line = record(
        history=history, conn_state="OTH", local_orig="T", local_resp="F", orig_pkts=0,
        orig_ip_bytes=0, resp_pkts=1, resp_ip_bytes=44, id__orig_h="198.51.100.7",
        id__orig_p=41234, id__resp_h="203.0.113.9", id__resp_p=80,
    )  # fmt: skip
    columns = ("dport", "sport", "tcp_flags", "packets", "length")
    for text in (header() + line, header() + record() + line + record()):
        packets = _read(tmp_path / "log", text).packets
        row = packets.filter(pl.col("sport") == 80)
        assert address_text(row["src"]).to_list() == ["203.0.113.9"]
        assert address_text(row["dst"]).to_list() == ["198.51.100.7"]
        assert row.select(columns).row(0) == (41234, 80, flags, 1, 44)
        assert row.select(backscatter()).to_series().to_list() == [True]


def test_logs_without_counts(tmp_path):
    """Without counts a record is one packet, and who sent is told by `history`."""
    names = [name for name in NAMES if not name.endswith(("_pkts", "_bytes"))]
    lines = (
        record(names)
        + record(names, history="^h", local_orig="T", local_resp="F")
        + record(names, history="-")
    )
    packets = _read(tmp_path / "log", header(names) + lines).packets
    assert packets["packets"].to_list() == [None, None, None]
    assert packets["sport"].to_list() == [40000, 23, 40000]
    assert packets["tcp_flags"].to_list() == [2, 18, None]
    unset = record(
        orig_pkts="-", resp_pkts="-", orig_ip_bytes="-", history="^d", proto="udp", local_resp="F"
    )
    turned = _read(tmp_path / "log", header() + unset).packets
    assert turned.select("sport", "packets", "length").rows() == [(23, None, None)]


ICMP = {
    # source, type and what stands for the code; the word, and whether it is backscatter
    ("203.0.113.7", 8, 0): (1, 2048, False),
    ("203.0.113.7", 0, 8): (1, 0, True),
    ("203.0.113.7", 3, 3): (1, 771, True),
    ("203.0.113.7", 11, 0): (1, 2816, True),
    ("203.0.113.7", 13, 14): (1, 3328, False),
    ("203.0.113.7", 17, 18): (1, 4352, False),
    ("203.0.113.7", 5, 1): (1, 1281, True),
    ("2001:db8::7", 128, 129): (58, 32768, False),
    ("2001:db8::7", 129, 128): (58, 33024, True),
    ("2001:db8::7", 1, 4): (58, 260, True),
    ("2001:db8::7", 135, 136): (58, 34560, False),
}


@pytest.mark.parametrize("case", ICMP)
def test_icmp(tmp_path, case):
    """Type and code stand for ports; of types that are answered the answer's type for the code."""
    source, kind, other = case
    line = record(
        proto="icmp", id__orig_h=source, id__orig_p=kind, id__resp_p=other, history="-",
        conn_state="OTH",
    )  # fmt: skip
    back = _read(tmp_path / "log", header() + line).packets
    proto, dport, answer = ICMP[case]
    assert back.select("proto", "dport", "sport").rows() == [(proto, dport, None)]
    assert back.select(backscatter()).to_series().to_list() == [answer]


def test_icmp_answers_by_the_responder(tmp_path):
    """An echo reply that Zeek booked under the request's originator is the responder's."""
    line = record(
        proto="icmp", id__orig_p=8, id__resp_p=0, history="-", orig_pkts=0, resp_pkts=2,
        local_orig="T", local_resp="F",
    )  # fmt: skip
    back = _read(tmp_path / "log", header() + line).packets
    assert back.select("dport", "packets").rows() == [(0, 2)]
    assert address_text(back["src"]).to_list() == ["198.51.100.7"]


def test_other_protocols(tmp_path):
    """A protocol that Zeek does not track has its number from `ip_proto`, if the log has one."""
    names = [*NAMES, "ip_proto"]
    line = record(proto="unknown_transport", id__orig_p=0, id__resp_p=0, history="-")
    refused = _read(tmp_path / "log", header() + record() + line).refused
    assert refused["reason"].to_list() == ["no protocol: unknown_transport, and no ip_proto"]
    lines = record(names, ip_proto=6) + line.rstrip() + "\t47\n" + line.rstrip() + "\t-\n"
    back = _read(tmp_path / "log", header(names) + lines)
    assert back.packets.select("proto", "dport", "sport").rows() == [
        (6, 23, 40000),
        (47, None, None),
    ]
    assert back.refused["row"].to_list() == [3]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"orig_pkts": 0}, "no packet: the record counts 0 from the sender"),
        ({"orig_pkts": 1 << 32}, "packets: 4294967296 is out of 0..4294967295"),
        ({"orig_pkts": "x"}, "packets: 'x' is not a whole number"),
        ({"ts": "-"}, "ts: missing"),
        ({"ts": "yesterday"}, "ts: not a time"),
        ({"id__orig_h": "nobody"}, "src: not an address"),
        ({"id__resp_p": 70000}, "dport: 70000 is out of 0..65535"),
        ({"id__resp_p": "-"}, "no destination port"),
        ({"proto": "-"}, "proto: missing"),
        ({"proto": "ftp"}, "proto: unknown name 'ftp'"),
        ({"local_orig": "T", "local_resp": "F"},
         "not a packet from outside: the sender is local, the receiver is not"),
        ({"uid": "a\tb"}, "expected 21 fields, found 22"),
    ],
)  # fmt: skip
def test_refused(tmp_path, change, reason):
    """A line that is no packet from outside is refused as it came, and the others are kept."""
    line = record(**change)
    back = _read(tmp_path / "log", header() + record() + line + record() + END)
    assert back.packets.height == 2
    assert back.refused.select("row", "raw", "reason").rows() == [(2, line.rstrip("\n"), reason)]


def test_local_ends(tmp_path):
    """Traffic within a network is kept, as a darknet may be inside it."""
    lines = "".join(
        record(local_orig=a, local_resp=b) for a, b in ["TT", "FF", "FT", "T-", "-F", "TF"]
    )
    assert _read(tmp_path / "log", header() + lines).refused["row"].to_list() == [6]


def test_large_single_packets(tmp_path):
    """A size that no length can hold is null, as is one of several packets."""
    lines = record(orig_ip_bytes=70_000) + record(orig_pkts=2, orig_ip_bytes=120)
    back = _read(tmp_path / "log", header() + lines)
    assert back.packets["length"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            header(path="dns").replace("conn_state", "rtt"),
            "not a log of connections, but of 'dns'",
        ),
        (header(NAMES[3:]), "not a log of connections: there is no ts, id.orig_h; only conn logs"),
        ("#separator \\x09\n", "no line #fields above it says what its columns are"),
        (header().replace("\\x09", "\\x09\\x09"), "no line #fields above it"),
        (header(separator="\x0b"), "which is not one character"),
    ],
)
def test_unreadable(tmp_path, text, message):
    """A log that is none of connections, or does not say its columns, is an error that says so."""
    with pytest.raises(SourceError, match=message):
        _read(tmp_path / "log", text + record(), Reading(format="zeek"))


def test_damaged_stream(tmp_path):
    """A cut gzip file keeps every whole line and says where it was cut."""
    text = header() + "".join(record(id__orig_p=number) for number in range(5000))
    back = _read(tmp_path / "log", gzip.compress(text.encode())[:-200])
    kept = back.packets.height
    assert 1000 < kept < 5000
    assert back.packets["sport"].to_list() == list(range(kept))
    assert back.refused["row"].to_list() == [kept + 1]
    assert "decompressed bytes" in back.refused["reason"][0]


def test_many_headers(tmp_path):
    """Headers that change line by line are read for a while, then refused, and never hang."""
    few = ("ts", "id.orig_h", "id.resp_h", "id.resp_p", "proto", "history")
    both = [f"#path\tconn{i}\n" + record(few) for i in range(3000)]
    back = _read(tmp_path / "log", header(few) + "".join(both))
    assert back.packets.height + back.refused.height == 3000
    assert back.packets.height >= 1000
    assert set(back.refused["reason"]) == {"too many headers"}


odd = st.text(max_size=30).map(lambda text: text.replace("\n", "") + "\n")
LINES = [
    record(), record(proto="udp", history="D"), record(history="^h", orig_pkts=0, resp_pkts=1),
    record(ts="1740823202"), record(id__orig_h="2001:db8::1"), record(orig_pkts=0), "\n", END,
    record(proto="icmp", id__orig_p=8, id__resp_p=0), header(), header(NAMES[::-1]), "#\n",
    record(NAMES[::-1]), record(history="ShADadFfRrTt" * 3), record(orig_ip_bytes=10**9),
    record(id__resp_p="0023"), record(orig_pkts="-", local_orig="T"), "\r\n",
    record(id__orig_h="1.2.3.04"), record(ts="1740823202.1"), record(ts="17408232020.123456"),
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(LINES) | odd, max_size=30), st.integers(1, 9))
def test_batches_of_any_size(lines, rows_per_batch):
    """What is read does not depend on how much is read at once, and every line is counted."""
    text = header() + record() + "".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        back = _read(path, text, rows_per_batch=rows_per_batch)
        whole = _read(path, text)
    assert_frame_equal(back.packets, whole.packets)
    assert_frame_equal(back.refused, whole.refused)
    counted = [line for line in lines if line.strip("\r\n") and not line.startswith("#")]
    assert whole.rows == len(counted) + 1


VALUES = {
    "ts": ["1740823202.125000", "1.000000", "9999999999.999999", "99999999999.000000", "0.000001",
           "1740823202.12500", "1740823202,125000", "-1.000000", "01740823202.125000",
           "12:.000000"],
    "id.orig_h": ["203.0.113.7", "0.0.0.0", "255.255.255.255", "1.2.3.256", "1.2.3.04", "1.2.3",
                  "1.2.3.4.5", "1..3.4", "1.2.3.4567", "2001:db8::7", "1.2.3.:", ".1.2.3", "1.2.3.",
                  "9.99.100.199", "300.1.1.1"],
    "id.orig_p": ["0", "9", "65535", "65536", "00080", "123456789", "", "8:", "+8", "1/", "8",
                  "08", "00", "3", "255", "256"],
    "id.resp_p": ["23", "99999999", "-", "0", "255", "256", "01"],
    "proto": ["tcp", "udp", "icmp", "icmp", "icmp", "TCP", "tcpp", "6", "xtcp"],
    "history": ["S", "^h", "ShADadFf", "ShADadFfR", "-", "", "h", "R"],
    "orig_pkts": ["1", "0", "2", "4294967295", "4294967296", "-", "99999999"],
    "resp_pkts": ["0", "1", "3", "-"],
    "orig_ip_bytes": ["40", "65535", "65536", "123456789", "-"],
    "local_orig": ["T", "F", "-", "TT"],
    "local_resp": ["T", "F", "-", ""],
    "tunnel_parents": ["-", "(empty)", "é", "a\x01b", "x\r"],
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_no_way_of_reading_changes_what_is_read(tmp_path, seed):
    """Lines whose fields are read as bytes are the packets they are when they are read as text."""
    chance = random.Random(seed)
    lines = []
    for _ in range(3000):
        row = {n: chance.choice([v[0]] * len(v) * 5 + v) for n, v in VALUES.items()}
        lines.append("\t".join(row.get(name, USUAL[name]) for name in NAMES))
    fast = _read(tmp_path / "log", header() + "".join(line + "\n" for line in lines))
    # With a field that is read as text only, in front, so that lines end as they did.
    names = ["_system_name", *NAMES]
    slow = _read(tmp_path / "log", header(names) + "".join(f"-\t{line}\n" for line in lines))
    assert 500 < fast.packets.height < 2500
    assert_frame_equal(fast.packets, slow.packets)
    columns = [name for name in fast.refused.columns if name != "raw"]
    reasons = pl.col("reason").str.replace("expected 22", "expected 21").str.replace("22$", "21")
    assert_frame_equal(
        fast.refused.select(columns), slow.refused.select(columns).with_columns(reasons)
    )


def test_days_of_refused_rows(tmp_path):
    """A refused row is of the day that its time says."""
    back = _read(tmp_path / "log", header() + record() + record(orig_pkts=0) + "1740823202\tx\n")
    assert back.refused["day"].to_list() == [date(2025, 3, 1)] * 2


def test_page(documented):
    """The commands of the page run: a plain log, and a folder of packed ones."""
    text = header() + record() + record(history="^h", orig_pkts=0, resp_pkts=1, local_orig="-")
    lines = text.encode()
    json = b'{"ts":1740823202.1,"id.orig_h":"203.0.113.7","id.orig_p":4000,"id.resp_p":53,'
    json += b'"id.resp_h":"198.51.100.7","proto":"udp","conn_state":"S0","history":"D"}\n'
    said = documented(
        "formats/zeek.md",
        {
            "conn.log": lines,
            "logs/2025-03-01/conn.10:00:00-11:00:00.log.gz": gzip.compress(lines + lines),
            "logs/2025-03-01/conn.11:00:00-12:00:00.log.gz": gzip.compress(json),
        },
    )
    assert "2 packets kept" in said[0]
    assert "5 packets kept" in said[1]
