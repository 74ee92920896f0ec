"""Records of a log → packets, and a reason for every record that is none.

One record is one packet. Records of other programs, and of packets that did not come in, are
refused as such. "message repeated n times" stands for n packets like the one it repeats.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.sources.batch import Batch, refuse
from dante.sources.interpret import Rules, interpret
from dante.sources.netfilter import FIELDS

__all__ = ["Repeats", "as_text", "is_foreign", "judge_records"]

_PROGRAMS: Final = (
    r"^(?i:kernel|klogd|ulogd2?|ip6?tables|nft|nftables|netfilter|ufw|firewalld?|shorewall6?)"
    r"(?:\[[0-9]+\])?:?$"
)
"""Programs whose lines are the firewall's. Anyone may make another program log whatever text they
like, by a user name, say, that reads as a packet."""


def as_text(block: bytes) -> bytes:
    """A block without what is no text: a prefix in some old encoding costs no packet."""
    if b"\0" in block:
        block = block.replace(b"\0", "\ufffd".encode())
    return block if block.isascii() else block.decode("utf-8", errors="replace").encode()


class Repeats:
    """What a line that repeats the line before it repeats, from batch to batch."""

    def __init__(self) -> None:
        """Start with nothing to repeat."""
        self._base: pl.DataFrame | None = None
        self._later: Callable[[], pl.DataFrame] | None = None

    @property
    def base(self) -> pl.DataFrame | None:
        """The record of the line before; None if there is none."""
        if self._later is not None:
            record = self._later()
            self.base = record.with_columns(_are_foreign(record["program"])).select(_CARRIED)
        return self._base

    @base.setter
    def base(self, record: pl.DataFrame | None) -> None:
        self._base, self._later = record, None

    def remember(self, record: Callable[[], pl.DataFrame]) -> None:
        """The line before was read in another way; its record, as `judge_records` takes it, is made
        if it is asked for.
        """
        self._later = record


_CARRIED: Final = (
    *FIELDS,
    "found",
    "outgoing",
    "arp",
    "fragment",
    "tcp_flags",
    "sensor",
    "foreign",
)
_REPEATERS: Final = r"^(?:kernel|syslog-ng\[[0-9]+\]):?$"
_INLINE: Final = r"^.{0,400}?[ :]message repeated ([0-9]{1,12}) times?: \["
_BACK: Final = (
    r"^.{0,400}? [Ll]ast message (?:'.*' )?"
    r"repeated ([0-9]{1,12}) times?(?:$|, suppressed)"
)


def judge_records(records: pl.DataFrame, odd: pl.DataFrame, rule: Rules, repeats: Repeats) -> Batch:
    """The packets among records, and a reason for each other one.

    Args:
        records: `row` UInt64 (ascending); `raw`, `message`, `ts` (as `rule` reads it), `sensor` and
            `program` (a colon at its end if it is only told by that) String; and what
            `packet_fields` gives of `message`.
        odd: records that cannot be read at all (`QUARANTINE`), with numbers between the others'.
        rule: how values are read.
        repeats: what came before; it is changed.
    """
    packets = pl.lit(None, dtype=pl.String).alias("packets")
    table = records.with_columns(_are_foreign(records["program"]), packets)
    table = _repeated(table, odd["row"], repeats)
    reasons = table.select(_NOT_A_PACKET.alias("reason"))["reason"]
    good = reasons.is_null()
    clean = good.all()
    chosen = table if clean else table.filter(good)
    batch = interpret(
        chosen.select("row", *_COLUMNS), rule, lambda at: chosen["raw"].gather(at).to_list()
    )
    if clean and not odd.height:
        return batch
    lost = table.filter(~good)
    refused = refuse(
        rule.times(lost["ts"]).dt.date(), lost["row"], lost["raw"].to_list(), reasons.drop_nulls()
    )
    return Batch(batch.packets, pl.concat([batch.refused, refused, odd]).sort("row"))


def is_foreign(program: str | None) -> bool:
    """Whether a line of this program, told as in `judge_records`, is surely not a firewall's."""
    foreign: bool = _are_foreign(pl.Series([program], dtype=pl.String)).item()
    return foreign


def _are_foreign(program: pl.Series) -> pl.Series:
    """Whether lines are surely another program's.

    Behind a time and a host, a word that ends in a colon may as well be a firewall's own prefix
    ("DROP: IN=…"): it is taken as a program's name if it has no capital letter, or the number of a
    process.
    """
    others = (program.is_not_null() & ~program.is_in(["kernel:", "kernel"])).arg_true()
    foreign = pl.Series("foreign", [False]).new_from_index(0, program.len())
    if not others.len():
        return foreign
    names = program.gather(others)
    sure = ~names.str.ends_with(":") | names.str.contains(r"^[a-z0-9_./()@-]+:$|\[[0-9]+\]:$")
    return foreign.scatter(others, sure & ~names.str.contains(_PROGRAMS))


_IS_TCP: Final = pl.col("proto").is_in(["TCP", "tcp", "6"])
_IS_ICMP: Final = pl.col("proto").str.to_lowercase().is_in(["icmp", "icmpv6", "1", "58"])
_NO_PORT: Final = pl.col("dport").is_null() & pl.col("icmp_type").is_null()
_NOT_A_PACKET: Final = (
    pl.when(~pl.col("found") | pl.col("foreign"))
    .then(pl.lit("not a firewall line"))
    .when(pl.col("src").is_null() & (pl.col("arp") | (pl.col("ethertype") == "0806")))
    .then(pl.lit("not IP: ARP (ethertype 0x0806)"))
    .when(pl.col("src").is_null() & pl.col("ethertype").is_not_null())
    .then(pl.format("not IP: ethertype 0x{}", pl.col("ethertype").str.slice(0, 4)))
    .when(pl.col("outgoing"))
    .then(pl.lit("not an incoming packet: the host sent it, IN= is empty"))
    .when(pl.col("fragment") & _NO_PORT)
    .then(pl.lit("a later fragment: it carries no ports"))
    .when(_IS_ICMP & pl.col("icmp_type").is_null())
    .then(pl.lit("no ICMP type"))
    .when(pl.col("packets").str.contains("^0+$"))
    .then(pl.lit("the line stands for no packets"))
)
_COLUMNS: Final[tuple[str | pl.Expr, ...]] = (
    *("ts", "src", "dst", "sensor", "dport", "sport", "ttl", "ip_id", "length", "packets"),
    pl.col("proto").str.to_lowercase(),
    pl.when(_IS_TCP).then("tcp_flags").alias("tcp_flags"),
    *(pl.when(_IS_TCP).then(name).alias(name) for name in ("tcp_window", "tcp_seq")),
    *(pl.when(_IS_ICMP).then(name).alias(name) for name in ("icmp_type", "icmp_code")),
)


def _repeated(table: pl.DataFrame, odd: pl.Series, repeats: Repeats) -> pl.DataFrame:
    """The table with `packets`, and with what a line repeats in that line's place."""
    spots = table["message"].str.contains("message repeated ", literal=True).arg_true()
    behind = np.zeros(table.height, dtype=bool)
    if spots.len():
        texts = table.select(pl.col("message", "program").gather(spots))
        found = texts.select(
            inline=pl.col("message").str.extract(_INLINE),
            back=pl.when(pl.col("program").fill_null("kernel").str.contains(_REPEATERS)).then(
                pl.col("message").str.extract(_BACK)
            ),
        )
        count = found.select(pl.coalesce("inline", "back")).to_series()
        table = table.with_columns(table["packets"].scatter(spots, count))
        behind[spots.filter(found["inline"].is_null() & found["back"].is_not_null()).to_numpy()] = 1
        if behind.any():
            table = _filled(table, odd, behind, repeats.base)
    last = np.flatnonzero(~behind)
    if odd.len() and (not last.size or odd[-1] > table["row"][int(last[-1])]):
        repeats.base = None
    elif last.size:
        repeats.base = table.select(_CARRIED).slice(int(last[-1]), 1)
    return table


def _filled(
    table: pl.DataFrame, odd: pl.Series, behind: npt.NDArray[np.bool_], before: pl.DataFrame | None
) -> pl.DataFrame:
    """The table with the fields of the line before in each line that is `behind` it."""
    own = table.select(_CARRIED)
    if before is None:
        before = own.clear(1)
    places = np.arange(table.height)
    base = np.maximum.accumulate(np.where(behind, -1, places))
    rows, bad = table["row"].to_numpy(), odd.to_numpy()
    start = np.where(base >= 0, rows[base], 0)
    base = np.where(np.searchsorted(bad, start) == np.searchsorted(bad, rows), base, places)
    every = pl.concat([before, own])
    filled = every.select(pl.col("sensor", "found").gather(base + 1))
    # The line before is the daemon's own last one: on a server of many hosts that may be another's.
    same = filled["sensor"].eq_missing(own["sensor"]) & filled["found"].fill_null(False)
    taken = np.where(behind & same.to_numpy(), base, places) + 1
    return table.with_columns(every.select(pl.all().gather(taken)))
