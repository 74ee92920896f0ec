"""`dante lineage TRACK --explain DAY`: why clusters of a day were a track, or were not."""

import csv
import io
import json


def _ask(dante, home, sql):
    return json.loads(dante("query", sql, "--home", home, "--format", "json").out)


def test_every_match_of_a_day_is_explained(dante, home):
    """Each cluster that continued a track is in its answer, with what the view has, in words."""
    taken = _ask(
        dante,
        home,
        "SELECT day, track_id, cluster_id, probability FROM decisions WHERE taken "
        "AND day = (SELECT max(day) FROM decisions)",
    )
    assert taken
    for match in taken[:3]:
        words = (match["track_id"], "--explain", match["day"], "--home", home)
        rows = json.loads(dante("lineage", *words, "--format", "json").out)
        mine = [row for row in rows if row["track_id"] == match["track_id"]]
        told = {row["cluster_id"]: row for row in mine if row["taken"]}[match["cluster_id"]]
        assert told["probability"] == match["probability"]
        assert told["why"].startswith("continued, ")
        assert "senders shared" in told["why"]
        for row in rows:
            own = next(each for each in mine if each["cluster_id"] == row["cluster_id"])
            assert row["taken"] or row["probability"] >= own["probability"]
        table = dante("lineage", *words)
        assert told["why"] in table.out
        listed = dante("lineage", *words, "--format", "csv").out
        assert [row["why"] for row in csv.DictReader(io.StringIO(listed))] == [
            row["why"] for row in rows
        ]


def test_refusals_of_a_birth_are_explained(dante, home):
    """A track born on a later day says which tracks it was held against, or that none was."""
    births = _ask(
        dante, home, "SELECT name, first_day FROM tracks WHERE first_day > DATE '2025-03-01'"
    )
    assert births
    for birth in births[:4]:
        answer = dante("lineage", birth["name"], "--explain", birth["first_day"], "--home", home)
        assert answer.code == 0
        refused = [line for line in answer.out.splitlines()[1:] if "refused, " in line]
        assert refused or answer.err.endswith(f"held against no cluster of {birth['first_day']}\n")


def test_on_the_first_day_there_is_nothing_to_explain(dante, home):
    """Without a day before, a track was held against nothing."""
    words = ("lineage", 1, "--explain", "2025-03-01", "--home", home)
    answer = dante(*words)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.endswith("was held against no cluster of 2025-03-01\n")
    assert dante(*words, "--format", "json").out == "[]\n"


def test_a_day_that_is_not_done_has_no_reasons(dante, home):
    """Another day, or no day, is wrong usage."""
    assert "2024-01-01" in dante("lineage", 1, "--explain", "2024-01-01", "--home", home).fault(2)
    assert "soon" in dante("lineage", 1, "--explain", "soon", "--home", home).fault(2)
