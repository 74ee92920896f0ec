"""Which of a day's tracks are news, and the numbers each is judged by."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from dante.config import Settings
from dante.embedding.model import PortModel
from dante.labels.scanners import BenignNetworks
from dante.schema import word_text
from dante.tracking.behaviour import Behaviour, similarity, top_word
from dante.tracking.summary import network
from dante.tracking.threats import Sighting, judge
from dante.tracking.track import Memory, Track

__all__ = ["find_threats"]


def _is_news(track: Track, day: date, began: date, settings: Settings) -> bool:
    """Whether a track seen today is young or lately back, and not merely as old as our records."""
    fresh = (day - track.news_day).days <= settings.threat.news_days
    has_past = (track.news_day - began).days >= settings.threat.history_days
    return track.last_day == day and fresh and has_past


def find_threats(
    day: date,
    tracks: Sequence[Track],
    senders: pl.DataFrame,
    clustered: pl.DataFrame,
    model: PortModel,
    memory: Memory,
    settings: Settings,
    benign: BenignNetworks,
) -> list[dict[str, Any]]:
    """The day's rows of `threats`.

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
    found = []
    everyday_share = settings.cluster.everyday_share
    for track in tracks:
        if not _is_news(track, day, began, settings):
            continue
        behaviour = Behaviour(track.words, track.weights)
        word = top_word(behaviour, model, everyday_share=everyday_share)
        sources = clustered.filter(pl.col("track_id") == track.track_id)["src"]
        users = senders["words"].list.contains(pl.lit(word, dtype=pl.UInt32)).sum()
        usual = float(model.share(np.array([word], dtype=np.uint32))[0]) * senders.height
        elders = [other for other in memory.tracks if other.first_day < track.first_day]
        alike = similarity(
            [behaviour],
            [Behaviour(elder.words, elder.weights) for elder in elders],
            model,
            everyday_share=everyday_share,
        )[0]
        sighting = Sighting(
            track_id=track.track_id,
            name=track.name,
            age=(day - track.news_day).days,
            away=track.news_away,
            nearest=elders[int(alike.argmax())].name if elders else None,
            alike=float(alike.max()) if elders else 0.0,
            port=word_text(word),
            port_senders=int(users),
            expected=usual,
            senders=sources.len(),
            networks=pl.DataFrame({"src": sources}).select(network()).n_unique(),
            benign=int(benign.contains(sources).sum()),
            raised=track.raised,
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
    return found
