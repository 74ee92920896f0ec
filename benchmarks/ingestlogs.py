"""Packets as logs and flow records: what `benchmarks.ingest` measures besides captures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastavro
import polars as pl

from dante.schema import address_text

__all__ = ["MAPPING", "write_avro", "write_mapped", "write_syslog", "write_zeek"]

MAPPING = Path(__file__).resolve().parent / "mapped.toml"
"""Says which column of `write_mapped` is which."""

_SLICE = 500_000
_ZEEK = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\t"
    "orig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\t"
    "orig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n"
)


def _named(packets: pl.DataFrame) -> pl.DataFrame:
    """Packets with addresses as text, and ports, types and codes that are never null."""
    icmp = pl.col("proto") == 1
    kind, code = pl.col("dport") // 256, pl.col("dport") % 256
    return packets.with_columns(
        src=address_text(packets["src"]),
        dst=address_text(packets["dst"]),
        word=pl.col("proto").replace_strict({6: "tcp", 17: "udp", 1: "icmp"}),
        # Of an echo request Zeek has the answer's type, 0, for the code.
        orig_p=pl.when(icmp).then(kind).otherwise("sport").fill_null(0),
        resp_p=pl.when(icmp).then(code).otherwise("dport").fill_null(0),
    )


def _lines(packets: pl.DataFrame, path: Path, header: str, line: pl.Expr) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        for part in packets.iter_slices(_SLICE):
            lines = _named(part).select(line.alias("line"))["line"]
            file.write("\n".join(lines.to_list()) + "\n")


def write_zeek(packets: pl.DataFrame, path: Path) -> None:
    """A conn.log: each packet a record of its own, that of a TCP packet a SYN's."""
    micros = pl.col("ts").to_physical()
    fields: Sequence[Any] = (
        pl.format("{}.{}", micros // 1_000_000, (micros % 1_000_000).cast(pl.String).str.zfill(6)),
        pl.format("C{}", micros), "src", "orig_p", "dst", "resp_p", "word", pl.lit("-"),
        pl.lit("-"), pl.lit("-"), pl.lit("-"), pl.lit("S0"), pl.lit("-"), pl.lit("-"), pl.lit("0"),
        pl.when(pl.col("proto") == 6).then(pl.lit("S")).otherwise(pl.lit("D")), pl.lit("1"),
        "length", pl.lit("0"), pl.lit("0"), pl.lit("-"),
    )  # fmt: skip
    _lines(packets, path, _ZEEK, pl.concat_str(fields, separator="\t"))


def write_syslog(packets: pl.DataFrame, path: Path) -> None:
    """Lines of a firewall in a system log with ISO times."""
    ends = (
        pl.when(pl.col("proto") == 1)
        .then(pl.format("TYPE={} CODE={} ID=1 SEQ=1", "orig_p", "resp_p"))
        .when(pl.col("proto") == 6)
        .then(
            pl.format("SPT={} DPT={} WINDOW={} RES=0x00 SYN URGP=0", "sport", "dport",
                      pl.col("tcp_window").fill_null(1024))
        )
        .otherwise(pl.format("SPT={} DPT={} LEN=20", "sport", "dport"))
    )  # fmt: skip
    line = pl.format(
        "{}+00:00 tower kernel: [12345.678901] [UFW BLOCK] IN=eth0 OUT= "
        "MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC={} DST={} LEN={} TOS=0x00 PREC=0x00 "
        "TTL={} ID={} PROTO={} {} ",
        pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f"), "src", "dst", "length",
        pl.col("ttl").fill_null(51), pl.col("ip_id").fill_null(0),
        pl.col("word").str.to_uppercase(), ends,
    )  # fmt: skip
    _lines(packets, path, "", line)


def write_mapped(packets: pl.DataFrame, path: Path) -> None:
    """A table with columns of its own names."""
    with path.open("wb") as file:
        for number, part in enumerate(packets.iter_slices(_SLICE)):
            named = _named(part)
            named.select(
                time=pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
                source="src",
                target_port="dport",
                protocol="word",
            ).write_csv(file, include_header=number == 0)


_AVRO = ("time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "ttl", "tcp_flags")


def write_avro(packets: pl.DataFrame, path: Path) -> None:
    """FlowTuples of version 3, a packet each."""
    fields = [{"name": name, "type": "long"} for name in (*_AVRO, "ip_len", "packet_cnt")]
    schema = fastavro.parse_schema({"type": "record", "name": "flowtuple", "fields": fields})
    made = _named(packets.drop("src", "dst").with_columns(src=packets["src"], dst=packets["dst"]))
    values = made.select(
        time=pl.col("ts").to_physical() // 1_000_000, src_ip=packets["src"], dst_ip=packets["dst"],
        src_port="orig_p", dst_port="resp_p", protocol="proto", ttl=pl.col("ttl").fill_null(51),
        tcp_flags=pl.col("tcp_flags").fill_null(0), ip_len="length", packet_cnt=pl.lit(1),
    )  # fmt: skip
    with path.open("wb") as file:
        fastavro.writer(file, schema, values.iter_rows(named=True), codec="deflate")
