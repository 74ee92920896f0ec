"""Flows as nfdump's CSV as packets; the lines are what nfdump 1.7.1 wrote."""

import gzip
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.schema import address_text, backscatter
from dante.sources import Reading, read_batches
from tests.sources.whole import joined

OLD = (
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,nh,nhb,"
    "svln,dvln,ismc,odmc,idmc,osmc,mpls1,mpls2,mpls3,mpls4,mpls5,mpls6,mpls7,mpls8,mpls9,mpls10,cl,sl,"
    "al,ra,eng,exid,tr\n"
)
REST = (
    ",0,0,0,0,0,0,0,0,0.0.0.0,0.0.0.0,0,0,00:00:00:00:00:00,00:00:00:00:00:00,00:00:00:00:00:00,"
    "00:00:00:00:00:00,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,    0.000,"
    "    0.000,    0.000,0.0.0.0,17/1,0,2026-11-24 05:23:21.940\n"
)

SPAN = "2025-03-01 10:00:02,2025-03-01 10:00:02,0.000,"
ROWS = [
    SPAN + "203.0.113.9,198.51.100.7,5000,53,UDP,........,0,0,1,28,0,0",
    SPAN + "203.0.113.10,198.51.100.7,0,2048,ICMP,........,0,0,1,29,0,0",
    SPAN + "203.0.113.10,198.51.100.7,0,769,ICMP,........,0,0,1,56,0,0",
    SPAN + "2001:db8:1:2::5,2001:db8::7,0,32768,ICMP6,........,0,0,1,49,0,0",
    SPAN + "203.0.113.7,198.51.100.7,4000,23,TCP,.....RS.,0,0,3,120,0,0",
    SPAN + "203.0.113.8,198.51.100.7,80,41234,TCP,...A..S.,0,0,1,40,0,0",
    SPAN + "203.0.113.13,198.51.100.7,0,0,IGMP,........,0,0,1,28,0,0",
    SPAN + "203.0.113.5,198.51.100.7,0,0,255  ,........,0,0,1,60,0,0",
]
LINES = "".join(row + REST for row in ROWS)
SUMMARY = "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n8,410,10,656,2,41\n"
NEW = "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"


def _read(path, text, reading=None, rows_per_batch=1_000_000):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    return joined(batches)


def _flow(flags="......S.", packets=1, size=40, proto="TCP", sp="4000", dp="23"):
    ends = f"203.0.113.7,198.51.100.7,{sp},{dp},{proto},{flags},0,0,{packets},{size},0,0"
    return SPAN + ends + REST


@pytest.mark.parametrize("text", [OLD + LINES + SUMMARY, LINES, (OLD + LINES + SUMMARY) * 2])
def test_old_columns(tmp_path, text):
    """The columns of 1.7.1 are read, with and without header and summary, and one file or two."""
    back = _read(tmp_path / "flows", text)
    assert back.refused.is_empty()
    packets = back.packets.head(8)
    assert back.packets.height in (8, 16)
    assert packets["ts"].unique().to_list() == [datetime(2025, 3, 1, 10, 0, 2, tzinfo=UTC)]
    assert address_text(packets["src"]).to_list()[2:5] == [
        "203.0.113.10",
        "2001:db8:1:2::/64",
        "203.0.113.7",
    ]
    assert packets.select("proto", "dport", "sport", "tcp_flags", "length", "packets").rows() == [
        (17, 53, 5000, None, 28, 1),
        (1, 2048, None, None, 29, 1),
        (1, 769, None, None, 56, 1),
        (58, 32768, None, None, 49, 1),
        (6, 23, 4000, None, None, 3),
        (6, 41234, 80, 18, 40, 1),
        (2, None, None, None, 28, 1),
        (255, None, None, None, 60, 1),
    ]
    assert packets["sensor"].null_count() == 8


def test_new_columns(tmp_path):
    """The columns of later versions are read, with type.code for ICMP's port."""
    rows = (
        "2025-03-01 10:00:02.125,00:00:03.000,TCP,203.0.113.7,4000,198.51.100.7,23,3,120,1\n"
        "2025-03-01 10:00:02.125,0.000,ICMP,203.0.113.7,0,198.51.100.7,3.1,1,56,1\n"
        "2025-03-01 10:00:02.125,0.000,ICMP6,2001:db8::7,0,2001:db8::9,128.0,1,56,1\n"
    )
    back = _read(tmp_path / "flows", NEW + rows, Reading(tz="Europe/Rome", sensor="edge"))
    assert back.refused.is_empty()
    assert back.packets.select("proto", "dport", "packets", "tcp_flags", "sensor").rows() == [
        (6, 23, 3, None, "edge"),
        (1, 769, 1, None, "edge"),
        (58, 32768, 1, None, "edge"),
    ]
    assert back.packets["ts"][0] == datetime(2025, 3, 1, 9, 0, 2, 125_000, tzinfo=UTC)


def test_own_columns(tmp_path):
    """A list of columns of one's own gives what it has, in any order."""
    text = (
        "dstPort,srcAddr,minTTL,maxTTL,proto,firstSeen,flags,routerIP,inPackets\n"
        "23,203.0.113.7,51,51,TCP,1740823202.125,......S.,192.0.2.1,2\n"
        "23,203.0.113.7,51,60,6,1740823202.125,.A..S.,0.0.0.0,1\n"
        "23,203.0.113.7,0,0,6,1740823202.125,0x12,::,1\n"
    )
    back = _read(tmp_path / "flows", text, Reading(format="nfdump", sensor="edge"))
    assert back.packets.select("ttl", "tcp_flags", "sensor", "packets", "dst").rows() == [
        (51, 2, "192.0.2.1", 2, None),
        (None, 18, "edge", 1, None),
        (None, 18, "edge", 1, None),
    ]


FLAGS = {
    # flags of a flow: those of one packet; of three; whether one and three are backscatter
    "........": (None, None, False, False),
    ".......F": (1, 1, False, False),
    "......S.": (2, 2, False, False),
    "CE....S.": (194, 194, False, False),
    ".....R..": (4, 4, True, True),
    "...A....": (16, 16, False, False),
    "...AP...": (24, 24, False, False),
    "...A..S.": (18, 18, True, True),
    ".E.A..S.": (82, 82, True, True),
    "...A.R..": (20, 20, True, True),
    ".....RS.": (6, None, True, False),
    "...A.RS.": (22, None, True, False),
    "...AP.SF": (27, None, True, False),
    "CEUAPRSF": (255, None, True, False),
}


@pytest.mark.parametrize("flags", FLAGS)
def test_flags(tmp_path, flags):
    """Flags of several packets are given where they mean the same whichever packet had which."""
    text = OLD + _flow(flags) + _flow(flags, packets=3) + _flow(flags, packets=3, proto="UDP")
    packets = _read(tmp_path / "flows", text).packets
    one, three, answers_one, answers_three = FLAGS[flags]
    assert packets["tcp_flags"].to_list() == [one, three, None]
    assert packets.select(backscatter()).to_series().to_list() == [
        answers_one,
        answers_three,
        False,
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (_flow(packets=0), "no packet: the record counts 0 from the sender"),
        (_flow(packets=1 << 32), "packets: 4294967296 is out of 0..4294967295"),
        (_flow(packets="2.3 M"), "packets: '2.3 M' is not a whole number"),
        (_flow(proto="0"), "no protocol: 0, as aggregation (-A) leaves it"),
        (_flow(proto="FOO"), "proto: unknown name 'foo'"),
        (_flow(flags="whatever"), "tcp_flags: 'whatever' is not a whole number"),
        (_flow(dp="70000"), "dport: 70000 is out of 0..65535"),
        (_flow(dp="3.256", proto="ICMP"), "icmp_code: 256 is out of 0..255"),
        (_flow().replace("203.0.113.7", "host.example"), "src: not an address"),
        (_flow().replace("2025-03-01 10:00:02", "yesterday", 1), "ts: not a time"),
        (_flow().replace(",0-0-0", "", 1), "expected 48 fields, found 47"),
        ("nonsense\n", "expected 48 fields, found 1"),
    ],
)
def test_refused(tmp_path, line, reason):
    """A line that is no flow is refused as it came, and the others are kept."""
    back = _read(tmp_path / "flows", OLD + _flow() + line + _flow() + SUMMARY)
    assert back.packets.height == 2
    assert back.refused.select("row", "raw", "reason").rows() == [(2, line.rstrip("\n"), reason)]


def test_large_single_packets(tmp_path):
    """One packet of more bytes than a length can hold has no length, and is kept."""
    back = _read(tmp_path / "flows", OLD + _flow(size=70_000) + _flow(size=1500))
    assert back.packets["length"].to_list() == [None, 1500]


def test_protocol_without_a_port(tmp_path):
    """Protocol 0 with neither port nor an unknown destination is what it says."""
    back = _read(tmp_path / "flows", OLD + _flow(proto="0", sp="0", dp="0"))
    assert back.packets.select("proto", "dport", "sport").rows() == [(0, None, None)]


def test_missing_columns(tmp_path):
    """Statistics are not flows: the columns that lack are named."""
    with pytest.raises(SourceError, match="nfdump's columns lack src, dport; there are ts, te"):
        _read(tmp_path / "flows", "ts,te,td,pr,val,fl\n", Reading(format="nfdump"))


def test_damaged_stream(tmp_path):
    """A cut gzip file keeps every whole line and says where it was cut."""
    lines = [_flow(sp=str(number)) for number in range(5000)]
    packed = gzip.compress((OLD + "".join(lines)).encode())
    back = _read(tmp_path / "flows", packed[:-200])
    kept = back.packets.height
    assert 1000 < kept < 5000
    assert back.packets["sport"].to_list() == list(range(kept))
    assert back.refused["row"].to_list() == [kept + 1]
    assert "decompressed bytes" in back.refused["reason"][0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([*(row + REST for row in ROWS), OLD, SUMMARY, "\n", "x,y\n", _flow("?")])
        | st.text(max_size=30).map(lambda text: text.replace("\n", "") + "\n"),
        max_size=30,
    ),
    st.integers(1, 9),
)
def test_batches_of_any_size(lines, rows_per_batch):
    """What is read does not depend on how much is read at once, and every line is counted."""
    text = OLD + _flow() + "".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flows"
        back = _read(path, text, rows_per_batch=rows_per_batch)
        whole = _read(path, text)
    assert_frame_equal(back.packets, whole.packets)
    assert_frame_equal(back.refused, whole.refused)
    flows = sum(line in {row + REST for row in ROWS} for line in lines)
    assert whole.packets.height == flows + 1
    assert sorted(whole.refused["row"].to_list()) == sorted(set(whole.refused["row"].to_list()))


@pytest.mark.skipif(shutil.which("nfcapd") is None, reason="nfdump is not installed")
def test_what_nfdump_writes(tmp_path):
    """NetFlow records of every protocol, written by the installed nfdump, are read back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["nfcapd", "-p", str(port), "-b", "127.0.0.1", "-t", "3600", "-l", str(tmp_path)]
    collector = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for first in range(0, 256, 16):
                header = (5, 16, 3_600_000, 1_740_823_200, 0, first, 0, 0, 0)
                data = struct.pack(">HHIIIIBBH", *header)
                for proto in range(first, first + 16):
                    ends = (0xCB007107, 0xC6336407, 0, 0, 0, 1, 60, 3_600_000, 3_600_000)
                    data += struct.pack(">IIIHHIIII", *ends)
                    data += struct.pack(">HHBBBBHHBBH", 0, 0, 0, 0, proto, 0, 0, 0, 0, 0, 0)
                sender.sendto(data, ("127.0.0.1", port))
                time.sleep(0.02)
        time.sleep(0.5)
    finally:
        collector.terminate()
        collector.wait(10)
    made = subprocess.run(
        ["nfdump", "-R", str(tmp_path), "-o", "csv"],
        capture_output=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/usr/local/bin"},
    )  # fmt: skip
    back = _read(tmp_path / "flows.csv", made.stdout)
    assert back.refused.is_empty()
    # Two protocols have one name.
    assert [p for p in range(256) if p not in set(back.packets["proto"])] == [38]
    assert back.packets.height == 256
    assert back.packets["src"].unique().to_list() == [0xCB007107]
