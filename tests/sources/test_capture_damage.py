"""Captures that are damaged: whole up to the damage, and read on behind it."""

import random
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.sources import format_of, octets, pcapng, streams
from tests.sources import captures
from tests.sources.reading import merged, read


def holds_packets(data: bytes) -> int:
    """How many whole records a piece of a capture has, by dpkt's way of walking."""
    return sum(1 for _ in captures.records(data))


@settings(deadline=None, max_examples=60)
@given(flavour=st.sampled_from(list(captures.FLAVOURS)), seed=st.integers(0, 99), data=st.data())
def test_any_cut_of_a_file_keeps_every_whole_record(
    flavour: str, seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Cut anywhere, a capture gives all packets in front of it and one row with the place."""
    folder = tmp_path_factory.mktemp("cut")
    whole = captures.FLAVOURS[flavour](random.Random(seed), 12)
    packets, refused = read(folder, whole)
    rows = merged(packets, refused)
    size = data.draw(st.integers(0, len(whole)))
    least = 24 if format_of(folder / "capture") == "pcap" else 12
    try:
        some, lost = read(folder, whole[:size], data.draw(st.sampled_from((1, 5, 1000))))
    except SourceError as error:
        assert str(folder) in str(error)
        assert size < least
        return
    torn = lost.filter(pl.col("reason").str.contains("ends within"))
    assert torn.height <= 1
    kept = merged(some, lost.filter(~pl.col("reason").str.contains("ends within")))
    assert kept == rows[: len(kept)]
    assert len(kept) == holds_packets(whole[:size])
    if torn.height:
        place = int(re.findall(r"at byte ([0-9,]+)", torn["reason"][0])[0].replace(",", ""))
        assert place < size
        assert torn["row"].to_list() == [len(kept) + 1]


@pytest.mark.parametrize("flavour", captures.FLAVOURS)
def test_damage_costs_no_packet_in_front_of_it(tmp_path: Path, flavour: str) -> None:
    """A giant length is one refused row with its offset; reading goes on where records do."""
    whole = captures.FLAVOURS[flavour](random.Random(3), 400)
    rows = merged(*read(tmp_path, whole))
    at = list(captures.records(whole))
    for struck in (5, 200, 396):
        data = bytearray(whole)
        data[at[struck].length : at[struck].length + 4] = b"\xff\xff\xff\xff"
        packets, refused = read(tmp_path, bytes(data))
        found = merged(packets, refused)
        assert found[:struck] == rows[:struck]
        assert found[struck + 1 :] == rows[struck + 1 :]
        places = re.findall(r"at byte ([0-9,]+)", found[struck][1])
        begin, end = (int(place.replace(",", "")) for place in places)
        assert (begin, at[struck].start < end <= at[struck + 1].start) == (at[struck].start, True)


@pytest.mark.parametrize("flavour", ("pcap on link 101", "pcap on link 1", "pcapng"))
@pytest.mark.parametrize("packets", (400, 6000))
def test_a_length_beyond_the_end_of_the_file_costs_one_record(
    tmp_path: Path, flavour: str, packets: int
) -> None:
    """A length that a packet may have, but the file has no more, is damage if records follow."""
    whole = captures.FLAVOURS[flavour](random.Random(5), packets)
    rows = merged(*read(tmp_path, whole))
    at = list(captures.records(whole))
    struck = packets - packets // 10
    order = "little" if whole[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else "big"
    if flavour == "pcapng":
        order = "little" if whole[8:12] == b"\x4d\x3c\x2b\x1a" else "big"
    data = bytearray(whole)
    length = (len(whole) - at[struck].start) // 4 * 4 + 4096
    assert length < 262_144, "a length that is believed"
    data[at[struck].length : at[struck].length + 4] = length.to_bytes(4, order)  # type: ignore[arg-type]
    found = merged(*read(tmp_path, bytes(data)))
    assert found[:struck] == rows[:struck]
    assert found[struck + 1 :] == rows[struck + 1 :]
    assert "reading goes on at byte" in found[struck][1]


def test_the_end_of_a_file_is_searched_once_however_often_it_is_pointed_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of many lengths beyond the end costs its record, and no search of all behind it."""
    whole = captures.FLAVOURS["pcapng"](random.Random(5), 600)
    rows = merged(*read(tmp_path, whole))
    at = list(captures.records(whole))
    struck = range(5, 600, 20)
    order = "little" if whole[8:12] == b"\x4d\x3c\x2b\x1a" else "big"
    data = bytearray(whole)
    for number in struck:
        length = (len(whole) - at[number].start) // 4 * 4 + 4096
        data[at[number].length : at[number].length + 4] = length.to_bytes(4, order)  # type: ignore[arg-type]
    searched = []
    search = pcapng.places

    def counted(*args: Any) -> Any:
        searched.append(args[0])
        return search(*args)

    monkeypatch.setattr(pcapng, "places", counted)
    found = merged(*read(tmp_path, bytes(data)))
    assert [row for n, row in enumerate(found) if n not in struck] == [
        row for n, row in enumerate(rows) if n not in struck
    ]
    assert len(searched) <= 2


def test_zeros_at_the_end_are_one_refused_row(tmp_path: Path) -> None:
    """A crash leaves zeros: megabytes of them are one row, in each kind of capture."""
    for flavour in ("pcap on link 101", "pcapng"):
        whole = captures.FLAVOURS[flavour](random.Random(9), 40)
        packets, refused = read(tmp_path, whole + bytes(3_000_001))
        assert merged(packets, refused)[:40] == merged(*read(tmp_path, whole))
        assert refused["row"][-1] == packets.height + refused.height == 41
        place = f"damaged at byte {len(whole):,}, and nothing is read behind it"
        assert place in refused["reason"][-1]


def test_reading_goes_on_over_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a file falls into windows, it is the same rows, damage and all."""
    for flavour in ("pcap on link 1", "pcapng, several sections", "pcap with longer records"):
        whole = captures.FLAVOURS[flavour](random.Random(10), 300)
        at = list(captures.records(whole))
        data = bytearray(whole)
        for struck in (20, 150, 151, 280):
            data[at[struck].length : at[struck].length + 4] = b"\xff\xff\xff\xff"
        monkeypatch.setattr(octets, "WINDOW", 1 << 24)
        one = read(tmp_path, bytes(data))
        assert one[0].height + one[1].height >= 297
        for size in (100, 1000, 7001):
            monkeypatch.setattr(octets, "WINDOW", size)
            monkeypatch.setattr(streams, "_CHUNK", size)
            for frame, other in zip(one, read(tmp_path, bytes(data)), strict=True):
                assert_frame_equal(frame, other)


def test_a_section_of_the_other_order_behind_damage(tmp_path: Path) -> None:
    """Where damage swallows a section's end, reading goes on with the next one's byte order."""
    rng = random.Random(11)
    raw = [captures.Interface(captures.RAW)]
    first = captures.capture_section(captures.several(rng, raw, 20), raw, rng)
    second = captures.capture_section(captures.several(rng, raw, 20), raw, rng, order=">")
    rows = merged(*read(tmp_path, first + second))
    cut = list(captures.records(first))[15].start
    found = merged(*read(tmp_path, first[: cut + 20] + second))
    assert found[:15] == rows[:15]
    assert found[16:] == rows[20:]
    assert f"damaged at byte {cut:,}; reading goes on at byte {cut + 20:,}" in found[15][1]


@settings(deadline=None, max_examples=150)
@given(
    flavour=st.sampled_from(list(captures.FLAVOURS)),
    seed=st.integers(0, 9),
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(("flip", "cut", "splice", "giant")),
                  st.integers(0, 2**32 - 1)), min_size=1, max_size=4,
    ),
)  # fmt: skip
def test_any_mutation_keeps_what_is_in_front_of_it(
    flavour: str,
    seed: int,
    changes: list[tuple[float, str, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Flips, cuts, splices and giant numbers cost no packet in front of them, and no crash."""
    folder = tmp_path_factory.mktemp("mutated")
    whole = captures.FLAVOURS[flavour](random.Random(seed), 30)
    rows = merged(*read(folder, whole))
    data = bytearray(whole)
    first = len(data)
    for place, how, number in changes:
        at = int(place * len(data))
        first = min(first, at)
        if how == "flip":
            data[at : at + 1] = bytes([data[at] ^ (1 << number % 8)]) if at < len(data) else b""
        elif how == "cut":
            del data[at : at + 1 + number % 200]
        elif how == "splice":
            other = number % len(data)
            data[at:at] = data[other : other + number % 300]
        else:
            data[at : at + 4] = number.to_bytes(4)
    try:
        packets, refused = read(folder, bytes(data), 16)
    except SourceError as error:
        assert str(folder) in str(error)
        assert not holds_packets(whole[:first])
        return
    found = merged(packets, refused)
    assert found[: holds_packets(whole[:first])] == rows[: holds_packets(whole[:first])]
