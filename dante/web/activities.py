"""The day's clusters on a plane: those that try like ports lie together, whoever they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.web.publication import Reader
from dante.web.today import published_day

__all__ = ["ActivityMap", "Cluster", "activity_map", "lay_out"]

_TRACKS: Final = 400
_WINDOW: Final = 28
_COMPANY: Final = 0.5
"""How much a port counts as the ports it is tried with, beside itself."""

_KEPT: Final = 64
"""Maps that are kept until the next publication: most of the work is to lay them out."""

_STEPS: Final = 80
_APART: Final = 0.012
"""Distance between clusters of one track, on a plane that is 1 wide."""


@dataclass(frozen=True)
class Cluster:
    """A cluster of the day at a place on the plane, 0 to 1 each way.

    Attributes:
        top_ports: of the cluster's track that day.
    """

    cluster_id: int
    track_id: int
    name: str
    label: str | None
    senders: int
    packets: int
    top_ports: str | None
    x: float
    y: float


@dataclass(frozen=True)
class ActivityMap:
    """All clusters of a day, most senders first; the smallest tracks may be left out."""

    day: date
    first_day: date
    newest_day: date
    previous: date | None
    following: date | None
    clusters: list[Cluster]
    left_out: int


def activity_map(reader: Reader, day: date | None = None) -> ActivityMap:
    """The map of a day, or of the newest. The same publication gives the same map.

    Raises:
        NotEnoughDataError, NotFoundError: as `today`.
    """
    day, first, newest = published_day(reader, day)
    found = reader.kept.get(("map", day))
    if not isinstance(found, ActivityMap):
        found = _drawn(reader, day, first, newest)
        if len(reader.kept) < _KEPT:
            reader.kept["map", day] = found
    return found


def _drawn(reader: Reader, day: date, first: date, newest: date) -> ActivityMap:
    clusters = reader.frame(
        """
        SELECT cluster_id, track_id, any_value(coalesce(tracks.name, 'track-' || track_id)) AS name,
               any_value(tracks.label) AS label, count(*) AS senders,
               CAST(sum(memberships.packets) AS BIGINT) AS packets,
               any_value(track_days.top_ports) AS top_ports
        FROM memberships LEFT JOIN tracks USING (track_id)
             LEFT JOIN track_days USING (day, track_id)
        WHERE memberships.day = ? AND track_id IS NOT NULL AND cluster_id IS NOT NULL
        GROUP BY cluster_id, track_id ORDER BY senders DESC, cluster_id, track_id
        """,
        day,
    )
    ids = clusters["track_id"].unique(maintain_order=True).to_list()[:_TRACKS]
    ports = reader.frame(
        """
        SELECT track_id, port, sum(share) FILTER (day = $day) AS today, sum(share) AS lately
        FROM track_ports WHERE day <= $day AND day > $day - CAST($window AS INTEGER)
        GROUP BY track_id, port ORDER BY track_id, port
        """,
        day=day,
        window=_WINDOW,
    )
    places = dict(zip(ids, lay_out(_alike(ids, ports)).tolist(), strict=True))
    placed, seen = [], dict.fromkeys(ids, 0)
    for row in clusters.filter(pl.col("track_id").is_in(ids)).to_dicts():
        (x, y), n = places[row["track_id"]], seen[row["track_id"]]
        seen[row["track_id"]] += 1
        # A sunflower: clusters of one track around its place, none upon another.
        away, turn = _APART * math.sqrt(n), n * math.pi * (3 - math.sqrt(5))
        at = [min(1.0, max(0.0, v)) for v in (x + away * math.cos(turn), y + away * math.sin(turn))]
        placed.append(Cluster(**row, x=round(at[0], 4), y=round(at[1], 4)))
    return ActivityMap(
        day=day,
        first_day=first,
        newest_day=newest,
        previous=reader.one("SELECT max(day) FROM daily WHERE day < ?", day),
        following=reader.one("SELECT min(day) FROM daily WHERE day > ?", day),
        clusters=placed,
        left_out=clusters.height - len(placed),
    )


def _alike(ids: list[int], ports: pl.DataFrame) -> NDArray[np.float64]:
    """How alike tracks' ports are today, (n, n) in 0..1: cosines of square roots of shares.

    Ports that are tried together these weeks, by whomever, count as partly the same.
    """
    tracks = ports["track_id"].unique().sort().to_list()
    names = ports["port"].unique().sort().to_list()
    row_of = {track_id: n for n, track_id in enumerate(tracks)}
    column_of = {name: n for n, name in enumerate(names)}
    lately = np.zeros((len(tracks), len(names)))
    today = np.zeros((len(ids), len(names)))
    wanted = {track_id: n for n, track_id in enumerate(ids)}
    for track_id, port, now, sometime in ports.iter_rows():
        lately[row_of[track_id], column_of[port]] = math.sqrt(max(0.0, sometime or 0.0))
        if track_id in wanted and now:
            today[wanted[track_id], column_of[port]] = math.sqrt(max(0.0, now))
    columns = lately / np.maximum(np.linalg.norm(lately, axis=0), 1e-12)
    mixed = today + _COMPANY * (today @ columns.T) @ columns
    unit = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
    return np.asarray(np.clip(unit @ unit.T, 0, 1))


def lay_out(alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places on a plane, (n, 2) in 0..1, where distances follow unlikeness as well as they can.

    Classical scaling for a start, then stress majorization with near pairs weighing most (far
    ones cannot all be told apart on a plane). No random numbers: the same input, the same map.

    Args:
        alike: (n, n), symmetric, 0..1.
    """
    n = len(alike)
    if n < 2:
        return np.full((n, 2), 0.5)
    far = np.sqrt(np.maximum(1 - alike, 0))
    np.fill_diagonal(far, 0)
    centred = far**2 - (far**2).mean(0) - (far**2).mean(1)[:, None] + (far**2).mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    places = vectors[:, -2:][:, ::-1] * np.sqrt(np.maximum(values[-2:][::-1], 1e-12))
    # Eigenvectors have no sign of their own: the largest part of each is made positive.
    places = places * np.sign(places[np.abs(places).argmax(0), [0, 1]] + 1e-300)
    # Those on one spot would stay there for ever: each is moved a little, its own way.
    turn = np.arange(n) * math.pi * (3 - math.sqrt(5))
    places = places + 1e-3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    wanted = 0.08 + 0.92 * (1 - alike)
    weights = (0.03 + alike) * wanted**-2
    np.fill_diagonal(weights, 0)
    laplacian = np.diag(weights.sum(1)) - weights
    inverse = np.linalg.inv(laplacian + 1.0 / n) - 1.0 / n
    pull = weights * wanted
    for _ in range(_STEPS):
        across, down = (places[:, axis, None] - places[:, axis] for axis in (0, 1))
        ratio = -pull / np.maximum(np.hypot(across, down), 1e-9)
        np.fill_diagonal(ratio, 0)
        np.fill_diagonal(ratio, -ratio.sum(1))
        places = inverse @ (ratio @ places)
    low, high = places.min(0), places.max(0)
    return np.asarray(np.clip((places - low) / max(float((high - low).max()), 1e-12), 0, 1))
