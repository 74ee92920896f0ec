"""Records of Zeek's conn.log → packets of one sender, as `flowrows.judge` takes them.

A record has an originator and a responder, who sent `orig_pkts` and `resp_pkts` packets. In a
darknet nobody answers, so it is one sender's: the originator's, or, where only the responder
sent, the responder's. Zeek makes a sender the responder ("flips" it, `^` in `history`) if the
first packet looks like an answer by its ports, as a SYN/ACK from port 80 does.

`history` has a letter for each kind of packet, in capitals those of the originator: S is a SYN,
H a SYN/ACK, F a FIN and R an RST, each without the others; I is FIN and RST, Q SYN with FIN or
RST; A is a bare ACK, D has a payload, and of both no flag of the others is set. Of F, R, I and D
it is not known whether ACK was set.
"""

from typing import Final

import polars as pl

from dante.schema import ICMP, ICMPV6, TCP, UDP
from dante.sources.flowrows import NO_PACKETS

__all__ = ["FIELDS", "NEEDED", "TWO_WAY", "conn_packets", "history_flags"]

NEEDED: Final = ("ts", "id.orig_h", "id.resp_h", "id.resp_p", "proto")
"""Fields without which a record is no packet."""

FIELDS: Final = (
    *NEEDED,
    *("id.orig_p", "ip_proto", "history", "orig_pkts", "orig_ip_bytes", "resp_pkts"),
    *("resp_ip_bytes", "local_orig", "local_resp", "_system_name", "_path"),
)
"""Fields that are read."""

_NUMBERS: Final = {
    "tcp": str(TCP), "udp": str(UDP), "icmp": str(ICMP), "unknown_transport": None, "unknown": None
}  # fmt: skip
TWO_WAY: Final = {
    ICMP: [0, 8, 9, 10, 13, 14, 15, 16, 17, 18],
    ICMPV6: [128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145],
}
"""Types with a counterpart, which stands where the code of others does; their code is always 0."""
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_OUTGOING: Final = "not a packet from outside: the sender is local, the receiver is not"


def conn_packets(table: pl.DataFrame) -> pl.DataFrame:
    """`row`, the columns of `interpret`, and `reason`.

    Args:
        table: `row` and any of `FIELDS` as text, at least `NEEDED`; null where a field is unset.
    """
    turned = _turned(table)
    if not turned.any():
        return _packets(table, "orig")
    both = [_packets(table.filter(~turned), "orig"), _packets(table.filter(turned), "resp")]
    return pl.concat(both).sort("row")


def _turned(table: pl.DataFrame) -> pl.Series:
    """Whether only the responder of a record sent."""
    there = set(table.columns)
    turned = pl.lit(None, dtype=pl.Boolean)
    if {"orig_pkts", "resp_pkts"} <= there:
        turned = (pl.col("orig_pkts") == "0") & (pl.col("resp_pkts") != "0")
    if "history" in there:
        # Logs that were trimmed, or are old, have no counts.
        turned = pl.coalesce(turned, pl.col("history").str.contains("^[a-z^]*[a-z][a-z^]*$"))
    # Of ICMP without a counterpart both directions have records of their own.
    icmp = (pl.col("proto") == "icmp") & ~_two_way("orig", there)
    return table.select((turned & ~icmp).fill_null(False).alias("turned")).to_series()


def _packets(table: pl.DataFrame, sender: str) -> pl.DataFrame:
    """Records as packets of one side, `orig` or `resp`."""
    there = set(table.columns)
    receiver = "resp" if sender == "orig" else "orig"
    proto = _proto(there)
    is_icmp = proto.is_in([str(ICMP), str(ICMPV6)])
    has_ports = proto.is_in([str(TCP), str(UDP)])
    none = pl.lit(None, dtype=pl.String)
    port = pl.col(f"id.{receiver}_p") if f"id.{receiver}_p" in there else none
    fields = {
        "ts": pl.col("ts"),
        "src": pl.col(f"id.{sender}_h"),
        "dst": pl.col(f"id.{receiver}_h"),
        "proto": proto,
        # Port 0 of a protocol without ports is none.
        "dport": pl.when(has_ports | (~is_icmp & (port != "0"))).then(port),
    }
    if f"id.{sender}_p" in there:
        own = pl.col(f"id.{sender}_p")
        fields["sport"] = pl.when(has_ports | (~is_icmp & (own != "0"))).then(own)
        fields["icmp_type"] = pl.when(is_icmp).then(own)
        code = pl.when(_two_way(sender, there)).then(pl.lit("0")).otherwise(port)
        fields["icmp_code"] = pl.when(is_icmp).then(code)
    reasons: list[pl.Expr] = []
    if f"{sender}_pkts" in there:
        count = pl.col(f"{sender}_pkts")
        fields["packets"] = count
        reasons.append(pl.when(count == "0").then(pl.lit(NO_PACKETS)))
        if f"{sender}_ip_bytes" in there:
            size = pl.col(f"{sender}_ip_bytes").cast(pl.UInt16, strict=False).cast(pl.String)
            fields["length"] = pl.when(count == "1").then(size)
    if "history" in there:
        fields["tcp_flags"] = pl.when(proto == str(TCP)).then(_flags(table["history"], sender))
    if "_system_name" in there:
        fields["sensor"] = pl.col("_system_name")
    if {"local_orig", "local_resp"} <= there:
        out = pl.col(f"local_{sender}").is_in(["T", "true"])
        out &= pl.col(f"local_{receiver}").is_in(["F", "false"])
        reasons.append(pl.when(out).then(pl.lit(_OUTGOING)))
    unknown = pl.when(proto.is_null()).then(pl.col("proto").str.slice(0, 40))
    reasons.append(pl.format("no protocol: {}, and no ip_proto", unknown))
    return table.select("row", **fields, reason=pl.coalesce(*reasons))


def _proto(there: set[str]) -> pl.Expr:
    """The number of the protocol in text; null for `unknown_transport` without a number."""
    word = pl.col("proto")
    wide = (word == "icmp") & pl.col("id.orig_h").str.contains(":", literal=True)
    number = word.replace(_NUMBERS)
    number = pl.when(wide).then(pl.lit(str(ICMPV6))).otherwise(number)
    return pl.coalesce("ip_proto", number) if "ip_proto" in there else number


def _two_way(sender: str, there: set[str]) -> pl.Expr:
    """Whether an ICMP record's type, of the packets of `sender`, has a counterpart."""
    if f"id.{sender}_p" not in there:
        return pl.lit(False)
    kind = pl.col(f"id.{sender}_p")
    wide = pl.col("id.orig_h").str.contains(":", literal=True)
    narrow, broad = ([str(n) for n in TWO_WAY[proto]] for proto in (ICMP, ICMPV6))
    return pl.when(wide).then(kind.is_in(broad)).otherwise(kind.is_in(narrow))


def _flags(histories: pl.Series, sender: str) -> pl.Series:
    """TCP flags, in text, where they mean the same in all of the sender's packets."""
    distinct = histories.unique(maintain_order=True).drop_nulls()
    numbers = [history_flags(text, sender) for text in distinct.to_list()]
    texts = pl.Series([None if n is None else str(n) for n in numbers], dtype=pl.String)
    return histories.replace_strict(distinct, texts, default=None, return_dtype=pl.String)


def history_flags(history: str, sender: str) -> int | None:
    """The TCP flags that all packets of `orig` or `resp` had or that tell their kind, else None."""
    mine = history if sender == "orig" else history.swapcase()
    sent = set(mine) & set("SHAFRDQI")
    if sent == {"S"}:
        return _SYN
    if sent & {"S", "Q"}:  # a SYN that is no answer, and something else
        return None
    more = (_RST if sent & {"R", "I"} else 0) | (_FIN if sent & {"F", "I"} else 0)
    if "H" in sent:
        return _SYN | _ACK | more
    if more & _RST:
        return more | (_ACK if "A" in sent else 0)
    return _ACK if sent == {"A"} else None
