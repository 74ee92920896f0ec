"""Flows as `nfdump -o csv` writes them: the columns of 1.6 and 1.7, and those of 1.7.5 and later.

The flags of a flow are those of all its packets together. They are given where they mean the
same for each of its packets, else they are null: a scanner's SYN and the RST after it would
look like a victim's answer.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import SourceError
from dante.sources.batch import Batch, gather
from dante.sources.columns import shown
from dante.sources.flowrows import NO_PACKETS, Layout, read_flow_lines
from dante.sources.format import HEAD, Format, Head
from dante.sources.interpret import rules
from dante.sources.reading import Reading
from dante.sources.streams import first_bytes
from dante.sources.text import TextSource

__all__ = ["FORMAT", "read_nfdump"]

# Fields by their names in lower case, as either of the two sets of columns has them.
_NAMES: Final = {
    "ts": "ts", "firstseen": "ts",
    "sa": "src", "srcaddr": "src",
    "da": "dst", "dstaddr": "dst",
    "sp": "sport", "srcport": "sport",
    "dp": "dport", "dstport": "dport",
    "pr": "proto", "proto": "proto",
    "flg": "flags", "flags": "flags",
    "ipkt": "packets", "packets": "packets", "inpackets": "packets",
    "ibyt": "bytes", "bytes": "bytes", "inbytes": "bytes",
    "ra": "router", "routerip": "router",
    "minttl": "minttl", "maxttl": "maxttl",
}  # fmt: skip
_NEEDED: Final = ("ts", "src", "dport", "proto")
# Its own names, by number; others are written as numbers. `0` and what stands twice is left out.
_PROTOCOLS: Final = (
    ". icmp igmp ggp ipip st tcp cbt egp igp bbn nvpii pup argus encom xnet chaos udp mux dcn hmp "
    "prm xns trnk1 trnk2 leaf1 leaf2 rdp irtp iso-4 netbk mfesp meinp dccp 3pc idpr xtp ddp . tp++ "
    "il ipv6 sdrp rte6 frag6 idrp rsvp gre mhrp bna esp ah inlsp swipe narp mobil tlsp skip icmp6 "
    "nohe6 opts6 host cftp net satnt klan rvd ippc fs satm visa ipcv cpnx cphb wsn pvp bsatm sunnd "
    "wbmon wbexp isoip vmtp svmtp vines ttp nsigp dgp tcf eigrp ospf s-rpc larp mtp ax.25 os micp "
    "sccsp ethip encap . gmtp ifmp pnni pim aris scps qnx a/n ipcmp snp cpqpp ipxip vrrp pgm 0hop "
    "l2tp ddx iatp stp srp uti smp sm ptp isis4 fire crtp crudp . iplt sps pipe sctp fc . mhead "
    "udp-l mpls"
)
_FLAGS: Final = "FSRPAUEC"
_FIN, _SYN, _RST, _PSH, _ACK, _URG = 1, 2, 4, 8, 16, 32
# An address that is not known.
_NOWHERE: Final = r"^(0\.0\.0\.0|::)?$"
# With -q the columns of 1.6 have no header: their first ones, and how a line of them begins.
_BARE: Final = (
    "ts", "te", "td", "sa", "da", "sp", "dp", "pr", "flg", "fwd", "stos", "ipkt", "ibyt", "opkt",
    "obyt",
)  # fmt: skip
_BARE_LINE: Final = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?, *[\d.]+,"
    r" *[\d.a-fA-F:]+, *[\d.a-fA-F:]+, *[\d.]+, *[\d.]+,[^,]+,[^,]{6,8},"
)
# The summary behind the flows, and a header of further output behind it.
_SUMMARY: Final = (
    rb"Summary[^\n]*\n|flows,bytes,packets,[^\n]*\n|\d+(?:,\d+){5}\r?\n|No matched flows[^\n]*\n"
    rb"|Time window:[^\n]*\n|Total flows processed:[^\n]*\n|Sys: [^\n]*\n"
)


def read_nfdump(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a file of nfdump's CSV, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty, has no flows' columns, or is damaged before its first row.
        ConfigError: the reading's zone is unknown.
    """
    rule = rules(replace(reading, mapping=None))
    own = {name: number for number, name in enumerate(_PROTOCOLS.split()) if name != "."}
    rule = replace(rule, proto_names={**rule.proto_names, **own})
    source = TextSource(path)
    layout = _layout(source)
    return gather(read_flow_lines(source, layout, rule, rows_per_batch), rows_per_batch)


def _layout(source: TextSource) -> Layout:
    first = first_bytes(source.path, HEAD).removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    line = first.partition(b"\n")[0].rstrip(b"\r").decode("utf-8", errors="replace")
    if _BARE_LINE.match(line):
        fields = line.count(",") + 1
        names = [*_BARE, *(f"{i}" for i in range(len(_BARE), fields))]
        header = b""
    else:
        header = source.header(None)
        names = header.decode("utf-8", errors="replace").split(",")
    known = [_NAMES.get(name.strip().lower(), "") for name in names]
    missing = [name for name in _NEEDED if name not in known]
    if missing:
        raise SourceError(
            f"{source.path}: nfdump's columns lack {', '.join(missing)}; there are {shown(names)}"
        )
    # The first of two columns of one meaning counts; the others have no name.
    once = tuple(
        name if name and known.index(name) == i else f"-{i}" for i, name in enumerate(known)
    )
    drop = _SUMMARY + (rb"|" + re.escape(header) + rb"\r?\n" if header else b"")
    return Layout(
        separator=",",
        names=once,
        wanted=tuple(name for name in once if not name.startswith("-")),
        time="ts",
        dropped=re.compile(rb"(?m)^(?:" + drop + rb")"),
        packets=_packets,
    )


def _packets(table: pl.DataFrame) -> pl.DataFrame:
    table = table.with_columns(pl.exclude("row").str.strip_chars())
    there = set(table.columns)
    proto = pl.col("proto").str.to_uppercase()
    is_icmp = proto.is_in(["ICMP", "ICMP6", "1", "58"])
    has_ports = proto.is_in(["TCP", "UDP", "6", "17"])
    # Type and code of ICMP are one number, as here, or `type.code`.
    pair = pl.when(is_icmp).then(pl.col("dport").str.extract_groups(r"^([0-9]+)\.([0-9]+)$"))
    kind, code = pair.struct.field("1"), pair.struct.field("2")
    count = pl.lit(None, dtype=pl.UInt64)
    if "packets" in there:
        count = pl.col("packets").cast(pl.UInt64, strict=False)
    dst = pl.col("dst") if "dst" in there else pl.lit(None, dtype=pl.String)
    unknown = (pl.col("dport") != "0") | dst.str.contains(_NOWHERE)
    alone = (count == 1).fill_null(False)
    no_port = ~is_icmp & ~has_ports & (pl.col("dport") == "0")
    fields = {
        "ts": pl.col("ts"),
        "src": pl.col("src"),
        "proto": pl.col("proto"),
        "dport": pl.when(kind.is_null() & ~no_port).then("dport"),
        "icmp_type": kind,
        "icmp_code": code,
        "reason": pl.when((count == 0).fill_null(False))
        .then(pl.lit(NO_PACKETS))
        .when((pl.col("proto") == "0") & unknown)
        .then(pl.lit("no protocol: 0, as aggregation (-A) leaves it")),
        "dst": dst,
    }
    if "packets" in there:
        fields["packets"] = pl.col("packets")
    if "sport" in there:
        fields["sport"] = pl.when(has_ports | (~is_icmp & (pl.col("sport") != "0"))).then("sport")
    if "bytes" in there:
        size = pl.col("bytes").cast(pl.UInt16, strict=False)
        fields["length"] = pl.when(alone).then(size.cast(pl.String))
    if "router" in there:
        fields["sensor"] = pl.when(~pl.col("router").str.contains(_NOWHERE)).then("router")
    if {"minttl", "maxttl"} <= there:
        known = (pl.col("minttl") == pl.col("maxttl")) & (pl.col("minttl") != "0")
        fields["ttl"] = pl.when(known).then("minttl")
    found = table.select("row", **fields)
    if "flags" in there:
        flags = table.select(proto.is_in(["TCP", "6"]).alias("tcp"), alone.alias("alone"), "flags")
        found = found.with_columns(_flags(flags))
    return found


def _flags(table: pl.DataFrame) -> pl.Series:
    """The flags of TCP flows as numbers in text; null where they differ, or may, in meaning."""
    distinct = table["flags"].unique(maintain_order=True).drop_nulls()
    numbers = [_number(text) for text in distinct.to_list()]
    single = table["flags"].replace_strict(
        distinct, _texts(numbers), default=None, return_dtype=pl.String
    )
    told = [n if not isinstance(n, int) or _is_told(n) else None for n in numbers]
    several = table["flags"].replace_strict(
        distinct, _texts(told), default=None, return_dtype=pl.String
    )
    frame = table.with_columns(single=single, several=several)
    value = pl.when("alone").then("single").otherwise("several")
    return frame.select(pl.when("tcp").then(value).alias("tcp_flags")).to_series()


def _texts(numbers: list[int | str | None]) -> pl.Series:
    return pl.Series([None if n is None else str(n) for n in numbers], dtype=pl.String)


def _number(text: str) -> int | str | None:
    """Flags as a number, None where none is set, or the text if it is neither."""
    if re.fullmatch(r"0x[0-9a-fA-F]{1,2}", text):
        return int(text, 16) or None
    letters = text.replace(".", "")
    if len(text) in (6, 8) and all(letter in _FLAGS for letter in letters):
        # Exporters that know no flags write none, too.
        return sum(1 << _FLAGS.index(letter) for letter in set(letters)) or None
    return text


def _is_told(flags: int) -> bool:
    """Whether packets that have these flags together are all of one kind: asking, or answering."""
    if not flags & _SYN or not flags & (_ACK | _RST):
        return True
    return not flags & (_FIN | _RST | _PSH | _URG)


def _looks(head: Head) -> bool:
    if not head.lines:
        return False
    first = head.lines[0]
    names = [name.strip() for name in first.split(",")]
    old = names[:4] == ["ts", "te", "td", "sa"]
    new = {"firstSeen", "srcAddr", "dstPort", "proto"} <= set(names)
    return old or new or _BARE_LINE.match(first) is not None


FORMAT: Final = Format("nfdump", _looks, "nfdump's CSV columns", read_nfdump)
