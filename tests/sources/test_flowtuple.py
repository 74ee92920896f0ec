"""FlowTuples of versions 3 and 4 as packets."""

import io
import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import fastavro
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.schema import backscatter
from dante.sources import Reading, read_batches
from tests.sources.whole import joined

ARRAY = {"type": "array", "items": "long"}
PLACES = {
    "maxmind_continent": "string",
    "maxmind_country": "string",
    "netacq_continent": "string",
    "netacq_country": "string",
    "prefix2asn": "long",
}
# The fields, in order, as corsaro3 and the converter to version 4 declare them.
V3 = {
    "time": "long", "src_ip": "long", "dst_ip": "long", "src_port": "int", "dst_port": "int",
    "protocol": "int", "ttl": "int", "tcp_flags": "int", "ip_len": "int", "tcp_synlen": "int",
    "tcp_synwinlen": "int", "packet_cnt": "long", "is_spoofed": "int", "is_masscan": "int",
    **PLACES,
}  # fmt: skip
V4 = {
    "time": "long", "src_ip": "long", "dst_net": "long", "dst_port": "int", "protocol": "int",
    "packet_cnt": "long", "uniq_dst_ips": "int", "uniq_pkt_sizes": "int", "uniq_ttls": "int",
    "uniq_src_ports": "int", "uniq_tcp_flags": "int", "first_syn_length": "int",
    "first_tcp_rwin": "int", "common_pktsizes": ARRAY, "common_pktsize_freqs": ARRAY,
    "common_ttls": ARRAY, "common_ttl_freqs": ARRAY, "common_srcports": ARRAY,
    "common_srcport_freqs": ARRAY, "common_tcpflags": ARRAY, "common_tcpflag_freqs": ARRAY,
    **PLACES,
}  # fmt: skip
WHERE = {
    "maxmind_continent": "EU",
    "maxmind_country": "IT",
    "netacq_continent": "??",
    "netacq_country": "\0\0",
    "prefix2asn": 64496,
}
SYN = {
    "time": 1_740_823_200, "src_ip": 0xCB007107, "dst_ip": 0x2C010203, "src_port": 40000,
    "dst_port": 23, "protocol": 6, "ttl": 51, "tcp_flags": 2, "ip_len": 44, "tcp_synlen": 24,
    "tcp_synwinlen": 1024, "packet_cnt": 3, "is_spoofed": 0, "is_masscan": 1, **WHERE,
}  # fmt: skip
MANY = {
    "time": 1_740_823_200, "src_ip": 0xCB007107, "dst_net": 0x2C010200, "dst_port": 23,
    "protocol": 6, "packet_cnt": 7, "uniq_dst_ips": 5, "uniq_pkt_sizes": 1, "uniq_ttls": 1,
    "uniq_src_ports": 2, "uniq_tcp_flags": 1, "first_syn_length": 24, "first_tcp_rwin": 512,
    "common_pktsizes": [44], "common_pktsize_freqs": [7], "common_ttls": [51],
    "common_ttl_freqs": [7], "common_srcports": [40000, 40001], "common_srcport_freqs": [4, 3],
    "common_tcpflags": [2], "common_tcpflag_freqs": [7], **WHERE,
}  # fmt: skip


def _avro(kinds, flows, codec="deflate", **options):
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    schema = {"type": "record", "namespace": "org.caida.corsaro", "name": "ft", "fields": fields}
    out = io.BytesIO()
    fastavro.writer(out, schema, flows, codec=codec, **options)
    return out.getvalue()


def _read(path, data, reading=None, rows_per_batch=1_000_000):
    path.write_bytes(data)
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    return joined(batches)


def _one(tmp_path, kinds, flow, reading=None):
    back = _read(tmp_path / "flows", _avro(kinds, [flow]), reading)
    assert back.rows == 1
    kept = back.packets if back.packets.height else back.refused
    return kept.row(0, named=True)


def test_version_3(tmp_path):
    """A version 3 record gives all its header fields, and is told by its bytes."""
    assert _one(tmp_path, V3, SYN, Reading(sensor="ucsd")) == {
        "ts": datetime(2025, 3, 1, 10, tzinfo=UTC),
        "src": 0xCB007107,
        "dst": 0x2C010203,
        "sensor": "ucsd",
        "proto": 6,
        "dport": 23,
        "sport": 40000,
        "ttl": 51,
        "tcp_flags": 2,
        "tcp_window": 1024,
        "ip_id": None,
        "tcp_seq": None,
        "length": 44,
        "packets": 3,
    }


def test_version_4(tmp_path):
    """A version 4 record gives its /24, and of the other fields those with one value only."""
    assert _one(tmp_path, V4, MANY) == {
        "ts": datetime(2025, 3, 1, 10, tzinfo=UTC),
        "src": 0xCB007107,
        "dst": 0x2C010200,
        "sensor": None,
        "proto": 6,
        "dport": 23,
        "sport": None,
        "ttl": 51,
        "tcp_flags": 2,
        "tcp_window": None,
        "ip_id": None,
        "tcp_seq": None,
        "length": 44,
        "packets": 7,
    }
    single = MANY | {"packet_cnt": 1, "uniq_src_ports": 1, "common_srcports": [40000]}
    packet = _one(tmp_path, V4, single)
    assert (packet["sport"], packet["tcp_window"]) == (40000, 512)
    mixed = MANY | {"uniq_tcp_flags": 2, "common_tcpflags": [2, 4], "uniq_ttls": 9}
    packet = _one(tmp_path, V4, mixed | {"common_ttls": []})
    assert (packet["tcp_flags"], packet["ttl"]) == (None, None)


def test_icmp(tmp_path):
    """Type and code stand in both ports in version 3, and are one number in version 4."""
    unreachable = SYN | {"protocol": 1, "src_port": 3, "dst_port": 1, "tcp_flags": 0}
    packet = _one(tmp_path, V3, unreachable)
    assert (packet["dport"], packet["sport"], packet["tcp_flags"]) == (769, None, None)
    packet = _one(tmp_path, V4, MANY | {"protocol": 1, "dst_port": 769, "common_srcports": []})
    assert (packet["dport"], packet["sport"], packet["tcp_flags"]) == (769, None, None)
    assert _one(tmp_path, V3, unreachable | {"src_port": 300})["reason"] == (
        "icmp_type: 300 is out of 0..255"
    )


def test_backscatter(tmp_path):
    """Answers are told by the flags that all packets of a record have, in both versions."""
    flags = [2, 18, 4, 20, 16, 0]
    v3 = _avro(V3, [SYN | {"tcp_flags": flag} for flag in flags])
    v4 = _avro(V4, [MANY | {"common_tcpflags": [flag]} for flag in flags])
    for data in (v3, v4):
        packets = _read(tmp_path / "flows", data).packets
        assert packets["tcp_flags"].to_list() == flags
        told = packets.select(backscatter()).to_series().to_list()
        assert told == [False, True, True, True, False, False]


def test_windows_are_of_syns(tmp_path):
    """The window is given where the flags are those of a SYN, for it is recorded for them only."""
    for flags, window in ((2, 1024), (0xC2, 1024), (18, None), (16, None)):
        assert _one(tmp_path, V3, SYN | {"tcp_flags": flags})["tcp_window"] == window


def test_ports_of_other_protocols(tmp_path):
    """Port 0 of a protocol that has no ports is null; TCP's and UDP's is a port."""
    packet = _one(tmp_path, V3, SYN | {"protocol": 47, "src_port": 0, "dst_port": 0})
    assert (packet["sport"], packet["dport"]) == (None, None)
    packet = _one(tmp_path, V3, SYN | {"protocol": 17, "src_port": 0, "dst_port": 0})
    assert (packet["sport"], packet["dport"], packet["tcp_flags"]) == (0, 0, None)


def test_spoofed_records_are_kept(tmp_path):
    """A record flagged as spoofed is a packet like any other."""
    assert _one(tmp_path, V3, SYN | {"is_spoofed": 1})["packets"] == 3


def test_old_version_3(tmp_path):
    """The first version 3 files, without what describes SYNs and without flags, are read."""
    left = ("tcp_synlen", "tcp_synwinlen", "is_spoofed", "is_masscan", *PLACES)
    kinds = {name: kind for name, kind in V3.items() if name not in left}
    packet = _one(tmp_path, kinds, {name: SYN[name] for name in kinds})
    assert (packet["ttl"], packet["tcp_window"], packet["packets"]) == (51, None, 3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"packet_cnt": 0}, "no packet: the record counts 0 from the sender"),
        ({"packet_cnt": 1 << 32}, "packets: 4294967296 is out of 0..4294967295"),
        ({"src_ip": 1 << 32}, "src: not an address"),
        ({"src_ip": -1}, "src: not an address"),
        ({"dst_ip": 1 << 61}, "dst: not an address"),
        ({"time": -1}, "ts: not a time"),
        ({"protocol": 256}, "proto: 256 is out of 0..255"),
        ({"dst_port": -2}, "dport: -2 is out of 0..65535"),
        ({"ttl": 256}, "ttl: 256 is out of 0..255"),
    ],
)
def test_refused(tmp_path, change, reason):
    """A value that is out of its range refuses the record, which is kept as JSON."""
    refused = _one(tmp_path, V3, SYN | change)
    assert refused["reason"] == reason
    assert refused["day"] == (None if "time" in change else date(2025, 3, 1))
    shown = json.loads(refused["raw"])
    assert all(shown[name] == (SYN | change)[name] for name in shown)
    assert {"time", "src_ip", "packet_cnt"} <= set(shown)


small = {name: st.integers(0, 255) for name in ("protocol", "ttl", "tcp_flags")}
wide = {name: st.integers(0, 65535) for name in ("src_port", "dst_port", "ip_len", "tcp_synwinlen")}
flows = st.lists(
    st.fixed_dictionaries(
        {
            "time": st.integers(0, 2**33),
            "src_ip": st.integers(0, 2**32 - 1),
            "dst_ip": st.integers(0, 2**32 - 1),
            "packet_cnt": st.integers(0, 2**33),
            "maxmind_country": st.text(max_size=3) | st.just("IT"),
            **small,
            **wide,
        }
    ).map(lambda values: SYN | values),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(flows, st.permutations(list(V3)), st.booleans(), st.integers(1, 9))
def test_read_back(flows, names, nullable, rows_per_batch):
    """Records are read by the file's own schema, whatever its order, in batches of any size."""
    kinds = {name: ["null", V3[name]] if nullable else V3[name] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flows"
        back = _read(path, _avro(kinds, flows, sync_interval=100), rows_per_batch=rows_per_batch)
        whole = _read(path, _avro(V3, flows))
    assert_frame_equal(back.packets, whole.packets)
    assert back.refused["row"].to_list() == whole.refused["row"].to_list()
    good = [
        f for f in flows
        if 0 < f["packet_cnt"] < 2**32
        and (f["protocol"] != 1 or max(f["src_port"], f["dst_port"]) < 256)
    ]  # fmt: skip
    assert back.rows == len(flows)
    assert back.packets["src"].to_list() == [f["src_ip"] for f in good]
    assert back.packets["packets"].to_list() == [f["packet_cnt"] for f in good]
    assert back.packets["ttl"].to_list() == [f["ttl"] for f in good]
    assert back.packets["ts"].dt.epoch("s").to_list() == [f["time"] for f in good]


def test_null_values(tmp_path):
    """Where the schema has them, nulls are nulls, and refuse the record if it needs the value."""
    kinds = {name: ["null", kind] for name, kind in V3.items()}
    packet = _one(tmp_path, kinds, SYN | {"ttl": None, "packet_cnt": None, "ip_len": None})
    assert (packet["ttl"], packet["packets"], packet["length"]) == (None, None, None)
    assert _one(tmp_path, kinds, SYN | {"src_ip": None})["reason"] == "src: missing"


def test_damage_without_end(tmp_path):
    """A file that is damage upon damage is given up, and says from where on it is not read."""
    whole = _avro(V3, [SYN] * 3)
    tail = whole[-60:]  # the end of a block, which is none where one begins
    path = tmp_path / "flows"
    path.write_bytes(whole + tail * 1500)
    batches = list(read_batches(path))
    assert sum(batch.packets.height for batch in batches) >= 3
    reasons = pl.concat([batch.refused for batch in batches])["reason"]
    assert reasons.len() == 1002
    assert "too much damage, so the rest is not read: the Avro block at byte" in reasons[-1]


def test_page(documented):
    """The commands of the page run."""
    vpc = b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes"
    vpc += (
        b" start end action log-status flow-direction tcp-flags\n2 123456789010 eni-0a 203.0.113.7"
    )
    vpc += b" 10.0.0.5 40000 23 6 1 40 1740823200 1740823259 REJECT OK ingress 2\n"
    nfdump = b"firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"
    nfdump += b"2025-03-01 10:00:00.250,0.000,TCP,203.0.113.7,40000,198.51.100.7,23,1,40,1\n"
    parquet = io.BytesIO()
    pl.DataFrame(
        {
            "srcaddr": ["203.0.113.7"], "dstaddr": ["10.0.0.5"], "srcport": [40000],
            "dstport": [23], "protocol": [6], "packets": [1], "start": [1_740_823_200],
            "interface_id": ["eni-0a"],
        }
    ).write_parquet(parquet)  # fmt: skip
    page = Path(__file__).resolve().parents[2] / "docs" / "formats" / "flows.md"
    mapping = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    said = documented(
        "formats/flows.md",
        {
            "ft/flowtuple.avro": _avro(V4, [MANY] * 3),
            "flows.csv": nfdump,
            "vpc.log": vpc,
            "vpc.parquet": parquet.getvalue(),
            "vpc.toml": mapping.encode(),
        },
    )
    assert len(said) == 4
