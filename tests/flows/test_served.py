"""Flows on a real server: the same rows as without one, and what the server shows of them."""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from dante.errors import ContractBrokenError, NotEnoughDataError
from dante.pipeline.backfill import day_states
from dante.pipeline.context import open_context
from dante.pipeline.ingest import ingest_files
from dante.pipeline.run import rewind
from dante.sources import Reading
from dante.store.home import Home
from dante.store.publish import read_lineage
from dante.store.state import open_state

pytestmark = [pytest.mark.flows, pytest.mark.usefixtures("server")]

_ROOT = Path(__file__).resolve().parents[2]


def _ingest(home, files):
    ingest_files(open_context(home), [(path, Reading()) for path in files])


def _runs(home):
    with read_lineage(Home(home)) as con:
        return con.execute("SELECT flow, day, status, error FROM runs ORDER BY ALL").fetchall()


def _client():
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


def _last_flow_run(client, name):
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    named = FlowFilter(name=FlowFilterName(any_=[name]))
    newest = FlowRunSort.EXPECTED_START_TIME_DESC
    return client.read_flow_runs(flow_filter=named, sort=newest, limit=1)[0]


def _task_runs(client, flow_run):
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    until = time.monotonic() + 20
    while True:  # the server learns of task runs from events, a moment later
        found = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id])), limit=200
        )
        if (found and all(run.state.is_final() for run in found)) or time.monotonic() > until:
            return found
        time.sleep(0.25)


def _artifacts(client, key):
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return sorted(found, key=lambda artifact: artifact.created)


def _event(client, name, resource):
    """The newest event of a name about a resource; the server writes them a moment later."""
    body = {"filter": {"event": {"name": [name]}, "resource": {"id": [resource]}}}
    until = time.monotonic() + 20
    while True:
        found = client._client.post("/events/filter", json=body).json()["events"]
        if found or time.monotonic() > until:
            return found[0]
        time.sleep(0.25)


def _limit(client):
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_global_concurrency_limit_by_name("duckdb-writer")
    except ObjectNotFound:
        return None


def test_writer_slot(standing):
    """The writer's slot is made if the server has none, once, with one place, and is given back.

    Who holds it is on disk, and outlives the server.
    """
    from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError

    from tasks.policy import ensure_writer_slot, writer

    with _client() as client:
        if _limit(client) is not None:
            client.delete_global_concurrency_limit_by_name("duckdb-writer")
        with pytest.raises(ConcurrencySlotAcquisitionError), writer():
            pass
        ensure_writer_slot()
        made = _limit(client)
        assert (made.limit, made.active, made.active_slots) == (1, True, 0)
        with writer():
            assert _limit(client).active_slots == 1
            leases = standing.home / "prefect" / "concurrency_leases"
            assert [path for path in leases.iterdir() if str(made.id) in path.read_text()]
        ensure_writer_slot()
        again = _limit(client)
        assert (again.id, again.limit, again.active_slots) == (made.id, 1, 0)


def test_backfill_is_the_direct_one(direct, empty, captures, days, rows):
    """A backfill as a flow publishes the same rows as one without, and shows what it did."""
    from flows.backfill import backfill

    with _client() as client:
        if _limit(client) is not None:
            client.delete_global_concurrency_limit_by_name("duckdb-writer")
    _ingest(empty, captures)
    assert backfill(days[0], days[-1], str(empty), jobs=1) == len(days)
    assert rows(empty) == rows(direct)
    assert [run[:3] for run in _runs(empty)] == [("backfill", day, "completed") for day in days]
    with _client() as client:
        flow_run = _last_flow_run(client, "backfill")
        assert flow_run.state.is_completed()
        assert flow_run.name == f"backfill {days[0]} to {days[-1]}"
        names = {run.name for run in _task_runs(client, flow_run)}
        wanted = {f"{stage} {day}" for stage in ("model", "cluster", "track") for day in days}
        assert wanted <= names
        assert "publish" in names
        assert _limit(client).active_slots == 0, "made by the flow itself, and given back"


def test_backfill_again(copied, days, rows):
    """What is done is skipped: no day runs, no row changes, runs included."""
    from flows.backfill import backfill

    before, runs = rows(copied), _runs(copied)
    assert backfill(days[0], days[-1], str(copied), jobs=1) == 0
    assert rows(copied) == before
    assert _runs(copied) == runs


def test_daily_catches_up(direct, copied, days, rows):
    """The daily flow does the days that were missed before the one it is for."""
    from flows.daily import daily

    rewind(open_context(copied), days[-2])
    assert daily(days[-1], str(copied)) == 2
    assert rows(copied) == rows(direct)
    assert [run[:3] for run in _runs(copied)][-2:] == [
        ("daily", day, "completed") for day in days[-2:]
    ]
    assert daily(days[-1], str(copied)) == 0


def test_daily_redoes_stale_days(copied, days, tmp_path):
    """Late data makes days stale; the daily flow does them again, in order."""
    from flows.daily import daily

    late = tmp_path / "late.csv"
    lines = [f"{days[-2]}T12:00:{n:02d}Z,10.9.9.{n % 9},tcp,{70 + n % 3}" for n in range(40)]
    late.write_text("\n".join(["ts,src,proto,dport", *lines]) + "\n")
    _ingest(copied, [late])
    states = day_states(open_context(copied))
    assert [day for day, state in states.items() if state == "stale"] == list(days[-2:])
    assert daily(days[-1], str(copied)) == 2
    assert set(day_states(open_context(copied)).values()) == {"done"}


def test_daily_fills_gaps(copied, days):
    """A day that is missing between days that are done is missed, and done too."""
    from flows.daily import daily

    with open_state(Home(copied)) as state:
        state.forget_day(days[1])
    assert day_states(open_context(copied))[days[1]] == "waiting"
    daily(days[-1], str(copied))
    assert set(day_states(open_context(copied)).values()) == {"done"}


def test_daily_takes_in_sources(direct, empty, captures, days, rows):
    """The daily flow ingests what the settings declare, once, and only then looks for its day."""
    from flows.daily import daily

    drop = empty / "drop"
    drop.mkdir()
    (drop / captures[0].name).write_bytes(captures[0].read_bytes())
    with (empty / "dante.toml").open("a") as file:
        file.write('[[sources]]\npath = "drop/*.parquet"\n')
    assert daily(days[0], str(empty)) == 1
    found = rows(empty)
    assert [row[1] for row in found["ingests"]] == [captures[0].name]
    assert found["daily"] == rows(direct)["daily"][:1]
    assert daily(days[0], str(empty)) == 0
    assert rows(empty) == found


def test_daily_without_packets(copied, rows):
    """Yesterday, of which there are no packets, fails at once with what is there."""
    from flows.daily import daily

    before = rows(copied)
    with pytest.raises(NotEnoughDataError, match="2025-03-01 to 2025-03-04"):
        daily(home=str(copied))
    assert rows(copied) == before


def _few(folder, day):
    """A file of five packets, which is fewer than the contract asks of a day."""
    path = folder / "few.csv"
    lines = [f"{day}T00:00:0{n}Z,10.1.1.{n},tcp,23" for n in range(5)]
    path.write_text("\n".join(["ts,src,proto,dport", *lines]) + "\n")
    return path


def test_broken_contract(empty, captures, days, tmp_path):
    """A broken contract fails the flow at once, untried again, on record; days before it stay."""
    from flows.backfill import backfill

    _ingest(empty, [captures[0], _few(tmp_path, days[1]), captures[2]])
    with pytest.raises(ContractBrokenError, match=f"{days[1]}.*5 packets"):
        backfill(days[0], days[2], str(empty), jobs=1)
    runs = _runs(empty)
    assert [run[:3] for run in runs] == [
        ("backfill", days[0], "completed"),
        ("backfill", days[1], "failed"),
    ]
    assert "5 packets" in runs[1][3]
    with _client() as client:
        flow_run = _last_flow_run(client, "backfill")
        assert flow_run.state.is_failed()
        (check,) = [r for r in _task_runs(client, flow_run) if r.name.startswith("check ")]
        assert check.name == f"check {days[1]}"
        assert (check.state.name, check.run_count) == ("Failed", 1)
        shown = _artifacts(client, f"quality-{days[1]}")
        assert "volume_floor" in str(shown[-1].data)
        event = _event(client, "dante.contract.broken", f"dante.day.{days[1]}")
        assert "5 packets" in event["payload"]["reason"]
        assert _limit(client).active_slots == 0
    with read_lineage(Home(empty)) as con:
        failed = con.execute('SELECT day, "check" FROM quality WHERE NOT passed').fetchall()
        assert con.execute("SELECT day FROM daily").fetchall() == [(days[0],)]
    assert failed == [(days[1], "volume_floor")]


def test_artifacts_and_events(copied, days):
    """A day's checks are a table on the server, its threats a list in words and an event each."""
    from flows.day import day as flow

    with read_lineage(Home(copied)) as con:
        known = con.execute(
            "SELECT day, count(*), arg_max(track_id, score), arg_max(key, score) "
            "FROM threats GROUP BY day ORDER BY day"
        ).fetchall()
    assert known, "the telescope has threats to show"
    wanted, count, track, key = known[-1]
    assert flow(wanted, str(copied)) == count
    with _client() as client:
        quality = _artifacts(client, f"quality-{wanted}")[-1]
        assert quality.type == "table"
        assert "volume_floor" in str(quality.data)
        threats = _artifacts(client, f"threats-{wanted}")[-1]
        assert threats.type == "markdown"
        assert str(threats.data).count("\n") == count - 1
        event = _event(client, "dante.threat.found", f"dante.track.{track}")
        assert event["payload"]["key"] == key
        event = _event(client, "dante.day.committed", f"dante.day.{wanted}")
        assert event["payload"]["day"] == str(wanted)


def test_train(empty, captures, days):
    """Training as a flow leaves the model that the day would have trained, and names it."""
    from flows.train import train

    _ingest(empty, captures[:2])
    model_id = train(home=str(empty))
    assert (empty / "models" / model_id / "card.json").is_file()
    assert train(date(2025, 3, 3), str(empty)) == model_id


@pytest.mark.parametrize(
    "good",
    [
        True,
        False,
    ],
    ids=["done", "broken"],
)
def test_command_line_through_prefect(server, empty, captures, days, tmp_path, good):
    """`dante run` through a server speaks as it does without one: no logs, no traceback."""
    _ingest(empty, [captures[0] if good else _few(tmp_path, days[0])])
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from dante.cli import main; main()"),
            *("run", str(days[0]), "--home", str(empty)),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PREFECT_API_URL": server, "PYTHONPATH": str(_ROOT)},
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == (0 if good else 3), done.stderr
    assert _runs(empty)[0][:3] == ("day", days[0], "completed" if good else "failed")
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{days[0]}: " if good else f"dante: {days[0]} breaks")
