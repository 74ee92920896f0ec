"""Sensors whose counts sit at the ceiling of a rate limit are told from busy and quiet ones."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dante.contracts import SENSOR_HOURS, history, load_contract, profile_packets
from dante.contracts.ceiling import CEILINGS, WINDOW, find_ceilings
from dante.contracts.measures import measure_day
from dante.schema import PACKETS


def _windows(times, sensor="a"):
    """Packets in ten minutes, from times in seconds."""
    window = pl.Series("window", np.asarray(times) // (60 * WINDOW)).cast(pl.Int64)
    counted = pl.DataFrame({"window": window}).group_by("window").len("packets").sort("window")
    return counted.select(pl.lit(sensor).alias("sensor"), pl.col("packets"))


def _arrivals(rate, seconds=86_400, seed=1):
    """Times of independent packets, `rate` a minute."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds / 60)))


def _limited(times, rate, burst):
    """The packets a token bucket of `rate` a minute lets through, as `limit` of netfilter does."""
    kept, tokens, before = [], float(burst), 0.0
    for time in times:
        tokens = min(burst, tokens + (time - before) * rate / 60)
        before = time
        if tokens >= 1:
            tokens -= 1
            kept.append(time)
    return kept


@pytest.mark.parametrize("rate", [3, 10, 60, 300])
@pytest.mark.parametrize("load", [2, 10])
def test_a_limit_is_found_at_its_rate(rate, load):
    """Whatever the limit a minute, and however much more arrives."""
    found = find_ceilings(_windows(_limited(_arrivals(rate * load), rate, 10)))
    assert found.schema == CEILINGS
    assert found["sensor"].to_list() == ["a"]
    assert abs(found["ceiling"].item() - rate * WINDOW) <= max(1, rate // 100)


def test_a_limit_is_found_where_it_is_reached_most_of_the_day():
    """Hours of little traffic in between do not hide it."""
    busy = _limited(_arrivals(30, 50_000), 3, 10)
    quiet = 50_000 + _arrivals(0.3, 30_000)
    assert find_ceilings(_windows([*busy, *quiet]))["ceiling"].to_list() == [30]


@pytest.mark.parametrize("rate", [0.05, 0.5, 1, 1.5, 2, 3, 5, 20, 100, 1000, 10_000])
@pytest.mark.parametrize("seed", range(20))
def test_free_traffic_has_no_ceiling(rate, seed):
    """Independent arrivals, the least spread that traffic has, are never taken for limited."""
    rng = np.random.Generator(np.random.PCG64(seed))
    packets = rng.poisson(rate, 144)
    windows = pl.DataFrame({"sensor": "a", "packets": packets[packets > 0]})
    assert find_ceilings(windows).is_empty()


def test_few_windows_say_nothing():
    """A few hours at one count may be chance."""
    assert find_ceilings(pl.DataFrame({"sensor": ["a"] * 40, "packets": [3] * 40})).is_empty()
    assert find_ceilings(
        pl.DataFrame(schema={"sensor": pl.String, "packets": pl.UInt64})
    ).is_empty()


def test_each_sensor_is_judged_by_itself():
    """One that is limited stands out among others, in the order of their names."""
    limited = _limited(_arrivals(90), 3, 10)
    frames = [
        _windows(limited, "z"),
        _windows(_arrivals(90), "b"),
        _windows(limited, ""),
        _windows(_arrivals(2), "c"),
    ]
    found = find_ceilings(pl.concat(frames))
    assert found["sensor"].to_list() == ["", "z"]
    assert (found["at_ceiling"] <= found["windows"]).all()


def test_a_day_names_its_sensors_at_a_ceiling():
    """The check on days warns of them, and of nothing where there are none."""
    day = date(2025, 3, 1)
    start = datetime(2025, 3, 1)
    seconds = {"fw": _limited(_arrivals(90), 3, 10), "free": _arrivals(90).tolist()}
    times = [(name, start + timedelta(seconds=t)) for name, ts in seconds.items() for t in ts]
    packets = pl.DataFrame(
        {
            "ts": pl.Series([t for _, t in times]).dt.replace_time_zone("UTC"),
            "src": pl.Series([1] * len(times), dtype=pl.UInt64),
            "sensor": [name for name, _ in times],
        }
    )
    columns = [pl.col(c) if c in packets.columns else pl.lit(None).alias(c) for c in PACKETS]
    packets = packets.select(columns).cast(PACKETS)
    contract = load_contract()
    for frame, words in (
        (packets, "1 sensors at a ceiling"),
        (packets.filter(sensor="free"), "no "),
    ):
        profile = profile_packets(frame, day)
        past = history(pl.DataFrame(schema=SENSOR_HOURS), day, 28)
        measures = {m.check.name: m for m in measure_day(contract, profile, past)}
        found = measures["sensors_unlimited"]
        assert found.observed.startswith(words)
        assert found.check.severity == "warning"
        assert found.values[0] == (1 if words != "no " else 0)
    assert (
        "fw 30 packets in 10 minutes"
        in measure_day(contract, profile_packets(packets, day), past)[-1].observed
    )
