"""The API says what it promises, and promises it in OpenAPI."""

import pytest
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from dante.web.activities import ActivityMap
from dante.web.members import Senders
from dante.web.quality import Quality
from dante.web.search import Search
from dante.web.sender import SenderView
from dante.web.timeline import Timeline
from dante.web.today import Today
from dante.web.track import Track

ANSWERS = {
    "/api/today": Today,
    "/api/timeline": Timeline,
    "/api/tracks/1": Track,
    "/api/tracks/1/senders": Senders,
    "/api/sender?q=203.0.113.7": SenderView,
    "/api/map": ActivityMap,
    "/api/quality": Quality,
    "/api/search?q=23": Search,
}


@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_is_what_its_schema_says(client: TestClient, path: str) -> None:
    """Every answer reads back as the record that OpenAPI describes, without loss."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    adapter = TypeAdapter(ANSWERS[path])
    assert adapter.dump_json(adapter.validate_json(answer.content)) == answer.content


def test_openapi_describes_every_route_and_its_parameters(client: TestClient) -> None:
    """Each GET of the API has a description, an answer's schema, and bounded parameters."""
    schema = client.get("/openapi.json").json()
    paths = schema["paths"]
    assert {path.split("?")[0].replace("/1", "/{which}") for path in ANSWERS} <= set(paths)
    for path, operations in paths.items():
        assert path.startswith("/api/") and list(operations) == ["get"]
        assert operations["get"]["description"]
    docs = client.get("/docs").text
    assert all(path in docs for path in paths)
    assert "birth | senders | days" in docs


def test_every_page_names_its_json(client: TestClient) -> None:
    """The link to a page's JSON leads to an answer."""
    for path in ("/", "/timeline", "/tracks/1", "/map", "/quality", "/search?q=23"):
        text = client.get(path).text
        link = text.split('">this page as JSON')[0].rsplit('href="', 1)[1]
        assert client.get(link).status_code == 200, link
