"""Records of conn.log → packets without any text, where records are as nearly all are.

These are TCP, UDP and ICMP between IPv4 addresses with counts, in a log with the usual signs for
what is unset. What is read here is read as `zeekrecords` would read it; the rest is left to that.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import ICMP, PACKETS, TCP, UDP
from dante.sources.cells import Grid
from dante.sources.zeekrecords import TWO_WAY, history_flags

__all__ = ["READ", "conn_cells"]

READ: Final = (
    *("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "history"),
    *("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"),
)
"""Fields that a log must have to be read here."""

_Bools = npt.NDArray[np.bool_]


def _word(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(text.rjust(8, "\0").encode(), "little"))


_TCP, _UDP, _ICMP = _word("tcp"), _word("udp"), _word("icmp")
_ZERO = ord("0")
_IS_TWO_WAY: Final = np.isin(np.arange(257), TWO_WAY[ICMP])
_TRUE, _FALSE = ord("T"), ord("F")


def conn_cells(grid: Grid, places: dict[str, int]) -> tuple[pl.DataFrame, _Bools]:
    """Packets, and which of the grid's rows they are.

    Args:
        grid: the lines.
        places: the place of each field, at least of those in `READ`.
    """
    dots = np.flatnonzero(grid.data == 46)
    dots = np.concatenate([dots, np.full(4, grid.data.size)])
    ts, good = grid.times(places["ts"])
    found: dict[str, npt.NDArray[Any]] = {}
    for end in ("orig", "resp"):
        found[f"{end}_h"], right = grid.addresses(places[f"id.{end}_h"], dots)
        good &= right
        for field in (f"id.{end}_p", f"{end}_pkts"):
            found[field], right = grid.numbers(places[field])
            good &= right
        good &= found[f"id.{end}_p"] < 65536
        found[f"{end}_bytes"], found[f"{end}_told"] = grid.numbers(places[f"{end}_ip_bytes"])
    word, _ = grid.words(places["proto"])
    tcp = word == _TCP
    icmp = word == _ICMP
    any_icmp = bool(icmp.any())
    good &= tcp | (word == _UDP) | icmp
    turned = (found["orig_pkts"] == 0) & (found["resp_pkts"] != 0)
    any_turned = bool(turned.any())
    if any_icmp:
        kind, code = found["id.orig_p"], found["id.resp_p"]
        plain = grid.first_bytes(places["id.orig_p"]) != _ZERO
        plain |= grid.sizes(places["id.orig_p"]) == 1
        # Which of two directions a record is of is left to those who know the types.
        good &= ~icmp | (plain & (kind < 256) & (code < 256) & ~turned)
        told = np.where(_IS_TWO_WAY[np.minimum(kind, 256)], np.uint64(0), code)
        found["id.orig_p"] = np.where(icmp, np.uint64(0), kind)
        found["id.resp_p"] = np.where(icmp, (kind << np.uint64(8)) | told, code)

    def side(field: str, other: bool = False) -> npt.NDArray[Any]:
        ends = ("resp", "orig") if other else ("orig", "resp")
        own, theirs = (found[field.format(end)] for end in ends)
        return np.where(turned, theirs, own) if any_turned else own

    packets, size, told = side("{}_pkts"), side("{}_bytes"), side("{}_told")
    alone = packets == 1
    good &= (packets != 0) & (told.astype(bool) | ~alone)
    if {"local_orig", "local_resp"} <= set(places):
        local = [grid.first_bytes(places[f"local_{end}"]) for end in ("orig", "resp")]
        out = np.where(turned, (local[1] == _TRUE) & (local[0] == _FALSE),
                       (local[0] == _TRUE) & (local[1] == _FALSE))  # fmt: skip
        good &= ~out
    history, short = grid.words(places["history"])
    good &= short
    kept = np.flatnonzero(good)
    every = kept.size == good.size

    def of(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return values if every else values[kept]

    proto = np.where(tcp, np.uint8(TCP), np.uint8(UDP))
    if any_icmp:
        proto[icmp] = ICMP
    flags = _flags(pl.Series(of(history)), pl.Series(of(turned)))
    frame = pl.DataFrame(
        {
            "ts": pl.Series(of(ts)).cast(PACKETS["ts"]),
            "src": of(side("{}_h")),
            "dst": of(side("{}_h", other=True)),
            "proto": of(proto),
            "dport": of(side("id.{}_p", other=True).astype(np.uint16)),
            "sport": of(side("id.{}_p").astype(np.uint16)),
            "tcp_flags": flags,
            "length": of(np.where(size < 65536, size, 0).astype(np.uint16)),
            "packets": of(packets.astype(np.uint32)),
            "-tcp": of(tcp),
            "-size": of(alone & (size < 65536)),
        }
    )
    nulls = {name: pl.lit(None, dtype=kind).alias(name) for name, kind in PACKETS.items()}
    has_ports = pl.col("proto") != ICMP
    known = {
        **{name: pl.col(name) for name in frame.columns},
        "tcp_flags": pl.when("-tcp").then("tcp_flags").alias("tcp_flags"),
        "sport": pl.when(has_ports).then("sport").alias("sport") if any_icmp else pl.col("sport"),
        "length": pl.when("-size").then("length").alias("length"),
    }
    return frame.select(known.get(name, nulls[name]) for name in PACKETS), good


def _flags(history: pl.Series, turned: pl.Series) -> pl.Series:
    """TCP flags by `history`, as words, and by whose packets they are."""
    flags = _of_words(history, "orig")
    if turned.any():
        flags = _of_words(history, "resp").zip_with(turned, flags)
    return flags


def _of_words(history: pl.Series, sender: str) -> pl.Series:
    distinct = history.unique()
    texts = [int(n).to_bytes(8, "little").lstrip(b"\0").decode("ascii") for n in distinct.to_list()]
    flags = pl.Series([history_flags(text, sender) for text in texts], dtype=pl.UInt8)
    return history.replace_strict(distinct, flags, default=None, return_dtype=pl.UInt8)
