"""Suricata's eve.json: flows, and alerts where there are no flows.

A flow record is of all packets of one sender, and has the flags of them all together. An alert
is of one packet, which its flow counts, too: where a file has flow records, alerts are refused as
counted there. So a file is searched for a flow record before it is read.
"""

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from dante.schema import TCP
from dante.sources.batch import Batch, gather
from dante.sources.flowrows import NO_PACKETS, told_flags
from dante.sources.format import Format, Head
from dante.sources.interpret import rules
from dante.sources.ndjson import Keys, first_objects, read_objects
from dante.sources.reading import Reading
from dante.sources.streams import CutError, chunks
from dante.sources.values import PROTOCOL_KEYWORDS

__all__ = ["FORMAT", "read_suricata"]

_KEYS: Final[Keys] = {
    **dict.fromkeys(("timestamp", "event_type", "flow_id", "host", "proto", "icmp_type")),
    **dict.fromkeys(("icmp_code", "src_ip", "src_port", "dest_ip", "dest_port")),
    "flow": ("start", "pkts_toserver", "pkts_toclient"),
    "tcp": ("tcp_flags_ts", "tcp_flags_tc"),
}
_PACKET: Final = (
    *("timestamp", "flow_id", "proto", "src_ip", "src_port", "dest_ip", "dest_port"),
    *("icmp_type", "icmp_code"),
)
"""What tells the packet of an alert from others."""

_FLOW: Final = re.compile(rb'"event_type"\s{0,8}:\s{0,8}"flow"')
_OVERLAP: Final = 64
_ICMP: Final = ("icmp", "ipv6-icmp", "1", "58", "001", "058")


def read_suricata(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of an eve.json, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty or damaged before its first line.
        ConfigError: the reading's zone is unknown.
    """
    rule = rules(replace(reading, mapping=None))
    rule = replace(rule, proto_names={**PROTOCOL_KEYWORDS, **rule.proto_names})
    events = _Events(_has_flows(path))
    return gather(read_objects(path, _KEYS, events.packets, rule, rows_per_batch), rows_per_batch)


def _has_flows(path: Path) -> bool:
    """Whether there is a flow record in the file."""
    end = b""
    with suppress(CutError), closing(chunks(path)) as stream:
        for chunk in stream:
            if _FLOW.search(end + chunk[:_OVERLAP]) or _FLOW.search(chunk):
                return True
            end = (end + chunk)[-_OVERLAP:]
    return False


class _Events:
    """Events of a file, given in the order of the file."""

    def __init__(self, has_flows: bool) -> None:
        self._has_flows = has_flows
        self._last: pl.DataFrame | None = None  # the packet of the last alert

    def packets(self, table: pl.DataFrame) -> pl.DataFrame:
        """`row`, the columns of `interpret`, and `reason`."""
        kind = table["event_type"]
        turned = (
            (kind == "flow") & (table["flow.pkts_toserver"] == "0")
            & (table["flow.pkts_toclient"] != "0")
        ).fill_null(False)  # fmt: skip
        is_flow = pl.col("event_type") == "flow"
        ends = (("src", "dest", "toserver", "ts"), ("dest", "src", "toclient", "tc"))
        parts = []
        for chosen, (sender, receiver, way, flags) in zip((~turned, turned), ends, strict=True):
            proto = pl.col("proto").str.to_lowercase()
            count = pl.col(f"flow.pkts_{way}")
            parts.append(
                table.filter(chosen).select(
                    "row",
                    ts=pl.when(is_flow).then(pl.coalesce("flow.start", "timestamp"))
                    .otherwise("timestamp"),
                    src=f"{sender}_ip",
                    dst=f"{receiver}_ip",
                    proto=proto,
                    dport=f"{receiver}_port",
                    sport=f"{sender}_port",
                    sensor="host",
                    icmp_type=pl.when(proto.is_in(_ICMP)).then("icmp_type"),
                    icmp_code=pl.when(proto.is_in(_ICMP)).then("icmp_code"),
                    packets=pl.when(is_flow).then(count),
                    tcp_flags=pl.when(is_flow & proto.is_in(["tcp", str(TCP), f"{TCP:03}"]))
                    .then(_flags(pl.col(f"tcp.tcp_flags_{flags}"), count)),
                    reason=pl.when(is_flow & (count == "0")).then(pl.lit(NO_PACKETS)),
                )
            )  # fmt: skip
        packets = pl.concat(parts).sort("row") if turned.any() else parts[0]
        return packets.with_columns(reason=self._reasons(table, packets["reason"]))

    def _reasons(self, table: pl.DataFrame, reason: pl.Series) -> pl.Series:
        kind = pl.col("event_type")
        why = (
            pl.when(kind.is_null())
            .then(pl.lit("not a packet: no event_type"))
            .when(~kind.is_in(["flow", "alert"]))
            .then(
                pl.format(
                    "not a packet: an event of type {}",
                    kind.str.slice(0, 40).str.replace_all(r"\p{C}", "?"),
                )
            )
        )
        if self._has_flows:
            why = why.when(kind == "alert").then(
                pl.lit("not a packet of its own: an alert, counted in the record of its flow")
            )
            return table.select(pl.coalesce(why, reason).alias("reason")).to_series()
        again = self._again(table)
        why = why.when(again).then(
            pl.lit("not a packet of its own: one more alert of the packet before")
        )
        return table.select(pl.coalesce(why, reason).alias("reason")).to_series()

    def _again(self, table: pl.DataFrame) -> pl.Series:
        """Whether an alert is of the same packet as the alert before it."""
        places = (table["event_type"] == "alert").fill_null(False).arg_true()
        again = pl.Series([False]).new_from_index(0, table.height)
        if not places.len():
            return again
        own = table.select(_PACKET)[places]
        before = own.clear(1) if self._last is None else self._last
        known = self._last is not None
        self._last = own.tail(1)
        shifted = pl.concat([before, own.head(-1)]).rename(lambda name: f"={name}")
        same = pl.concat([own, shifted], how="horizontal").select(
            pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"={name}")) for name in _PACKET)
        ).to_series()  # fmt: skip
        if not known:
            same = same.set(pl.int_range(same.len(), eager=True) == 0, False)
        return again.scatter(places, same)


def _flags(text: pl.Expr, count: pl.Expr) -> pl.Expr:
    """Flags in text from hexadecimal ones; null where they may differ in meaning, or are none."""
    digits = text.str.contains("^[0-9a-fA-F]{1,2}$")
    number = pl.when(digits).then(text).str.to_integer(base=16, strict=False).cast(pl.UInt8)
    told = pl.when((number != 0) & ((count == "1") | told_flags(number))).then(number)
    return pl.when(digits).then(told.cast(pl.String)).otherwise(text)


def _looks(head: Head) -> bool:
    return any('"event_type"' in line and '"timestamp"' in line for line in first_objects(head)[:2])


FORMAT: Final = Format(
    "suricata", _looks, "JSON objects with event_type and timestamp", read_suricata
)
