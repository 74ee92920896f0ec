"""The data contract of canonical packets and its two judges: of rows, and of days.

`data_contracts/packets.yaml` is the one source of both. Rows are judged by Polars at ingest
(`check_rows`), days by Great Expectations on counts (`judge_day`), which is imported only then.
"""

from dante.contracts.contract import Check, Column, Contract
from dante.contracts.history import History, history
from dante.contracts.load import load_contract
from dante.contracts.profile import (
    SENSOR_HOURS,
    ColumnProfile,
    DayProfile,
    count_sensor_hours,
    profile_packets,
)
from dante.contracts.rows import RowsChecked, check_rows
from dante.contracts.suite import CheckResult, broken, judge_day
from dante.contracts.table import contract_table

__all__ = [
    "SENSOR_HOURS",
    "Check",
    "CheckResult",
    "Column",
    "ColumnProfile",
    "Contract",
    "DayProfile",
    "History",
    "RowsChecked",
    "broken",
    "check_rows",
    "contract_table",
    "count_sensor_hours",
    "history",
    "judge_day",
    "load_contract",
    "profile_packets",
]
