"""Every page says what the published database holds."""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from dante.clustering.evidence import COUNTED
from dante.labels.book import open_book, save_labels
from dante.labels.networks import NETWORKS, network_range
from dante.labels.read import Content
from dante.labels.tools import RULES
from dante.labels.tracks import label_tracks
from dante.sequences.traits import IP_ID
from dante.store.home import Home
from dante.store.publish import IP_ID_NAMES, TOOL_NAMES, TRAIT_NAMES, publish
from dante.tracking.track import TRACK_STATES
from dante.web import create_app
from tests.report.conftest import FIRST, Story, build

from .conftest import HOSTILE, PAGES, client_of, story_with_senders


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_as_one_complete_document(client: TestClient, path: str) -> None:
    """A page is HTML with one main heading, a title, and nothing from anywhere else."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = answer.text
    assert text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")
    assert len(re.findall(r"<h1[ >]", text)) == 1
    assert re.search(r"<title>.+ · DANTE</title>", text)
    assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", text)
    assert not re.search(r"<style|\sstyle=|<script>|\son[a-z]+=", text)


def test_today_shows_threats_with_their_reasons_and_what_returned(client: TestClient) -> None:
    """The newest day names the returned threat, its reason, score and senders, and the event."""
    text = client.get("/").text
    assert "10 March 2025" in text
    assert 'href="/tracks/3"' in text and "dns-3" in text
    assert "<li>back after 8 days</li>" in text
    assert "0.55" in text
    assert re.search(r"came back\s+after 8 days", text)
    # The new threat of 3 March is a week and more old.
    assert "never seen" not in text


def test_a_past_day_knows_nothing_of_later_ones(client: TestClient) -> None:
    """On 3 March the threat of that day is shown, and the return of 9 March is not."""
    text = client.get("/", params={"day": "2025-03-03"}).text
    assert "<li>never seen</li>" in text
    assert "back after 8 days" not in text
    assert "?day=2025-03-02" in text and "?day=2025-03-04" in text


def test_a_day_that_stopped_is_told_on_the_newest_page(client: TestClient) -> None:
    """Whoever reads today's numbers sees that the day after them broke its contract."""
    text = client.get("/").text
    assert "the day breaks its contract" in text
    assert "the day breaks its contract" not in client.get("/?day=2025-03-03").text


def test_the_timeline_has_a_lane_a_track_with_its_signs(client: TestClient) -> None:
    """Lanes, splits, merges, births, returns and threats are drawn, with words for each."""
    text = client.get("/timeline").text
    assert text.count('href="/tracks/') == 3
    assert "http-alt-2 splits off from telnet-1 on 3 March 2025" in text
    assert "http-alt-2 merges into telnet-1 on 9 March 2025" in text
    assert "dns-3 returns on 10 March 2025" in text
    assert "http-alt-2 a threat on 3 March 2025" in text


def test_a_track_that_began_by_a_split_is_marked_on_its_first_day(tmp_path: Path) -> None:
    """What is at work on a day says how it came to be, whether born, returned or split off."""
    story = story_with_senders()
    events = story.rows["lineage"]
    story.rows["lineage"] = [row for row in events if row[1:3] != (2, "birth")]
    client = client_of(create_app(build(story, tmp_path)))
    found = client.get("/api/today", params={"day": "2025-03-03"}).json()["activities"]
    assert {row["track_id"]: row["event"] for row in found}[2] == "split"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, {1, 2, 3}),
        ({"threats": "true"}, {2, 3}),
        ({"port": "23"}, {1}),
        ({"port": "53/udp"}, {3}),
        ({"q": "ALT"}, {2}),
        ({"least": "100"}, {1}),
        ({"first": "2025-03-07", "last": "2025-03-08"}, {1}),
        ({"lanes": "1"}, {2}),
        ({"q": "", "port": "", "state": "", "first": "", "least": ""}, {1, 2, 3}),
        ({"q": "%", "port": "%"}, set()),
    ],
)
def test_the_timeline_is_filtered(
    client: TestClient, asked: dict[str, str], wanted: set[int]
) -> None:
    """Each filter leaves the tracks that pass it; an empty field of the form is no filter."""
    found = client.get("/api/timeline", params=asked).json()
    assert {track["track_id"] for track in found["tracks"]} == wanted
    page = client.get("/timeline", params=asked).text
    assert {int(n) for n in re.findall(r'href="/tracks/(\d+)"', page)} == wanted


def test_a_track_shows_its_life_ports_kin_and_senders(client: TestClient) -> None:
    """The page of a track has its events on both sides, its ports by name and its senders."""
    text = client.get("/tracks/1").text
    assert "split off" in text and "merged in" in text
    assert "telnet-alt" in text and "2323/tcp" in text
    assert "203.0.113.0/24" in text
    assert "203.0.113.7" in text
    assert "5 senders as CSV" not in text and "4 senders as CSV" in text
    assert "Lineage of telnet-1" in text


def test_a_track_is_found_by_name_and_an_unknown_one_is_not(client: TestClient) -> None:
    """The name in the address does as well as the number; no such track is a 404 in words."""
    assert "http-alt-2" in client.get("/tracks/http-alt-2").text
    missing = client.get("/tracks/nobody")
    assert missing.status_code == 404
    assert "no such track" in missing.text


def test_senders_are_searched_by_network_and_paged(client: TestClient) -> None:
    """A network narrows the senders; pages beyond the last show the last."""
    all_of_them = client.get("/api/tracks/1/senders").json()
    assert [one["src"] for one in all_of_them["senders"]] == [
        "203.0.113.7", "203.0.114.22", "203.0.113.21", "203.0.113.20",
    ]  # fmt: skip
    narrowed = client.get("/api/tracks/1/senders", params={"q": "203.0.114"}).json()
    assert [one["src"] for one in narrowed["senders"]] == ["203.0.114.22"]
    assert narrowed["senders"][0]["days"] == 9 and narrowed["senders"][0]["packets"] == 36
    last = client.get("/api/tracks/1/senders", params={"size": 3, "page": 99}).json()
    assert (last["page"], last["pages"], len(last["senders"])) == (2, 2, 1)


def test_senders_are_downloaded_as_csv(client: TestClient) -> None:
    """The download has every sender of the track, or of the network asked for, once."""
    answer = client.get("/api/tracks/1/senders.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="track-1-senders.csv"'
    lines = answer.text.splitlines()
    assert lines[0] == "src,first_day,last_day,days,packets"
    assert lines[1] == "203.0.113.7,2025-03-01,2025-03-10,9,45"
    assert len(lines) == 5
    one = client.get("/api/tracks/1/senders.csv", params={"q": "203.0.113.20"}).text
    assert one.splitlines()[1:] == ["203.0.113.20,2025-03-01,2025-03-10,9,18"]


def test_a_sender_has_its_tracks_and_its_days_in_none(client: TestClient) -> None:
    """An address is shown with each track it was in; noise is a lane of its own."""
    found = client.get("/api/sender", params={"q": "2001:db8:1:2::9"}).json()
    assert (found["text"], found["single"], found["days"]) == ("2001:db8:1:2::/64", True, 9)
    assert [(one["track_id"], len(one["days"])) for one in found["tracks"]] == [(3, 2), (None, 7)]
    network = client.get("/api/sender", params={"q": "203.0.113.0/24"}).json()
    assert network["senders"] == 4
    assert [one["track_id"] for one in network["tracks"]] == [1, 2]
    assert network["top"][0]["src"] == "203.0.113.7"
    assert "nothing at all" in client.get("/sender?q=198.51.100.1").text


@pytest.mark.parametrize(
    "asked",
    ["x", "1.2.3.4.5", "10.0.0.0/8", "203.0.113.7/24", "1.2.3.400", "::/0", ""],
)
def test_what_is_no_address_or_too_wide_is_told_so(client: TestClient, asked: str) -> None:
    """Ranges a page cannot hold, and what is no address, are refused in a sentence."""
    answer = client.get("/api/sender", params={"q": asked})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_search_finds_ports_services_names_and_addresses(client: TestClient) -> None:
    """A number or service finds tracks by port, words find names, an address has its own page."""
    assert client.get("/api/search?q=2323").json()["by_port"][0]["track_id"] == 1
    assert client.get("/api/search?q=telnet").json()["by_port"][0]["port"] == "23/tcp"
    named = client.get("/api/search?q=DNS").json()
    assert [hit["track_id"] for hit in named["by_name"]] == [3]
    assert [hit["track_id"] for hit in named["by_port"]] == [3, 3][:1]
    there = client.get("/search?q=203.0.113.0/24")
    assert there.status_code == 303
    assert there.headers["location"] == "/sender?q=203.0.113.0%2F24"


def test_the_map_is_the_same_each_time_and_near_is_alike(client: TestClient) -> None:
    """Two askings give the same places; every cluster of the day is on the plane."""
    one, other = client.get("/api/map?day=2025-03-03"), client.get("/api/map?day=2025-03-03")
    assert one.text == other.text
    clusters = one.json()["clusters"]
    assert [(c["cluster_id"], c["track_id"], c["senders"]) for c in clusters] == [
        (0, 1, 4),
        (1, 2, 1),
    ]
    assert all(0 <= c["x"] <= 1 and 0 <= c["y"] <= 1 for c in clusters)


def test_quality_has_checks_refused_rows_and_stopped_days(client: TestClient) -> None:
    """Failed checks are named with what was observed; a span before them has none."""
    found = client.get("/api/quality").json()
    assert {one["check"] for one in found["failed"]} == {"sensors_awake", "volume_least"}
    assert found["stopped"][0]["error"] == "the day breaks its contract"
    assert found["undated"] == 77
    assert {one["check"]: len(one["failed"]) for one in found["checks"]}["sensors_awake"] == 1
    assert client.get("/api/quality?day=2025-03-03").json()["failed"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?day=2031-01-01", 404),
        ("/?day=yesterday", 400),
        ("/map?day=0001-01-01", 404),
        ("/quality?days=0", 400),
        ("/quality?days=1000000", 400),
        ("/timeline?first=2030-01-01", 400),
        ("/timeline?order=name", 400),
        ("/timeline?least=-1", 400),
        ("/tracks/1?page=0", 400),
        ("/tracks/1?order=src;drop", 400),
        ("/nowhere", 404),
        ("/tracks/", 404),
    ],
)
def test_a_wrong_question_is_answered_in_words(client: TestClient, path: str, status: int) -> None:
    """What cannot be shown is a page that says why, and the same of the API in JSON."""
    answer = client.get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text and "Traceback" not in answer.text
    path = path.replace("/?", "/today?").replace("/tracks/1?", "/tracks/1/senders?")
    api = client.get("/api" + path)
    assert api.status_code == status
    assert set(api.json()) == {"error"}


def test_the_names_of_traits_are_those_of_the_rooms_that_make_them() -> None:
    """Publication, which is below them, names traits, tools and ways to number packets alike."""
    assert TRAIT_NAMES == COUNTED
    assert TOOL_NAMES[1:] == tuple(rule.name for rule in RULES)
    assert IP_ID_NAMES == IP_ID


def test_a_track_shows_headers_and_hours(
    tmp_path: Path, build: Callable[[Story, Path], Home]
) -> None:
    """Codes of the tracker are shown as values with their shares."""
    story = story_with_senders()
    columns = list(TRACK_STATES)
    shown = {
        "traits": [2, (1 << 32) + 65, (3 << 32) + 0],
        "trait_senders": [3.0, 2.0, 1.0],
        "hours": [0.0] * 9 + [1.0, 3.0] + [0.0] * 13,
    }
    story.rows["pipeline.track_states"][0] = tuple(
        shown.get(name, value)
        for name, value in zip(columns, story.rows["pipeline.track_states"][0], strict=True)
    )
    with client_of(create_app(build(story, tmp_path / "home"))) as client:
        traits = client.get("/api/tracks/1").json()["traits"]
        page = client.get("/tracks/1").text
    assert [(one["trait"], one["value"], one["share"]) for one in traits] == [
        ("hour", "10", 0.75), ("hour", "09", 0.25), ("tool", "mirai", 1.0), ("ttl", "64", 1.0),
        ("window", "varies", 1.0),
    ]  # fmt: skip
    assert "Initial TTL" in page and "mirai" in page


def test_today_shows_shape_key_floods_and_what_was_held_back(client: TestClient) -> None:
    """Each threat says its shape and key; what the day's budget held back is counted and listed."""
    found = client.get("/api/today").json()
    assert [(one["shape"], one["key"]) for one in found["threats"]] == [
        ("campaign", "dns-3@2025-03-10")
    ]
    # One that was held and then told is a threat, and nothing else.
    assert [(one["name"], one["shape"], one["score"]) for one in found["held"]] == [
        ("telnet-1", "worm", 0.31)
    ]
    assert [(one["src"], one["shape"], one["port"]) for one in found["floods"]] == [
        ("198.51.100.8", "sweep", None),
        ("203.0.113.99", "flood", "2193/udp"),
    ]
    text = client.get("/").text
    assert "1 more passed the test and was held back" in text and "held for its score" in text
    assert "dns-3@2025-03-10" in text and "2,779×" in text and "40,000 ports" in text
    assert "held for its score" not in client.get("/?day=2025-03-03").text


def test_a_track_says_why_it_is_one(client: TestClient) -> None:
    """Decisions stand with their probabilities in words, those of its birth among them."""
    found = client.get("/api/tracks/3").json()
    own = [one for one in found["decisions"] if one["track_id"] == 3]
    assert own[0]["probability"] == 0.55
    assert own[0]["why"].startswith("continued, as telnet-1 (0.71) went on as cluster 0: ports")
    text = client.get("/tracks/3").text
    assert "Why it is one track" in text and "telnet-1 (0.71)" in text
    born = client.get("/tracks/2").text
    assert "held against" in born and "and http-alt-2 was born" in born
    assert client.get("/api/tracks/2").json()["shape"] == "campaign"
    assert client.get("/api/tracks/1").json()["shape"] == "worm"


def test_a_sender_shows_its_floods(client: TestClient) -> None:
    """The days one flooded a port are on its page and its network's, newest first."""
    for asked in ("203.0.113.99", "203.0.113.0/24"):
        floods = client.get("/api/sender", params={"q": asked}).json()["floods"]
        assert [(one["day"], one["port"]) for one in floods] == [
            ("2025-03-10", "2193/udp"),
            ("2025-03-02", "53/udp"),
        ]
    assert "2193/udp" in client.get("/sender?q=203.0.113.99").text
    assert client.get("/api/sender?q=203.0.113.7").json()["floods"] == []


def test_countries_and_owners_are_shown_where_lists_have_them(
    tmp_path: Path, build: Callable[[Story, Path], Home]
) -> None:
    """A track shows what lists call its senders with shares, a sender and a network theirs.

    A name is text, whatever is in it; where lists are silent nothing is shown.
    """
    home = build(story_with_senders(), tmp_path / "home")
    names = {
        "country": [("203.0.113.0/24", "NL"), ("203.0.114.0/24", "BR")],
        "asn": [("203.0.112.0/22", f"AS64500 {HOSTILE}")],
    }
    for kind, networks in names.items():
        content = Content(kind)
        rows = [(*network_range(text), name) for text, name in networks]
        content.frames.append(pl.DataFrame(rows, schema=NETWORKS, orient="row"))
        save_labels(home.labels, content, name=kind, as_of=FIRST, always=False, benign=False)
    book = open_book(home.labels)
    publish(home, finish=lambda con: label_tracks(con, book, {}))
    with client_of(create_app(home)) as client:
        labels = client.get("/api/tracks/1").json()["labels"]
        assert [(one["kind"], one["name"], one["senders"]) for one in labels] == [
            ("asn", f"AS64500 {HOSTILE}", 4),
            ("country", "NL", 3),
            ("country", "BR", 1),
        ]
        assert [one["share"] for one in labels] == [1.0, 0.75, 0.25]
        text = client.get("/tracks/1").text
        assert "NL" in text and "75%" in text and "<script>alert" not in text
        for asked, country in (("203.0.113.7", 1), ("203.0.113.0/24", 4)):
            found = client.get("/api/sender", params={"q": asked}).json()["labels"]
            assert ("country", "NL", country) in [
                (one["kind"], one["name"], one["senders"]) for one in found
            ]
            assert "NL" in client.get("/sender", params={"q": asked}).text
        assert client.get("/api/sender?q=2001:db8:1:2::").json()["labels"] == []
        assert client.get("/api/tracks/3").json()["labels"] == []


def test_what_goes_on_without_a_cluster_is_not_on_the_map(
    tmp_path: Path, build: Callable[[Story, Path], Home]
) -> None:
    """A few senders who carry a track on by themselves are no cluster."""
    story = story_with_senders()
    story.add("memberships", (FIRST, "203.0.113.50", 1, None, 2, 0.9, 3405803826))
    home = build(story, tmp_path / "home")
    with client_of(create_app(home)) as client:
        clusters = client.get("/api/map", params={"day": str(FIRST)}).json()["clusters"]
        assert [(one["cluster_id"], one["senders"]) for one in clusters] == [(0, 4)]
        assert ">None<" not in client.get("/map", params={"day": str(FIRST)}).text
