"""One vector for each sender of a span: its ports, headers, hours and pace, and network.

Ports say what a sender wants, headers say who it is, where it stands and when it works say a
little of both. Each of the four is a block of unit length times the root of its weight, so that
the cosine of two senders is the weighted mean of how alike they are in each. Numbers are placed
by how far they are from the mean of the span's senders, in standard deviations.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from dante.embedding.model import PortModel
from dante.embedding.profiles import rarity
from dante.embedding.shown import HEADERS, Shown, concentration, shown
from dante.labels.tools import RULES

__all__ = ["BlockWeights", "SenderVectors", "sender_vectors"]

Numbers = NDArray[np.float64]

# A word weighs by the logarithm of how often a sender used it, and no more than this.
_MOST_WEIGHT: Final = 6.0
_NOTHING: Final = 1e-9
# What part of the ports' squared length is how many they are and how evenly used.
_EVENNESS: Final = 0.2
_FAR: Final = 3.0
_FIRST_IPV6: Final = 1 << 32
# A sender shares a /24 (IPv6: /48) with few others and a /16 (/32) with many.
_NEAR: Final = 0.7


@dataclass(frozen=True)
class BlockWeights:
    """What part of a vector's squared length each block has, where the source knows all four.

    A block of weight 0 is left out; so is the header's where no packet carries any header.
    """

    ports: float = 0.15
    header: float = 0.6
    pace: float = 0.1
    network: float = 0.15


@dataclass(frozen=True)
class SenderVectors:
    """The senders of a span.

    Attributes:
        src: (s,) uint64, sorted.
        packets: (s,) uint64: packets of the span, replies left out.
        vectors: (s, d) float32, of unit length.
    """

    src: NDArray[np.uint64]
    packets: NDArray[np.uint64]
    vectors: NDArray[np.float32]


def sender_vectors(
    packets: pl.LazyFrame,
    ports: PortModel,
    *,
    everyday_share: float,
    weights: BlockWeights | None = None,
) -> SenderVectors:
    """The vectors of a span's senders with intent; the order of packets does not matter.

    Args:
        packets: canonical packets of the span.
        ports: a model of its ports.
        everyday_share: a word this share of senders use counts half.
        weights: of the blocks; those chosen by measurement if not given.
    """
    weights = weights or BlockWeights()
    seen = shown(packets)
    src = seen.traits["src"].to_numpy()
    traits = {
        name: seen.traits[name].to_numpy().astype(np.float64)
        for name in seen.traits.columns
        if name != "src"
    }
    blocks: list[NDArray[np.float32]] = []
    if weights.ports > 0:
        blocks.append(_block(weights.ports, _ports(seen, src, ports, everyday_share)))
    if weights.header > 0 and any(traits[f"{name}_n"].any() for name in HEADERS):
        blocks.append(_block(weights.header, _placed(_header(traits))))
    if weights.pace > 0:
        blocks.append(_block(weights.pace, _pace(traits)))
    if weights.network > 0:
        blocks.append(_block(weights.network, _network(src)))
    vectors = np.hstack(blocks)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return SenderVectors(src, seen.traits["packets"].cast(pl.UInt64).to_numpy(), vectors)


def _block(weight: float, block: Numbers) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(weight) * _unit(block), dtype=np.float32)


def _ports(
    seen: Shown, src: NDArray[np.uint64], ports: PortModel, everyday_share: float
) -> Numbers:
    """The average of a sender's words, and how many they are and how evenly used."""
    used = seen.used
    words = used["word"].unique().sort().to_numpy()
    weights = rarity(ports, words, everyday_share=everyday_share)
    directions = ports.word_vectors(words) * weights[:, None]
    rows = np.searchsorted(src, used["src"].to_numpy())
    columns = np.searchsorted(words, used["word"].to_numpy())
    n = used["n"].to_numpy().astype(np.float64)
    use = np.minimum(1 + np.log2(n), _MOST_WEIGHT)
    vectors = sparse.csr_array((use, (rows, columns)), shape=(len(src), len(words))) @ directions
    # Opposite ports may cancel out: then the one that says most speaks for all.
    for row in np.flatnonzero(np.linalg.norm(vectors, axis=1) < _NOTHING):
        mine = columns[rows == row]
        vectors[row] = directions[mine[weights[mine].argmax()]]
    bits, top = concentration(rows, n, len(src))
    evenness = _placed([bits, top, np.bincount(rows, minlength=len(src)).astype(np.float64)])
    return np.hstack(
        [np.sqrt(1 - _EVENNESS) * _unit(vectors), np.sqrt(_EVENNESS) * _unit(evenness)]
    )


def _header(traits: dict[str, Numbers]) -> list[Numbers]:
    """Numbers of the headers, each (s,), NaN where a sender shows none."""
    t = traits
    found = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for name in ("ttl", "length", "window", "sport"):
            n = t[f"{name}_n"]
            mean = t[f"{name}_sum"] / n
            found += [mean, np.sqrt(np.maximum(t[f"{name}_sq"] / n - mean**2, 0))]
        found += [t["ttl_max"], t["window_max"], t["sport_min"], t["sport_max"]]
        for name in ("sport", "window"):
            found += [t[f"{name}_bits"], t[f"{name}_top"]]
        found += [t[f"tool_{rule.number}"] / t["tool_n"] for rule in RULES]
        numbered = t["ip_id_n"]
        found += [
            t["ip_id_top"],
            t["ip_id_zero"] / numbered,
            np.where(numbered > 0, t["ip_id_kinds"], np.nan) / numbered,
            t["counted"] / np.where(numbered > 1, numbered - 1, np.nan),
        ]
        found += [np.where(t["tcp_seq_n"] > 0, t["tcp_seq_kinds"], np.nan) / t["tcp_seq_n"]]
        found += [t[name] / t["rows"] for name in ("tcp", "udp", "icmp")]
        found += [t["syn"] / t["flags_n"]]
    return found


def _pace(traits: dict[str, Numbers]) -> Numbers:
    """The hours it works, as waves of a day and half a day, and how much and how long."""
    t = traits
    hours = np.column_stack([t[f"hour_{hour}"] for hour in range(24)]) / t["rows"][:, None]
    angle = 2 * np.pi * np.arange(24) / 24
    waves = hours @ np.column_stack([f(k * angle) for k in (1, 2) for f in (np.cos, np.sin)])
    pace = [
        t["packets"],
        t["day_kinds"],
        t["packets"] / t["day_kinds"],
        t["packets"] / t["minute_kinds"],
        t["dst_kinds"] / t["rows"],
        t["seconds"],
    ]
    # With a constant, one that works round the clock is as near to all hours.
    steady = np.ones((len(waves), 1))
    return np.hstack([_unit(np.hstack([steady, waves])), _unit(_placed(pace))])


def _network(src: NDArray[np.uint64]) -> Numbers:
    six = src >= _FIRST_IPV6
    near = np.where(six, src >> np.uint64(16), src >> np.uint64(8))
    far = np.where(six, src >> np.uint64(32), src >> np.uint64(16))
    return np.hstack([np.sqrt(_NEAR) * _signs(near, 1), np.sqrt(1 - _NEAR) * _signs(far, 2)])


def _signs(numbers: NDArray[np.uint64], salt: int) -> Numbers:
    """A direction for each number, the same in every run: (len(numbers), 64) of ±1.

    The signs are the bits of the number as SplitMix64 mixes them.
    """
    mixed = numbers * np.uint64(4) + np.uint64(salt)
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    bits = np.unpackbits(mixed.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1)
    return bits.astype(np.float64) * 2 - 1


def _placed(numbers: list[Numbers]) -> Numbers:
    """Numbers as how far each is from the senders' mean, (s, k); 0 where there is none.

    In standard deviations and at most `_FAR`, so that no outlier and no unit of measure rules.
    Numbers that no sender has, or all alike, have no column.
    """
    columns = []
    for column in numbers:
        known = ~np.isnan(column)
        deviation = column[known].std() if known.any() else 0.0
        if deviation > _NOTHING:
            placed = np.zeros(len(column))
            placed[known] = (column[known] - column[known].mean()) / deviation
            columns.append(np.clip(placed, -_FAR, _FAR))
    return np.column_stack(columns) if columns else np.empty((len(numbers[0]), 0))


def _unit(block: Numbers) -> Numbers:
    lengths = np.linalg.norm(block, axis=1, keepdims=True)
    return np.asarray(block / np.where(lengths > 0, lengths, 1))
