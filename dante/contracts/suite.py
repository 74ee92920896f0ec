"""The judge of days: a Great Expectations suite made from the contract, run on a day's counts.

Great Expectations takes seconds to import, so it is imported when the first day is judged; it
sees one small frame of numbers, never packets or addresses, and writes no files.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from dante.contracts.contract import Contract, Severity
from dante.contracts.history import History
from dante.contracts.measures import Measure, measure_day
from dante.contracts.profile import DayProfile
from dante.errors import DanteError

__all__ = ["CheckResult", "broken", "judge_day"]


@dataclass(frozen=True)
class CheckResult:
    """How one check of a contract came out on one day: a row of the `quality` view."""

    contract: str
    check: str
    passed: bool
    observed: str
    severity: Severity


def judge_day(contract: Contract, profile: DayProfile, history: History) -> list[CheckResult]:
    """Judge a day by its counts and the counts of earlier days, check by check, in order.

    A check that needs more earlier days than there are passes, and says so in `observed`.

    Raises:
        DanteError: a check could not be judged at all, which says nothing about the data.
    """
    measures = measure_day(contract, profile, history)
    passed = _suite(contract).validate(measures, f"{profile.day}")
    return [
        CheckResult(
            contract=contract.label,
            check=measure.check.name,
            passed=passed[measure.check.name],
            observed=measure.observed,
            severity=measure.check.severity,
        )
        for measure in measures
    ]


def broken(results: Iterable[CheckResult]) -> list[CheckResult]:
    """The failed checks that must stop a day: those of severity *error*."""
    return [result for result in results if not result.passed and result.severity == "error"]


@dataclass(frozen=True)
class _Suite:
    """A suite, the batch it is run on, and a lock: a context is not made for several threads."""

    batch_definition: Any
    suite: Any
    lock: Lock

    def validate(self, measures: list[Measure], day: str) -> dict[str, bool]:
        """Run the suite on measured values; check name → passed."""
        import pandas as pd
        from great_expectations.exceptions.exceptions import GreatExpectationsError

        # Objects, not floats or pandas integers: counts stay whole and None stays "no value".
        data = {m.check.name: pd.Series(list(m.values), dtype=object) for m in measures}
        frame = pd.DataFrame(data)
        try:
            with self.lock:
                batch = self.batch_definition.get_batch({"dataframe": frame})
                outcome = batch.validate(self.suite, result_format="BOOLEAN_ONLY")
        except GreatExpectationsError as error:
            raise DanteError(f"{day}: the day could not be judged ({error}).") from error
        passed: dict[str, bool] = {}
        for result in outcome.results:
            name = (result.expectation_config.meta or {}).get("check")
            cause = _exception(result.exception_info)
            if cause is not None or (name is None and not result.success):
                raise DanteError(
                    f"{day}: the check {name or 'of columns'} could not be judged"
                    f" ({cause or 'the measured columns are not those of the suite'});"
                    " see that the contract and this version of DANTE belong together."
                )
            if name is not None:
                passed[name] = bool(result.success)
        return passed


# Making a context and a suite costs more than a day's validation: a backfill makes them once.
@lru_cache(maxsize=4)
def _suite(contract: Contract) -> _Suite:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the context is made
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # It sets this logger to INFO and announces its temporary folder, which Prefect would show.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("profiles").add_dataframe_asset("day")
    suite = gx.ExpectationSuite(
        name=contract.name,
        meta={"contract": contract.label},
        expectations=_expectations(contract),
    )
    return _Suite(asset.add_batch_definition_whole_dataframe("day"), suite, Lock())


def _expectations(contract: Contract) -> list[dict[str, Any]]:
    """The contract's checks on days as expectations; each judges the column of its name."""
    names = [check.name for check in contract.day_checks]
    columns = {
        "type": "expect_table_columns_to_match_set",
        "kwargs": {"column_set": names, "exact_match": True},
        "severity": "critical",
    }
    return [
        columns,
        *(
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {
                    "column": check.name,
                    "min_value": check.minimum,
                    "max_value": check.maximum,
                },
                "meta": {"check": check.name, "reason": check.reason},
                "severity": "critical" if check.severity == "error" else "warning",
            }
            for check in contract.day_checks
        ),
    ]


def _exception(info: Mapping[str, Any] | None) -> str | None:
    """What Great Expectations stumbled over, if it did: told flat, or under each metric's id."""
    if not info:
        return None
    parts = [info] if "raised_exception" in info else [p for p in info.values() if p]
    for part in parts:
        if part.get("raised_exception"):
            return " ".join(str(part.get("exception_message")).split())
    return None
