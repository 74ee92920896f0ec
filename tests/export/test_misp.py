"""MISP feeds and events, loaded with pymisp."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from pymisp import MISPEvent
from pymisp.tools import feed_meta_generator

from dante.errors import UsageError
from dante.export import Wanted, write_misp

from .conftest import DAYS, TELNET

_KINDS = ("port", "ip-src")


def _write(home, out, senders=100, **wanted):
    return write_misp(home, str(out), Wanted(**wanted), telescope="edge", senders=senders)


def _events(folder):
    found = {}
    for path in sorted(folder.glob("*-*.json")):
        event = MISPEvent()
        event.load_file(path)
        found[event.info.split(":")[0].removeprefix("Scanning campaign ")] = event
    return found


def _bytes(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_events(home, tmp_path):
    """A threat is one event with its ports, senders and reasons, none of them for detection."""
    assert _write(home, tmp_path / "feed") == 3
    events = _events(tmp_path / "feed")
    telnet = events["telnet-1"]
    assert telnet.date.isoformat() == "2025-03-02"
    assert telnet.Orgc.name == "edge"
    assert telnet.threat_level_id == 1
    held = {kind: [a.value for a in telnet.attributes if a.type == kind] for kind in _KINDS}
    assert held["port"] == ["23", "2323"]
    assert set(held["ip-src"]) == {*TELNET} - {"2a01:4f8:1:2::9"} | {"2a01:4f8:1:2::/64"}
    assert not any(attribute.to_ids for event in events.values() for attribute in event.attributes)
    assert len([a for a in telnet.attributes if a.type == "comment"]) == 2, "both reasons"


def test_seen_again_is_a_sighting(home, tmp_path):
    """Called a threat again, and at work on later days, it is sighted in the same event."""
    _write(home, tmp_path / "first", until=DAYS[2])
    _write(home, tmp_path / "later")
    first, later = (_events(tmp_path / name) for name in ("first", "later"))
    assert first["telnet-1"].uuid == later["telnet-1"].uuid
    assert len(first) < len(later)
    odd = next(event for name, event in later.items() if "cmd" in name)
    assert odd.attributes[0].value.endswith("@2025-03-03")
    (again,) = odd.attributes[0].sightings
    # A sighting is of the end of its day.
    assert int(again.date_sighting) == datetime(2025, 3, 6, tzinfo=UTC).timestamp()
    assert len(later["telnet-1"].attributes[0].sightings) == 4
    assert len(first["telnet-1"].attributes[0].sightings) == 1


def test_manifest_and_hashes(home, tmp_path):
    """The feed's manifest and hashes are those that pymisp itself makes of the events."""
    out = tmp_path / "feed"
    _write(home, out)
    manifest = json.loads((out / "manifest.json").read_text())
    hashes = (out / "hashes.csv").read_text().splitlines()
    wanted = f"{hashlib.md5(b'1.2.3.4').hexdigest()},"
    assert any(line.startswith(wanted) for line in hashes)
    feed_meta_generator(out)
    assert json.loads((out / "manifest.json").read_text()) == manifest
    assert sorted((out / "hashes.csv").read_text().splitlines()) == sorted(hashes)


def test_two_exports_are_the_same_bytes(home, own_home, tmp_path):
    """Exported twice, over itself, or from a home made anew: the same files, byte for byte."""
    for number, place in enumerate((home, own_home)):
        _write(place, tmp_path / str(number))
    before = _bytes(tmp_path / "0")
    _write(home, tmp_path / "0")
    assert before == _bytes(tmp_path / "0") == _bytes(tmp_path / "1")


def test_what_is_no_threat_any_more_goes(home, tmp_path):
    """A feed written again loses the events that are not in it any more, and nothing else."""
    out = tmp_path / "feed"
    _write(home, out)
    _write(home, out, min_score=0.75)
    assert len(_events(out)) == 2
    assert len(json.loads((out / "manifest.json").read_text())) == 2


def test_a_hostile_manifest_deletes_nothing(home, tmp_path):
    """Names in an older manifest that are no ids are never taken for files to delete."""
    out = tmp_path / "feed"
    out.mkdir()
    (tmp_path / "victim.json").write_text("{}")
    (out / "manifest.json").write_text(json.dumps({"../victim": {}}))
    with pytest.raises(UsageError, match="name a new folder"):
        _write(home, out)
    assert (tmp_path / "victim.json").exists()


def test_a_folder_of_other_things(home, tmp_path):
    """A folder that holds something else is not written to."""
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="other files"):
        _write(home, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_files_are_named_by_ids(home, tmp_path):
    """Whatever a campaign is called, its file is called by its id."""
    out = tmp_path / "feed"
    _write(home, out)
    names = {path.stem for path in out.glob("*.json")} - {"manifest"}
    assert {str(UUID(name)) for name in names} == names
    assert [path.name for path in tmp_path.iterdir()] == ["feed"]


def test_one_file_of_events(home, tmp_path):
    """A file that ends in .json holds all events, in the form MISP's own API answers in."""
    out = tmp_path / "events.json"
    assert _write(home, out, senders=2) == 3
    answer = json.loads(out.read_text())["response"]
    for body in answer:
        event = MISPEvent()
        event.load(body)
        assert len([a for a in event.attributes if a.type == "ip-src"]) == 2
        assert event.info.isprintable()
