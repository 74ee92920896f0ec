"""Commands that measure: `evaluate` against truth or labels, `doctor` of the set-up."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dante.cli.options import Format, HomeOption
from dante.cli.output import emit
from dante.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["doctor", "evaluate"]


def evaluate(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="TRUTH | vectors VECTORS LABELS",
            help="A simulation's truth folder; or the word `vectors`, a Parquet file of `src`, "
            "`vector` and a CSV file of `src,label`.",
            show_default=False,
        ),
    ],
    home: HomeOption = None,
    form: Format = "table",
    skip: Annotated[int, typer.Option("--skip", min=0, help="First days to leave out.")] = 0,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="campaign|return|label",
            help="A row for each true campaign or return, or of vectors for each label.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Of vectors: neighbours that vote.", show_default="5"),
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option(
            "--unknown",
            metavar="keep|drop",
            help="Of vectors: senders without a label are a class of their own, or left out.",
            show_default="keep",
        ),
    ] = None,
) -> None:
    """Hold published tracks against the truth of a simulation, or vectors against labels."""
    if len(what) == 3 and what[0] == "vectors":
        if home is not None or skip or by not in (None, "label"):
            raise UsageError("of vectors only --k, --unknown, --by label and --format can be said")
        _emit_vectors(Path(what[1]), Path(what[2]), k or 5, unknown or "keep", by, form)
    elif len(what) == 1:
        if k is not None or unknown is not None or by not in (None, "campaign", "return"):
            raise UsageError(
                "--k, --unknown and --by label are for `dante evaluate vectors VECTORS LABELS`; "
                "--by of a truth is campaign or return"
            )
        _emit_tracks(Path(what[0]), home, skip, by, form)
    else:
        raise UsageError("say `dante evaluate TRUTH` or `dante evaluate vectors VECTORS LABELS`")


def _emit_tracks(truth: Path, home: Path | None, skip: int, by: str | None, form: str) -> None:
    from dante.config import load_settings
    from dante.evaluate import evaluate as measured
    from dante.evaluate import evaluate_campaigns, evaluate_returns
    from dante.store.home import Home

    judge = {None: measured, "campaign": evaluate_campaigns, "return": evaluate_returns}[by]
    table = judge(truth, Home(load_settings(home).home).lineage, skip)
    emit(_rounded(table), form, empty=f"the truth has no {by or 'measure'} on these days")


def _emit_vectors(
    vectors: Path, labels: Path, k: int, unknown: str, by: str | None, form: str
) -> None:
    from dante.evaluate import evaluate_vectors

    if unknown not in ("keep", "drop"):
        raise UsageError(f"--unknown is {unknown!r}; say keep or drop")
    overall, by_label = evaluate_vectors(
        vectors, labels, k, "drop" if unknown == "drop" else "keep"
    )
    emit(_rounded(overall if by is None else by_label), form)


def _rounded(table: "pl.DataFrame") -> "pl.DataFrame":
    """Four decimals are all that a score can mean; what cannot be measured is empty."""
    import polars.selectors as cs

    return table.with_columns(cs.float().fill_nan(None).round(4))


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
