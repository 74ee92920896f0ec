"""AWS VPC flow logs as text: the default format and custom ones, from S3 or CloudWatch.

The flags of a record are those of all packets of an interval together, and ACK is recorded with
SYN only. They are given where they mean the same for each of the packets, else they are null.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import SourceError
from dante.schema import TCP, UDP
from dante.sources.batch import Batch, gather
from dante.sources.columns import shown
from dante.sources.flowrows import NO_PACKETS, Layout, read_flow_lines
from dante.sources.format import HEAD, Format, Head
from dante.sources.interpret import rules
from dante.sources.reading import Reading
from dante.sources.streams import first_bytes
from dante.sources.text import TextSource

__all__ = ["FORMAT", "read_vpcflow"]

_DEFAULT: Final = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport",
    "protocol", "packets", "bytes", "start", "end", "action", "log-status",
)  # fmt: skip
_READ: Final = (
    "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "log-status", "tcp-flags", "flow-direction", "pkt-srcaddr", "pkt-dstaddr",
)  # fmt: skip
_DEFAULT_LINE: Final = re.compile(
    r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z )?\d{1,2} (?:\d{12}|unknown|-) [a-z]+-\S+(?: \S+){7}"
    r" \d+ \d+ (?:ACCEPT|REJECT|-) (?:OK|NODATA|SKIPDATA)"
)
_SYN, _RST, _ACK = 2, 4, 16


def read_vpcflow(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a file of VPC flow log lines, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty, lacks a field that is needed, or is damaged before its
            first row.
        ConfigError: the reading's zone is unknown.
    """
    rule = replace(rules(replace(reading, mapping=None)), ts_format="epoch_s")
    source = TextSource(path)
    layout = _layout(source)
    return gather(read_flow_lines(source, layout, rule, rows_per_batch), rows_per_batch)


def _layout(source: TextSource) -> Layout:
    first = first_bytes(source.path, HEAD).removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    line = first.partition(b"\n")[0].rstrip(b"\r").decode("utf-8", errors="replace")
    header = b""
    if _DEFAULT_LINE.fullmatch(line):
        # What CloudWatch exports has the time of each event in front.
        names = ["exported", *_DEFAULT] if "T" in line[:12] else list(_DEFAULT)
    else:
        header = source.header(None)
        names = header.decode("utf-8", errors="replace").split(" ")
    needed = ["start", "protocol", "dstport"]
    if "pkt-srcaddr" not in names:
        needed.append("srcaddr")
    missing = [name for name in needed if name not in names]
    if missing:
        raise SourceError(
            f"{source.path}: a flow log without {', '.join(missing)}; its fields are {shown(names)}"
        )
    for name in _READ:
        if names.count(name) > 1:
            raise SourceError(f"{source.path}: two fields of the flow log are named {name!r}")
    again = re.escape(header) + rb"\r?\n" if header else rb"\r?\n"
    return Layout(
        separator=" ",
        names=tuple(names),
        wanted=tuple(name for name in names if name in _READ),
        time="start",
        dropped=re.compile(rb"(?m)^" + again),
        packets=_packets,
    )


def _packets(table: pl.DataFrame) -> pl.DataFrame:
    # What does not apply to a record is a dash.
    table = table.with_columns(
        pl.when(pl.col(name) != "-").then(name).alias(name) for name in table.columns[1:]
    )
    there = set(table.columns)
    proto = pl.col("protocol").cast(pl.UInt8, strict=False)
    has_ports = proto.is_in([TCP, UDP])
    fields = {
        "ts": pl.col("start"),
        "src": _first("pkt-srcaddr", "srcaddr", there),
        "proto": pl.col("protocol"),
        "dport": pl.when(has_ports | (pl.col("dstport") != "0")).then("dstport"),
    }
    if there & {"pkt-dstaddr", "dstaddr"}:
        fields["dst"] = _first("pkt-dstaddr", "dstaddr", there)
    if "srcport" in there:
        fields["sport"] = pl.when(has_ports | (pl.col("srcport") != "0")).then("srcport")
    if "interface-id" in there:
        fields["sensor"] = pl.col("interface-id")
    reasons = []
    if "log-status" in there:
        status = pl.col("log-status")
        nothing, skipped = (
            "not a flow: NODATA, none was seen",
            "not a flow: SKIPDATA, some are lost",
        )
        reasons.append(pl.when(status == "NODATA").then(pl.lit(nothing)))
        reasons.append(pl.when(status == "SKIPDATA").then(pl.lit(skipped)))
    if "flow-direction" in there:
        outward = pl.col("flow-direction") == "egress"
        reasons.append(pl.when(outward).then(pl.lit("not a packet from outside: egress")))
    count = pl.lit(None, dtype=pl.UInt64)
    if "packets" in there:
        fields["packets"] = pl.col("packets")
        count = pl.col("packets").cast(pl.UInt64, strict=False)
        reasons.append(pl.when(count == 0).then(pl.lit(NO_PACKETS)))
        if "bytes" in there:
            size = pl.col("bytes").cast(pl.UInt16, strict=False).cast(pl.String)
            fields["length"] = pl.when(count == 1).then(size)
    if "tcp-flags" in there:
        flags = pl.col("tcp-flags").cast(pl.UInt8, strict=False)
        told = ~_is_mixed(flags) | (count == 1).fill_null(False)
        # None recorded is not none set; what is no number is left for its reason.
        known = pl.when((flags != 0) & told | flags.is_null()).then("tcp-flags")
        fields["tcp_flags"] = pl.when(proto == TCP).then(known)
    none = pl.lit(None, dtype=pl.String)
    return table.select("row", **fields, reason=pl.coalesce(*reasons, none))


def _first(best: str, other: str, there: set[str]) -> pl.Expr:
    return pl.coalesce(name for name in (best, other) if name in there)


def _is_mixed(flags: pl.Expr) -> pl.Expr:
    """A SYN that is no answer, and an RST: of one packet each, and they mean the opposite."""
    return (flags & (_SYN | _RST | _ACK)) == (_SYN | _RST)


def _looks(head: Head) -> bool:
    if not head.lines:
        return False
    names = set(head.lines[0].split(" "))
    named = {"start", "dstport", "protocol"} <= names and bool(names & {"srcaddr", "pkt-srcaddr"})
    return named or _DEFAULT_LINE.fullmatch(head.lines[0]) is not None


FORMAT: Final = Format("vpcflow", _looks, "VPC flow log fields or lines", read_vpcflow)
