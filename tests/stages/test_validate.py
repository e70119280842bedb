"""validate: the gate, what opens it, and the tables it leaves, the same in every run."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cxr import artifacts, params
from cxr import manifest as manifests
from stages import validate
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
REPORTS = Path("reports/validate")
OUTPUTS = ("summary.json", "plots/findings.csv", "plots/labels.png")
WHY = "one file is broken at its source"


def settings(**accepted: str) -> validate.Params:
    return validate.Params(accepted=accepted)


def damaged() -> pd.DataFrame:
    """A critical, a warning and an info finding."""
    manifest = factories.manifest(60)
    manifest.loc[4, "fault"] = "is damaged (truncated)"
    manifest.loc[5, "age_years"] = 412.0
    manifest.loc[6, "channels"] = 3
    return manifest


def run(folder: Path, manifest: pd.DataFrame, accepted: str) -> subprocess.CompletedProcess[str]:
    manifests.write(folder / "data/manifest.csv", manifest)
    artifacts.write_text(folder / "params.yaml", f"validate: {{accepted: {accepted}}}\n")
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "stages.validate"], cwd=folder, capture_output=True,
        text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_clean_data_pass():
    table, summary = validate.validate(factories.manifest(60), settings())
    assert table.empty and table.columns.tolist() == ["finding", "severity", "image", "detail"]
    assert summary["gate"] == "passed" and summary["findings"] == []
    assert summary["images"] == 60 and summary["patients"] == 30
    assert summary["labels"] == {"normal": 30, "pneumonia": 30}
    assert len(summary["great_expectations"]) > 30
    assert all(rule["success"] for rule in summary["great_expectations"])


def test_findings_are_sorted_by_severity_and_counted():
    table, summary = validate.validate(damaged(), settings())
    assert table["finding"].tolist() == ["unreadable", "impossible_age", "colour_image"]
    assert summary["counts"] == {
        "critical": {"unreadable": 1}, "warning": {"impossible_age": 1}, "info": {"colour_image": 1},
    }  # fmt: skip


def test_a_critical_finding_closes_the_gate_until_it_is_accepted():
    _, closed = validate.validate(damaged(), settings())
    assert (closed["gate"], closed["stopping"]) == ("stopped", ["unreadable"])
    _, opened = validate.validate(damaged(), settings(unreadable=WHY))
    assert (opened["gate"], opened["stopping"]) == ("passed", [])
    assert opened["accepted"] == {"unreadable": WHY} and opened["findings"][0]["accepted"] == WHY


def test_warnings_alone_do_not_close_the_gate():
    manifest = damaged()
    manifest.loc[4, "fault"] = ""
    assert validate.validate(manifest, settings())[1]["gate"] == "passed"


def test_accepting_one_finding_does_not_open_the_gate_for_another():
    manifest = damaged()
    manifest.loc[8, "grey_std"] = 0.0
    _, summary = validate.validate(manifest, settings(unreadable=WHY))
    assert (summary["gate"], summary["stopping"]) == ("stopped", ["constant_image"])


def test_a_broken_table_rule_is_a_critical_finding():
    manifest = factories.manifest(60)
    manifest.loc[3, "view"] = "OBLIQUE"
    table, summary = validate.validate(manifest, settings())
    assert summary["stopping"] == ["table_rule"]
    assert table.loc[0, "image"] == manifest["image"][3] and "OBLIQUE" in table.loc[0, "detail"]
    failed = [rule for rule in summary["great_expectations"] if not rule["success"]]
    assert [(rule["rule"].split(":")[0], rule["unexpected"]) for rule in failed] == [("view", 1)]


def test_what_was_accepted_but_is_not_there_is_noted():
    _, summary = validate.validate(factories.manifest(60), settings(no_label="none are expected"))
    assert summary["accepted"] == {} and summary["accepted_but_absent"] == ["no_label"]


@pytest.mark.parametrize(
    ("accepted", "message"),
    [
        ({"unreadible": WHY}, r"'unreadible' is no critical finding: known are .*unreadable"),
        ({"colour_image": WHY}, "'colour_image' is no critical finding"),
        ({"unreadable": " "}, "validate.accepted.unreadable: say why"),
    ],
)
def test_an_acceptance_that_means_nothing_is_refused(accepted, message):
    with pytest.raises(ValueError, match=message):
        validate.validate(factories.manifest(60), settings(**accepted))


def test_params_of_the_defaults_fit():
    found = params.load(validate.Params, "validate", path=ROOT / "studies/defaults.yaml")
    assert found == settings()


def test_a_closed_gate_leaves_the_tables_and_says_what_to_do(tmp_path):
    finished = run(tmp_path, damaged(), "{}")
    assert finished.returncode == 1
    for words in (
        "critical findings stop the pipeline", "first toy/images/000004.png: is damaged",
        "Fetch the file again", "validate: {accepted: {unreadable: <reason>}}",
    ):  # fmt: skip
        assert words in finished.stderr
    assert "Traceback" not in finished.stderr
    assert artifacts.read_json(tmp_path / REPORTS / "summary.json")["gate"] == "stopped"
    assert len(artifacts.read_csv(tmp_path / REPORTS / "plots/findings.csv")) == 3


def test_an_accepted_finding_is_printed_and_the_bytes_repeat(tmp_path):
    contents = []
    for name in ("one", "other place"):
        finished = run(tmp_path / name, damaged(), f"{{unreadable: {WHY}}}")
        assert finished.returncode == 0, finished.stderr
        assert f"unreadable: 1 (accepted: {WHY})" in finished.stderr
        assert finished.stdout.startswith("validate: gate passed: 1 critical, 1 warning, 1 info")
        contents.append([(tmp_path / name / REPORTS / path).read_bytes() for path in OUTPUTS])
        # Great Expectations leaves nothing behind
        assert {path.name for path in (tmp_path / name).iterdir()} == {
            "data",
            "params.yaml",
            "reports",
        }
    assert contents[0] == contents[1]


def test_many_sources_are_drawn_as_a_few_and_the_others():
    manifest = factories.manifest(60)
    manifest["source"] = [f"hospital {i % 12:02d}" for i in range(60)]
    figure = validate.draw(manifest)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(words) == 8 and words[-1] == "other sources"
