"""MISP: a threat is an event, and a day on which it is seen again a sighting in that event.

A feed is a folder that any web server can hand out: `manifest.json`, `hashes.csv` and a file an
event. Nothing is marked for detection (`to_ids`): who scans is not yet who attacks.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from dante.errors import UsageError
from dante.export.campaigns import Campaign, Wanted, members, plain, read_campaigns, stable_uuid
from dante.export.target import checked_target
from dante.store.home import Home, write_whole
from dante.store.publish import read_lineage

if TYPE_CHECKING:
    from pymisp import MISPEvent

__all__ = ["write_misp"]

_MANIFEST, _HASHES = "manifest.json", "hashes.csv"
_HIGH, _MEDIUM, _LOW = 1, 2, 3
_HIGH_SCORE: Final = 0.8
_MEDIUM_SCORE: Final = 0.65


def write_misp(home: Home, out: str, wanted: Wanted, *, telescope: str, senders: int) -> int:
    """Write a feed's folder, or one file of all events if `out` ends in `.json`.

    Args:
        home: whose publication.
        out: the folder, made if missing; an older feed in it is replaced.
        wanted: which campaigns.
        telescope: the organisation that creates the events; part of every id.
        senders: at most so many addresses of an event, those with the most packets.

    Returns:
        How many events were written.

    Raises:
        NotEnoughDataError: nothing is published, or no campaign is as wanted.
        UsageError: the folder holds other files than a feed's.
    """
    single = out.endswith(".json")
    target = checked_target(home, out, folder=not single)
    before = set() if single else _older(target)
    events = list(_events(home, wanted, plain(telescope), senders))
    if single:
        with write_whole(target) as path:
            path.write_text(_text({"response": [body for _, body in events]}), encoding="utf-8")
        return len(events)
    manifest: dict[str, Any] = {}
    hashes: list[str] = []
    for event, body in events:
        with write_whole(target / f"{event.uuid}.json") as path:
            path.write_text(_text(body), encoding="utf-8")
        manifest |= event.manifest
        hashes += [f"{value},{event.uuid}\n" for value in event.attributes_hashes("md5")]
    # The manifest last: a reader of the folder never finds an event in it that is not there.
    with write_whole(target / _HASHES) as path:
        path.write_text("".join(hashes), encoding="utf-8")
    with write_whole(target / _MANIFEST) as path:
        path.write_text(_text(manifest), encoding="utf-8")
    for gone in before - {str(event.uuid) for event, _ in events}:
        (target / f"{gone}.json").unlink(missing_ok=True)
    return len(events)


def _text(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _older(folder: Path) -> set[str]:
    """The events of the feed that is in a folder."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return set()
    try:
        known = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        # What is no id is no file of ours, whatever a manifest says.
        return {str(UUID(name)) for name in known}
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{folder} holds other files than a MISP feed's; name a new folder"
        ) from None


def _events(
    home: Home, wanted: Wanted, telescope: str, senders: int
) -> Iterator[tuple["MISPEvent", dict[str, Any]]]:
    """Each event, and its JSON with sightings, which pymisp leaves out of feeds."""
    from pymisp import MISPEvent

    with read_lineage(home) as con:
        for campaign in read_campaigns(con, wanted):
            seen = members(con, campaign, most=senders, daily=False)
            event = MISPEvent()
            event.from_dict(**_event(campaign, telescope))
            sightings = list(_sightings(campaign, telescope))
            for attribute in _attributes(campaign, telescope):
                event.add_attribute(**attribute)
            for row in seen.iter_rows(named=True):
                event.add_attribute(**_sender(campaign, telescope, row))
            body = event.to_feed()
            anchor = body["Event"]["Attribute"][0]
            if sightings:
                anchor["Sighting"] = sightings
            yield event, body


def _event(campaign: Campaign, telescope: str) -> dict[str, Any]:
    threats = campaign.threats
    score = campaign.score or 0.0
    ports = plain(campaign.days["top_ports"][-1])
    name = campaign.name if campaign.label is None else f"{campaign.name} ({campaign.label})"
    kinds = sorted(set(threats["kind"])) or ["routine"]
    return {
        "uuid": stable_uuid(telescope, "event", campaign.key),
        "info": f"Scanning campaign {name}: {ports}",
        "date": (threats["day"][0] if threats.height else campaign.first_day).isoformat(),
        "threat_level_id": _HIGH
        if score >= _HIGH_SCORE
        else _MEDIUM
        if score >= _MEDIUM_SCORE
        else _LOW,
        "analysis": 2,
        "published": True,
        "timestamp": _seconds(campaign.last_day, after=True),
        "publish_timestamp": _seconds(campaign.last_day, after=True),
        "Orgc": {"name": telescope, "uuid": stable_uuid(telescope, "organisation")},
        "Tag": [
            {"name": 'rsit:information-gathering="scanner"', "colour": "#4a6fa5"},
            *({"name": f'dante:kind="{kind}"', "colour": "#7a4fa5"} for kind in kinds),
        ],
    }


def _attributes(campaign: Campaign, telescope: str) -> Iterator[dict[str, Any]]:
    """What the campaign is called, what it was called a threat for, and its ports."""
    newest = _seconds(campaign.last_day, after=True)
    yield {
        "uuid": stable_uuid(telescope, "campaign", campaign.key),
        "type": "text",
        "category": "Internal reference",
        "value": plain(campaign.key),
        "comment": "the campaign's name and day of birth; its sightings are days it was at work",
        "to_ids": False,
        "first_seen": _moment(campaign.first_day),
        "last_seen": _moment(campaign.last_day, after=True),
        "timestamp": newest,
    }
    for row in campaign.threats.iter_rows(named=True):
        yield {
            "uuid": stable_uuid(telescope, "reasons", campaign.key, row["day"]),
            "type": "comment",
            "category": "External analysis",
            "value": f"{row['day']}: {row['kind']}, score {row['score']:.2f}: "
            f"{plain(row['reasons'])}",
            "to_ids": False,
            "disable_correlation": True,
            "timestamp": _seconds(row["day"], after=True),
        }
    for text in plain(campaign.days["top_ports"][-1]).split(", "):
        port, _, share = text.partition(" ")
        number, _, protocol = port.partition("/")
        if not number.isdigit() or protocol not in ("tcp", "udp"):
            continue
        yield {
            "uuid": stable_uuid(telescope, "port", campaign.key, port),
            "type": "port",
            "category": "Network activity",
            "value": number,
            "comment": f"{protocol}, tried by {share} of its senders",
            "to_ids": False,
            "disable_correlation": True,
            "timestamp": newest,
        }


def _sender(campaign: Campaign, telescope: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "uuid": stable_uuid(telescope, "sender", campaign.key, row["src"]),
        "type": "ip-src",
        "category": "Network activity",
        "value": row["src"],
        "comment": f"{row['packets']} packets on {row['days']} days",
        "to_ids": False,
        "first_seen": _moment(row["first_day"]),
        "last_seen": _moment(row["last_day"], after=True),
        "timestamp": _seconds(row["last_day"], after=True),
    }


def _sightings(campaign: Campaign, telescope: str) -> Iterator[dict[str, str]]:
    """The days after the first one it was told of on."""
    told = campaign.threats["day"][0] if campaign.threats.height else campaign.first_day
    for day in campaign.days["day"]:
        if day > told:
            yield {
                "uuid": stable_uuid(telescope, "sighting", campaign.key, day),
                "type": "0",
                "date_sighting": str(_seconds(day, after=True)),
                "source": telescope,
            }


def _moment(day: date, *, after: bool = False) -> str:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=after)
    return moment.isoformat(timespec="microseconds")


def _seconds(day: date, *, after: bool = False) -> int:
    return int(datetime.fromisoformat(_moment(day, after=after)).timestamp())
