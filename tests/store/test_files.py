"""Files whole or not at all, manifests, and what the lake has of a source."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.contracts import SENSOR_HOURS, load_contract
from dante.errors import BusyError, DanteError, NotEnoughDataError
from dante.pipeline.ingest import ingest_file
from dante.schema import PACKETS
from dante.sources import Reading
from dante.store.home import Home, write_whole
from dante.store.lake import scan_day
from dante.store.manifests import (
    Manifest,
    days_with_packets,
    ingests,
    inputs_digest,
    read_manifest,
    read_manifests,
)

from .conftest import DAY, day


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """An error inside the block leaves the old file, and no other."""
    target = tmp_path / "deep" / "file"
    with write_whole(target) as path:
        path.write_text("old")
    with pytest.raises(RuntimeError), write_whole(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [p.name for p in target.parent.iterdir()] == ["file"]
    with pytest.raises(KeyboardInterrupt), write_whole(tmp_path / "none") as path:
        raise KeyboardInterrupt
    assert not (tmp_path / "none").exists()


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    """A temporary file of a killed writer is in nobody's way."""
    target = tmp_path / "file"
    with write_whole(target) as path:
        left = path.name
        path.write_text("x")
    (tmp_path / left).write_text("left over and longer")
    with write_whole(target) as path:
        assert not path.exists()
        path.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "new"


def test_a_lock_is_held_by_one(home: Home) -> None:
    """A second holder is refused at once, another name is free, and afterwards all are."""
    with home.lock("a"):
        with pytest.raises(BusyError, match="its a lock is held"), home.lock("a"):
            pass
        with home.lock("b"):
            pass
    with home.lock("a"):
        pass


# Manifests

DATES = st.dates(dt.date(2024, 1, 1), dt.date(2026, 1, 1))
COUNTS = st.integers(0, 2**40)


def _hours(rows: list[tuple[dt.date, str | None, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SENSOR_HOURS, orient="row")


@given(
    rows=st.dictionaries(DATES, COUNTS, max_size=5),
    refused=st.dictionaries(st.one_of(st.none(), DATES), COUNTS, max_size=5),
    source=st.text(max_size=20).filter(lambda s: s.isprintable()),
    sensors=st.lists(st.one_of(st.none(), st.text(max_size=9)), max_size=4, unique=True),
)
@settings(max_examples=40, deadline=None)
def test_manifests_are_read_back_as_saved(
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[dt.date, int],
    refused: dict[dt.date | None, int],
    source: str,
    sensors: list[str | None],
) -> None:
    """Whatever a source and its sensors are called, its manifest comes back equal."""
    home = Home(tmp_path_factory.mktemp("home"))
    hours = _hours([(day, sensor, 3, 1) for day in rows for sensor in sensors])
    hours = hours.sort("day", "sensor", "hour", nulls_last=True)
    mine = Manifest("d", source, "r", "2025-03-01T00:00:00", rows, refused, hours)
    mine.save(home)
    back = read_manifest(home, "d")
    assert back is not None
    assert back.sensor_hours.equals(hours)
    for name in ("digest", "source", "reading", "ingested_at", "rows", "quarantined"):
        assert getattr(back, name) == getattr(mine, name)
    assert days_with_packets([back]) == sorted(rows)
    assert ingests([back]).height == len(set(rows) | set(refused))


def _manifest(digest: str, day: dt.date, rows: int = 5, reading: str = "r") -> Manifest:
    hours = _hours([(day, "s", 1, rows)])
    return Manifest(digest, "file", reading, "2025-03-01T00:00:00", {day: rows}, {None: 2}, hours)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: body[: len(body) // 2], id="cut"),
        pytest.param(lambda body: b"", id="empty"),
        pytest.param(lambda body: b"[]", id="a list"),
        pytest.param(lambda body: b"\xff\xfe\x00", id="no text"),
        pytest.param(lambda body: body.replace(b"2025-03-01", b"someday"), id="no date"),
        pytest.param(lambda body: body.replace(b'"rows"', b'"rosw"'), id="key missing"),
        pytest.param(
            lambda body: body.replace(b'"2025-03-01": 5', b'"2025-03-01": null'), id="null"
        ),
        pytest.param(
            lambda body: json.dumps({**json.loads(body), "rows": []}).encode(),
            id="rows a list",
        ),
        pytest.param(
            lambda body: json.dumps(
                {**json.loads(body), "sensor_hours": [["2025-03-01", 5, "x", 1]]}
            ).encode(),
            id="hours of other types",
        ),
        pytest.param(
            lambda body: json.dumps({**json.loads(body), "ingested_at": "yesterday"}).encode(),
            id="no time",
        ),
    ],
)
def test_a_damaged_manifest_is_named(home: Home, damage: Callable[[bytes], bytes]) -> None:
    """A manifest that cannot be trusted is an error with its name, never half read."""
    _manifest("abc", DAY).save(home)
    path = home.manifest("abc")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DanteError, match=re.escape("lake/ingests/abc.json is damaged")):
        read_manifests(home)


def test_the_digest_of_inputs_tells_inputs_apart() -> None:
    """Another source, count, reading or day changes it; the order of manifests does not."""
    one, two = _manifest("a", DAY), _manifest("b", DAY)
    base = inputs_digest([one, two], [DAY])
    assert base == inputs_digest([two, one], [DAY])
    others = [
        inputs_digest([one], [DAY]),
        inputs_digest([one, _manifest("b", DAY, rows=6)], [DAY]),
        inputs_digest([one, _manifest("b", DAY, reading="other")], [DAY]),
        inputs_digest([one, _manifest("b", day(1))], [DAY]),
    ]
    assert len({base, *others}) == 4 + 1 - 1  # without b, or with b on another day, is the same
    assert others[0] == others[3]


# Lake


def _csv(path: Path, *, rows: int = 40) -> Path:
    lines = [
        f"2025-03-0{1 + i % 2}T00:00:{i:02d}Z,192.0.2.{i},tcp,{i % 3 + 1}" for i in range(rows)
    ]
    path.write_text("\n".join(["ts,src,proto,dport", *lines, "never,192.0.2.1,tcp,23"]) + "\n")
    return path


def _bytes(home: Home) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(home.root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(home.root.rglob("*"))
        if path.is_file() and ".locks" not in path.parts
    }


def test_the_same_file_again_changes_no_byte(home: Home, tmp_path: Path) -> None:
    """A second ingest, under another name, says so and leaves every file as it was."""
    path, contract = _csv(tmp_path / "a.csv"), load_contract()
    first = ingest_file(home, path, Reading(), contract)
    assert (first.already, first.rows, first.quarantined) == (False, 40, 1)
    before = _bytes(home)
    again = ingest_file(home, path.rename(tmp_path / "b.csv"), Reading(), contract)
    assert (again.already, again.rows, again.quarantined) == (True, 40, 1)
    assert _bytes(home) == before


def test_the_same_bytes_come_of_the_same_file_in_another_home(tmp_path: Path) -> None:
    """Packets and quarantine are equal byte for byte in two homes; no spill is left."""
    path, contract = _csv(tmp_path / "a.csv"), load_contract()
    trees = []
    for name in ("one", "two"):
        home = Home(tmp_path / name)
        ingest_file(home, path, Reading(), contract)
        trees.append({k: v[0] for k, v in _bytes(home).items() if k.endswith(".parquet")})
        assert not list(home.work.rglob("*.parquet"))
    assert trees[0] == trees[1]
    assert len(trees[0]) == 3


def test_another_reading_replaces_what_the_file_gave_before(home: Home, tmp_path: Path) -> None:
    """Read with another sensor name, the file counts once, by its new reading."""
    path, contract = _csv(tmp_path / "a.csv"), load_contract()
    ingest_file(home, path, Reading(), contract)
    again = ingest_file(home, path, Reading(sensor="south"), contract)
    assert not again.already
    manifests = read_manifests(home)
    assert len(manifests) == 1
    found = scan_day(home, manifests, DAY).collect()
    assert found.height == 20
    assert found["sensor"].unique().to_list() == ["south"]


def test_a_file_that_fails_half_way_leaves_the_older_reading(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If reading anew fails, what the lake had of the file stays and still counts."""
    path, contract = _csv(tmp_path / "a.csv"), load_contract()
    ingest_file(home, path, Reading(), contract)
    before = {k: v for k, v in _bytes(home).items() if not k.startswith("work")}

    def cut(*_: object) -> Iterator[object]:
        raise DanteError("the disk went away")
        yield

    monkeypatch.setattr("dante.pipeline.ingest.read_batches", cut)
    with pytest.raises(DanteError, match="disk"):
        ingest_file(home, path, Reading(sensor="south"), contract)
    assert {k: v for k, v in _bytes(home).items() if not k.startswith("work")} == before


def test_packets_in_the_lake_are_canonical_and_sorted(home: Home, tmp_path: Path) -> None:
    """Every file of a day has the canonical columns, sorted by src and ts, of that day only."""
    ingest_file(home, _csv(tmp_path / "a.csv"), Reading(), load_contract())
    for number in range(2):
        found = scan_day(home, read_manifests(home), day(number)).collect()
        assert found.schema == PACKETS
        assert found.equals(found.sort("src", "ts", maintain_order=True))
        assert found["ts"].dt.date().unique().to_list() == [day(number)]
    with pytest.raises(NotEnoughDataError, match=str(day(9))):
        scan_day(home, read_manifests(home), day(9))
