"""A day's senders as arrays, on the days that are hardest to put in arrays."""

import numpy as np
import polars as pl

from dante.clustering.evidence import COUNTED, evidence_of, field_of, trait_codes
from dante.sequences import SENDERS

from .conftest import MIRAI, Actor, crowd


def test_a_day_without_senders_is_empty_evidence() -> None:
    """No senders give arrays of no rows, and nothing divides by their number."""
    with np.errstate(all="raise"):
        day = evidence_of(pl.DataFrame(schema=SENDERS))
        assert (day.n, day.uses.shape, day.combinations.shape) == (0, (0, 0), (0, 0))
        assert day.word_shares.shape == day.network_odds.shape == (0,)
        assert 0 < day.unseen_network < 1


def test_a_source_without_hours_was_there_all_day() -> None:
    """Null hours are spread evenly, as are those of a sender that was seen every hour."""
    frame, _ = crowd(Actor(1, [23], seen=24), Actor(1, [23]))
    frame = frame.with_columns(hours=pl.when(pl.col("src") == frame["src"][0]).then("hours"))
    day = evidence_of(frame.with_columns(pl.lit(None, dtype=pl.UInt32).alias("hours")))
    assert np.allclose(day.hours, 1 / 24)


def test_traits_are_codes_that_name_their_field() -> None:
    """Each value has a code of its own in order, also -1, and nulls have none."""
    frame, _ = crowd(Actor(3, [23], headers=MIRAI), Actor(2, [23], headers=(("window", -1),)))
    day = evidence_of(frame)
    assert {COUNTED[field] for field in day.fields} == {*dict(MIRAI), "window"}
    assert day.shown(np.arange(day.n)).sum() == 3 * len(MIRAI) + 2
    for name in COUNTED:
        codes = trait_codes(name, pl.Series([-1, 0, 65535]))
        assert np.all(np.diff(codes.astype(np.int64)) > 0)
        assert set(field_of(codes).tolist()) == {COUNTED.index(name)}


def test_networks_of_both_kinds_never_meet() -> None:
    """IPv4 senders are by their first 16 bits, IPv6 ones by their first 32."""
    frame, _ = crowd(Actor(4, [23]))
    four = [(300 << 16) + 1, (300 << 16) + 70, (301 << 16) + 1]
    six = [0x2001_0DB8_0000_0001, 0x2001_0DB8_FFFF_0001, 0x2001_0DB9_0000_0001]
    frame = pl.concat([frame] * 2).head(6).with_columns(src=pl.Series(four + six, dtype=pl.UInt64))
    day = evidence_of(frame)
    assert day.network.tolist() == [0, 0, 1, 2, 2, 3]
    assert day.networks.tolist() == [300, 301, 0x2001_0DB8, 0x2001_0DB9]


def test_a_sender_of_many_words_counts_like_one_of_few() -> None:
    """Shares sum to 1 a sender, and more than eight words tell no more than eight."""
    frame, owner = crowd(Actor(5, list(range(1, 41))), Actor(5, [7, 8, 9]))
    day = evidence_of(frame)
    assert np.allclose(np.asarray(day.shares.sum(axis=1)).ravel(), 1)
    told = np.asarray(day.telling.sum(axis=1)).ravel()
    assert np.allclose(told[owner == 0], 8)
    assert np.allclose(told[owner == 1], 3)
