"""How well sender vectors tell organisations apart: the table of docs/decisions/0008.

    python -m benchmarks.vectors [SEED ...]

makes for each seed seven organisations of 22 to 400 scanners among 2,600 one-off scanners with the
same tools and ports, and a simulated telescope (hard, 6 days), and prints accuracy and macro-F1 of
the five nearest neighbours, leave one out, senders of nobody being a class.
"""

import datetime as dt
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.config import ModelSettings
from dante.embedding import BlockWeights, sender_vectors, train_model
from dante.evaluate.neighbours import knn_score
from dante.schema import PACKETS
from dante.sequences import day_sequences
from dante.simulate import Scenario, simulate_days

__all__ = ["main", "scanners"]

Ints = NDArray[np.int64]

DAYS: Final = 10
UNKNOWN: Final = "(unknown)"
_START: Final = int(dt.datetime(2025, 3, 1, tzinfo=dt.UTC).timestamp())
_DAY: Final = 86_400
_TELESCOPE: Final = 0xC6120000
_POPULAR: Final = np.array(
    [22, 23, 80, 443, 445, 3389, 8080, 5900, 3306, 1433, 6379, 21, 25, 53, 110, 143, 8443, 2323,
     5060, 123, 161, 27017, 9200, 11211]
)  # fmt: skip
_UDP: Final = [53, 123, 161, 5060, 11211]
_SIZES: Final = (400, 220, 140, 100, 70, 40, 22)
_NETWORKS: Final = (1, 1, 2, 6, 30, 60, 100)
_OTHERS: Final = 2_600
_MIRAI: Final = 8


@dataclass(frozen=True)
class _Tool:
    """How a scanner writes its packets; ip_id and seq in words, or a number that is always so."""

    ip_id: str | int
    window: int | None
    length: int
    sport: tuple[str, int, int]
    seq: str
    ttl: int


_TOOLS: Final = (
    _Tool(54_321, 65_535, 40, ("each", 32_768, 61_000), "each", 64),
    _Tool("each", 65_535, 40, ("each", 32_768, 61_000), "each", 64),
    _Tool("each", 1024, 44, ("fixed", 33_000, 64_000), "fixed", 255),
    _Tool("masscan", 1024, 40, ("fixed", 40_000, 60_000), "each", 255),
    _Tool("each", 64_240, 60, ("each", 32_768, 61_000), "each", 64),
    _Tool("each", 29_200, 60, ("each", 1024, 65_535), "each", 64),
    _Tool(0, 64_240, 52, ("each", 49_152, 65_535), "each", 128),
    _Tool("counts", 8192, 52, ("each", 49_152, 65_535), "each", 128),
    _Tool("each", None, 40, ("each", 1024, 65_535), "dst", 64),
    _Tool(54_321, 65_535, 40, ("fixed", 40_000, 60_000), "each", 255),
)
_SHARES: Final = (0.08, 0.06, 0.06, 0.12, 0.20, 0.12, 0.06, 0.10, 0.14, 0.06)


def scanners(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Canonical packets of `DAYS` days, and the `label` of each `src`."""
    rng = np.random.default_rng(seed)
    clouds = rng.choice(2**16 - 8192, 40, replace=False) + 4096
    parts: list[pl.DataFrame] = []
    labels: list[pl.DataFrame] = []
    for number, many in enumerate(rng.permutation(_NETWORKS)):
        size = _SIZES[number]
        networks = _networks(rng, clouds, int(many), 0.6)
        where = rng.integers(0, many, size)
        host = rng.permutation(254)[np.arange(size) % 254] + 1
        # More than fill one /24 go on into the next.
        src = (networks[where] + np.arange(size) // 254 * (many <= 2)) * 256 + host
        hops = np.clip(rng.normal(13, 4, many).round(), 4, 28).astype(int)[where]
        low = int(rng.integers(1024, 50_000))
        habit: dict[str, Any] = {
            "window": int(rng.choice([1024, 65_535, 64_240, 14_600, 42_340, 29_200])),
            "length": int(rng.choice([40, 44, 52, 60])),
        }
        wanted = str(rng.choice(["each", "fixed"]))
        habit["sport"] = (wanted, low, low + int(rng.choice([1, 100, 15_000])))
        habit = {name: value for name, value in habit.items() if rng.random() < 0.6}
        tools = rng.choice(len(_TOOLS), 1 if rng.random() < 0.6 else 2, replace=False)
        own = rng.integers(1, 65_536, int(rng.choice([3, 20, 200])))
        some = rng.permutation(_POPULAR)[: int(rng.integers(8, 24))]
        days = int(rng.integers(1, DAYS + 1))
        span = np.full(size, days * _DAY)
        start = rng.integers(0, max((DAYS - days) * _DAY, 1), size)
        parts.append(
            _packets(rng, src, hops, rng.choice(tools, size), habit, (own, some),
                     own_share=rng.random() * 0.15, volume=rng.uniform(2, 5),
                     start=start, span=span)
        )  # fmt: skip
        labels.append(pl.DataFrame({"src": src, "label": f"organisation {number}"}))
    src = _networks(rng, clouds, _OTHERS, 0.4) * 256 + rng.integers(1, 255, _OTHERS)
    tool = rng.choice(len(_TOOLS), _OTHERS, p=_SHARES)
    hops = np.clip(rng.normal(14, 5, _OTHERS).round(), 3, 32).astype(int)
    start, span = rng.integers(0, DAYS * _DAY, _OTHERS), rng.choice([600, 7200, _DAY], _OTHERS)
    for mask, ports in (
        (tool == _MIRAI, (np.array([23, 2323]), np.array([23, 2323, 5555]))),
        (tool != _MIRAI, (rng.integers(1, 65_536, 500), _POPULAR)),
    ):
        parts.append(
            _packets(rng, src[mask], hops[mask], tool[mask], {}, ports,
                     own_share=0.15, volume=2.5, start=start[mask], span=span[mask])
        )  # fmt: skip
    labels.append(pl.DataFrame({"src": src, "label": UNKNOWN}))
    named = pl.concat(labels).with_columns(pl.col("src").cast(pl.UInt64))
    return pl.concat(parts), named.unique("src", keep="first", maintain_order=True)


def _networks(rng: np.random.Generator, clouds: Ints, many: int, clouded: float) -> Ints:
    """Numbers of /24s, a share of them in the /16s of a few clouds."""
    anywhere = rng.integers(4096, 57_344, many)
    wide = np.where(rng.random(many) < clouded, rng.choice(clouds, many), anywhere)
    return np.asarray(wide * 256 + rng.integers(0, 256, many))


def _packets(
    rng: np.random.Generator, src: Ints, hops: Ints, tool: Ints, habit: dict[str, Any],
    ports: tuple[Ints, Ints], *, own_share: float, volume: float, start: Ints, span: Ints,
) -> pl.DataFrame:  # fmt: skip
    """The packets of some senders, log-normally many; each has up to six favourite ports."""
    count = np.clip(rng.lognormal(volume, 1.2, len(src)), 2, 2000).astype(int)
    row = np.repeat(np.arange(len(src)), count)
    total = len(row)
    ts = np.minimum(start[row] + (rng.random(total) * span[row]).astype(int), DAYS * _DAY - 1)
    own, some = ports
    favourites = rng.integers(0, 1 << 30, (len(src), 6))
    many = rng.integers(1, 7, len(src))
    choice = favourites[row, rng.integers(0, 6, total) % many[row]]
    wild = np.where(rng.random(total) < 0.5, choice, rng.integers(0, len(own), total)) % len(own)
    dport = np.where(rng.random(total) < own_share, own[wild], some[choice % len(some)])
    dst = _TELESCOPE + rng.integers(0, 4096, total)
    out = {
        name: np.zeros(total, dtype=np.int64) for name in ("ip", "seq", "sport", "window", "len")
    }
    fixed = rng.random(len(src))
    for number in np.unique(tool):
        kind, here = _TOOLS[number], np.flatnonzero(tool[row] == number)
        n, mine = len(here), fixed[row[here]]
        wanted, low, high = habit.get("sport", kind.sport)
        drawn = mine if wanted == "fixed" else rng.random(n)
        out["sport"][here] = low + (drawn * (high - low)).astype(int)
        window = habit.get("window", kind.window)
        out["window"][here] = (1000 + mine * 60_000).astype(int) if window is None else window
        out["len"][here] = habit.get("length", kind.length)
        seqs = {"dst": dst[here], "fixed": (mine * 2**32).astype(np.int64)}
        out["seq"][here] = seqs.get(kind.seq, rng.integers(0, 2**32, n))
        ids: dict[str | int, Any] = {
            "each": rng.integers(0, 65_536, n),
            "counts": ((mine * 65_536).astype(int) + ts[here] // 2) % 65_536,
            "masscan": (dst[here] ^ dport[here] ^ out["seq"][here]) & 0xFFFF,
        }
        out["ip"][here] = ids.get(kind.ip_id, kind.ip_id)
    initial = np.array([kind.ttl for kind in _TOOLS])[tool]
    is_udp = np.isin(dport, _UDP)
    frame = pl.DataFrame(
        {
            "ts": (ts + _START) * 1_000_000, "src": src[row], "dst": dst, "sensor": "telescope",
            "proto": np.where(is_udp, 17, 6), "dport": dport, "sport": out["sport"],
            "ttl": (initial - hops)[row] - (rng.random(total) < 0.1), "tcp_flags": 2,
            "tcp_window": out["window"], "ip_id": out["ip"], "tcp_seq": out["seq"],
            "length": np.where(is_udp, 60 + dport % 50, out["len"]), "packets": 1,
        }
    )  # fmt: skip
    return frame.with_columns(
        pl.col("ts").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        *(
            pl.when(pl.col("proto") == 6).then(name).alias(name)
            for name in ("tcp_flags", "tcp_window", "tcp_seq")
        ),
    ).select(pl.col(name).cast(kind) for name, kind in PACKETS.items())


def telescope(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Packets of a simulated telescope, and each sender's campaign."""
    days = list(simulate_days(Scenario.preset("hard", days=6, senders=1000, seed=seed)))
    members = pl.concat([day.members for day in days]).sort("day")
    named = members.unique("src", keep="last", maintain_order=True).select(
        pl.col("src"), label=pl.col("campaign").fill_null(UNKNOWN)
    )
    return pl.concat([day.packets for day in days]), named


_ALONE: Final = {
    "ports": BlockWeights(1, 0, 0, 0),
    "header": BlockWeights(0, 1, 0, 0),
    "pace": BlockWeights(0, 0, 1, 0),
    "network": BlockWeights(0, 0, 0, 1),
}
_CHOSEN: Final = BlockWeights()
_FUSED: Final = {
    "ports alone": BlockWeights(1, 0, 0, 0),
    "headers alone": BlockWeights(0, 1, 0, 0),
    "hours and pace alone": BlockWeights(0, 0, 1, 0),
    "networks alone": BlockWeights(0, 0, 0, 1),
    "ports with 0.3 x headers appended": BlockWeights(1, 0.09, 0, 0),
    "ports and headers alike": BlockWeights(0.5, 0.5, 0, 0),
    "all four alike": BlockWeights(0.25, 0.25, 0.25, 0.25),
    "chosen, without headers": BlockWeights(_CHOSEN.ports, 0, _CHOSEN.pace, _CHOSEN.network),
    "chosen, without networks": BlockWeights(_CHOSEN.ports, _CHOSEN.header, _CHOSEN.pace, 0),
    "chosen": _CHOSEN,
}


def scores(packets: pl.DataFrame, named: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """Accuracy and macro-F1 of each way to weigh the blocks."""
    days = packets.with_columns(day=pl.col("ts").dt.date()).partition_by("day", as_dict=True)
    senders = (
        (day, day_sequences(frame.lazy(), sentence_words=256).senders)
        for (day,), frame in sorted(days.items())
    )
    settings = ModelSettings(epochs=5, train_words=60_000)
    ports = train_model(senders, settings, model_id="benchmark", inputs="")
    alone = {
        name: sender_vectors(packets.lazy(), ports, everyday_share=0.01, weights=weights)
        for name, weights in _ALONE.items()
    }
    labels = pl.DataFrame({"src": alone["ports"].src}).join(
        named, on="src", how="left", maintain_order="left"
    )["label"].fill_null(UNKNOWN)  # fmt: skip
    found = {}
    for name, weights in _FUSED.items():
        fused = np.hstack(
            [
                np.float32(np.sqrt(getattr(weights, block))) * part.vectors
                for block, part in alone.items()
                if getattr(weights, block) > 0
            ]
        )
        score = knn_score(fused, labels)
        found[name] = (score.accuracy, score.macro_f1)
    return found


def main(seeds: list[int]) -> None:
    """Print a row a seed and way, and their means."""
    made: dict[str, Callable[[int], tuple[pl.DataFrame, pl.DataFrame]]] = {
        "scanners": scanners,
        "telescope": telescope,
    }
    for kind, make in made.items():
        rows = []
        for seed in seeds:
            rows.append(scores(*make(seed)))
            for name, (accuracy, macro) in rows[-1].items():
                print(f"{kind} {seed}\t{name}\t{accuracy:.3f}\t{macro:.3f}", flush=True)
        for name in _FUSED:
            accuracy, macro = np.mean([row[name] for row in rows], axis=0)
            print(f"{kind} mean\t{name}\t{accuracy:.3f}\t{macro:.3f}", flush=True)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [21, 22, 23])
