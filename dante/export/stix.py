"""STIX 2.1: a campaign is a Grouping, a day of it an ObservedData and a Sighting.

What reaches a telescope is observed, not judged: there are no Indicators. Ports, packets and
senders stand in a property extension, defined in the bundle itself.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from dante.export.campaigns import Campaign, Wanted, members, plain, read_campaigns, stable_uuid
from dante.store.home import Home
from dante.store.publish import read_lineage

__all__ = ["stix_bundle"]

# Fixed by the STIX 2.1 standard for the ids of addresses (section 2.9).
_ADDRESSES: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
_EXTENSION: Final = f"extension-definition--{stable_uuid('extension', 1)}"
_PRODUCT: Final = f"identity--{stable_uuid('product')}"
# Of objects that tell of no day.
_ALWAYS: Final = "2025-01-01T00:00:00.000Z"
_MOST: Final = 999_999_999

_Object = dict[str, Any]


def stix_bundle(home: Home, wanted: Wanted, *, telescope: str, senders: int) -> Iterator[str]:
    """A bundle, as JSON text in pieces.

    Args:
        home: whose publication.
        wanted: which campaigns.
        telescope: who saw it; part of every id, so that two telescopes' objects are kept apart.
        senders: at most so many addresses of each day, those with the most packets.

    Raises:
        NotEnoughDataError: nothing is published, or no campaign is as wanted.
    """
    telescope = plain(telescope)
    us = f"identity--{stable_uuid(telescope, 'identity')}"
    objects = [_identity(us, telescope), _identity(_PRODUCT, "DANTE"), _definition()]
    addresses: dict[str, _Object] = {}
    with read_lineage(home) as con:
        for campaign in read_campaigns(con, wanted):
            seen = members(con, campaign, most=senders, daily=True)
            by_day: dict[date, list[str]] = {}
            for day, src, _ in seen.iter_rows():
                address = _address(src)
                addresses[address["id"]] = address
                by_day.setdefault(day, []).append(address["id"])
            objects += _campaign(campaign, by_day, us, telescope)
    objects += [addresses[name] for name in sorted(addresses)]
    body = ",\n".join(json.dumps(each, ensure_ascii=False, sort_keys=True) for each in objects)
    bundle = stable_uuid(telescope, "bundle", hashlib.sha256(body.encode()).hexdigest())
    yield f'{{"type": "bundle", "id": "bundle--{bundle}", "objects": [\n'
    yield body
    yield "\n]}\n"


def _identity(name: str, text: str) -> _Object:
    return _common("identity", name, _ALWAYS, _ALWAYS) | {"name": text, "identity_class": "system"}


def _definition() -> _Object:
    return _common("extension-definition", _EXTENSION, _ALWAYS, _ALWAYS) | {
        "created_by_ref": _PRODUCT,
        "name": "DANTE campaign",
        "description": "What a network telescope measured of a scanning campaign.",
        "schema": "senders, packets: whole numbers; top_ports, top_networks: texts such as "
        "'23/tcp 100%', the share of senders; score: 0 to 1; reasons: texts",
        "version": "1.0.0",
        "extension_types": ["property-extension"],
    }


def _common(kind: str, name: str, created: str, modified: str) -> _Object:
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": name,
        "created": created,
        "modified": modified,
    }


def _address(src: str) -> _Object:
    kind = "ipv6-addr" if ":" in src else "ipv4-addr"
    canonical = json.dumps({"value": src}, separators=(",", ":"))
    name = f"{kind}--{uuid5(_ADDRESSES, canonical)}"
    return {"type": kind, "spec_version": "2.1", "id": name, "value": src}


def _campaign(
    campaign: Campaign, by_day: dict[date, list[str]], us: str, telescope: str
) -> Iterator[_Object]:
    def named(kind: str, *more: object) -> str:
        return f"{kind}--{stable_uuid(telescope, kind, campaign.key, *more)}"

    grouping = named("grouping")
    observed = {day: named("observed-data", day) for day in campaign.days["day"] if day in by_day}
    measured: _Object = {
        "senders": int(campaign.days["senders"].max()),  # type: ignore[arg-type]
        "packets": int(campaign.days["packets"].sum()),
    }
    head = campaign.name if campaign.label is None else f"{campaign.name} ({campaign.label})"
    made = _common("grouping", grouping, _start(campaign.first_day), _end(campaign.last_day))
    made |= {"created_by_ref": us, "name": head, "context": "suspicious-activity"}
    made |= {"object_refs": list(observed.values()) or [us]}
    if campaign.score is not None:
        measured["score"] = campaign.score
        measured["reasons"] = [plain(text) for text in campaign.threats["reasons"]]
        made["confidence"] = round(100 * min(1.0, campaign.score))
    newest = plain(campaign.days["top_ports"][-1])
    made["description"] = (
        f"A scanning campaign, at work on {campaign.days.height} days from {campaign.first_day} "
        f"to {campaign.last_day}; ports of the newest: {newest}."
    )
    yield made | _extended(measured)
    for row in campaign.days.iter_rows(named=True):
        day = row["day"]
        begins, ends = _start(day), _end(day)
        sighting = _common("sighting", named("sighting", day), begins, ends) | {
            "created_by_ref": us,
            "first_seen": begins,
            "last_seen": ends,
            "count": 1,
            "sighting_of_ref": grouping,
            "where_sighted_refs": [us],
        }
        if day not in observed:
            yield sighting
            continue
        yield sighting | {"observed_data_refs": [observed[day]]}
        yield _common("observed-data", observed[day], begins, ends) | {
            "created_by_ref": us,
            "first_observed": begins,
            "last_observed": ends,
            "number_observed": max(1, min(_MOST, row["packets"])),
            "object_refs": sorted(by_day[day]),
        } | _extended({
            "senders": row["senders"],
            "packets": row["packets"],
            "top_ports": plain(row["top_ports"]).split(", "),
            "top_networks": plain(row["top_networks"]).split(", "),
        })  # fmt: skip


def _extended(values: _Object) -> _Object:
    return {"extensions": {_EXTENSION: {"extension_type": "property-extension", **values}}}


def _start(day: date) -> str:
    return f"{day}T00:00:00.000Z"


def _end(day: date) -> str:
    return _start(day + timedelta(days=1))
