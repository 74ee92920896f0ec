"""A day's packets as port sequences, against a plain Python oracle."""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.errors import DanteError
from dante.schema import PACKETS
from dante.sequences import (
    SENDERS,
    DaySequences,
    day_sequences,
    read_inputs,
    read_rows,
    read_sequences,
    write_sequences,
)

START = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
REPLIES = {0, 3, 4, 5, 11, 12, 14, 16, 18}
REPLIES_V6 = {1, 2, 3, 4, 129}

Row = tuple[int, int, int, int, int | None, int | None]
"""Source file, seconds since START, sender, protocol, dport, TCP flags."""

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.sampled_from([0, 1, 2, 0xFFFFFFFF, 0x2001_0DB8_0000_0000]),
        st.sampled_from([1, 6, 17, 47, 58]),
        st.one_of(st.none(), st.sampled_from([0, 23, 256 * 8, 256 * 3 + 1, 256 * 129, 65535])),
        st.one_of(st.none(), st.sampled_from([0x02, 0x12, 0x04, 0x14, 0x10, 0x00])),
    ),
    max_size=60,
)


def _frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "ts": START + dt.timedelta(seconds=second),
                "src": src,
                "proto": proto,
                "dport": port,
                "tcp_flags": flags,
            }
            for _, second, src, proto, port, flags in rows
        ],
        schema=PACKETS,
    )


def _is_reply(proto: int, port: int | None, flags: int | None) -> bool:
    if proto == 6 and flags is not None:
        return flags & 0x12 == 0x12 or flags & 0x04 != 0
    if port is None:
        return False
    return (proto == 1 and port // 256 in REPLIES) or (proto == 58 and port // 256 in REPLIES_V6)


def _oracle(rows: list[Row], longest: int) -> dict[int, tuple[list[int], dict[int, int]]]:
    heard: dict[int, list[int]] = {}
    for _, _, src, proto, port, flags in sorted(rows, key=lambda row: row[1]):
        if _is_reply(proto, port, flags):
            continue
        number = port or 0
        word = proto * 65536 + (number // 256 if proto in (1, 58) else number)
        heard.setdefault(src, []).append(word)
    return {
        src: ([word for word, _ in itertools.groupby(words)][:longest], dict(Counter(words)))
        for src, words in heard.items()
    }


def _as_dict(made: DaySequences) -> dict[int, tuple[list[int], dict[int, int]]]:
    return {
        row["src"]: (row["sentence"], dict(zip(row["words"], row["counts"], strict=True)))
        for row in made.senders.iter_rows(named=True)
    }


@given(rows=ROWS, longest=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_sequences_are_what_a_plain_loop_makes(rows: list[Row], longest: int) -> None:
    """Sentences, word counts and packet counts are those of a loop over the packets in order."""
    made = day_sequences(_frame(rows).lazy(), sentence_words=longest)
    assert _as_dict(made) == _oracle(rows, longest)
    assert made.packets == len(rows)
    assert made.backscatter_packets == sum(_is_reply(*row[3:]) for row in rows)
    assert made.senders.schema == SENDERS
    assert made.senders["src"].is_sorted()
    for row in made.senders.iter_rows(named=True):
        assert row["packets"] == sum(row["counts"])
        assert row["words"] == sorted(row["words"])


@given(rows=ROWS, cuts=st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=40, deadline=None)
def test_sequences_do_not_depend_on_chunks(rows: list[Row], cuts: list[int]) -> None:
    """Packets that come in one frame or in several pieces give the same sequences."""
    whole = _frame(rows)
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    pieces = [whole[a:b].lazy() for a, b in itertools.pairwise(edges)] or [whole.lazy()]
    split = day_sequences(pl.concat(pieces), sentence_words=256)
    at_once = day_sequences(whole.lazy(), sentence_words=256)
    assert split.senders.equals(at_once.senders)
    assert (split.packets, split.backscatter_packets) == (
        at_once.packets,
        at_once.backscatter_packets,
    )


@given(rows=ROWS)
@settings(max_examples=30, deadline=None)
def test_sources_with_other_ticks_may_come_in_any_order(rows: list[Row]) -> None:
    """Where no two packets share a tick, the order of the sources changes nothing."""
    apart = [(row[0], i, *row[2:]) for i, row in enumerate(rows)]
    by_source = [[row for row in apart if row[0] == source] for source in range(3)]
    forward = pl.concat([_frame(part) for part in by_source])
    backward = pl.concat([_frame(part) for part in reversed(by_source)])
    one = day_sequences(forward.lazy(), sentence_words=256).senders
    assert one.equals(day_sequences(backward.lazy(), sentence_words=256).senders)


def test_a_run_of_one_word_is_said_once_and_counted_whole() -> None:
    """23, 23, 23, 80, 23 is the sentence 23 80 23, with 23 counted four times."""
    ports = [23, 23, 23, 80, 23]
    made = day_sequences(
        _frame([(0, i, 7, 6, port, 2) for i, port in enumerate(ports)]).lazy(), sentence_words=256
    )
    base = 6 * 65536
    assert _as_dict(made) == {7: ([base + 23, base + 80, base + 23], {base + 23: 4, base + 80: 1})}


def test_two_senders_of_one_word_do_not_share_a_run() -> None:
    """A run ends where the sender changes, even if the word goes on."""
    made = day_sequences(
        _frame([(0, 0, 1, 6, 23, 2), (0, 0, 2, 6, 23, 2)]).lazy(), sentence_words=9
    )
    assert made.senders["sentence"].list.len().to_list() == [1, 1]


def test_a_reply_between_two_words_does_not_part_a_run() -> None:
    """Backscatter is taken out before runs are found."""
    rows: list[Row] = [(0, 0, 1, 6, 23, 2), (0, 1, 1, 6, 80, 0x12), (0, 2, 1, 6, 23, 2)]
    made = day_sequences(_frame(rows).lazy(), sentence_words=9)
    assert made.senders["sentence"].to_list() == [[6 * 65536 + 23]]


def test_a_day_of_backscatter_has_packets_and_no_senders() -> None:
    """Victims are counted and none of them becomes a sender."""
    made = day_sequences(_frame([(0, 0, 1, 6, 1024, 0x12)] * 3).lazy(), sentence_words=9)
    assert (made.packets, made.backscatter_packets, made.senders.height) == (3, 3, 0)
    assert made.senders.schema == SENDERS


def test_profiles_are_read_back_as_written(tmp_path: Path) -> None:
    """A profiles file gives back the day and the digest it was made from, in the same bytes."""
    made = day_sequences(
        _frame([(0, i, i % 3, 6, i % 5, 2) for i in range(40)]).lazy(), sentence_words=9
    )
    for name in ("a.parquet", "b.parquet"):
        write_sequences(made, tmp_path / name, inputs="abc")
    back, inputs = read_sequences(tmp_path / "a.parquet")
    assert back.senders.equals(made.senders)
    assert (back.packets, back.backscatter_packets, inputs) == (40, 0, "abc")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_rows_of_some_senders_are_read_without_the_rest(tmp_path: Path) -> None:
    """Of a profiles file the digest, or a few senders' rows, can be had by themselves."""
    made = day_sequences(
        _frame([(0, i, i % 3, 6, i % 5, 2) for i in range(40)]).lazy(), sentence_words=9
    )
    path = tmp_path / "a.parquet"
    write_sequences(made, path, inputs="abc")
    assert read_inputs(path) == "abc"
    some = made.senders["src"][1:].append(pl.Series([2**40], dtype=pl.UInt64))
    wanted = made.senders[1:].drop("sentence", "counts")
    assert read_rows(path, some).equals(wanted)
    path.write_bytes(b"not parquet at all")
    for read in (read_inputs, lambda bad: read_rows(bad, some)):
        with pytest.raises(DanteError, match=r"a\.parquet"):
            read(path)


def _damages(good: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "text", b"not parquet at all"
    yield "head only", good[: len(good) // 2]
    yield "tail only", good[len(good) // 2 :]
    yield "footer cut", good[:-4]
    for place in range(4, len(good) - 8, max(1, len(good) // 40)):
        yield f"byte {place}", good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]


def test_a_damaged_profiles_file_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    """Whatever happened to the file, reading it either works or names the file."""
    made = day_sequences(
        _frame([(0, i, i % 3, 6, i % 5, 2) for i in range(40)]).lazy(), sentence_words=9
    )
    write_sequences(made, tmp_path / "good.parquet", inputs="abc")
    good = (tmp_path / "good.parquet").read_bytes()
    for what, body in _damages(good):
        path = tmp_path / "bad.parquet"
        path.write_bytes(body)
        try:
            read_sequences(path)
        except DanteError as error:
            assert "bad.parquet" in str(error), what
    with pytest.raises(DanteError, match=r"none\.parquet"):
        read_sequences(tmp_path / "none.parquet")


def test_parquet_of_another_shape_is_not_taken_for_profiles(tmp_path: Path) -> None:
    """A Parquet file without the columns or the digest of profiles is refused by name."""
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(DanteError, match=r"other\.parquet"):
        read_sequences(tmp_path / "other.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(
        tmp_path / "named.parquet",
        metadata={"inputs": "a", "packets": "1", "backscatter_packets": "0"},
    )
    with pytest.raises(DanteError, match=r"named\.parquet"):
        read_sequences(tmp_path / "named.parquet")
