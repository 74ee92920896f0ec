"""Captures written from canonical packets."""

import datetime as dt
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.errors import UsageError
from dante.schema import PACKETS
from dante.simulate import SimulatedDay, write_pcap

FIRST = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)


def _sum(data: bytes) -> int:
    """The ones' complement sum that is 0xFFFF over anything with a right checksum in it."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _read(path: Path) -> list[dict[str, int | None]]:
    """A slow reader of the captures at hand, record by record, which checks what must hold."""
    data = path.read_bytes()
    assert struct.unpack("<IHHiIII", data[:24]) == (0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    rows: list[dict[str, int | None]] = []
    at = 24
    while at < len(data):
        seconds, micros, kept, size = struct.unpack("<IIII", data[at : at + 16])
        packet = data[at + 16 : at + 16 + kept]
        at += 16 + kept
        version, _, length, ip_id, _, ttl, proto, _, src, dst = struct.unpack(
            ">BBHHHBBHII", packet[:20]
        )
        assert kept == size == length == len(packet)
        assert version == 0x45
        assert _sum(packet[:20]) == 0xFFFF
        body = packet[20:]
        pseudo = b"" if proto == 1 else packet[12:20] + struct.pack(">HH", proto, len(body))
        assert _sum(pseudo + body) == 0xFFFF
        row = dict.fromkeys(("sport", "tcp_flags", "tcp_window", "tcp_seq"))
        if proto == 1:
            dport = body[0] * 256 + body[1]
        else:
            row["sport"], dport = struct.unpack(">HH", body[:4])
        if proto == 6:
            row["tcp_seq"], _, offset, row["tcp_flags"], row["tcp_window"] = struct.unpack(
                ">IIBBH", body[4:16]
            )
            assert 20 <= (offset >> 4) * 4 <= len(body)
        if proto == 17:
            assert struct.unpack(">H", body[4:6]) == (len(body),)
        rows.append({**row, "ts": seconds * 1_000_000 + micros, "src": src, "dst": dst,
                     "proto": proto, "dport": dport, "ttl": ttl, "ip_id": ip_id,
                     "length": length})  # fmt: skip
    return rows


def _columns(packets: pl.DataFrame) -> list[dict[str, int | None]]:
    frame = packets.drop("sensor", "packets").with_columns(pl.col("ts").cast(pl.Int64))
    return frame.to_dicts()


def test_a_capture_holds_the_packets(run: list[SimulatedDay], tmp_path: Path) -> None:
    """Every field but sensor and number of packets is read back exactly, in order."""
    write_pcap(run[0].packets, tmp_path / "day.pcap")
    assert _read(tmp_path / "day.pcap") == _columns(run[0].packets)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 86_399_999_999),
            st.integers(0, 2**32 - 1),
            st.sampled_from([1, 6, 17]),
            st.integers(0, 65535),
            st.integers(0, 255),
            st.integers(40, 1500),
        ),
        max_size=20,
    ),
    seed=st.integers(0, 2**32),
)
def test_any_packets_survive_a_capture(
    rows: list[tuple[int, ...]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """So are any packets of TCP, UDP and ICMP, of any length and with any field."""
    rng = np.random.default_rng(seed)
    made = []
    for ts, address, proto, port, byte, length in rows:
        tcp = proto == 6
        made.append(
            {"ts": FIRST + dt.timedelta(microseconds=ts), "src": address,
             "dst": int(rng.integers(2**32)), "sensor": "x", "proto": proto, "dport": port,
             "sport": None if proto == 1 else int(rng.integers(65536)), "ttl": byte,
             "tcp_flags": int(rng.integers(256)) if tcp else None,
             "tcp_window": int(rng.integers(65536)) if tcp else None,
             "ip_id": int(rng.integers(65536)),
             "tcp_seq": int(rng.integers(2**32)) if tcp else None,
             "length": length, "packets": None}
        )  # fmt: skip
    packets = pl.DataFrame(made, schema=PACKETS)
    path = tmp_path_factory.mktemp("any") / "any.pcap"
    write_pcap(packets, path)
    assert _read(path) == _columns(packets)


def test_what_is_no_ipv4_is_refused(run: list[SimulatedDay], tmp_path: Path) -> None:
    """IPv6 and other protocols cannot be written, and nothing is."""
    one = run[0].packets.head(1)
    for odd in (one.with_columns(src=pl.lit(1 << 61, pl.UInt64)),
                one.with_columns(proto=pl.lit(47, pl.UInt8))):  # fmt: skip
        with pytest.raises(UsageError, match="IPv4"):
            write_pcap(odd, tmp_path / "odd.pcap")
    assert not (tmp_path / "odd.pcap").exists()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_the_same(run: list[SimulatedDay], tmp_path: Path) -> None:
    """Wireshark reads the same fields, finds every checksum good and knows the options of SYNs."""
    path = tmp_path / "day.pcap"
    write_pcap(run[0].packets.head(3000), path)
    names = ("frame.time_epoch", "ip.src", "ip.dst", "ip.id", "ip.ttl", "ip.proto", "ip.len",
             "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.flags", "tcp.window_size_value",
             "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
             "tcp.options.mss_val")  # fmt: skip
    checks = [word for proto in ("ip", "tcp", "udp")
              for word in ("-o", f"{proto}.check_checksum:TRUE")]  # fmt: skip
    wanted = [word for name in names for word in ("-e", name)]
    done = subprocess.run(
        ["tshark", "-n", "-r", path, *checks, "-T", "fields", "-E", "occurrence=f", *wanted],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    expected = run[0].packets.head(3000)
    assert len(rows) == expected.height
    for row, packet in zip(rows, expected.iter_rows(named=True), strict=True):
        assert round(float(row[0]) * 1e6) == round(packet["ts"].timestamp() * 1e6)
        assert row[1] == ".".join(str(byte) for byte in packet["src"].to_bytes(4, "big"))
        assert row[2] == ".".join(str(byte) for byte in packet["dst"].to_bytes(4, "big"))
        assert [int(row[3], 0), int(row[4]), int(row[5]), int(row[6])] == [
            packet["ip_id"], packet["ttl"], packet["proto"], packet["length"]
        ]  # fmt: skip
        assert row[12] == "1"
        if packet["proto"] == 6:
            assert [int(row[7]), int(row[8]), int(row[9]), int(row[10], 0), int(row[11])] == [
                packet["sport"], packet["dport"], packet["tcp_seq"], packet["tcp_flags"],
                packet["tcp_window"],
            ]  # fmt: skip
            assert row[13] == "1"
            assert (row[15] == "1460") == (packet["length"] > 40)
        if packet["proto"] == 17:
            assert row[14] == "1"
