"""Templates, and the few files they need."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dante import __version__
from dante.report import words
from dante.report.charts import HEIGHT, WIDE
from dante.report.timeline import LANE
from dante.web.publication import Reader
from dante.web.track import service_of

__all__ = ["Renderer", "spark"]

_TYPES: Final = {
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
SPARK_WIDE: Final = 4
SPARK_HIGH: Final = 24


class Renderer:
    """The templates, compiled once; everything put into them is escaped."""

    def __init__(self) -> None:
        """Load the static files and compile the templates: no visitor is to wait for that."""
        folder = files("dante.web") / "static"
        self.static = {name: ((folder / name).read_bytes(), kind) for name, kind in _TYPES.items()}
        self._version = hashlib.sha256(
            b"".join(body for body, _ in self.static.values())
        ).hexdigest()[:12]
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("dante.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # Names, sources and reasons may come from whoever sent packets or files.
            finalize=lambda value: words.clean(value) if type(value) is str else value,
        )
        self._environment.filters.update(
            n=words.thousands,
            day=words.day_text,
            counted=words.counted,
            ports=words.read_ports,
            share=_share,
            spark=spark,
            times=_times,
            brief=_brief,
            service=service_of,
        )
        self._environment.globals.update(
            LANE=LANE, HEIGHT=HEIGHT, WIDE=WIDE, version=__version__, static=self._version,
            SPARK_WIDE=SPARK_WIDE, SPARK_HIGH=SPARK_HIGH,
        )  # fmt: skip
        for name in self._environment.list_templates(extensions=["html"]):
            self._environment.get_template(name)

    def page(
        self, template: str, request: Request, reader: Reader | None, **context: Any
    ) -> HTMLResponse:
        """A template as an answer; `reader` is whose publication the footer names."""
        path = request.url.path
        text = self._environment.get_template(template).render(
            here=path,
            api=f"/api{'/today' if path == '/' else path}"
            + (f"?{request.url.query}" if request.url.query else ""),
            published=None if reader is None else reader.published,
            stamp="" if reader is None else reader.stamp,
            **context,
        )
        return HTMLResponse(text)


def spark(values: Sequence[int]) -> str:
    """A small bar chart of a count a day as a path, 24 high and 4 wide a day."""
    most = max(values, default=0)
    return "".join(
        f"M{n * SPARK_WIDE} {SPARK_HIGH}v{-max(1, round(SPARK_HIGH * value / most))}"
        f"h{SPARK_WIDE - 1}V{SPARK_HIGH}z"
        for n, value in enumerate(values)
        if value > 0
    )


def _share(part: float | None) -> str:
    """A share of 1 as a percentage, a dash where there is none."""
    if part is None:
        return "–"
    return (
        "under 0.1%"
        if 0 < part < 0.001
        else f"{100 * part:.1f}%"
        if part < 0.1
        else (f"{100 * part:.0f}%")
    )


def _times(factor: float | None) -> str:
    """How many times as much: `3.4×`, a dash where it is not known."""
    if factor is None:
        return "–"
    return f"{factor:,.0f}×" if factor >= 10 else f"{factor:.1f}×"


def _brief(number: float) -> str:
    """A count in at most four digits: `451,581` is `452 k`."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * unit * (10 if unit == 1e3 else 1):
            scaled = number / unit
            return f"{scaled:.0f}{name}" if scaled >= 100 else f"{scaled:.3g}{name}"
    return f"{number:,.0f}"
