"""STIX bundles: valid, the same every time, and harmless whatever a campaign is called."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
import stix2

from dante.errors import NotEnoughDataError
from dante.export import Wanted, stix_bundle, write_chunks
from dante.store.home import Home

from .conftest import DAYS, HOSTILE, TELNET


def _text(home, wanted=None, telescope="edge", senders=100):
    return "".join(stix_bundle(home, wanted or Wanted(), telescope=telescope, senders=senders))


def _objects(text):
    return json.loads(text)["objects"]


def test_the_library_takes_it(home):
    """Every object passes the stix2 library's own checks, and addresses have the ids it gives."""
    bundle = stix2.parse(_text(home))
    kinds = Counter(each.type for each in bundle.objects)
    assert kinds["grouping"] == 3
    assert kinds["sighting"] == kinds["observed-data"] == 5 + 2 + 3
    assert kinds["ipv4-addr"] == 4 + 2 + 2
    assert kinds["ipv6-addr"] == 1
    for each in bundle.objects:
        if each.type == "ipv4-addr":
            assert each.id == stix2.IPv4Address(value=each.value).id
        if each.type == "ipv6-addr":
            assert each.value == "2a01:4f8:1:2::/64"
            assert each.id == stix2.IPv6Address(value=each.value).id


def test_every_reference_is_in_the_bundle(home):
    """Whoever loads the bundle alone finds every object that another one names."""
    objects = _objects(_text(home))
    known = {each["id"] for each in objects}
    assert len(known) == len(objects)
    for each in objects:
        named = [each[key] for key in ("sighting_of_ref", "created_by_ref") if key in each]
        for key in ("object_refs", "observed_data_refs", "where_sighted_refs"):
            named += each.get(key, [])
        assert set(named) <= known


def test_times_are_of_the_data(home):
    """A campaign is created on its day of birth and changed on its newest, not when exported."""
    bundle = stix2.parse(_text(home))
    telnet = next(each for each in bundle.objects if each.get("name") == "telnet-1")
    assert telnet.created == datetime(2025, 3, 2, tzinfo=UTC)
    assert telnet.modified == datetime(2025, 3, 7, tzinfo=UTC)
    assert telnet.confidence == 90


def test_two_exports_are_the_same_bytes(home, own_home):
    """The same days, exported twice or from a home made anew, give the same bytes."""
    assert _text(home) == _text(home) == _text(own_home)


def test_ids_are_for_life(home):
    """A later export names the same campaign and the same days by the same ids; they only grow."""
    early = {each["id"] for each in _objects(_text(home, Wanted(until=DAYS[3])))}
    late = {each["id"] for each in _objects(_text(home))}
    assert early < late
    other = {each["id"] for each in _objects(_text(home, telescope="core"))}
    shared = {name.split("--")[0] for name in other & late}
    assert shared == {"identity", "extension-definition", "ipv4-addr", "ipv6-addr"}


def test_what_is_wanted(home):
    """Kind, score and days choose campaigns; `every` takes those too that were no threats."""

    def names(**asked):
        return {
            each["name"].split("?")[0]
            for each in _objects(_text(home, Wanted(**asked)))
            if each["type"] == "grouping"
        }

    odd = HOSTILE.split("\n")[0]
    assert names(kind="returned") == {odd}
    assert names(min_score=0.75) == {"telnet-1", "dns-3"}
    assert names(since=DAYS[4]) == {odd}
    assert names(until=DAYS[1]) == {"telnet-1"}
    assert names(every=True, min_score=1.0) == {"telnet-1", odd, "dns-3"}
    with pytest.raises(NotEnoughDataError, match="--min-score"):
        names(min_score=1.0)


def test_few_senders(home):
    """With a bound the senders of the most packets are told of, and how many there were."""
    objects = _objects(_text(home, Wanted(until=DAYS[1]), senders=2))
    addresses = {each["value"] for each in objects if each["type"].endswith("addr")}
    assert addresses == {TELNET[4], "2a01:4f8:1:2::/64"}
    day = next(each for each in objects if each["type"] == "observed-data")
    (measured,) = day["extensions"].values()
    assert measured["senders"] == 5
    assert measured["top_ports"] == ["23/tcp 100%", "2323/tcp 100%"]
    assert day["number_observed"] == 60


def test_hostile_names_are_mere_text(home):
    """A name with line breaks, direction marks and quotes is one printable text of an object."""
    names = [each["name"] for each in _objects(_text(home)) if each["type"] == "grouping"]
    assert all(name.isprintable() for name in names)
    assert any("DROP TABLE" in name for name in names)


def test_a_file_is_whole(home, tmp_path):
    """An export that fails leaves the file that was there as it was."""
    out = tmp_path / "out.json"
    write_chunks(home, str(out), stix_bundle(home, Wanted(), telescope="t", senders=9))
    before = out.read_bytes()
    with pytest.raises(NotEnoughDataError):
        write_chunks(
            home, str(out), stix_bundle(home, Wanted(min_score=1), telescope="t", senders=9)
        )
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_nothing_published(tmp_path):
    """A home without a publication says what to do."""
    with pytest.raises(NotEnoughDataError, match="dante backfill"):
        _text(Home(tmp_path))
