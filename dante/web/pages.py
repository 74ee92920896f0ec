"""The pages: each asks the same question as its JSON beside it, and draws the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

import polars as pl
from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from dante.errors import UsageError
from dante.report import queries
from dante.report.charts import Chart, Series, chart
from dante.report.timeline import timeline as lay_out
from dante.web import parameters as ask
from dante.web.activities import activity_map
from dante.web.addresses import read_range
from dante.web.drawings import matrix, plan, sender_lanes
from dante.web.guard import COOKIE, cookie_value, local_path, token_fits
from dante.web.life import family
from dante.web.members import senders
from dante.web.publication import Publication, Reader
from dante.web.quality import quality
from dante.web.render import Renderer
from dante.web.search import search
from dante.web.sender import asked_range, sender
from dante.web.timeline import Filters, find
from dante.web.today import published_day, today
from dante.web.track import Track, track

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_SPANS = ((30, "30 days"), (90, "3 months"), (182, "6 months"), (365, "a year"))
_LOGIN_BYTES = 4096
_WORTH = 0.05
"""How probably a cluster was a track, at least, for the page to say why it was not."""


def _parts(request: Request) -> tuple[Publication, Renderer]:
    return request.app.state.publication, request.app.state.renderer


@router.get("/")
def today_page(request: Request, day: ask.Day = None) -> Response:
    """What is new."""
    publication, renderer = _parts(request)
    with publication.reading() as reader:
        return renderer.page("today.html", request, reader, it=today(reader, day))


@router.get("/timeline")
def timeline_page(request: Request, filters: Annotated[Filters, Query()]) -> Response:
    """The tracks as lanes."""
    publication, renderer = _parts(request)
    with publication.reading() as reader:
        found = find(reader, filters)
        drawn = lay_out(
            found.tracks, found.days, found.events, found.threats, found.span, of=found.of
        )
        return renderer.page(
            "timeline.html",
            request,
            reader,
            filters=filters,
            found=found,
            drawn=drawn,
            spans=_spans(request, found.span, found.published),
            fewer=_with(request, lanes=80),
            more=_with(request, lanes=500),
        )


def _with(request: Request, **changes: object) -> str:
    """The same page with other values of some parameters; empty ones are left out."""
    values = {**request.query_params, **{key: str(value) for key, value in changes.items()}}
    return "?" + urlencode({key: value for key, value in values.items() if value})


def _spans(request: Request, span: tuple[Any, Any], published: tuple[Any, Any]) -> dict[str, Any]:
    (first, last), (oldest, newest) = span, published
    days = (last - first).days + 1
    choices = []
    for length, name in _SPANS:
        if length < (newest - oldest).days + 1:
            start = max(oldest, last - timedelta(days=length - 1))
            end = start + timedelta(days=length - 1)
            choices.append((_with(request, first=start, last=end), name, days == length))
    whole = (first, last) == (oldest, newest)
    choices.append((_with(request, first="", last=""), "all", whole))
    step = timedelta(days=max(1, days // 2))
    earlier = later = None
    if first > oldest:
        start = max(oldest, first - step)
        earlier = _with(request, first=start, last=start + timedelta(days=days - 1))
    if last < newest:
        end = min(newest, last + step)
        later = _with(request, first=end - timedelta(days=days - 1), last=end)
    return {"choices": choices, "earlier": earlier, "later": later}


@router.get("/tracks/{which}")
def track_page(
    request: Request,
    which: ask.Which,
    q: ask.Text = "",
    order: ask.SenderOrder = "packets",
    page: ask.Page = 1,
) -> Response:
    """One track."""
    publication, renderer = _parts(request)
    with publication.reading() as reader:
        it = track(reader, which)
        within = ask.within(q)
        return renderer.page(
            "track.html",
            request,
            reader,
            it=it,
            charts=_track_charts(it),
            hours=_hours(it),
            kin=_family(reader, it),
            told=[
                one
                for one in it.decisions
                if one.day == it.first_day
                or (one.track_id == it.track_id and (one.taken or one.probability >= _WORTH))
            ],
            newest=published_day(reader, None)[2],
            table=senders(reader, it.track_id, within, order, page),
            q=q,
            order=order,
            link=lambda **changes: _with(request, **changes) + "#senders",
        )


def _track_charts(it: Track) -> list[Chart]:
    return [
        _day_chart(title, it.days, column, it.first_day, it.last_day)
        for title, column in (("Senders a day", "senders"), ("Packets a day", "packets"))
        if it.days
    ]


def _hours(it: Track) -> list[int]:
    """Thousandths of its senders in each UTC hour; empty where hours are not known."""
    shares = {one.value: one.share for one in it.traits if one.trait == "hour"}
    return [round(1000 * shares.get(f"{hour:02}", 0)) for hour in range(24)] if shares else []


def _day_chart(title: str, records: Sequence[Any], column: str, first: date, last: date) -> Chart:
    """A number a day of records that have a `day`."""
    frame = pl.DataFrame(
        {
            "day": [one.day for one in records],
            column: [getattr(one, column) for one in records],
        }
    )
    return chart(title, frame, first, last, [Series(column, column, "whole")])


def _family(reader: Reader, it: Track) -> Any:
    """The track and its kin as lanes over all of their days; None where it has no kin."""
    ids = family(reader, it.track_id)
    if len(ids) < 2:
        return None
    _, oldest, newest = published_day(reader, None)
    span = queries.Span(oldest, newest, newest)
    tracks = queries.tracks(reader.con, span).filter(pl.col("track_id").is_in(ids))
    tracks = tracks.sort("first_day", "born", "track_id")
    first, last = tracks["first_day"].min(), tracks["last_day"].max()
    days = queries.track_days(reader.con, span, tracks["track_id"].to_list())
    events = queries.events(reader.con, span).filter(pl.col("track_id").is_in(ids))
    threats = queries.threats(reader.con, span)
    return lay_out(tracks, days, events, threats, (first, last), of=len(ids))  # type: ignore[arg-type]


@router.get("/sender")
def sender_page(request: Request, q: ask.Text = "") -> Response:
    """An address or network."""
    publication, renderer = _parts(request)
    within = asked_range(q)
    with publication.reading() as reader:
        it = sender(reader, within)
        drawn = sender_lanes(it, published_day(reader, None)[1:])
        return renderer.page("sender.html", request, reader, it=it, drawn=drawn)


@router.get("/map")
def map_page(request: Request, day: ask.Day = None) -> Response:
    """The day's clusters on a plane."""
    publication, renderer = _parts(request)
    with publication.reading() as reader:
        it = activity_map(reader, day)
        return renderer.page("map.html", request, reader, it=it, plan=plan(it.clusters))


@router.get("/quality")
def quality_page(request: Request, day: ask.Day = None, days: ask.Days = 60) -> Response:
    """Whether the numbers can be trusted."""
    publication, renderer = _parts(request)
    with publication.reading() as reader:
        it = quality(reader, day, days)
        charts = [
            _day_chart(title, it.ingested, column, it.first, it.last)
            for title, column in (
                ("Rows kept a day", "rows"),
                ("Rows refused a day", "quarantined"),
            )
            if any(getattr(one, column) for one in it.ingested)
        ]
        return renderer.page(
            "quality.html", request, reader, it=it, ndays=days, checks=matrix(it), charts=charts
        )


@router.get("/search")
def search_page(request: Request, q: ask.Text = "") -> Response:
    """Ports and names; an address has a page of its own."""
    publication, renderer = _parts(request)
    if read_range(q) is not None:
        return RedirectResponse("/sender?" + urlencode({"q": q.strip()}), 303)
    with publication.reading() as reader:
        it = search(reader, q)
        first, last = published_day(reader, None)[1:]
        charts = []
        if it.port_days:
            charts = [_day_chart("Senders that try it", it.port_days, "senders", first, last)]
        return renderer.page("search.html", request, reader, it=it, q=it.q, charts=charts)


@router.get("/docs")
def docs_page(request: Request) -> Response:
    """The API, described without anybody else's scripts."""
    schema = request.app.openapi()
    routes = [
        {
            "path": path,
            "description": operations["get"]["description"],
            "parameters": [_parameter(one) for one in operations["get"].get("parameters", [])],
        }
        for path, operations in schema["paths"].items()
    ]
    return _parts(request)[1].page(
        "docs.html",
        request,
        None,
        about=schema["info"]["description"],
        openapi=schema["openapi"],
        routes=routes,
    )


def _parameter(one: dict[str, Any]) -> dict[str, Any]:
    schema = one["schema"]
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    words = kinds[0].get("enum") or [kinds[0].get("format") or kinds[0].get("type", "")]
    default = schema.get("default")
    return {
        "name": one["name"],
        "kind": " | ".join(str(word) or '""' for word in words),
        "default": "required" if one["required"] else "" if default is None else str(default),
        "description": one.get("description", ""),
    }


@router.get("/static/{name}")
def static_file(request: Request, name: str) -> Response:
    """A file of ours, of a fixed list."""
    _, renderer = _parts(request)
    if name not in renderer.static:
        return PlainTextResponse("There is no such file.\n", 404)
    body, kind = renderer.static[name]
    return Response(body, media_type=kind, headers={"Cache-Control": "public, max-age=31536000"})


@router.get("/login")
def login_page(request: Request, next: ask.Text = "/") -> Response:
    """Where the token is asked for."""
    if request.app.state.token is None:
        return RedirectResponse("/", 303)
    return _parts(request)[1].page("login.html", request, None, back=local_path(next), wrong=False)


@router.post("/login")
async def login(request: Request) -> Response:
    """Take the token and hand out a cookie."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LOGIN_BYTES:
            raise UsageError("that is too long for a token")
    form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    back = local_path(form.get("next", ["/"])[0])
    token: str | None = request.app.state.token
    if token is None:
        return RedirectResponse("/", 303)
    if not token_fits(form.get("token", [""])[0].strip(), token):
        page = _parts(request)[1].page("login.html", request, None, back=back, wrong=True)
        page.status_code = 403
        return page
    answer = RedirectResponse(back, 303)
    answer.set_cookie(
        COOKIE,
        cookie_value(token),
        max_age=30 * 86400,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer
