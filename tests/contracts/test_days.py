"""The judge of days: each check passes and fails on crafted profiles, through GX."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from dante.contracts import (
    SENSOR_HOURS,
    CheckResult,
    ColumnProfile,
    Contract,
    DayProfile,
    History,
    broken,
    count_sensor_hours,
    history,
    judge_day,
    load_contract,
    profile_packets,
)
from dante.errors import DanteError
from dante.schema import PACKETS, empty_packets

DAY = date(2025, 3, 1)
DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "marx" / "marx.csv.gz"
GOOD = {
    "ts": (1_740_787_200_000_000, 1_740_873_599_999_999),
    "src": (16_909_060, 2**64 - 1),
    "sensor": (5, 5),
    "proto": (1, 47),
    "dport": (0, 65535),
    "sport": (0, 65535),
}


@pytest.fixture(scope="module")
def contract() -> Contract:
    """The contract DANTE comes with."""
    return load_contract()


def sensor_hours(
    day: date, *, each: int = 10, without: set[tuple[str, int]] | None = None
) -> pl.DataFrame:
    """Two sensors with as many packets each hour, but for the hours left out."""
    rows = [
        (day, sensor, hour, each)
        for sensor in ("alpha", "gamma")
        for hour in range(24)
        if (sensor, hour) not in (without or set())
    ]
    return pl.DataFrame(rows, schema=SENSOR_HOURS, orient="row")


def past(days: int) -> History:
    before = [sensor_hours(DAY - timedelta(days=i)) for i in range(1, days + 1)]
    empty = pl.DataFrame(schema=SENSOR_HOURS)
    return history(pl.concat([empty, *before]), DAY, 28)


def profile(
    *,
    rows: int = 480,
    outside: int = 0,
    nulls: dict[str, int] | None = None,
    extremes: dict[str, tuple[int, int]] | None = None,
    hours: pl.DataFrame | None = None,
) -> DayProfile:
    bounds = {**GOOD, **(extremes or {})}
    columns = tuple(
        ColumnProfile(name, (nulls or {}).get(name, 0), *bounds.get(name, (None, None)))
        for name in PACKETS
    )
    hours = sensor_hours(DAY) if hours is None else hours
    return DayProfile(DAY, rows, rows, outside, 9, columns, hours)


def failed(results: list[CheckResult]) -> dict[str, str]:
    return {result.check: result.observed for result in results if not result.passed}


def test_a_usual_day_passes_every_check(contract: Contract) -> None:
    """A day like the ones before passes, and every check on days is told, in order."""
    results = judge_day(contract, profile(), past(28))
    assert failed(results) == {}
    assert [result.check for result in results] == [c.name for c in contract.day_checks]
    assert {result.contract for result in results} == {"packets@2.0.0"}
    assert all(result.observed for result in results)


@pytest.mark.parametrize(
    ("day", "check", "observed"),
    [
        (profile(nulls={"ts": 2}), "ts_present", "2 of 480 packets without ts"),
        (profile(nulls={"src": 480}), "src_present", "480 of 480 packets without src"),
        (profile(nulls={"proto": 1}), "proto_present", "1 of 480 packets without proto"),
        (profile(extremes={"dport": (0, 65536)}), "dport_range", "0 to 65536"),
        (profile(extremes={"sport": (-1, 9)}), "sport_range", "-1 to 9"),
        (profile(extremes={"proto": (6, 256)}), "proto_range", "6 to 256"),
        (profile(extremes={"sensor": (0, 4)}), "sensor_length", "0 to 4 bytes"),
        (
            profile(extremes={"ts": (0, GOOD["ts"][1])}),
            "ts_range",
            "1970-01-01 to 2025-03-01 23:59:59.999999",
        ),
        (profile(outside=1), "inside_day", "1 of 480 packets outside the day"),
        (profile(rows=9), "volume_floor", "9 packets"),
    ],
)
def test_a_broken_bound_stops_the_day(
    contract: Contract, day: DayProfile, check: str, observed: str
) -> None:
    """Each bound, broken alone, is the one failed check of severity error and tells the values."""
    results = judge_day(contract, day, past(0))
    assert failed(results) == {check: observed}
    assert [result.check for result in broken(results)] == [check]


def test_bounds_themselves_are_allowed(contract: Contract) -> None:
    """A day of exactly the floor, at the ends of every range, passes."""
    day = profile(rows=10, extremes={"sensor": (1, 255), "proto": (0, 255)})
    assert failed(judge_day(contract, day, past(0))) == {}


def test_no_packets_break_the_floor_only(contract: Contract) -> None:
    """A day without packets fails for being empty and for nothing else."""
    results = judge_day(contract, profile_packets(empty_packets(), DAY), past(0))
    assert failed(results) == {"volume_floor": "0 packets"}


@pytest.mark.parametrize(("rows", "passes"), [(480, True), (330, True), (250, False), (900, False)])
def test_volume_is_held_against_earlier_days(contract: Contract, rows: int, passes: bool) -> None:
    """Half of or double the usual packets is a warning that shows the usual; a third is not."""
    results = judge_day(contract, profile(rows=rows), past(28))
    found = next(result for result in results if result.check == "volume_usual")
    assert found.passed is passes
    assert found.severity == "warning"
    assert found.observed == f"{rows:,} packets; usual 291 to 791 (median 480 of 28 days)"
    assert broken(results) == []


def test_one_flood_does_not_hide_the_next(contract: Contract) -> None:
    """Three days of flood among the earlier ones leave the bounds where they were."""
    before = [
        sensor_hours(DAY - timedelta(days=i), each=200 if i <= 3 else 10) for i in range(1, 29)
    ]
    results = judge_day(contract, profile(rows=9600), history(pl.concat(before), DAY))
    assert set(failed(results)) == {"volume_usual"}


def test_unusual_silence_of_a_sensor_is_a_warning(contract: Contract) -> None:
    """Silent hours in which a sensor was never silent are listed by sensor and span."""
    gaps = {("alpha", 0), ("alpha", 1), ("alpha", 2), ("gamma", 22), ("gamma", 23)}
    results = judge_day(contract, profile(hours=sensor_hours(DAY, without=gaps)), past(28))
    assert failed(results) == {
        "sensors_awake": "5 silent hours, 2 of 2 sensors: alpha 00-03 h, gamma 22-24 h"
    }
    assert broken(results) == []


def test_silence_that_chance_explains_is_no_finding(contract: Contract) -> None:
    """One hour without packets where only ten are usual says nothing."""
    day = profile(hours=sensor_hours(DAY, without={("alpha", 7)}))
    assert failed(judge_day(contract, day, past(28))) == {}


def test_a_sensor_that_sleeps_at_night_may_sleep(contract: Contract) -> None:
    """Hours in which a sensor is often silent are not expected of it."""
    night = {("alpha", hour) for hour in range(6)}
    before = [
        sensor_hours(DAY - timedelta(days=i), without=night if i % 4 == 0 else None)
        for i in range(1, 29)
    ]
    day = profile(hours=sensor_hours(DAY, without=night))
    assert failed(judge_day(contract, day, history(pl.concat(before), DAY))) == {}


def test_one_outage_does_not_hide_the_next(contract: Contract) -> None:
    """A sensor that failed on one day four weeks long is still expected the day after."""
    gap = {("alpha", hour) for hour in range(6)}
    before = [
        sensor_hours(DAY - timedelta(days=i), without=gap if i == 1 else None) for i in range(1, 29)
    ]
    day = profile(hours=sensor_hours(DAY, without=gap))
    assert set(failed(judge_day(contract, day, history(pl.concat(before), DAY)))) == {
        "sensors_awake"
    }


def test_a_missing_sensor_is_one_warning(contract: Contract) -> None:
    """A sensor wholly gone is named once, and not again as 24 silent hours."""
    day = profile(hours=sensor_hours(DAY).filter(pl.col("sensor") == "gamma"))
    results = judge_day(contract, day, past(28))
    assert failed(results) == {"sensors_present": "1 of 2 known sensors missing: alpha"}
    assert broken(results) == []


def test_a_hostile_sensor_name_is_shown_harmlessly(contract: Contract) -> None:
    """Control characters of a sensor's name do not reach what is observed."""
    evil = "x\x1b[2J\n" + "y" * 300
    before = [
        sensor_hours(DAY - timedelta(days=i)).with_columns(sensor=pl.lit(evil)) for i in range(1, 9)
    ]
    results = judge_day(contract, profile(), history(pl.concat(before), DAY))
    observed = failed(results)["sensors_present"]
    assert observed.isprintable()
    assert len(observed) < 120


@pytest.mark.parametrize(("days", "speaks"), [(0, False), (6, False), (7, True)])
def test_habits_need_a_week(contract: Contract, days: int, speaks: bool) -> None:
    """With fewer than seven earlier days nothing is said of habits, and that is told."""
    gamma = sensor_hours(DAY).filter((pl.col("sensor") == "gamma") & (pl.col("hour") < 12))
    results = judge_day(contract, profile(rows=120, hours=gamma), past(days))
    habits = {"volume_usual", "sensors_awake", "sensors_present"}
    assert set(failed(results)) == (habits if speaks else set())
    told = [result.observed for result in results if result.check in habits]
    assert all((f"{days} earlier days, 7 needed" in text) is not speaks for text in told)


def test_judging_again_gives_the_same(contract: Contract) -> None:
    """The context made for the first day carries nothing over to the next."""
    first = judge_day(contract, profile(), past(28))
    judge_day(contract, profile(rows=3, nulls={"ts": 1}), past(28))
    assert judge_day(contract, profile(), past(28)) == first


def test_another_days_history_is_an_error(contract: Contract) -> None:
    """A day is not held against the habits before some other day."""
    with pytest.raises(DanteError, match="2025-03-01"):
        judge_day(contract, profile(), replace(past(8), day=DAY + timedelta(days=1)))


def test_what_cannot_be_judged_is_no_violation(contract: Contract) -> None:
    """A value that cannot be compared raises an error that names the check and the day."""
    odd = profile(extremes={"dport": ("low", "high")})  # type: ignore[dict-item]
    with pytest.raises(DanteError, match=r"2025-03-01.*dport_range"):
        judge_day(contract, odd, past(0))


def test_judging_leaves_no_files(
    contract: Contract,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A new suite judges a day without writing to the working folder or the terminal."""
    monkeypatch.chdir(tmp_path)
    judge_day(replace(contract, version="9.9.9"), profile(), past(8))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not DATA.exists(), reason="the marx data is not beside the project")
def test_real_floods_and_a_cut_off_day_are_warnings(contract: Contract) -> None:
    """On nine real sensors, the known flood and the cut-off last day warn and nothing stops."""
    packets = pl.read_csv(DATA, infer_schema_length=None).select(
        **{name: pl.lit(None, dtype=dtype) for name, dtype in PACKETS.items()}
        | {
            "ts": pl.col("datetime").str.to_datetime(time_unit="us", time_zone="UTC"),
            "src": pl.col("src").cast(pl.UInt64),
            "sensor": pl.col("host"),
            "proto": pl.col("proto")
            .replace_strict({"ICMP": 1, "TCP": 6, "UDP": 17})
            .cast(pl.UInt8),
            "dport": pl.coalesce("dpt", pl.col("type") * 256).cast(pl.UInt16),
            "sport": pl.col("spt").cast(pl.UInt16),
        }
    )
    counts = count_sensor_hours(packets)
    found = {}
    for day in (date(2013, 3, 3), date(2013, 7, 24), date(2013, 8, 1), date(2013, 9, 8)):
        results = judge_day(
            contract,
            profile_packets(packets.filter(pl.col("ts").dt.date() == day), day),
            history(counts, day, contract.history_days),
        )
        assert broken(results) == []
        found[day.isoformat()] = set(failed(results))
    assert found == {
        "2013-03-03": set(),
        "2013-07-24": {"volume_usual"},
        "2013-08-01": set(),
        "2013-09-08": {"volume_usual", "sensors_awake"},
    }
