"""Writes canonical packets as a classic capture file, which any tool can read."""

import struct
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.errors import UsageError
from dante.schema import ICMP, TCP, UDP

__all__ = ["LINKTYPE_RAW", "write_pcap"]

LINKTYPE_RAW: Final = 101
"""A record starts with its IP header (tcpdump.org's list of link types)."""

_CHUNK: Final = 1 << 18  # packets written at a time
_RECORD: Final = np.dtype([("s", "<u4"), ("us", "<u4"), ("kept", "<u4"), ("length", "<u4")])
_IP: Final = np.dtype(
    [("version", "u1"), ("tos", "u1"), ("length", ">u2"), ("id", ">u2"), ("fragment", ">u2"),
     ("ttl", "u1"), ("proto", "u1"), ("checksum", ">u2"), ("src", ">u4"), ("dst", ">u4")]
)  # fmt: skip
_TCP: Final = np.dtype(
    [("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("offset", "u1"),
     ("flags", "u1"), ("window", ">u2"), ("checksum", ">u2"), ("urgent", ">u2")]
)  # fmt: skip
_UDP: Final = np.dtype([("sport", ">u2"), ("dport", ">u2"), ("length", ">u2"), ("checksum", ">u2")])
_ICMP: Final = np.dtype([("type", "u1"), ("code", "u1"), ("checksum", ">u2"), ("rest", ">u4")])
_TRANSPORT: Final = {TCP: _TCP, UDP: _UDP, ICMP: _ICMP}
_OPTIONS: Final = {
    # MSS; then Windows's MSS, NOP, window scale, NOP, NOP, SACK; then Linux's MSS, SACK,
    # timestamps, NOP, window scale. 0s elsewhere end the list of options.
    4: "020405b4",
    12: "020405b40103030801010402",
    20: "020405b40402080a00000000000000000103030a",
}
_NEEDED: Final = ("ts", "src", "dst", "proto", "dport", "sport", "ttl", "tcp_flags",
                  "tcp_window", "ip_id", "tcp_seq", "length")  # fmt: skip


def _checksum(words: NDArray[np.uint8], more: NDArray[np.uint64] | int = 0) -> NDArray[np.uint64]:
    """The Internet checksum (RFC 1071) of each row of bytes; an odd last byte is padded."""
    if words.shape[1] % 2:
        words = np.pad(words, ((0, 0), (0, 1)))
    total = words.view(">u2").sum(axis=1, dtype=np.uint64) + np.uint64(more)
    for _ in range(3):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return np.asarray(total ^ np.uint64(0xFFFF))


def _bytes(part: pl.DataFrame, proto: int, length: int) -> NDArray[np.uint8]:
    """Records of packets of one protocol and IP length, UInt8 of (packets, 16 + length)."""
    transport = _TRANSPORT[proto]
    body = length - _IP.itemsize - transport.itemsize
    kind = np.dtype([("record", _RECORD), ("ip", _IP), ("transport", transport),
                     ("body", "u1", (body,))])  # fmt: skip
    column = {name: part[name].to_numpy() for name in part.columns}
    rows = np.zeros(part.height, dtype=kind)
    raw = rows.view(np.uint8).reshape(part.height, kind.itemsize)
    rows["record"]["s"], rows["record"]["us"] = np.divmod(column["ts"], 1_000_000)
    rows["record"]["kept"] = rows["record"]["length"] = length
    ip, head = rows["ip"], rows["transport"]
    ip["version"], ip["length"], ip["proto"] = 0x45, length, proto
    for name in ("src", "dst", "ttl"):
        ip[name] = column[name]
    ip["id"] = column["ip_id"]
    ip["checksum"] = _checksum(np.ascontiguousarray(raw[:, 16:36]))
    if proto == ICMP:
        head["type"], head["code"] = column["dport"] >> 8, column["dport"] & 0xFF
        error = np.isin(head["type"], (3, 11, 12))
        if body >= 28 and error.any():
            rows["body"][error, :28] = _quoted(column["src"][error], column["dst"][error])
    else:
        head["sport"], head["dport"] = column["sport"], column["dport"]
    if proto == UDP:
        head["length"] = length - _IP.itemsize
    if proto == TCP:
        head["seq"], head["flags"] = column["tcp_seq"], column["tcp_flags"]
        head["window"] = column["tcp_window"]
        # A reply acknowledges something; what, a canonical packet does not say.
        head["ack"] = np.where(column["tcp_flags"] & 0x10, column["tcp_seq"] ^ 0x5BD1E995, 0)
        options = min(40, body - body % 4)
        head["offset"] = (20 + options) // 4 << 4
        if options in _OPTIONS:
            rows["body"][:, :options] = np.frombuffer(bytes.fromhex(_OPTIONS[options]), np.uint8)
    pseudo = np.zeros(part.height, dtype=np.uint64)
    if proto != ICMP:
        addresses = np.ascontiguousarray(raw[:, 28:36]).view(">u2")
        pseudo = addresses.sum(axis=1, dtype=np.uint64) + np.uint64(proto + length - 20)
    total = _checksum(np.ascontiguousarray(raw[:, 36:]), pseudo)
    head["checksum"] = np.where((total == 0) & (proto == UDP), 0xFFFF, total)
    return raw


def _quoted(victim: NDArray[np.uint64], forged: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The first 28 bytes of the forged packet that an ICMP error quotes: `forged` to `victim`."""
    quote = np.zeros(victim.size, dtype=np.dtype([("ip", _IP), ("ports", ">u2", 2),
                                                  ("rest", ">u4")]))  # fmt: skip
    ip = quote["ip"]
    ip["version"], ip["length"], ip["ttl"], ip["proto"] = 0x45, 40, 48, TCP
    ip["src"], ip["dst"] = forged, victim
    raw = quote.view(np.uint8).reshape(victim.size, 28)
    ip["checksum"] = _checksum(np.ascontiguousarray(raw[:, :20]))
    quote["ports"] = (1024, 80)
    return raw


def _records(part: pl.DataFrame) -> NDArray[np.uint8]:
    """All records of some packets, one after the other in their order."""
    begin = part.select(pl.col("length").cast(pl.Int64).cum_sum().alias("end")).to_series()
    sizes = part["length"].to_numpy().astype(np.int64) + _RECORD.itemsize
    starts = begin.to_numpy() + (np.arange(part.height) + 1) * _RECORD.itemsize - sizes
    out = np.empty(int(sizes.sum()), dtype=np.uint8)
    place = part.with_columns(start=pl.Series(starts))
    for (proto, length), group in place.group_by("proto", "length", maintain_order=True):
        raw = _bytes(group, int(str(proto)), int(str(length)))
        # Every window of the records' size over the file; those at the starts are overwritten.
        windows = np.lib.stride_tricks.sliding_window_view(out, raw.shape[1], writeable=True)
        windows[group["start"].to_numpy()] = raw
    return out


def write_pcap(packets: pl.DataFrame, path: Path) -> None:
    """Write IPv4 packets in the canonical schema as a little-endian capture of microseconds.

    Checksums are right; payloads are zeros; `sensor` and `packets` are left out, since a capture
    has no place for them. Nulls are written as 0 (a length that is null or too short: as short as
    the headers allow).

    Raises:
        UsageError: a packet is no TCP, UDP or ICMP over IPv4.
    """
    odd = packets.filter(
        ~pl.col("proto").is_in(list(_TRANSPORT))
        | (pl.col("src") >= 1 << 32)
        | (pl.col("dst") >= 1 << 32)
    )
    if odd.height:
        raise UsageError("Only TCP, UDP and ICMP over IPv4 can be written as a capture.")
    shortest = pl.col("proto").replace_strict(
        {proto: 20 + kind.itemsize for proto, kind in _TRANSPORT.items()}, return_dtype=pl.UInt16
    )
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_RAW))
        for first in range(0, packets.height, _CHUNK):
            part = packets.slice(first, _CHUNK).select(_NEEDED)
            part = part.with_columns(
                pl.col("ts").cast(pl.Int64),
                pl.max_horizontal(pl.col("length").fill_null(0), shortest).alias("length"),
            ).fill_null(0)
            file.write(_records(part).data)
