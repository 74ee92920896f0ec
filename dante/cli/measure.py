"""Commands that measure: `evaluate` against truth, `doctor` of the set-up."""

import math
from pathlib import Path
from typing import Annotated

import typer

from dante.cli.options import Format, HomeOption
from dante.cli.output import emit

__all__ = ["doctor", "evaluate"]


def evaluate(
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="A simulation's truth folder.")],
    home: HomeOption = None,
    form: Format = "table",
    skip: Annotated[int, typer.Option("--skip", min=0, help="First days to leave out.")] = 0,
) -> None:
    """Hold the published tracks against the truth of a simulation."""
    import polars as pl

    from dante.config import load_settings
    from dante.evaluate import evaluate as measured
    from dante.store.home import Home

    scores = measured(truth, Home(load_settings(home).home).lineage, skip)
    rows = [
        {"measure": name, "value": None if math.isnan(value) else round(float(value), 4)}
        for name, value in scores.items()
    ]
    emit(pl.DataFrame(rows, schema={"measure": pl.String, "value": pl.Float64}), form)


def doctor(home: HomeOption = None, form: Format = "table") -> None:
    """Look for the usual faults of a set-up; exit code 1 if there is one."""
    import polars as pl

    from dante.pipeline.doctor import examine

    findings = examine(home)
    emit(
        pl.DataFrame(
            [{"check": f.check, "well": f.well, "found": f.found} for f in findings],
            schema={"check": pl.String, "well": pl.Boolean, "found": pl.String},
        ),
        form,
    )
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)
