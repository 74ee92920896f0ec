"""Reading the contract: what it says is what is applied, and nothing in it is passed over."""

import subprocess
import sys
from pathlib import Path

import pytest

from dante.contracts import Contract, contract_table, load_contract
from dante.errors import ConfigError
from dante.schema import PACKETS

ROOT = Path(__file__).resolve().parents[2]
OWN = (ROOT / "data_contracts" / "packets.yaml").read_text("utf-8")


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert old in OWN
    path = tmp_path / "packets.yaml"
    path.write_text(OWN.replace(old, new, 1), "utf-8")
    return path


def test_own_contract_covers_every_canonical_column() -> None:
    """The contract DANTE comes with names every canonical column, in order."""
    contract = load_contract()
    assert [column.name for column in contract.columns] == list(PACKETS)
    assert contract.label == "packets@2.0.0"
    assert (contract.history_days, contract.least_history_days) == (28, 7)


def test_every_bound_has_its_reason() -> None:
    """No check stands without a reason of more than a few words."""
    assert all(len(check.reason.split()) >= 5 for check in load_contract().checks)


def test_a_contract_that_says_the_same_is_equal(tmp_path: Path) -> None:
    """A contract read from a copy is equal to the first, and hashes alike."""
    path = tmp_path / "copy.yaml"
    path.write_text(OWN, "utf-8")
    copy: Contract = load_contract(path)
    assert copy == load_contract()
    assert hash(copy) == hash(load_contract())


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("maximum: 65535}", "maxmum: 65535}", "maxmum"),
        ("maximum: 65535}", "maximum: 65535, step: 2}", "step"),
        ("check: between, minimum: 0", "check: beetween, minimum: 0", "beetween"),
        ("check: outside_day", "check: between", "between"),
        ("minimum: 0, maximum: 255}", "minimum: 300, maximum: 255}", "above the maximum"),
        ("minimum: 0, maximum: 255}", "minimum: low, maximum: 255}", "'low'"),
        ("minimum: 0, maximum: 255}", "minimum: true, maximum: 255}", "True"),
        ("minimum: 0, maximum: 255}", "minimum: .nan, maximum: 255}", "nan"),
        ("minimum: 1990-01-01", "minimum: 1990", "1990"),
        ("minimum: 1990-01-01", "minimum: 1990-13-01", "no valid YAML"),
        ("protocols: [6, 17]", "protocols: [6, 700]", "700"),
        ("protocols: [6, 17]", "protocols: []", "empty"),
        ("protocols: [6, 17]", "protocols: tcp", "'tcp'"),
        ("{check: length,", "{check: between,", "length"),
        ("mostSilent: 0.1", "mostSilent: 10", "mostSilent"),
        ("leastSpread: 0.1", "leastSpread: 0", "leastSpread"),
        ("  severity: error", "  severity: fatal", "fatal"),
        ("  severity: error", "  severity: warning", "refuses"),
        ("engine: dante", "engine: soda", "soda"),
        ("name: sport_range", "name: dport_range", "dport_range"),
        ("name: sport_range", "name: sport range", "letters"),
        ("physicalType: UInt16", "physicalType: UInt8", "dport"),
        ("physicalType: UInt16", "physicalType: Int16", "Int16"),
        ("logicalType: timestamp", "logicalType: date", "timestamp"),
        ("- name: ttl", "- name: hops", "ttl"),
        ("required: true", "required: 'yes'", "'yes'"),
        ("required: true", "requird: true", "requird"),
        ("kind: DataContract", "kind: Table", "Table"),
        ("apiVersion: v3.1.0", "apiVersion: v2.0", "v2.0"),
        ("status: active", "status: active\nstate: on", "state"),
        ("status: active", "status: active\nstatus: draft", "stands twice"),
        ("property: historyDays", "property: histroyDays", "histroyDays"),
        ("value: 28", "value: 6", "leastHistoryDays"),
        ("value: 28", "value: many", "many"),
        ("version: 2.0.0", "version: 2.0", "version"),
        ("schema:", "schema: [", "no valid YAML"),
        ("schema:", "schema: {}\nolder:", "older"),
    ],
)
def test_a_mistake_in_the_contract_is_an_error_that_names_it(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    """A typo in the contract raises ConfigError with the file and the word, on one line."""
    with pytest.raises(ConfigError) as caught:
        load_contract(changed(tmp_path, old, new))
    message = str(caught.value)
    assert named in message
    assert "packets.yaml" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"schema", b"\xff\xfe\x00", b"!!python/name:os.system"]
)
def test_a_file_that_is_no_contract_is_an_error(tmp_path: Path, content: bytes) -> None:
    """Anything else than a contract raises ConfigError, and runs nothing."""
    path = tmp_path / "other.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"other\.yaml"):
        load_contract(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A path at which nothing stands raises ConfigError with the path."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_contract(tmp_path / "nowhere.yaml")


def test_the_documentation_shows_the_contract_as_it_is() -> None:
    """docs/contract.md holds the tables made from the contract, unchanged."""
    page = (ROOT / "docs" / "contract.md").read_text("utf-8")
    assert contract_table(load_contract()) in page, (
        "docs/contract.md is out of date: put contract_table(load_contract()) below its marker"
    )


def test_the_table_has_a_row_for_each_column_and_check() -> None:
    """The Markdown tables leave out no column and no check."""
    contract = load_contract()
    lines = contract_table(contract).splitlines()
    for item in (*contract.columns, *contract.checks):
        assert sum(line.startswith(f"| `{item.name}` |") for line in lines) == 1


def test_importing_contracts_does_not_import_great_expectations() -> None:
    """`import dante.contracts` and reading the contract stay free of GX and pandas."""
    code = (
        "import sys, dante.contracts as c; c.load_contract();"
        "print(sorted({'great_expectations', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
