"""What a few senders did that the telescope is not used to: floods of a port, and sweeps.

It takes `cluster.min_senders` senders that do alike to make a track, and `threat.min_senders` to
make a threat. Beneath that nobody's doings have a track, whatever their volume. What is out of the
ordinary in them is found by counting, against the most of the `PAST_DAYS` days before:

flood  a port with `FLOOD_TIMES` the packets of its fullest day, `FLOOD_PACKETS` at least and
       `FLOOD_SHARE` of the day's, half of which came from fewer senders than a threat needs:
       a row for each of those.
sweep  a sender that tried `SWEEP_TIMES` as many ports as the widest sender of these days, and
       `SWEEP_PORTS` at least.

The day after a flood has the flood in its past, so one that lasts is told once. Of a day only
ports with `KEPT_SHARE` of its packets are kept, so at most 1 / `KEPT_SHARE` of them; a port that is
not kept had fewer, and so much is taken to be usual.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from dante.config import ThreatSettings
from dante.labels.scanners import BenignNetworks
from dante.schema import address_text, word_text
from dante.store.state import State

__all__ = ["FLOODS", "PAST_DAYS", "Floods", "PastVolumes", "find_floods", "load_volumes"]

FLOODS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "src": pl.String(),
    "shape": pl.String(),
    "port": pl.String(),
    "ports": pl.Int64(),
    "packets": pl.Int64(),
    "usual": pl.Int64(),
    "times": pl.Float64(),
    "address": pl.UInt64(),
}
_VOLUMES: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "least": pl.Int64(),
    "widest": pl.Int64(),
}

PAST_DAYS: Final = 28
FLOOD_TIMES: Final = 4
FLOOD_PACKETS: Final = 200
FLOOD_SHARE: Final = 0.005
SWEEP_TIMES: Final = 2
SWEEP_PORTS: Final = 100
KEPT_SHARE: Final = 0.001

_MOST = """
    SELECT word, CAST(max(packets) AS BIGINT) AS packets FROM pipeline.port_days
    WHERE day >= ? AND day < ? GROUP BY word ORDER BY word
"""
_BOUNDS = """
    SELECT count(*), CAST(max(least) AS BIGINT), CAST(max(widest) AS BIGINT)
    FROM pipeline.volumes WHERE day >= ? AND day < ?
"""


@dataclass(frozen=True)
class PastVolumes:
    """The fullest of the days before a day.

    Attributes:
        days: how many of them have packets.
        ports: `word`, `packets`: the most a port had on one of them; ports with fewer than `least`
            on all of them have no row.
        least: packets below which a port is not kept.
        widest: the most ports one sender tried on one of them.
    """

    days: int
    ports: pl.DataFrame
    least: int
    widest: int


@dataclass(frozen=True)
class Floods:
    """A day's floods and sweeps, and what later days need to know of it.

    Attributes:
        floods: rows of `floods`, by shape, the most packets first.
        port_days: rows of `pipeline.port_days`.
        volumes: the row of `pipeline.volumes`.
    """

    floods: pl.DataFrame
    port_days: pl.DataFrame
    volumes: pl.DataFrame


def load_volumes(state: State, day: date) -> PastVolumes:
    """The fullest of the days before `day`; nothing of it or later is read."""
    span: list[object] = [day - timedelta(days=PAST_DAYS), day]
    ports = state.frame(_MOST, span).cast({"word": pl.UInt32, "packets": pl.Int64})
    days, least, widest = state.frame(_BOUNDS, span).row(0)
    return PastVolumes(days, ports, least or 0, widest or 0)


def find_floods(
    day: date,
    senders: pl.DataFrame,
    past: PastVolumes,
    *,
    settings: ThreatSettings,
    benign: BenignNetworks,
) -> Floods:
    """A day's floods and sweeps.

    Args:
        day: the day.
        senders: its frame of `dante.sequences.SENDERS`.
        past: the fullest of the days before.
        settings: `min_senders`: if half of a port's packets came from so many, that is for the
            tracks to tell; `history_days`: with fewer days before, all is out of the ordinary.
        benign: networks of known benign scanners, whose floods and sweeps are left out.
    """
    sent = (
        senders.select("src", "words", "counts")
        .explode("words", "counts", empty_as_null=False)
        .rename({"words": "word"})
        .with_columns(packets=pl.col("counts").cast(pl.Int64))
    )
    by_port = sent.group_by("word").agg(pl.col("packets").sum()).sort("word")
    wide = senders.select(
        "src",
        ports=pl.col("words").list.len().cast(pl.Int64),
        packets=pl.col("packets").cast(pl.Int64),
    )
    total = int(by_port["packets"].sum())
    least = int(KEPT_SHARE * total) + 1
    if past.days < settings.history_days:
        found = []
    else:
        found = [
            _floods(
                sent,
                by_port,
                past,
                bound=max(FLOOD_PACKETS, FLOOD_SHARE * total),
                carriers=settings.min_senders,
            ),
            _sweeps(wide, past),
        ]
    return Floods(
        floods=_rows(day, found, benign),
        port_days=by_port.filter(pl.col("packets") >= least).select(
            pl.lit(day).alias("day"), "word", "packets"
        ),
        volumes=pl.DataFrame(
            [(day, least, wide["ports"].max() or 0)], schema=_VOLUMES, orient="row"
        ),
    )


def _floods(
    sent: pl.DataFrame,
    by_port: pl.DataFrame,
    past: PastVolumes,
    *,
    bound: float,
    carriers: int,
) -> pl.DataFrame:
    full = (
        by_port.filter(pl.col("packets") >= bound)
        .join(past.ports, on="word", how="left", suffix="_past", maintain_order="left")
        .with_columns(usual=pl.max_horizontal(pl.col("packets_past").fill_null(0), past.least))
        .filter(pl.col("packets") >= FLOOD_TIMES * pl.col("usual"))
        .select("word", "usual", total="packets")
    )
    before = pl.col("packets").cum_sum().shift(1, fill_value=0).over("word")
    return (
        sent.join(full, on="word")
        .sort(["word", "packets", "src"], descending=[False, True, False])
        .filter(before * 2 < pl.col("total"))
        .filter(pl.len().over("word") < carriers)
        .select(
            "src", "word", "packets", "usual", shape=pl.lit("flood"), ports=pl.lit(1, pl.Int64),
            times=pl.col("packets") / pl.max_horizontal("usual", 1),
        )
    )  # fmt: skip


def _sweeps(wide: pl.DataFrame, past: PastVolumes) -> pl.DataFrame:
    bound = max(SWEEP_PORTS, SWEEP_TIMES * past.widest)
    return wide.filter(pl.col("ports") >= bound).select(
        "src", pl.lit(None, pl.UInt32).alias("word"), "packets",
        usual=pl.lit(past.widest, pl.Int64), shape=pl.lit("sweep"), ports="ports",
        times=pl.col("ports") / max(past.widest, 1),
    )  # fmt: skip


def _rows(day: date, found: list[pl.DataFrame], benign: BenignNetworks) -> pl.DataFrame:
    if not found:
        return pl.DataFrame(schema=FLOODS)
    rows = pl.concat(found)
    rows = rows.filter(~benign.contains(rows["src"])).sort(
        "shape", "packets", "src", "word", descending=[False, True, False, False]
    )
    names = {word: word_text(word) for word in rows["word"].drop_nulls().unique()}
    return rows.select(
        pl.lit(day).alias("day"),
        address_text(rows["src"]),
        "shape",
        pl.col("word").replace_strict(names, return_dtype=pl.String).alias("port")
        if names
        else pl.lit(None, pl.String).alias("port"),
        "ports",
        "packets",
        "usual",
        pl.col("times").round(1),
        pl.col("src").alias("address"),
    ).cast(FLOODS)  # type: ignore[arg-type]
