"""The canonical packet, the words made of it, and how addresses are numbered and shown.

Everything here is a constant, or a pure function or expression over Polars columns; the
meaning of each column is fixed by the design and checked by `data_contracts/packets.yaml`.
"""

import ipaddress
from typing import Final

import polars as pl

__all__ = [
    "ICMP",
    "ICMPV6",
    "PACKETS",
    "PROTOCOL_NAMES",
    "QUARANTINE",
    "TCP",
    "UDP",
    "address_text",
    "backscatter",
    "empty_packets",
    "packet_count",
    "parse_address",
    "parse_addresses",
    "word_id",
    "word_text",
]

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58

PACKETS: Final[dict[str, pl.DataType]] = {
    "ts": pl.Datetime("us", "UTC"),
    "src": pl.UInt64(),
    "dst": pl.UInt64(),
    "sensor": pl.String(),
    "proto": pl.UInt8(),
    "dport": pl.UInt16(),
    "sport": pl.UInt16(),
    "ttl": pl.UInt8(),
    "tcp_flags": pl.UInt8(),
    "tcp_window": pl.UInt16(),
    "ip_id": pl.UInt16(),
    "tcp_seq": pl.UInt32(),
    "length": pl.UInt16(),
    "packets": pl.UInt32(),
}
"""Canonical packet columns, in order. What a source does not carry is null.

`packets` is how many packets the row stands for, as a flow record does; null is one."""

QUARANTINE: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "row": pl.UInt64(),
    "raw": pl.String(),
    "reason": pl.String(),
}
"""A refused row: its UTC day if that could be read, its 1-based record number in the source
(header lines not counted), the row as it came, and one reason."""

PROTOCOL_NAMES: Final[dict[int, str]] = {
    1: "icmp",
    2: "igmp",
    4: "ipip",
    6: "tcp",
    17: "udp",
    41: "ipv6",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    89: "ospf",
    103: "pim",
    112: "vrrp",
    132: "sctp",
    136: "udplite",
}
"""Names used in words (IANA protocol numbers); any other protocol is shown as `ip<number>`."""

# RFC 792/950/4443: replies and errors, which a telescope receives as the victim's answer to
# packets forged in its name. Requests (echo, timestamp, ...) are intent.
_ICMP_REPLIES: Final = [0, 3, 4, 5, 11, 12, 14, 16, 18]
_ICMPV6_REPLIES: Final = [1, 2, 3, 4, 129]

_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_FIRST_IPV6: Final = 1 << 32


def empty_packets() -> pl.DataFrame:
    """A frame of no packets with the canonical schema."""
    return pl.DataFrame(schema=PACKETS)


def backscatter() -> pl.Expr:
    """True where a packet is a reply (SYN/ACK, RST, ICMP error or reply), never null.

    Where a source has no TCP flags, a TCP packet cannot be told from a scan and counts as one.
    """
    flags = pl.col("tcp_flags")
    syn_ack = _SYN | _ACK
    tcp = (pl.col("proto") == TCP) & (((flags & syn_ack) == syn_ack) | ((flags & _RST) != 0))
    kind = pl.col("dport") // 256
    icmp = (pl.col("proto") == ICMP) & kind.is_in(_ICMP_REPLIES)
    icmpv6 = (pl.col("proto") == ICMPV6) & kind.is_in(_ICMPV6_REPLIES)
    return (tcp.fill_null(False) | icmp.fill_null(False) | icmpv6.fill_null(False)).alias(
        "backscatter"
    )


def packet_count() -> pl.Expr:
    """How many packets each row stands for, as UInt64, never null."""
    return pl.col("packets").fill_null(1).cast(pl.UInt64).alias("packets")


def word_id() -> pl.Expr:
    """The word of a packet as UInt32: protocol · 65,536 + port (ICMP: type; no port: 0)."""
    port = pl.col("dport").fill_null(0).cast(pl.UInt32)
    is_icmp = pl.col("proto").is_in([ICMP, ICMPV6])
    port = pl.when(is_icmp).then(port // 256).otherwise(port)
    return (pl.col("proto").cast(pl.UInt32) * 65536 + port).cast(pl.UInt32).alias("word")


def word_text(word: int) -> str:
    """A word as people read it: `23/tcp`, `53/udp`, `8/icmp`."""
    proto, port = divmod(int(word), 65536)
    return f"{port}/{PROTOCOL_NAMES.get(proto, f'ip{proto}')}"


def parse_address(text: str) -> int | None:
    """An address in text as its number (IPv4: 32 bits; IPv6: the upper 64), else None."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if address.version == 4:
        return int(address)
    mapped = address.ipv4_mapped
    return int(mapped) if mapped is not None else int(address) >> 64


def parse_addresses(text: pl.Series) -> pl.Series:
    """Addresses in text as UInt64 (null where it is no address), any mix of IPv4 and IPv6.

    IPv4 in the plain dotted form is read in bulk; everything else, distinct values only, by
    `ipaddress`. A dotted part with a leading zero is refused as ambiguous, as `ipaddress` does.
    """
    name = text.name
    frame = pl.DataFrame({"text": text.cast(pl.String).str.strip_chars()})
    part = r"(0|[1-9][0-9]{0,2})"
    groups = pl.col("text").str.extract_groups(rf"^{part}\.{part}\.{part}\.{part}$")
    octets = [groups.struct.field(str(i)).cast(pl.UInt64, strict=False) for i in range(1, 5)]
    valid = pl.all_horizontal([octet <= 255 for octet in octets])
    number = octets[0] * 16777216 + octets[1] * 65536 + octets[2] * 256 + octets[3]
    frame = frame.with_columns(src=pl.when(valid).then(number))
    rest = frame.filter(pl.col("src").is_null() & pl.col("text").is_not_null())["text"].unique()
    if rest.len():
        known = {t: parse_address(t) for t in rest.sort().to_list()}
        frame = frame.with_columns(
            src=pl.coalesce(
                "src",
                pl.col("text").replace_strict(
                    list(known),
                    pl.Series(list(known.values()), dtype=pl.UInt64),
                    default=None,
                    return_dtype=pl.UInt64,
                ),
            )
        )
    return frame["src"].alias(name)


def address_text(numbers: pl.Series) -> pl.Series:
    """Numbered addresses as published text: `203.0.113.7`, `2001:db8:1:2::/64`; nulls stay."""
    name = numbers.name
    frame = pl.DataFrame({"n": numbers.cast(pl.UInt64)})
    n = pl.col("n")
    dotted = pl.concat_str(
        [n // 16777216, n // 65536 % 256, n // 256 % 256, n % 256], separator="."
    )
    frame = frame.with_columns(text=pl.when(n < _FIRST_IPV6).then(dotted))
    wide = frame.filter(n >= _FIRST_IPV6)["n"].unique().sort().to_list()
    if wide:
        shown = [str(ipaddress.IPv6Network((number << 64, 64))) for number in wide]
        frame = frame.with_columns(
            text=pl.coalesce(
                "text",
                n.replace_strict(
                    pl.Series(wide, dtype=pl.UInt64),
                    shown,
                    default=None,
                    return_dtype=pl.String,
                ),
            )
        )
    return frame["text"].alias(name)
