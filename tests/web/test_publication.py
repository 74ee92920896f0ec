"""A new publication is shown by itself, and nothing is asked for longer than it may."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from dante.errors import DanteError
from dante.store.home import Home
from dante.store.publish import publish
from dante.store.state import open_state
from dante.web import create_app
from dante.web.faults import TooLongError
from dante.web.publication import Publication
from tests.report.conftest import Story

from .conftest import client_of, story_with_senders


@pytest.fixture
def own(tmp_path: Path, build: Callable[[Story, Path], Home]) -> Home:
    return build(story_with_senders(), tmp_path / "home")


def _forget_the_newest_day(home: Home) -> None:
    with open_state(home) as state:
        state.rewind(max(state.committed_days()))
    publish(home)


def test_the_next_request_shows_the_new_publication(own: Home) -> None:
    """Pages and the stamp follow the file, in the same process and with no restart."""
    with client_of(create_app(own)) as client:
        stamp = client.get("/api/publication").json()["stamp"]
        assert client.get("/api/today").json()["day"] == "2025-03-10"
        _forget_the_newest_day(own)
        assert client.get("/api/publication").json()["stamp"] != stamp
        assert client.get("/api/today").json()["day"] == "2025-03-09"
        assert "9 March 2025" in client.get("/").text


def test_readers_at_work_end_with_what_they_began_with(own: Home) -> None:
    """A request under way keeps its publication; one that comes after it gets the new."""
    publication = Publication(own)
    newest = "SELECT max(day) FROM daily"
    seen = []
    with publication.reading() as reader:
        before = reader.one(newest)
        _forget_the_newest_day(own)

        def later() -> None:
            with publication.reading() as another:
                seen.append(another.one(newest))

        thread = threading.Thread(target=later)
        thread.start()
        time.sleep(0.1)
        assert seen == []
        assert reader.one(newest) == before
    thread.join(10)
    assert seen and seen[0] < before
    publication.close()


def test_a_new_publication_is_opened_before_anybody_asks(own: Home) -> None:
    """The server opens what is published by itself, and lets go of the file before it."""
    app = create_app(own)
    publication: Publication = app.state.publication
    with client_of(app):
        for _ in range(2):
            deadline = time.monotonic() + 30
            while publication.opened != publication.stamp():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            _forget_the_newest_day(own)
    assert publication.opened is None


def test_many_readers_and_publications_at_once(own: Home) -> None:
    """Under publication after publication every answer is whole, and none is an error."""
    answers: list[int] = []
    with client_of(create_app(own)) as client:

        def ask() -> None:
            for _ in range(15):
                answers.append(client.get("/api/timeline").status_code)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            publish(own)
        for thread in threads:
            thread.join(60)
    assert answers == [200] * 90


def test_an_endless_question_is_given_up(own: Home) -> None:
    """A question that would go on for ever is stopped, and the next one is answered."""
    publication = Publication(own, seconds=0.3)
    with pytest.raises(TooLongError, match="given up"), publication.reading() as reader:
        reader.one("SELECT count(*) FROM range(10000000000) AS a, range(1000) AS b")
    with publication.reading() as reader:
        assert reader.one("SELECT count(*) FROM daily") == 9
    publication.close()


def test_a_publication_of_another_version_is_told(own: Home) -> None:
    """A file that lacks a table of ours is named as such, with what to do."""
    con = duckdb.connect(own.lineage)
    con.execute("DROP TABLE track_senders")
    con.close()
    with pytest.raises(DanteError, match="another version"), Publication(own).reading():
        pass
