"""`dante up`: what stands, what its worker does by itself, and how it ends."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from dante.pipeline.backfill import backfill, day_states
from dante.pipeline.context import open_context

from .conftest import ROOT, SECRET, of_home

pytestmark = [pytest.mark.flows, pytest.mark.usefixtures("server")]


def _client():
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


def _scheduled(deployment_id, day):
    """A run without parameters that is due two hours after a day's end, as the cron has it."""
    from prefect.states import Scheduled

    due = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=2)
    with _client() as client:
        state = Scheduled(scheduled_time=due)
        return client.create_flow_run_from_deployment(deployment_id, state=state).id


def _ended(run):
    while True:
        with _client() as client:
            state = client.read_flow_run(run).state
        if state.is_final():
            return state
        time.sleep(0.25)


def _everything(client, path):
    """All rows of what the server keeps of a kind, as text."""
    text, offset = "", 0
    while True:
        body = {"offset": offset, "limit": 200}
        rows = client._client.post(f"/{path}/filter", json=body).json()
        text += str(rows)
        offset += len(rows)
        if not rows:
            return text


def test_what_stands():
    """Pool, worker, writer's slot and the deployments, each as prefect.yaml has it."""
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    with _client() as client:
        assert client.read_work_pool("dante").type == "process"
        assert [worker.status for worker in client.read_workers_for_work_pool("dante")]
        assert client.read_global_concurrency_limit_by_name("duckdb-writer").limit == 1
        for one in declared:
            name = one["name"]
            made = client.read_deployment_by_name(f"{name}/{name}")
            assert made.work_pool_name == "dante"
            assert made.tags == one["tags"]
            assert made.description == one["description"]
            assert made.global_concurrency_limit.limit == one["concurrency_limit"]["limit"]
            strategy = made.concurrency_options.collision_strategy
            assert strategy == one["concurrency_limit"]["collision_strategy"]
            crons = [(s.schedule.cron, s.schedule.timezone, s.active) for s in made.schedules]
            assert crons == [(s["cron"], "UTC", True) for s in one["schedules"]]


def test_the_worker_catches_up_by_itself(standing, direct, captures, days, rows):
    """A run of the schedule takes in what arrived, does the missed days in order, tells of them.

    No key, token or password is in the server's log, artifacts or events, nor in what is printed.
    """
    for file in captures:
        shutil.copy(file, standing.home / "drop")
    with _client() as client:
        deployment = client.read_deployment_by_name("daily/daily")
    state = _ended(_scheduled(deployment.id, days[-1]))
    assert state.is_completed(), state
    assert rows(standing.home) == rows(direct)
    wanted = {f"dante.day.{day}" for day in days}
    told = "the webhook at 127.0.0.1 did not take the threats"
    until = time.monotonic() + 120
    with _client() as client:
        while True:  # events and logs are written a moment later, on a busy machine a long one
            events, logs = _events(client), _everything(client, "logs")
            if {r for e, r in events if e == "dante.day.committed"} >= wanted and told in logs:
                break
            assert time.monotonic() < until, (events, logs)
            time.sleep(0.25)
        kept = logs + _everything(client, "artifacts") + str(events)
    assert SECRET not in kept + standing.log.read_text()


def _events(client):
    body = {"filter": {"event": {"prefix": ["dante."]}}, "limit": 50}
    page = client._client.post("/events/filter", json=body).json()
    return {(one["event"], one["resource"]["prefect.resource.id"]) for one in page["events"]}


def test_a_worker_is_killed(server, empty, captures, direct, days, rows, fault):
    """A worker and its run end with SIGKILL in the middle of a day; a backfill does the rest."""
    (empty / "drop").mkdir()
    for file in captures:
        shutil.copy(file, empty / "drop")
    with (empty / "dante.toml").open("a") as file:
        file.write('[[sources]]\npath = "drop/*.parquet"\nexpected = "no"\n')
    from prefect.client.schemas.actions import WorkPoolCreate

    with _client() as client:
        client.create_work_pool(WorkPoolCreate(name="killed", type="process"))
        made = client.create_deployment(
            flow_id=client.create_flow_from_name("daily"),
            name="killed",
            work_pool_name="killed",
            path=str(ROOT),
            entrypoint="flows/daily.py:daily",
        )
    env = {**os.environ, "PREFECT_API_URL": server, "DANTE_HOME": str(empty)}
    env |= {"PYTHONPATH": str(ROOT), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    words = ["worker", "start", "--pool", "killed", "--type", "process"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "prefect", *words], env=env, stdout=subprocess.DEVNULL
    )
    _scheduled(made, days[-1])
    while not (empty / "work" / f"day={days[1]}" / "clusters.parquet").exists():
        assert worker.poll() is None
        time.sleep(0.02)
    while alive := of_home(empty):  # what was just being started, too, until nothing is left
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    worker.wait()
    states = day_states(open_context(empty))
    assert [states[day] for day in (days[0], days[-1])] == ["done", "waiting"]
    backfill(open_context(empty), days[0], days[-1])
    assert rows(empty) == rows(direct)
    fault("worker killed", "nothing", "the next run or backfill does the rest; views are equal")


def test_it_stops(standing):
    """Asked to end, it ends worker and server, says so, and leaves no process behind."""
    assert standing.stop() == 0
    assert "stopped; days go on with the next `dante up`" in standing.log.read_text()
    until = time.monotonic() + 10
    while (left := of_home(standing.home)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []
