"""Planted actors: senders of known ports, headers, hours and networks."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.embedding import PortModel
from dante.embedding.model import ModelCard
from dante.sequences import SENDERS

TCP = 6 * 65536
ALL_DAY = (1 << 24) - 1
DAY = dt.date(2025, 3, 1)


def shift(*hours: int) -> int:
    """The mask of these hours of the day."""
    return sum(1 << hour for hour in hours)


@dataclass(frozen=True)
class Actor:
    """Senders that do alike.

    Attributes:
        n: how many.
        ports: what they try.
        pick: how many of the ports each tries, drawn at random; 0 for all.
        headers: values of traits; what is not named is null.
        hours: mask of the hours they are up; each is seen in some of them.
        seen: in how many of these hours each is seen.
        networks: first 16 bits of their addresses; None for anywhere.
    """

    n: int
    ports: list[int]
    pick: int = 0
    headers: tuple[tuple[str, int | bool], ...] = ()
    hours: int = ALL_DAY
    seen: int = 2
    networks: list[int] | None = None


MIRAI = (("tool", 1), ("ttl", 64), ("ttl_varies", False), ("tcp_length", 40), ("ip_id", 3))
ZMAP = (("tool", 2), ("ttl", 255), ("ttl_varies", False), ("tcp_length", 40), ("ip_id", 1))


def crowd(*actors: Actor, seed: int = 1) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """A day's frame of senders, sorted by src, and the actor each is of."""
    rng = np.random.Generator(np.random.PCG64(seed))
    rows, used = [], set()
    for number, actor in enumerate(actors):
        up = [hour for hour in range(24) if actor.hours >> hour & 1]
        every = np.array(actor.ports)
        pool = None if actor.networks is None else np.array(actor.networks)
        for _ in range(actor.n):
            while True:
                network = int(rng.integers(1 << 8, 1 << 16)) if pool is None else rng.choice(pool)
                src = (int(network) << 16) + int(rng.integers(1 << 16))
                if src not in used:
                    break
            used.add(src)
            drawn = rng.choice(every, actor.pick, replace=False, shuffle=False)
            ports = drawn if actor.pick else every
            words = sorted(TCP + int(port) for port in ports)
            hours = rng.choice(up, min(actor.seen, len(up)), replace=False)
            rows.append(
                {
                    "src": src,
                    "packets": 2 * len(words),
                    "sentence": words,
                    "words": words,
                    "counts": [2] * len(words),
                    "hours": shift(*map(int, hours)),
                    "actor": number,
                    **dict(actor.headers),
                }
            )
    frame = pl.DataFrame(rows, schema={**SENDERS, "actor": pl.Int64}).sort("src")
    return frame.drop("actor"), frame["actor"].to_numpy()


def port_model(words: int = 400, dimensions: int = 16) -> PortModel:
    """A model of TCP ports 1 to `words` in random directions, all equally common."""
    known = np.arange(TCP + 1, TCP + 1 + words, dtype=np.uint32)
    vectors = np.random.Generator(np.random.PCG64(3)).standard_normal((words, dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    card = ModelCard("m", DAY, DAY, 1, words, dimensions, 0, 0, 10_000, "i", {})
    return PortModel(card, known, vectors.astype(np.float32), np.full(words, 10))


def parts(labels: NDArray[np.int64]) -> set[frozenset[int]]:
    """Clusters as sets of positions."""
    return {
        frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) - {-1}
    }
