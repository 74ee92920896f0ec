"""Which of a day's tracks are news, and the numbers each is judged by."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from dante.config import Settings
from dante.embedding.model import PortModel
from dante.labels.scanners import BenignNetworks
from dante.schema import word_text
from dante.tracking.behaviour import behaviour_of, similarity, top_word
from dante.tracking.shapes import Curve, Volume, growth_curve
from dante.tracking.summary import network
from dante.tracking.threats import OUTBREAK, Sighting, choose, judge
from dante.tracking.tool import common_tool
from dante.tracking.track import Memory, Track

__all__ = ["find_threats"]


def _is_news(track: Track, day: date, began: date, settings: Settings) -> bool:
    """Whether a track seen today is young or lately back, and not merely as old as our records."""
    fresh = (day - track.news_day).days <= settings.threat.news_days
    has_past = (track.news_day - began).days >= settings.threat.history_days
    return track.last_day == day and fresh and has_past


def _breaks_out(
    track: Track, peaks: Mapping[int, int], day: date, began: date, settings: Settings
) -> bool:
    """Whether a known track has many times the senders it ever had."""
    before = peaks.get(track.track_id)
    has_past = (day - began).days >= settings.threat.history_days
    return (
        before is not None
        and has_past
        and track.last_day == day
        and track.peak_senders >= OUTBREAK * before
    )


def find_threats(
    day: date,
    tracks: Sequence[Track],
    senders: pl.DataFrame,
    clustered: pl.DataFrame,
    model: PortModel,
    memory: Memory,
    settings: Settings,
    benign: BenignNetworks,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The day's rows of `threats`, and those held beyond the budget of a day.

    Args:
        day: the day.
        tracks: tracks that changed today, as they are now.
        senders: the day's frame of `dante.sequences.SENDERS`.
        clustered: src and track_id of the day's members, noise left out.
        model: the model the day is judged with.
        memory: what was known before.
        settings: the test's bounds.
        benign: networks of known benign scanners.
    """
    began = min((track.first_day for track in memory.tracks), default=day)
    everyday_share = settings.cluster.everyday_share
    in_all = (senders.height, int(senders["packets"].sum()))
    found = []
    peaks = {track.track_id: track.peak_senders for track in memory.tracks}
    judged = [
        (track, is_fresh)
        for track in tracks
        if (is_fresh := _is_news(track, day, began, settings))
        or _breaks_out(track, peaks, day, began, settings)
    ]
    likeness = similarity(
        [behaviour_of(track.shown) for track, _ in judged],
        [behaviour_of(track.shown) for track in memory.tracks],
        model,
        everyday_share=everyday_share,
    )
    since = np.array([track.first_day.toordinal() for track in memory.tracks])
    for (track, is_fresh), alike in zip(judged, likeness, strict=True):
        behaviour = behaviour_of(track.shown)
        word = top_word(behaviour, model, everyday_share=everyday_share)
        members = senders.join(
            clustered.filter(pl.col("track_id") == track.track_id).select("src"),
            on="src",
            how="semi",
        )
        users = senders["words"].list.contains(pl.lit(word, dtype=pl.UInt32)).sum()
        usual = float(model.share(np.array([word], dtype=np.uint32))[0]) * senders.height
        # Whoever began later, or with it, is nothing it could be like.
        elder = np.where(since < track.first_day.toordinal(), alike, -1.0)
        nearest = int(elder.argmax()) if (elder >= 0).any() else None
        in_networks = members.select(network()).group_by("network").len()["len"]
        sighting = Sighting(
            track_id=track.track_id,
            name=track.name,
            news_day=track.news_day if is_fresh else day,
            age=(day - track.news_day).days if is_fresh else 0,
            away=track.news_away if is_fresh else None,
            nearest=None if nearest is None else memory.tracks[nearest].name,
            alike=0.0 if nearest is None else float(elder[nearest]),
            port=word_text(word),
            port_senders=int(users),
            expected=usual,
            networks=in_networks.len(),
            benign=int(benign.contains(members["src"]).sum()),
            tool=common_tool(track.shown),
            volume=_volume(members, in_networks, in_all),
            curve=_curve(track, day, members.height, memory),
            raised=track.raised,
            fullest=None if is_fresh else peaks[track.track_id],
        )
        threat = judge(
            sighting,
            day,
            min_cluster=settings.cluster.min_senders,
            min_senders=settings.threat.min_senders,
            min_score=settings.threat.min_score,
        )
        if threat is not None:
            found.append(threat)
    return choose(found, per_day=settings.threat.per_day)


def _volume(members: pl.DataFrame, in_networks: pl.Series, in_all: tuple[int, int]) -> Volume:
    """What a track's senders sent, beside the senders and packets of the whole day."""
    return Volume(
        senders=members.height,
        packets=int(members["packets"].sum()),
        ports=members["words"].explode(empty_as_null=False).n_unique(),
        in_one_network=int(in_networks.max() or 0),  # type: ignore[arg-type]
        day_senders=in_all[0],
        day_packets=in_all[1],
    )


def _curve(track: Track, day: date, senders: int, memory: Memory) -> Curve:
    """How a track's senders went since its birth or return, as far as memory reaches."""
    past = memory.past.filter(
        (pl.col("track_id") == track.track_id) & (pl.col("day") >= track.news_day)
    )
    days = [(earlier - day).days for earlier in past["day"]]
    return growth_curve([*days, 0], [*past["senders"], senders])
