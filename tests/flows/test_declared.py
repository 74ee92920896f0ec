"""What `prefect.yaml` declares, checked without a server: Prefect ignores what it does not know."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
import yaml

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def declared():
    """The file as YAML has it."""
    return yaml.safe_load((_ROOT / "prefect.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def models():
    """The models `prefect deploy` reads the file with."""
    return pytest.importorskip("prefect.cli.deploy._models")


@pytest.fixture(scope="module")
def deployments(declared):
    """Deployments by name."""
    return {one["name"]: one for one in declared["deployments"]}


def _known(model):
    return {field.alias or name for name, field in model.model_fields.items()}


def test_three_deployments(deployments, declared):
    """There are exactly the three that are documented, each once."""
    assert sorted(deployments) == ["backfill", "daily", "train"]
    assert len(declared["deployments"]) == 3


def test_every_key_is_known(declared, deployments, models):
    """No key is one that Prefect would drop without a word; `definitions` holds anchors only."""
    assert set(declared) <= _known(models.PrefectYamlModel) | {"definitions"}
    for one in deployments.values():
        assert set(one) <= _known(models.DeploymentConfig)
        assert set(one["work_pool"]) <= _known(models.WorkPoolConfig)
        assert set(one["concurrency_limit"]) <= _known(models.ConcurrencyLimitSpec)
        for schedule in one["schedules"]:
            assert set(schedule) <= _known(models.RawScheduleConfig)
    for held in declared["definitions"].values():
        assert any(held == one["work_pool"] for one in deployments.values()), "every anchor is used"


def test_prefect_reads_it(declared, models):
    """Prefect's own models accept the file and keep all of it."""
    read = models.PrefectYamlModel.model_validate(declared)
    assert [one.name for one in read.deployments] == [
        one["name"] for one in declared["deployments"]
    ]
    for one, raw in zip(read.deployments, declared["deployments"], strict=True):
        assert len(one.schedules) == len(raw["schedules"])
        assert one.work_pool.job_variables == raw["work_pool"]["job_variables"]


def test_version_is_the_one_installed(declared):
    """The version the file is written for is the one the lock installs."""
    prefect = pytest.importorskip("prefect")
    assert declared["prefect-version"] == prefect.__version__


@pytest.mark.parametrize("name", ["daily", "train", "backfill"])
def test_entrypoints(deployments, name):
    """An entrypoint is a flow of that name, in a file there is."""
    pytest.importorskip("prefect")
    path, _, function = deployments[name]["entrypoint"].partition(":")
    assert (_ROOT / path).is_file()
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    flow = getattr(module, function)
    assert flow.name == name
    assert inspect.getsourcefile(flow.fn) == str(_ROOT / path)


@pytest.mark.parametrize("name", ["daily", "train", "backfill"])
def test_parameters(deployments, name):
    """Parameters are the flow's, of its types; what a schedule starts needs no others."""
    pytest.importorskip("prefect")
    flow = getattr(importlib.import_module(f"flows.{name}"), name)
    one = deployments[name]
    signature = inspect.signature(flow.fn)
    assert set(one["parameters"]) <= set(signature.parameters)
    if one["schedules"]:
        signature.bind(**one["parameters"])
        flow.validate_parameters(one["parameters"])
    else:
        flow.validate_parameters({**one["parameters"], "first": "2025-03-01", "last": "2025-03-02"})


def test_parameters_are_dates_and_names():
    """Flows take dates, names and counts, and nothing that holds data."""
    pytest.importorskip("prefect")
    allowed = {"date", "date | None", "str", "str | None", "int", "bool"}
    for name in ("daily", "train", "backfill", "day"):
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        for parameter in inspect.signature(flow.fn, eval_str=False).parameters.values():
            kind = parameter.annotation
            text = kind.__name__ if isinstance(kind, type) else str(kind)
            assert text.replace("datetime.", "") in allowed, (name, parameter)


def test_schedules(deployments):
    """Crons are valid, in UTC and on; the daily one is every day, training every week before it."""
    schedules = pytest.importorskip("prefect.client.schemas.schedules")
    for one in deployments.values():
        for raw in one["schedules"]:
            schedules.CronSchedule(cron=raw["cron"], timezone=raw["timezone"])
            assert raw["timezone"] == "UTC"
            assert raw["active"] is True
    (daily,) = deployments["daily"]["schedules"]
    (train,) = deployments["train"]["schedules"]
    assert deployments["backfill"]["schedules"] == []
    assert daily["cron"].split()[2:] == ["*", "*", "*"]
    assert train["cron"].split()[2:] == ["*", "*", "0"]
    hour = [int(cron["cron"].split()[1]) for cron in (train, daily)]
    assert hour[0] < hour[1]


def test_one_at_a_time(deployments):
    """No deployment runs twice at once; what waits or is dropped is said in Prefect's words."""
    objects = pytest.importorskip("prefect.client.schemas.objects")
    for one in deployments.values():
        assert one["concurrency_limit"]["limit"] == 1
        objects.ConcurrencyLimitStrategy(one["concurrency_limit"]["collision_strategy"])


def test_one_pool(deployments):
    """All run in one work pool, with our log in the server's."""
    for one in deployments.values():
        assert one["work_pool"]["name"] == "dante"
        env = one["work_pool"]["job_variables"]["env"]
        assert env["PREFECT_LOGGING_EXTRA_LOGGERS"] == "dante"


def _sources(room):
    return {
        path: ast.parse(path.read_text("utf-8")) for path in sorted((_ROOT / room).glob("*.py"))
    }


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


_OF_DATA = {
    "polars",
    "duckdb",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "gensim",
    "hdbscan",
    "pyarrow",
}


@pytest.mark.parametrize("room", ["flows", "tasks"])
def test_no_data_in_orchestration(room):
    """Flows and tasks import nothing that works on data, and no front door."""
    for path, tree in _sources(room).items():
        names = set(_imported(tree))
        assert not {name.partition(".")[0] for name in names} & _OF_DATA, path.name
        assert not [name for name in names if name.startswith("dante.cli")], path.name
        if room == "tasks":
            assert not [name for name in names if name.partition(".")[0] == "flows"], path.name


def test_no_arithmetic_in_flows():
    """Flows compute nothing: no products, quotients or frame operations, only days and places."""
    sums = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
    frames = {"group_by", "with_columns", "agg", "collect", "frame", "execute", "sql", "to_dicts"}
    for path, tree in _sources("flows").items():
        for node in ast.walk(tree):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, sums)), where
            assert not (isinstance(node, ast.Attribute) and node.attr in frames), where


def test_tasks_pass_names():
    """Tasks take and give dates, names, counts and one record of a run, never frames."""
    for path, tree in _sources("tasks").items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                decorators = [ast.unparse(d) for d in node.decorator_list]
                if not any(d.startswith("task(") for d in decorators):
                    continue
                kinds = [ast.unparse(a.annotation) for a in node.args.args if a.annotation]
                kinds.append(ast.unparse(node.returns) if node.returns else "None")
                known = {"str", "date", "int", "bool", "list[date]", "list[str]", "RunRecord"}
                known |= {"None", "str | None"}
                assert set(kinds) <= known, (path.name, node.name)


def test_home_by_variable(tmp_path, monkeypatch):
    """A flow without a home uses DANTE_HOME, as prefect.yaml says."""
    pytest.importorskip("prefect")
    errors = importlib.import_module("dante.errors")
    train = importlib.import_module("flows.train").train
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DANTE_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(errors.NotEnoughDataError, match="elsewhere"):
        train.fn()
