"""Intact files of every format, made from a seed, and where each of their records ends."""

import io
import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fastavro
import polars as pl

from dante.sources import FORMATS

__all__ = ["FORMS", "Seed", "make"]


@dataclass(frozen=True)
class Seed:
    """An intact file.

    Attributes:
        form: its format.
        data: its bytes.
        ends: for each record in order a place in `data` where nothing of it follows.
    """

    form: str
    data: bytes
    ends: tuple[int, ...]


_START = 1_740_823_200


@dataclass(frozen=True)
class _Packet:
    time: float
    src: str
    dst: str
    sport: int
    dport: int
    number: int

    @property
    def iso(self) -> str:
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _packets(chance: random.Random) -> list[_Packet]:
    count = chance.choice((3, 20, 60, 300))
    return [
        _Packet(
            _START + place + chance.randrange(1_000_000) / 1e6,
            f"203.0.{chance.randrange(256)}.{chance.randrange(256)}",
            f"198.51.100.{chance.randrange(256)}",
            chance.randrange(1024, 65536),
            chance.choice((22, 23, 80, 443, 445, 8080)),
            place,
        )
        for place in range(count)
    ]


def make(form: str, number: int) -> Seed:
    """The file of this number; equal for equal numbers."""
    chance = random.Random(f"{form} {number}")
    return FORMS[form](form, _packets(chance), chance)


def _lines(form: str, header: str, lines: list[str]) -> Seed:
    data, ends = bytearray(header.encode()), []
    for line in lines:
        data += line.encode()
        ends.append(len(data))
    return Seed(form, bytes(data), tuple(ends))


def _csv(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    quote = chance.choice(("", '"'))
    row = ",".join(f"{quote}{{}}{quote}" for _ in range(6)) + "\n"
    lines = [row.format(f"{p.iso}Z", p.src, p.dst, "tcp", p.dport, p.sport) for p in packets]
    return _lines(form, "ts,src,dst,proto,dport,sport\n", lines)


def _parquet(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    out, codec = io.BytesIO(), chance.choice(("zstd", "snappy", "lz4"))
    pl.DataFrame(
        {"ts": [p.time for p in packets], "src": [p.src for p in packets],
         "proto": [6] * len(packets), "dport": [p.dport for p in packets]}
    ).write_parquet(out, row_group_size=50, compression=codec)  # fmt: skip
    # The end of the file says where what is: damage there costs all.
    return Seed(form, out.getvalue(), (len(out.getvalue()),) * len(packets))


def _kernel(p: _Packet) -> str:
    return (
        f"[UFW BLOCK] IN=eth0 OUT= MAC=02:00:00:00:00:01 SRC={p.src} DST={p.dst} LEN=60 TOS=0x00 "
        f"PREC=0x00 TTL=51 ID=54321 PROTO=TCP SPT={p.sport} DPT={p.dport} WINDOW=65535 RES=0x00 "
        "SYN URGP=0"
    )


def _firewall(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    return _lines(form, "", [f"{p.iso}+00:00 tower kernel: {_kernel(p)}\n" for p in packets])


def _json(form: str, packets: list[_Packet], make: Callable[[_Packet], dict[str, Any]]) -> Seed:
    return _lines(form, "", [json.dumps(make(p)) + "\n" for p in packets])


def _journald(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    return _json(
        form, packets,
        lambda p: {"__REALTIME_TIMESTAMP": str(int(p.time * 1e6)), "MESSAGE": _kernel(p),
                   "_HOSTNAME": "tower", "SYSLOG_IDENTIFIER": "kernel"},
    )  # fmt: skip


_AVRO = ("time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "packet_cnt", "ttl")
_MARKER = bytes(range(100, 116))


def _flowtuple(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    fields = [{"name": name, "type": "long"} for name in _AVRO]
    schema = {"type": "record", "name": "org.caida.corsaro.flowtuple", "fields": fields}
    out = io.BytesIO()
    values = [
        dict(zip(_AVRO, (int(p.time), p.number + 9, 7, p.sport, p.dport, 6, 1, 51), strict=True))
        for p in packets
    ]
    fastavro.writer(
        out, schema, values, codec=chance.choice(("null", "deflate")), sync_marker=_MARKER,
        sync_interval=200,
    )  # fmt: skip
    data = out.getvalue()
    ends: list[int] = []
    for block in fastavro.block_reader(io.BytesIO(data)):
        ends += [block.offset + block.size] * block.num_records
    return Seed(form, data, tuple(ends))


def _nfdump(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    lines = [
        f"{p.iso[:-3].replace('T', ' ')},0.000,TCP,{p.src},{p.sport},{p.dst},{p.dport},1,40,1\n"
        for p in packets
    ]
    names = "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"
    return _lines(form, names, lines)


def _vpcflow(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    header = (
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes "
        "start end action log-status\n"
    )
    lines = [
        f"2 123456789010 eni-1235b8ca {p.src} {p.dst} {p.sport} {p.dport} 6 1 40 {int(p.time)} "
        f"{int(p.time) + 60} REJECT OK\n"
        for p in packets
    ]
    return _lines(form, header, lines)


def _zeek(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    names = (
        "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\thistory\t"
        "orig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes"
    )
    header = f"#separator \\x09\n#unset_field\t-\n#path\tconn\n#fields\t{names}\n"
    lines = [
        f"{p.time:.6f}\tC{p.number}\t{p.src}\t{p.sport}\t{p.dst}\t{p.dport}\ttcp\tS0\tS\t1\t60\t0\t0\n"
        for p in packets
    ]
    return _lines(form, header, lines)


def _zeek_json(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    return _json(
        form, packets,
        lambda p: {"ts": p.time, "uid": f"C{p.number}", "id.orig_h": p.src, "id.orig_p": p.sport,
                   "id.resp_h": p.dst, "id.resp_p": p.dport, "proto": "tcp", "conn_state": "S0",
                   "history": "S", "orig_pkts": 1, "resp_pkts": 0, "tunnel_parents": []},
    )  # fmt: skip


def _suricata(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    return _json(
        form, packets,
        lambda p: {"timestamp": f"{p.iso}+0000", "flow_id": p.number, "event_type": "flow",
                   "src_ip": p.src, "src_port": p.sport, "dest_ip": p.dst, "dest_port": p.dport,
                   "proto": "TCP", "flow": {"pkts_toserver": 1, "pkts_toclient": 0,
                                            "start": f"{p.iso}+0000"},
                   "tcp": {"tcp_flags_ts": "02"}},
    )  # fmt: skip


def _cowrie(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    return _json(
        form, packets,
        lambda p: {"eventid": "cowrie.session.connect", "src_ip": p.src, "src_port": p.sport,
                   "dst_ip": p.dst, "dst_port": p.dport, "timestamp": f"{p.iso}Z",
                   "message": f"New connection: {p.src}:{p.sport}", "sensor": "tower"},
    )  # fmt: skip


def _merit(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    return _json(
        form, packets,
        lambda p: {"SourceIP": p.src, "Port": p.dport, "Traffic": 11, "First": f"{p.iso}Z",
                   "Last": f"{p.iso}Z", "Packets": 3, "Bytes": 180, "Samples": ["AAECAwQF"]},
    )  # fmt: skip


def _frame(p: _Packet) -> bytes:
    def octets(address: str) -> bytes:
        return bytes(map(int, address.split(".")))

    tcp = struct.pack(">HHIIBBHHH", p.sport, p.dport, p.number, 0, 0x50, 2, 1024, 0, 0)
    ends = octets(p.src) + octets(p.dst)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 54321, 0, 51, 6, 0) + ends
    return bytes(12) + b"\x08\x00" + ip + tcp


def _pcap(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    order = chance.choice("<>")
    data = bytearray(struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    ends = []
    for p in packets:
        frame = _frame(p)
        micros = int(p.time % 1 * 1e6)
        data += struct.pack(order + "IIII", int(p.time), micros, len(frame), len(frame)) + frame
        ends.append(len(data))
    return Seed(form, bytes(data), tuple(ends))


def _pcapng(form: str, packets: list[_Packet], chance: random.Random) -> Seed:
    order = chance.choice("<>")

    def block(kind: int, body: bytes) -> bytes:
        size = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + size + body + size

    data = bytearray(block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)))
    data += block(1, struct.pack(order + "HHI", 1, 0, 65535))
    ends = []
    for p in packets:
        frame, micros = _frame(p), int(p.time * 1e6)
        head = (0, micros >> 32, micros & 0xFFFFFFFF, len(frame), len(frame))
        data += block(6, struct.pack(order + "IIIII", *head) + frame + bytes(-len(frame) % 4))
        ends.append(len(data))
    return Seed(form, bytes(data), tuple(ends))


_ALL: dict[str, Callable[[str, list[_Packet], random.Random], Seed]] = {
    "csv": _csv, "parquet": _parquet, "firewall": _firewall, "journald": _journald,
    "flowtuple": _flowtuple, "nfdump": _nfdump, "vpcflow": _vpcflow, "zeek": _zeek,
    "zeek-json": _zeek_json, "suricata": _suricata, "cowrie": _cowrie, "merit": _merit,
    "pcap": _pcap, "pcapng": _pcapng,
}  # fmt: skip
FORMS = {name: make for name, make in _ALL.items() if name in FORMATS}
"""What makes a file of each format that is read."""
