"""Who is let in, what answers forbid the browser, and what hostile input does: nothing."""

import re
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from dante.errors import UsageError
from dante.store.home import Home
from dante.web import create_app
from dante.web.guard import is_loopback, local_path
from dante.web.serve import check_listening

from .conftest import BASE, HOSTILE, PAGES, client_of

TOKEN = "0123456789abcdef-token"


@pytest.mark.parametrize("path", [*PAGES, "/api/today", "/static/app.css", "/nowhere", "/api/x"])
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    """Pages, data, files and errors alike say what a browser must not do with them."""
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8300", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8300", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8300", 421),
        ("192.0.2.1", 421),
        ("", 421),
    ],
)
def test_a_name_that_is_not_ours_is_refused(client: TestClient, host: str, status: int) -> None:
    """A site whose name was made to point at this machine (DNS rebinding) gets nothing."""
    assert client.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(client: TestClient, method: str) -> None:
    """Only reading is answered."""
    assert client.request(method, "/").status_code == 405
    assert client.request(method, "/api/today").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/publication.py",
        "/static//etc/passwd",
        "/static/app.css%00.js",
        "/tracks/..%2f..%2fetc%2fpasswd",
        "/tracks/1%00",
        "/%2e%2e/state.duckdb",
        "/lineage.duckdb",
    ],
)
def test_no_path_leads_out(client: TestClient, path: str) -> None:
    """Only the files of a fixed list are served, whatever a path looks like."""
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text and "import" not in answer.text


_INJECTIONS = (
    "' OR '1'='1",
    "1; DROP TABLE tracks; --",
    "1' UNION SELECT getenv('HOME') --",
    "$1",
    "?",
    "%' OR 1=1 --",
    "\\",
    "read_text('/etc/passwd')",
    "\u202e\u0000\ud7ff",
    HOSTILE,
    "9" * 190,
)


@pytest.mark.parametrize("text", _INJECTIONS)
def test_hostile_questions_find_nothing(client: TestClient, text: str) -> None:
    """SQL, markup and control characters in any parameter are words that nothing matches."""
    for path, name in (
        ("/search", "q"),
        ("/timeline", "q"),
        ("/timeline", "port"),
        ("/sender", "q"),
        ("/tracks/1", "q"),
        ("/", "day"),
        ("/timeline", "first"),
        ("/tracks/1", "order"),
        ("/tracks/1", "page"),
    ):
        answer = client.get(path, params={name: text})
        assert answer.status_code in (200, 400), (path, name)
        _harmless(answer.text)
    assert client.get("/tracks/" + quote(text, safe="")).status_code in (400, 404)
    assert client.get("/api/search", params={"q": text}).json().get("by_name", []) == []


def _harmless(text: str) -> None:
    assert "<script>" not in text and "<img" not in text
    assert not re.search(r"<[^>]*\son[a-z]+=", re.sub(r'"[^"]*"', '""', text))
    assert "\u202e" not in text and ">49<" not in text


@pytest.mark.parametrize("path", [*PAGES, "/tracks/2?order=packets"])
def test_hostile_names_in_the_data_are_only_text(hostile: TestClient, path: str) -> None:
    """Names, ports, networks, reasons, sources and checks that are attacks are shown as text."""
    answer = hostile.get(path)
    assert answer.status_code in (200, 404)
    _harmless(answer.text)


def test_the_hostile_name_is_there_all_the_same(hostile: TestClient) -> None:
    """Nothing is hidden: the name stands on the page, escaped."""
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in hostile.get("/").text
    assert "&lt;script&gt;" in hostile.get("/quality").text


def test_answers_are_bounded(client: TestClient) -> None:
    """No parameter makes an answer longer than its bound, nor is one that long listened to."""
    assert client.get("/api/tracks/1/senders", params={"size": 1001}).status_code == 400
    assert client.get("/api/timeline", params={"lanes": 501}).status_code == 400
    assert client.get("/search", params={"q": "x" * 201}).status_code == 400
    assert client.get("/search", params={"q": "x" * 5000}).status_code == 414


@pytest.fixture(scope="module")
def locked(home: Home) -> TestClient:
    """A client of a server with a token, without it."""
    return client_of(create_app(home, token=TOKEN, names=["telescope.example"]))


def test_without_the_token_nothing_is_shown(locked: TestClient) -> None:
    """A browser is sent to the login, a program is told what to send."""
    page = locked.get("/tracks/1?q=1.2", headers={"accept": "text/html"})
    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=/tracks/1%3Fq%3D1.2"
    for path in ("/api/today", "/openapi.json", "/docs", "/api/publication", "/nowhere"):
        answer = locked.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer ", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer \u00e9".encode(), 401),
    ],
)
def test_a_program_sends_the_token(locked: TestClient, header: str | bytes, status: int) -> None:
    """The right bearer token is let in, and nothing else is."""
    assert locked.get("/api/today", headers={"authorization": header}).status_code == status


def test_a_person_logs_in_and_gets_a_cookie_that_is_not_the_token(home: Home) -> None:
    """The cookie lets in, is out of scripts' reach, and does not tell the token."""
    browser = client_of(create_app(home, token=TOKEN))
    wrong = browser.post("/login", data={"token": "wrong", "next": "/map"})
    assert wrong.status_code == 403 and "set-cookie" not in wrong.headers
    right = browser.post("/login", data={"token": TOKEN, "next": "/map"})
    assert (right.status_code, right.headers["location"]) == (303, "/map")
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and TOKEN not in cookie
    assert browser.get("/").status_code == 200
    browser.cookies.set("dante_session", TOKEN)
    stranger = client_of(create_app(home, token=TOKEN))
    assert stranger.get("/", headers={"cookie": f"dante_session={TOKEN}"}).status_code == 401
    assert stranger.post("/login", content=b"x" * 10_000).status_code == 400


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/tracks/1?q=2", "/tracks/1?q=2"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\tevil", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_a_login_leads_nowhere_else(wanted: str, got: str) -> None:
    """After the login only a path of this server is gone to."""
    assert local_path(wanted) == got


def test_with_a_token_addresses_and_given_names_are_ours(locked: TestClient) -> None:
    """Addresses cannot be rebound, and names are those that were given."""
    sent = {"authorization": f"Bearer {TOKEN}"}
    for host, status in (
        ("192.0.2.7:8300", 200),
        ("[2001:db8::1]:8300", 200),
        ("telescope.example", 200),
        ("evil.example", 421),
    ):
        assert locked.get("/api/today", headers={**sent, "host": host}).status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "telescope.example", ""])
def test_beyond_this_machine_a_token_is_needed(host: str) -> None:
    """Listening where others can reach is refused without a token, and a short one is none."""
    with pytest.raises(UsageError, match="token"):
        check_listening(host, None)
    with pytest.raises(UsageError, match="16"):
        check_listening(host, "short")
    check_listening(host, TOKEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1"])
def test_on_this_machine_none_is_needed(host: str) -> None:
    """Loopback addresses may be listened on without a token."""
    assert is_loopback(host)
    check_listening(host, None)


def test_a_server_of_a_home_without_a_publication_says_so(tmp_path) -> None:
    """Before the first backfill every page says what to do, and the server stays up."""
    client = client_of(create_app(Home(tmp_path)))
    for path in ("/", "/timeline", "/api/today"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "dante backfill" in answer.text
    (tmp_path / "lineage.duckdb").write_bytes(b"no database" * 1000)
    assert client.get("/").status_code == 503
    assert BASE not in client.get("/").text
