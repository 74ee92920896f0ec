"""The JSON API: the answers the pages are drawn from, as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response, StreamingResponse

from dante.web import parameters as ask
from dante.web.activities import ActivityMap, activity_map
from dante.web.members import Senders, sender_pages, senders
from dante.web.publication import Publication
from dante.web.quality import Quality, quality
from dante.web.search import Search, search
from dante.web.sender import SenderView, asked_range, sender
from dante.web.timeline import Filters, Timeline, answer, find
from dante.web.today import Today, today
from dante.web.track import Track, find_track, track

__all__ = ["router"]

router = APIRouter(prefix="/api")


_ADAPTERS: Final[dict[type[Any], TypeAdapter[Any]]] = {
    kind: TypeAdapter(kind)
    for kind in (Today, Timeline, Track, Senders, SenderView, ActivityMap, Quality, Search)
}


def _json(value: object) -> Response:
    # The answers are records of ours: to validate them anew would cost more than to find them.
    text = _ADAPTERS[type(value)].dump_json(value)
    return Response(text, media_type="application/json")


def _publication(request: Request) -> Publication:
    publication: Publication = request.app.state.publication
    return publication


@router.get("/publication")
def get_publication(request: Request) -> dict[str, str]:
    """What names the publication there is now: another name means that there is news."""
    return {"stamp": _publication(request).stamp()}


@router.get("/today", response_model=Today)
def get_today(request: Request, day: ask.Day = None) -> Response:
    """A day: its threats with reasons, what grew, what came back, its tracks, its quality."""
    with _publication(request).reading() as reader:
        return _json(today(reader, day))


@router.get("/timeline", response_model=Timeline)
def get_timeline(request: Request, filters: Annotated[Filters, Query()]) -> Response:
    """Tracks of a span with their days, events and threats."""
    with _publication(request).reading() as reader:
        return _json(answer(find(reader, filters)))


@router.get("/tracks/{which}", response_model=Track)
def get_track(request: Request, which: ask.Which) -> Response:
    """One track: its days, life, ports, networks, threats and similar tracks."""
    with _publication(request).reading() as reader:
        return _json(track(reader, which))


@router.get("/tracks/{which}/senders", response_model=Senders)
def get_senders(
    request: Request,
    which: ask.Which,
    q: ask.Text = "",
    order: ask.SenderOrder = "packets",
    page: ask.Page = 1,
    size: Annotated[int, Query(description="senders a page", ge=1, le=1000)] = 100,
) -> Response:
    """A page of a track's senders, all or those of a network."""
    within = ask.within(q)
    with _publication(request).reading() as reader:
        return _json(senders(reader, find_track(reader, which), within, order, page, size))


@router.get("/sender", response_model=SenderView)
def get_sender(request: Request, q: ask.Text) -> Response:
    """An address or network: the tracks its senders took part in, day by day."""
    within = asked_range(q)
    with _publication(request).reading() as reader:
        return _json(sender(reader, within))


@router.get("/map", response_model=ActivityMap)
def get_map(request: Request, day: ask.Day = None) -> Response:
    """A day's clusters on a plane, those that try like ports near each other."""
    with _publication(request).reading() as reader:
        return _json(activity_map(reader, day))


@router.get("/quality", response_model=Quality)
def get_quality(request: Request, day: ask.Day = None, days: ask.Days = 60) -> Response:
    """Checks, refused rows, days that stopped, models and runs."""
    with _publication(request).reading() as reader:
        return _json(quality(reader, day, days))


@router.get("/search", response_model=Search)
def get_search(request: Request, q: ask.Text) -> Response:
    """Tracks by port, service, name or label."""
    with _publication(request).reading() as reader:
        return _json(search(reader, q))


@router.get("/tracks/{which}/senders.csv", response_class=StreamingResponse)
def get_senders_csv(request: Request, which: ask.Which, q: ask.Text = "") -> Response:
    """All of a track's senders, or all of a network's, as CSV in order of addresses."""
    within = ask.within(q)
    publication = _publication(request)
    with publication.reading() as reader:
        track_id, stamp = find_track(reader, which), reader.stamp

    def lines() -> Iterator[str]:
        after: int | None = 0
        yield "src,first_day,last_day,days,packets\n"
        while after is not None:
            with publication.reading() as reader:
                if reader.stamp != stamp:
                    # Half of one publication and half of another would be neither.
                    raise RuntimeError("published anew while a download was on its way")
                part, after = sender_pages(reader, track_id, within, after)
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(
                (one.src, one.first_day, one.last_day, one.days, one.packets) for one in part
            )
            yield text.getvalue()

    name = f"track-{track_id}-senders.csv"
    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
