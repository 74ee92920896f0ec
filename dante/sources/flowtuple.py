"""FlowTuples: Avro files of the UCSD telescope's flow records, versions 3 and 4.

A version 3 record is of packets that are alike in all header fields it has; a version 4 record
is of packets of one sender to one /24 and port, with how many values of the other fields there
were. What is not the same in all packets of a record is null.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import SourceError
from dante.schema import ICMP, TCP, UDP
from dante.sources.avro import AVRO, AvroSource, Block
from dante.sources.avrorecords import RecordReader, Records
from dante.sources.avroschema import Kind
from dante.sources.batch import Batch, gather
from dante.sources.columns import shown
from dante.sources.flowrows import NO_PACKETS, damage_row, judge
from dante.sources.format import Format, Head
from dante.sources.interpret import Rules, rules
from dante.sources.reading import Reading
from dante.store.ahead import side_by_side

__all__ = ["FORMAT", "read_flowtuple"]

_KEY: Final = ("time", "src_ip", "dst_port", "protocol", "packet_cnt")
_V3: Final = ("dst_ip", "src_port", "ttl", "tcp_flags", "ip_len", "tcp_synwinlen")
_V4: Final = ("dst_net", "first_tcp_rwin")
# Of version 4: how many values there were, and the frequent ones, which are all if it was one.
_ALIKE: Final = {
    "ttl": ("uniq_ttls", "common_ttls"),
    "src_port": ("uniq_src_ports", "common_srcports"),
    "ip_len": ("uniq_pkt_sizes", "common_pktsizes"),
    "tcp_flags": ("uniq_tcp_flags", "common_tcpflags"),
}
_SYN, _ACK = 0x02, 0x10
_MAX_HELD: Final = 1000
# Going on behind damage has a price: a file may have so many places, and one a so many bytes.
_MOST_DAMAGE, _APART = 1000, 1 << 16


def read_flowtuple(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a file of FlowTuples, at most `rows_per_batch` rows each.

    A refused row is kept as JSON of the fields that are read, of an array its first item.

    Raises:
        SourceError: it is no Avro file, its records are no FlowTuples, or none can be read.
        ConfigError: the reading's zone is unknown.
    """
    rule = replace(rules(replace(reading, mapping=None)), ts_format="epoch_s")
    return gather(_batches(path, rule, rows_per_batch), rows_per_batch)


def _batches(path: Path, rule: Rules, limit: int) -> Iterator[Batch]:
    source = AvroSource(path)
    reader = RecordReader(source.record, _fields(source))

    def read(piece: list[Block] | Records) -> list[Batch | str]:
        """The packets of a piece, and what is damaged in between."""
        found: list[Batch | str] = []
        for records in reader.read(piece):
            if records.damage is not None:
                found.append(records.damage)
            for start in range(0, records.frame.height, limit):
                found.append(_batch(records.frame.slice(start, limit), rule))
        return found

    row = 0
    damaged: list[str] = []
    places = 0
    with closing(side_by_side(read, reader.pieces(source))) as made:
        for found in chain.from_iterable(made):
            if isinstance(found, str):
                places += 1
                if row and places > _MOST_DAMAGE + path.stat().st_size // _APART:
                    why = f"too much damage, so the rest is not read: {found}"
                    yield damage_row(row + 1, why)
                    return
                damaged.append(found)
                if row or len(damaged) >= _MAX_HELD:
                    if not row:
                        break
                    row += 1
                    yield damage_row(row, damaged.pop())
                continue
            # Damage in front of the first record waits for it: a file without any is an error.
            for reason in damaged:
                row += 1
                yield damage_row(row, reason)
            damaged = []
            yield found.behind(row)
            row += found.rows
    if damaged:
        raise SourceError(f"{path}: not one record can be read ({damaged[0]})")


def _fields(source: AvroSource) -> list[str]:
    """The fields that are read.

    Raises:
        SourceError: a field that FlowTuples have is not there, or is no number.
    """
    kinds = {field.name: field.kind for field in source.record.fields}
    missing = [name for name in _KEY if name not in kinds]
    if missing or not {"dst_ip", "dst_net"} & set(kinds):
        raise SourceError(
            f"{source.path}: Avro records of {shown([source.name])}, which are no FlowTuples "
            f"(there is no {shown(missing or ['dst_ip or dst_net'])})"
        )
    wanted: list[str] = [name for name in (*_KEY, *_V3, *_V4) if name in kinds]
    arrays = []
    for unique, common in _ALIKE.values():
        if unique in kinds and common in kinds:
            wanted.append(unique)
            arrays.append(common)
    for name in wanted:
        if not _is_number(kinds[name]):
            raise SourceError(f"{source.path}: the field {name!r} is no whole number")
    for name in arrays:
        if not (kinds[name].name == "array" and _is_number(kinds[name].parts[0])):
            raise SourceError(f"{source.path}: the field {name!r} is no array of whole numbers")
    return [*wanted, *arrays]


def _is_number(kind: Kind) -> bool:
    if kind.name == "union":
        return {part.name for part in kind.parts} <= {"null", "int", "long"}
    return kind.name in ("int", "long")


def _batch(part: pl.DataFrame, rule: Rules) -> Batch:
    frame = part.with_columns(
        pl.when(pl.col(unique) == 1).then(pl.col(common)).alias(name)
        for name, (unique, common) in _ALIKE.items()
        if common in part.columns and name not in part.columns
    )
    row = pl.int_range(1, 1 + frame.height, dtype=pl.UInt64).alias("row")
    table = frame.select(row, **_packet(frame.columns))
    return judge(table, rule, lambda at: _json(part, at))


def _packet(columns: list[str]) -> dict[str, pl.Expr]:
    """Canonical fields, and why a record is refused, from the columns of a FlowTuple."""
    proto = pl.col("protocol")
    is_tcp, is_icmp = proto == TCP, proto == ICMP
    has_ports = proto.is_in([TCP, UDP])
    packets = pl.col("packet_cnt")
    fields = {
        "ts": pl.col("time"),
        "src": _address("src_ip"),
        "dst": _address("dst_ip" if "dst_ip" in columns else "dst_net"),
        "proto": proto,
        # Port 0 of a protocol without ports is none.
        "dport": pl.when(has_ports | is_icmp | (pl.col("dst_port") != 0)).then("dst_port"),
        "packets": packets,
        "reason": pl.when(packets == 0).then(pl.lit(NO_PACKETS)),
    }
    if "src_port" in columns:
        port = pl.col("src_port")
        fields["sport"] = pl.when(has_ports | (~is_icmp & (port != 0))).then(port)
        if "dst_ip" in columns:
            fields["icmp_type"] = pl.when(is_icmp).then(port)
            fields["icmp_code"] = pl.when(is_icmp).then("dst_port")
    if "ttl" in columns:
        fields["ttl"] = pl.col("ttl")
    if "ip_len" in columns:
        fields["length"] = pl.col("ip_len")
    if "tcp_flags" in columns:
        flags = pl.col("tcp_flags")
        fields["tcp_flags"] = pl.when(is_tcp).then(flags)
        # The window is that of a SYN: of each packet in version 3, of the first in version 4.
        is_syn = is_tcp & (flags & (_SYN | _ACK) == _SYN)
        if "tcp_synwinlen" in columns:
            fields["tcp_window"] = pl.when(is_syn).then("tcp_synwinlen")
        elif "first_tcp_rwin" in columns:
            fields["tcp_window"] = pl.when(is_syn & (packets == 1)).then("first_tcp_rwin")
    return fields


def _json(part: pl.DataFrame, positions: pl.Series) -> list[str]:
    rows = part[positions]
    return rows.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()


def _address(name: str) -> pl.Expr:
    """IPv4 addresses; any other number becomes one that is refused as no address."""
    number = pl.col(name)
    return (
        pl.when(number.is_between(0, (1 << 32) - 1) | number.is_null()).then(number).otherwise(-1)
    )


def _looks(head: Head) -> bool:
    return head.data.startswith(AVRO)


FORMAT: Final = Format("flowtuple", _looks, "an Avro file, beginning with Obj", read_flowtuple)
