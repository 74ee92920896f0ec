"""The cookbook's queries run as they stand, and answer."""

import json
import re
from pathlib import Path

import pytest

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "queries.md"
_QUESTIONS = re.findall(
    r"^## (\d+)\. (.+?)\n```sql\n(.+?)```", _PAGE.read_text(encoding="utf-8"), re.M | re.S
)
# A telescope of six days has no threats or returns yet, nor an address of a documentation's.
_MAY_BE_EMPTY = {"1", "2", "7", "8", "9", "10", "11", "14", "15", "19"}


def test_there_are_twenty():
    """They are twenty, counted from one, each a question."""
    assert [int(number) for number, _, _ in _QUESTIONS] == list(range(1, 21))
    assert all(title.endswith("?") for _, title, _ in _QUESTIONS)


@pytest.mark.parametrize(
    ("number", "sql"), [(n, sql) for n, _, sql in _QUESTIONS], ids=[n for n, _, _ in _QUESTIONS]
)
def test_it_is_answered(dante, home, number, sql):
    """The query runs on a small telescope, and answers where there is something to say."""
    answer = dante("query", sql, "--home", home, "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    rows = json.loads(answer.out)
    assert rows or number in _MAY_BE_EMPTY


def test_like_campaigns_are_alike(dante, home):
    """Likeness is 1 of a campaign with itself, so what is listed is between 0 and 1."""
    sql = next(sql for number, _, sql in _QUESTIONS if number == "16")
    rows = json.loads(dante("query", sql, "--home", home, "--format", "json").out)
    assert all(0 < row["likeness"] <= 1 for row in rows)
