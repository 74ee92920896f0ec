"""What senders do in company without being one activity makes no clusters."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import poisson

from dante.clustering import cluster_day
from dante.clustering.chance import fewest_senders, misconfigured
from dante.config import ClusterSettings
from dante.sequences import SENDERS

from .conftest import TCP, Actor, crowd, port_model


def _noise(n: int, *, each: int = 2, seed: int = 5, targets: int = 0) -> pl.DataFrame:
    """Senders that each pick ports at random, and one of so many addresses."""
    rng = np.random.Generator(np.random.PCG64(seed))
    words = np.sort(TCP + rng.integers(0, 65536, (n, each)), axis=1).astype(np.uint32)
    many = pl.Series(words).cast(pl.List(pl.UInt32))
    given = {
        "src": np.sort(rng.choice(1 << 32, n, replace=False)).astype(np.uint64),
        "packets": np.full(n, each),
        "sentence": many,
        "words": many.list.unique().list.sort(),
        "target": rng.integers(1, targets + 1, n) if targets else None,
    }
    frame = pl.DataFrame({k: v for k, v in given.items() if v is not None})
    frame = frame.with_columns(
        counts=pl.lit(1, dtype=pl.UInt32).repeat_by(pl.col("words").list.len())
    )
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in SENDERS.items()
    )


@pytest.mark.parametrize("n", [2_000, 20_000, 200_000])
def test_noise_of_any_size_makes_no_clusters(n: int) -> None:
    """Senders that pick ports at random are noise with one setting, whatever their number."""
    members = cluster_day(_noise(n), port_model(), ClusterSettings()).members
    assert members["cluster_id"].null_count() == members.height == n
    assert not members["astray"].any()


def _least(rate: float) -> int:
    number = int(rate)
    while poisson.sf(number - 1, rate) * 65536 > 0.1:
        number += 1
    return number


def _sweepers(n: int) -> pl.DataFrame:
    """Senders that try nearly every port."""
    every = np.arange(TCP, TCP + 65536, dtype=np.uint32).tolist()
    one = pl.DataFrame({"words": [every]}, schema={"words": pl.List(pl.UInt32)})
    return one.select(pl.col("words").repeat_by(n).explode())


def test_the_threshold_grows_with_the_telescope() -> None:
    """Few senders leave the wanted minimum as it is; more noise asks for more company."""
    small, large = (fewest_senders(_noise(n), 5) for n in (2_000, 200_000))
    assert small == 5
    rate = 200_000 * 2 / 65536
    assert large == pytest.approx(_least(rate), abs=1)
    assert fewest_senders(_noise(200_000), 500) == 500
    assert fewest_senders(_noise(2_000).head(0), 5) == 5


def test_many_sweeps_of_all_ports_ask_for_more_company_still() -> None:
    """Where most senders try every port, their number is chance and more than it is wanted."""
    assert fewest_senders(_sweepers(40), 5) == _least(40)


def test_hosts_that_call_one_wrong_address_are_found() -> None:
    """Thirty hosts that all call one address are astray; scanners of one packet are not."""
    noise = _noise(3000, each=1, targets=2000)
    scanners, _ = crowd(Actor(400, [23]))
    rng = np.random.Generator(np.random.PCG64(8))
    scanners = scanners.with_columns(target=pl.Series(rng.integers(1, 2001, 400)).cast(pl.UInt64))
    lost, _ = crowd(Actor(30, [53]), seed=2)
    lost = lost.with_columns(target=pl.lit(77, dtype=pl.UInt64))
    day = pl.concat([noise, scanners, lost]).unique("src", keep="last").sort("src")
    assert misconfigured(day, 5).to_list() == sorted(lost["src"].to_list())
    members = cluster_day(day, port_model(), ClusterSettings()).members
    assert members.filter("astray")["src"].to_list() == sorted(lost["src"].to_list())
    assert members.filter("astray")["cluster_id"].null_count() == 30
    found = members.filter(pl.col("cluster_id").is_not_null())["src"]
    assert set(found) == set(scanners["src"])


def test_the_port_that_lost_hosts_call_may_be_scanned_by_others() -> None:
    """Hosts astray among scanners of the same port are found, and the scanners are not."""
    scanners, _ = crowd(Actor(400, [53]))
    targets = pl.Series(np.arange(400) % 200 + 100).cast(pl.UInt64)
    lost, _ = crowd(Actor(60, [53]), seed=2)
    day = (
        pl.concat(
            [
                scanners.with_columns(target=targets),
                lost.with_columns(target=pl.lit(7, dtype=pl.UInt64)),
            ]
        )
        .unique("src", keep="last")
        .sort("src")
    )
    assert misconfigured(day, 5).to_list() == sorted(lost["src"].to_list())


def test_without_destinations_nobody_is_astray() -> None:
    """A source that does not say which address was called accuses no one."""
    day, _ = crowd(Actor(50, [53]), Actor(50, [23]))
    assert misconfigured(day, 5).to_list() == []
    assert misconfigured(day.head(0), 5).dtype == pl.UInt64


def test_a_telescope_of_one_address_has_no_wrong_one() -> None:
    """Where one address is watched everybody calls it."""
    day, _ = crowd(Actor(50, [53]), Actor(50, [23]))
    assert misconfigured(day.with_columns(target=pl.lit(9, dtype=pl.UInt64)), 5).to_list() == []


def test_a_watched_ipv6_network_is_no_address() -> None:
    """Packets to a /64 have one number whatever their addresses, so it is no common target."""
    rng = np.random.Generator(np.random.PCG64(8))
    four, _ = crowd(Actor(600, [443]))
    four = four.with_columns(target=pl.Series(rng.integers(1, 2001, 600)).cast(pl.UInt64))
    six, _ = crowd(Actor(60, [443]), seed=2)
    six = six.with_columns(
        src=pl.col("src") + 0x2A00_0000_0000_0000, target=pl.lit(0x2001_0DB8 << 32, dtype=pl.UInt64)
    )
    assert misconfigured(pl.concat([four, six]), 5).to_list() == []
