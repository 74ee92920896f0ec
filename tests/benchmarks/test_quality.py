"""The table of systems and measures, from telescopes to the page."""

import json
import math
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from benchmarks import quality
from benchmarks.report import Report, as_markdown, as_text
from benchmarks.told import Told


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where results are kept, for all tests of this file."""
    return tmp_path_factory.mktemp("quality")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that read little: here nobody minds what they learn."""
    monkeypatch.setenv("DANTE_MODEL__TRAIN_WORDS", "1000")


TELESCOPE = quality.Telescope("easy", 1, 3, 120)


def test_a_result_is_kept_until_the_code_changes(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run asks no system again; one whose code changed is asked again."""
    asked = []
    true = quality.ask
    monkeypatch.setattr(quality, "ask", lambda *args: (asked.append(args[0]), true(*args))[1])
    first = quality.result("trivial", TELESCOPE, work)
    assert quality.result("trivial", TELESCOPE, work) == first
    assert asked == ["trivial"]
    monkeypatch.setattr(quality, "system_digest", lambda system: "another")
    again = quality.result("trivial", TELESCOPE, work)
    assert asked == ["trivial", "trivial"]
    assert again["measures"] == first["measures"]


def test_new_measures_judge_the_kept_answer(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If only the measures' code changed, scores are made anew from what was said."""
    first = quality.result("trivial", TELESCOPE, work)
    monkeypatch.setattr(quality, "code_digest", lambda *modules: f"new {modules}")
    monkeypatch.setattr(quality, "telescope_digest", lambda telescope: first["answer"][:16])
    monkeypatch.setattr(quality, "ask", lambda *args: pytest.fail("asked again"))
    (work / TELESCOPE.name / "telescope.txt").write_text(first["answer"][:16])
    again = quality.result("trivial", TELESCOPE, work)
    assert again["score"] != first["score"]
    assert again["measures"] == first["measures"]


def test_who_calls_everybody_noise_is_judged_too(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without a single member follows nobody, and mistakes no noise for anything."""
    true = quality.ask

    def silent(system: str, packets: Path, scratch: Path) -> Told:
        told = true(system, packets, scratch)
        return replace(told, memberships=told.memberships.clear())

    monkeypatch.setattr(quality, "ask", silent)
    monkeypatch.setattr(quality, "system_digest", lambda system: "silent")
    measures = quality.result("trivial", TELESCOPE, work)["measures"]
    assert measures["idf1"] == measures["coverage"] == 0
    assert measures["noise_rejected"] == 1


def test_settings_from_the_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours with another setting is another system; a rival is not."""
    before = {name: quality.system_digest(name) for name in ("dante", "trivial")}
    monkeypatch.setenv("DANTE_CLUSTER__RADIUS", "0.31")
    assert quality.system_digest("dante") != before["dante"]
    assert quality.system_digest("trivial") == before["trivial"]


def test_ours_goes_through_its_pipeline_with_and_without_headers(work: Path) -> None:
    """Ours is ingested, backfilled and read from its views; all days and senders are judged."""
    found = {name: quality.result(name, TELESCOPE, work) for name in ("dante", "dante-ports")}
    members = pl.read_parquet(work / TELESCOPE.name / "truth" / "members.parquet")
    judged = members.filter(pl.col("kind") != "backscatter").height
    for one in found.values():
        assert one["measures"]["days"] == 3
        assert one["measures"]["sender_days"] == judged
        assert one["measures"]["threats_a_day"] is not None
        assert one["measures"]["coverage"] > 0.5
    said = pl.read_parquet(work / TELESCOPE.name / "dante-ports" / "memberships.parquet")
    assert said.height == judged  # replies are known without the header's other columns


def test_a_run_prints_and_writes_the_table(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command gives the table, the page and every single score."""
    page, scores = tmp_path / "page.md", tmp_path / "scores.json"
    status = quality.main(
        [
            "--systems", "trivial,dante", "--presets", "easy", "--seeds", "1", "--days", "3",
            "--senders", "120", "--jobs", "1", "--work", str(work), "--write", str(page),
            "--json", str(scores),
        ]
    )  # fmt: skip
    assert status == 0
    assert "idf1" in capsys.readouterr().out
    text = page.read_text()
    assert "## `easy`" in text
    assert "`dante` against the best rival" in text
    assert [one["system"] for one in json.loads(scores.read_text())] == ["dante", "trivial"]


def test_what_fails_is_told_and_the_rest_is_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where a result cannot be written there is no table, a sentence, and exit code 1."""
    folder = quality.simulated(quality.Telescope("easy", 1, 3, 120), tmp_path)
    (folder / "trivial.json").mkdir()
    arguments = ["--systems", "trivial", "--presets", "easy", "--seeds", "1,2", "--days", "3"]
    status = quality.main([*arguments, "--senders", "120", "--jobs", "1", "--work", str(tmp_path)])
    assert status == 1
    err = capfd.readouterr().err
    assert "trivial on easy-seed1-3d-120s FAILED" in err
    assert (tmp_path / "easy-seed2-3d-120s" / "trivial.json").is_file()


@pytest.mark.parametrize("wrong", [["--systems", "magic"], ["--presets", "soft"]])
def test_what_there_is_not_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A system or preset there is not ends with a sentence that lists those there are."""
    with pytest.raises(SystemExit):
        quality.main(wrong)
    assert "is none of" in capsys.readouterr().err


def _report(ours: list[float | None], theirs: list[float | None]) -> Report:
    results = [
        {"system": system, "preset": "hard", "seed": seed, "seconds": 1.0,
         "measures": {"idf1": value, "tracks": 20.0}}
        for system, values in (("dante", ours), ("trivial", theirs))
        for seed, value in enumerate(values)
    ]  # fmt: skip
    return Report.of(results, days=30, senders=1000, seeds=[0, 1, 2])


def _verdict(report: Report) -> str:
    text = as_markdown(report)
    line = next(line for line in text.splitlines() if line.startswith("| `hard` | `idf1`"))
    return line.split("|")[-2].strip()


def test_the_page_says_where_ours_loses() -> None:
    """Better, worse and not told apart are told by the paired difference's interval."""
    assert _verdict(_report([0.9, 0.8, 0.7], [0.6, 0.5, 0.41])) == "ours"
    assert _verdict(_report([0.6, 0.5, 0.41], [0.9, 0.8, 0.7])) == "**theirs**"
    assert _verdict(_report([0.9, 0.5, 0.7], [0.8, 0.6, 0.7])) == "open"


def test_pairs_by_seed_say_more_than_two_intervals() -> None:
    """Where telescopes differ more than systems do, the difference is still seen."""
    report = _report([0.95, 0.65, 0.35], [0.9, 0.6, 0.3])
    ours, theirs = (report.interval("hard", name, "idf1") for name in ("dante", "trivial"))
    assert ours.low < theirs.high
    assert report.difference("hard", "dante", "trivial", "idf1").low > 0


def test_what_was_not_measured_is_no_zero() -> None:
    """A measure that a system has no value of is a dash, in the text and on the page."""
    report = _report([None, None, None], [0.5, 0.5, 0.5])
    assert math.isnan(report.interval("hard", "dante", "idf1").mean)
    row = next(line for line in as_text(report).splitlines() if " dante " in line)
    assert "–" in row
    assert "| `dante` | – |" in as_markdown(report)
