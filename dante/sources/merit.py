"""Merit's darknet-events: one sender, port and kind of traffic until it falls silent.

An event tells how many packets there were from its first to its last, and what kind they were
(`Traffic`, a number). `Port` is the destination's, but of SYN/ACK and RST the source's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from dante.schema import ICMP, ICMPV6, TCP, UDP
from dante.sources.batch import Batch, gather
from dante.sources.flowrows import NO_PACKETS
from dante.sources.format import Format, Head
from dante.sources.interpret import rules
from dante.sources.ndjson import Keys, first_objects, read_objects
from dante.sources.reading import Reading

__all__ = ["FORMAT", "read_merit"]

_KEYS: Final[Keys] = dict.fromkeys(("SourceIP", "Port", "Traffic", "First", "Packets", "Bytes"))


@dataclass(frozen=True)
class _Traffic:
    """A kind of traffic: protocol, ICMP types of IPv4 and IPv6, TCP flags, whose port is told."""

    proto: int
    types: tuple[int | None, int | None] = (None, None)
    flags: int | None = None
    port: str | None = None


_KINDS: Final = (
    _Traffic(ICMP, (8, 128)),
    _Traffic(ICMP, (0, 129)),
    _Traffic(ICMP, (3, 1)),
    _Traffic(ICMP, (4, None)),
    _Traffic(ICMP, (5, 137)),
    _Traffic(ICMP, (11, 3)),
    _Traffic(ICMP, (12, 4)),
    _Traffic(ICMP, (14, None)),
    _Traffic(ICMP, (16, None)),
    _Traffic(ICMP, (18, None)),
    _Traffic(ICMP),  # another type
    _Traffic(TCP, flags=0x02, port="dport"),
    _Traffic(TCP, flags=0x12, port="sport"),
    _Traffic(TCP, flags=0x10, port="dport"),
    _Traffic(TCP, flags=0x04, port="sport"),
    _Traffic(TCP, port="dport"),  # other flags, RST and ACK together among them
    _Traffic(UDP, port="dport"),
)
"""By their numbers; 17 is traffic of an unknown protocol."""
_UNKNOWN: Final = "17"


def read_merit(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a file of events, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty or damaged before its first line.
        ConfigError: the reading's zone is unknown.
    """
    rule = rules(replace(reading, mapping=None))
    return gather(read_objects(path, _KEYS, _packets, rule, rows_per_batch), rows_per_batch)


def _packets(table: pl.DataFrame) -> pl.DataFrame:
    wide = pl.col("SourceIP").str.contains(":", literal=True)
    alone = pl.col("Packets") == "1"
    size = pl.col("Bytes").cast(pl.UInt16, strict=False).cast(pl.String)
    kinds = {str(number): kind for number, kind in enumerate(_KINDS)}
    proto = _look_up({n: k.proto for n, k in kinds.items()})
    types = [_look_up({n: k.types[side] for n, k in kinds.items()}) for side in (0, 1)]
    icmp_type = pl.when(wide).then(types[1]).otherwise(types[0])
    traffic = pl.col("Traffic")
    return table.select(
        "row",
        ts="First",
        src="SourceIP",
        proto=pl.when((proto == ICMP) & wide).then(pl.lit(ICMPV6, pl.UInt8)).otherwise(proto),
        dport=pl.when(_has("dport")).then("Port"),
        sport=pl.when(_has("sport")).then("Port"),
        icmp_type=icmp_type,
        tcp_flags=_look_up({n: k.flags for n, k in kinds.items()}),
        length=pl.when(alone).then(size),
        packets="Packets",
        reason=pl.when(pl.col("Packets") == "0")
        .then(pl.lit(NO_PACKETS))
        .when(traffic.is_null())
        .then(pl.lit("no kind of traffic"))
        .when(traffic == _UNKNOWN)
        .then(pl.lit("no protocol: traffic of an unknown kind"))
        .when(proto.is_null())
        .then(pl.format("no kind of traffic: {}", traffic.str.slice(0, 40)))
        .when((proto == ICMP) & icmp_type.is_null())
        .then(pl.lit("no ICMP type: of another kind than those that are told apart")),
    )


def _look_up(known: dict[str, int | None]) -> pl.Expr:
    numbers = pl.Series(list(known.values()), dtype=pl.UInt8)
    return pl.col("Traffic").replace_strict(
        list(known), numbers, default=None, return_dtype=pl.UInt8
    )


def _has(port: str) -> pl.Expr:
    return pl.col("Traffic").is_in([str(n) for n, kind in enumerate(_KINDS) if kind.port == port])


def _looks(head: Head) -> bool:
    return any('"SourceIP"' in line and '"Traffic"' in line for line in first_objects(head)[:2])


FORMAT: Final = Format("merit", _looks, "JSON objects with SourceIP and Traffic", read_merit)
