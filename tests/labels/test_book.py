"""Versions of lists: asked as of the day, and never of the future unless that was asked for."""

from datetime import date

import polars as pl
import pytest

from dante.errors import DanteError, UsageError
from dante.labels.book import open_book, save_labels
from dante.labels.read import read_labels
from dante.labels.scanners import load_benign
from dante.schema import parse_address

_DAYS = [date(2025, 3, n) for n in range(1, 8)]
_SENDERS = pl.Series([parse_address(text) for text in ("1.2.3.4", "5.6.7.8")], dtype=pl.UInt64)


def _save(tmp_path, write, text, day, name="list", file="acme.txt", **more):
    (content,) = read_labels([write(file, text)])
    more = {"always": False, "benign": False, **more}
    return save_labels(tmp_path / "labels", content, name=name, as_of=day, **more)


def _who(tmp_path, day):
    return open_book(tmp_path / "labels").match("scanners", day, _SENDERS).to_list()


def test_as_of_the_day(tmp_path, write):
    """Of each day the newest version that is not of its future is asked."""
    _save(tmp_path, write, "1.2.3.4 # early\n", _DAYS[2])
    _save(tmp_path, write, "1.2.3.4 # late\n5.6.7.8\n", _DAYS[4])
    assert [_who(tmp_path, day) for day in _DAYS] == [
        [None, None], [None, None], ["early", None], ["early", None],
        ["late", "acme"], ["late", "acme"], ["late", "acme"],
    ]  # fmt: skip


def test_of_the_future_if_asked(tmp_path, write):
    """A version imported for always is asked of days before it, where no older one is."""
    _save(tmp_path, write, "1.2.3.4 # early\n", _DAYS[2])
    _save(tmp_path, write, "1.2.3.4 # late\n5.6.7.8\n", _DAYS[4], always=True)
    assert _who(tmp_path, _DAYS[0]) == ["late", "acme"]
    assert _who(tmp_path, _DAYS[3]) == ["early", None]


def test_several_lists(tmp_path, write):
    """Lists of different names are asked together; of the same network the newest is believed."""
    _save(tmp_path, write, "1.2.3.4 # one\n", _DAYS[0], name="a")
    _save(tmp_path, write, "1.2.3.4 # two\n5.0.0.0/8 # wide\n", _DAYS[1], name="b")
    _save(tmp_path, write, "5.6.7.8 # narrow\n", _DAYS[0], name="c")
    assert _who(tmp_path, _DAYS[0]) == ["one", "narrow"]
    assert _who(tmp_path, _DAYS[1]) == ["two", "narrow"]


def test_the_same_again(tmp_path, write):
    """The same content of the same day is the same version, and nothing is written."""
    card, already = _save(tmp_path, write, "1.2.3.4\n5.6.7.8\n", _DAYS[0])
    again, there = _save(tmp_path, write, "# other order\n5.6.7.8\n1.2.3.4\n", _DAYS[0])
    assert (already, there) == (False, True)
    assert card.version == again.version
    assert [path.name for path in (tmp_path / "labels").iterdir()] == [card.version]


def test_the_card(tmp_path, write):
    """A version's card says what it is of, and which lines were left out."""
    card, _ = _save(tmp_path, write, "1.2.3.4\nnope\n", _DAYS[0], benign=True)
    (known,) = open_book(tmp_path / "labels").cards
    assert known == card
    assert (known.rows, known.names, known.refused) == (1, 1, 1)
    assert known.refused_lines == ("acme.txt:2: nope",)
    assert known.files[0][0] == "acme.txt"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "a" * 65, ".x", "a\n", "x y", "-a"])
def test_names_of_lists(tmp_path, write, name):
    """A name that could lead elsewhere, or is no folder's, is wrong usage and writes nothing."""
    with pytest.raises(UsageError, match="list's name"):
        _save(tmp_path, write, "1.2.3.4\n", _DAYS[0], name=name)
    assert not (tmp_path / "labels").exists()


def test_benign(tmp_path, write):
    """Lists marked benign join the files of the settings, as of the day; others do not."""
    base = load_benign([str(write("own.txt", "9.9.9.0/24\n"))], tmp_path)
    _save(tmp_path, write, "1.2.3.4\n", _DAYS[2], name="good", benign=True)
    _save(tmp_path, write, "5.6.7.8\n", _DAYS[0], name="bad")
    book = open_book(tmp_path / "labels")
    asked = pl.Series([*_SENDERS, parse_address("9.9.9.9")], dtype=pl.UInt64)
    assert book.benign(_DAYS[1], base).contains(asked).to_list() == [False, False, True]
    assert book.benign(_DAYS[2], base).contains(asked).to_list() == [True, False, True]
    assert book.ever_benign(base).contains(asked).to_list() == [True, False, True]


def test_ports(tmp_path, write):
    """Built-in names stay; for other ports the newest import has the word."""
    for day, name in ((_DAYS[3], "newer"), (_DAYS[1], "older")):
        text = f"service,port,proto\nother,37215,tcp\n{name},4711,tcp\n"
        _save(tmp_path, write, text, day, file="p.csv")
    ports = open_book(tmp_path / "labels").ports
    assert ports[6 * 65536 + 37215] == "huawei"
    assert ports[6 * 65536 + 4711] == "newer"


@pytest.mark.parametrize("damage", ["card", "rows", "kind"])
def test_damaged(tmp_path, write, damage):
    """A damaged version is named, with what to do about it."""
    card, _ = _save(tmp_path, write, "1.2.3.4\n", _DAYS[0])
    folder = tmp_path / "labels" / card.version
    if damage == "rows":
        (folder / "rows.parquet").write_bytes(b"PAR1")
    else:
        text = (folder / "card.json").read_text()
        broken = text[:40] if damage == "card" else text.replace("scanners", "odd")
        (folder / "card.json").write_text(broken)
    with pytest.raises(DanteError, match=f"{card.version}.*import"):
        _who(tmp_path, _DAYS[0])


def test_no_folder(tmp_path):
    """A home without labels knows nobody, and is not written to."""
    book = open_book(tmp_path / "labels")
    assert book.match("scanners", _DAYS[0], _SENDERS).to_list() == [None, None]
    assert list(tmp_path.iterdir()) == []
