"""validate: the gate, what opens it, and the tables it leaves, the same in every run."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, duplicates, params
from cxr import manifest as manifests
from cxr.report import findings
from stages import validate
from tests import factories
from tests.checks import arriving

ROOT = Path(__file__).resolve().parents[2]
REPORTS = Path("reports/validate")
OUTPUTS = (
    "summary.json", "expectations.json", "index.html", "plots/findings.csv", "plots/labels.png",
)  # fmt: skip
WHY = "one file is broken at its source"


def settings(**accepted: str) -> validate.Params:
    near = validate.NearDuplicates(correlation=0.99)
    return validate.Params(accepted=accepted, near_duplicates=near, reference=None, arrival=None)


def found(
    manifest: pd.DataFrame, params: validate.Params | None = None, **evidence: Any
) -> validate.Found:
    return validate.validate(
        manifest, params or settings(), {**factories.evidence(manifest), **evidence}
    )


def damaged() -> pd.DataFrame:
    """A critical, a warning and an info finding."""
    manifest = factories.manifest(60)
    manifest.loc[4, "fault"] = "is damaged (truncated)"
    manifest.loc[5, "age_years"] = 412.0
    manifest.loc[6, "channels"] = 3
    return manifest


def run(
    folder: Path,
    manifest: pd.DataFrame,
    accepted: str = "{}",
    reference: str = "null",
    arrival: str = "null",
    split: str = "",
) -> subprocess.CompletedProcess[str]:
    manifests.write(folder / "data/manifest.csv", manifest)
    for path, content in (
        ("thumbnails.npy", factories.thumbnails(manifest)),
        ("gaps.csv", factories.gaps(("toy/images/gone.png", "absent"))),
    ):
        if not (folder / "data" / path).exists():
            write = artifacts.write_array if path.endswith(".npy") else artifacts.write_csv
            write(folder / "data" / path, content)
    words = (
        f"{{accepted: {accepted}, near_duplicates: {{correlation: 0.99}}, reference: {reference}, "
        f"arrival: {arrival}}}"
    )
    artifacts.write_text(folder / "params.yaml", f"seed: 1\nvalidate: {words}\n{split}")
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "stages.validate"], cwd=folder, capture_output=True,
        text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_clean_data_pass():
    passed = found(factories.manifest(60))
    assert passed.table.empty and passed.pairs.empty
    assert passed.table.columns.tolist() == ["finding", "severity", "image", "detail"]
    summary = passed.summary
    assert summary["gate"] == "passed" and summary["findings"] == []
    assert summary["images"] == 60 and summary["patients"] == 30
    assert summary["labels"] == {"normal": 30, "pneumonia": 30}
    assert summary["datasets"]["toy"] == {
        "images": 60, "patients": 30, "sources": 1, "masks": 0, "unreadable": 0, "absent": 0,
        "unlisted": 0,
    }  # fmt: skip
    assert len(summary["great_expectations"]) > 30
    assert all(rule["success"] for rule in summary["great_expectations"])
    assert set(summary["control"]["labels"]) == {"normal", "pneumonia"}


def test_findings_are_sorted_by_severity_and_counted():
    bad = found(damaged())
    assert bad.table["finding"].tolist() == ["unreadable", "impossible_age", "colour_image"]
    assert bad.summary["counts"] == {
        "critical": {"unreadable": 1}, "warning": {"impossible_age": 1}, "info": {"colour_image": 1},
    }  # fmt: skip


def test_a_critical_finding_closes_the_gate_until_it_is_accepted():
    closed = found(damaged()).summary
    assert (closed["gate"], closed["stopping"]) == ("stopped", ["unreadable"])
    opened = found(damaged(), settings(unreadable=WHY)).summary
    assert (opened["gate"], opened["stopping"]) == ("passed", [])
    assert opened["accepted"] == {"unreadable": WHY} and opened["findings"][0]["accepted"] == WHY


def test_warnings_alone_do_not_close_the_gate():
    manifest = damaged()
    manifest.loc[4, "fault"] = ""
    assert found(manifest).summary["gate"] == "passed"


def test_accepting_one_finding_does_not_open_the_gate_for_another():
    manifest = damaged()
    manifest.loc[8, "grey_std"] = 0.0
    summary = found(manifest, settings(unreadable=WHY)).summary
    assert (summary["gate"], summary["stopping"]) == ("stopped", ["constant_image"])


def test_a_broken_table_rule_is_a_critical_finding():
    manifest = factories.manifest(60)
    manifest.loc[3, "view"] = "OBLIQUE"
    bad = found(manifest)
    assert bad.summary["stopping"] == ["table_rule"]
    assert bad.table.loc[0, "image"] == manifest["image"][3]
    assert "OBLIQUE" in bad.table.loc[0, "detail"]
    failed = [rule for rule in bad.summary["great_expectations"] if not rule["success"]]
    assert [(rule["rule"].split(":")[0], rule["unexpected"]) for rule in failed] == [("view", 1)]


def test_what_was_accepted_but_is_not_there_is_noted():
    summary = found(factories.manifest(60), settings(no_label="none are expected")).summary
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
        found(factories.manifest(60), settings(**accepted))


def alike(manifest: pd.DataFrame) -> np.ndarray:
    """Thumbnails of which 1 is 9 with a spot, and 2, 3 and 4 are equal."""
    thumbnails = factories.thumbnails(manifest)
    thumbnails[1] = thumbnails[9]
    thumbnails[1, 5, 5] ^= 15
    thumbnails[[2, 3]] = thumbnails[4]
    return thumbnails


def test_near_pairs_are_named_and_counted_and_masks_are_none():
    manifest = factories.manifest(60)
    manifest.loc[3, "kind"] = "mask"
    near = found(manifest, thumbnails=alike(manifest))
    name = manifest["image"]
    assert near.pairs[["image_a", "image_b"]].values.tolist() == [
        [name[1], name[9]], [name[2], name[4]],
    ]  # fmt: skip
    assert 0.999 < near.pairs["correlation"][0] < 1 and near.pairs["correlation"][1] == 1
    assert near.summary["near_duplicates"] == {"correlation": 0.99, "pairs": 2, "images": 4}
    named = near.table[near.table["finding"].str.startswith("near_duplicate")]
    assert sorted(named["image"]) == [name[2], name[4], name[9]]  # 2 and 4 contradict each other


def test_near_pairs_come_in_the_order_of_names_whatever_the_order_of_rows():
    manifest = factories.manifest(20)
    thumbnails = alike(manifest)
    order = np.arange(20)[::-1]
    one = validate.near_duplicates(manifest, thumbnails, settings().near_duplicates)
    other = validate.near_duplicates(
        manifest.iloc[order], thumbnails[order], settings().near_duplicates
    )
    pd.testing.assert_frame_equal(one[0], other[0])
    assert one[1] == other[1] and one[1]["pairs"] == 4


def test_pairs_that_are_not_listed_are_counted(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 3)
    manifest = factories.manifest(20)
    pairs, counts = validate.near_duplicates(manifest, alike(manifest), settings().near_duplicates)
    assert len(pairs) == 3 and counts["pairs"] == 4


@pytest.mark.parametrize("correlation", [0.89, 1.01])
def test_a_correlation_out_of_range_is_refused(correlation):
    with pytest.raises(ValueError, match=r"correlation must be 0\.9 to 1"):
        validate.NearDuplicates(correlation=correlation)


def test_the_list_of_findings_is_bounded_and_the_count_is_true():
    manifest = factories.manifest(60)
    manifest["channels"] = 3
    manifest.loc[:39, "age_years"] = 412.0
    bad = found(manifest)
    short = findings.bounded(bad.table, most=25)
    ages = short[short["finding"] == "impossible_age"]
    assert len(ages) == 26 and bad.summary["counts"]["warning"]["impossible_age"] == 40
    assert ages.iloc[-1][["image", "detail"]].tolist() == ["", "and 15 more"]
    exact = findings.bounded(bad.table, most=40)
    assert (exact["finding"] == "impossible_age").sum() == 40
    assert exact["image"].eq("").sum() == 1  # of the 60 colour images 20 more


def test_params_of_the_defaults_fit():
    read = params.load(validate.Params, "validate", path=ROOT / "studies/defaults.yaml")
    assert read == settings()


def test_a_closed_gate_leaves_the_tables_and_says_what_to_do(tmp_path):
    finished = run(tmp_path, damaged())
    assert finished.returncode == 1
    for words in (
        "critical findings stop the pipeline", "first toy/images/000004.png: is damaged",
        "Fetch the file again", "validate: {accepted: {unreadable: <reason>}}",
    ):  # fmt: skip
        assert words in finished.stderr
    assert "Traceback" not in finished.stderr
    assert artifacts.read_json(tmp_path / REPORTS / "summary.json")["gate"] == "stopped"
    assert len(artifacts.read_csv(tmp_path / REPORTS / "plots/findings.csv")) == 4
    assert "The gate is closed" in (tmp_path / REPORTS / "index.html").read_text()
    assert artifacts.read_csv(tmp_path / "data/near_pairs.csv").columns.tolist() == [
        "image_a", "image_b", "correlation",
    ]  # fmt: skip


def test_an_accepted_finding_is_printed_and_the_bytes_repeat(tmp_path):
    contents = []
    for name in ("one", "other place"):
        finished = run(tmp_path / name, damaged(), f"{{unreadable: {WHY}}}")
        assert finished.returncode == 0, finished.stderr
        assert f"unreadable: 1 (accepted: {WHY})" in finished.stderr
        assert finished.stdout.startswith("validate: gate passed: 1 critical, 2 warning, 1 info")
        contents.append([(tmp_path / name / REPORTS / path).read_bytes() for path in OUTPUTS])
        contents[-1].append((tmp_path / name / "data/near_pairs.csv").read_bytes())
        # Great Expectations leaves nothing behind
        left = {path.name for path in (tmp_path / name).iterdir()}
        assert left == {"data", "params.yaml", "reports"}
    assert contents[0] == contents[1]


def test_thumbnails_of_another_table_are_refused(tmp_path):
    artifacts.write_array(tmp_path / "data/thumbnails.npy", np.zeros((59, 32, 32), np.uint8))
    finished = run(tmp_path, factories.manifest(60))
    assert finished.returncode == 1
    assert "expected uint8 (60, 32, 32), a row per image of data/manifest.csv" in finished.stderr


def test_the_newest_arrival_is_held_against_the_frozen_part_of_the_division(tmp_path):
    manifest = arriving.manifest(60, 20)
    manifest.loc[61, "patient"] = manifest.loc[0, "patient"]
    parts = manifest[["image"]].assign(fold_0="train")[:60]
    parts.loc[0, "fold_0"] = "test"
    artifacts.write_csv(tmp_path / "assignments.csv", parts)
    right = hashlib.sha256((tmp_path / "assignments.csv").read_bytes()).hexdigest()
    split = (
        "split: {protocol: by_patient, near_duplicates: true, frozen: [test], "
        "assignments: {file: assignments.csv, sha256: %s}}\n"
    )
    finished = run(tmp_path, manifest, arrival="toy/new", split=split % right)
    assert finished.returncode == 0, finished.stderr
    table = artifacts.read_csv(tmp_path / REPORTS / "plots/findings.csv", keep_default_na=False)
    known = table[table["finding"] == "arrival_in_frozen_part"]
    assert known[["severity", "image", "detail"]].to_numpy().tolist() == [
        [
            "warning",
            manifest.loc[61, "image"],
            "patient toy/000000, of whom is toy/images/000000.png",
        ]
    ]
    finished = run(tmp_path, manifest, arrival="toy/new", split=split % "abc")
    assert finished.returncode == 1
    words = f"assignments.csv has sha256 {right}, split.assignments.sha256 says abc: take the file"
    assert words in finished.stderr


@pytest.mark.parametrize("name", ["toy", "toy/", "/new", "toy/new/", ""])
def test_an_arrival_is_a_data_set_and_a_folder_in_it(name):
    near = validate.NearDuplicates(correlation=0.99)
    with pytest.raises(ValueError, match="arrival must be a data set and a folder in it, as table"):
        validate.Params(accepted={}, near_duplicates=near, reference=None, arrival=name)


def test_a_reference_is_read_if_it_is_the_one_meant(tmp_path):
    reference = factories.manifest(600)
    reference["width_px"] = 1024
    manifests.write(tmp_path / "reference.csv", reference)
    right = hashlib.sha256((tmp_path / "reference.csv").read_bytes()).hexdigest()
    finished = run(
        tmp_path, factories.manifest(600), reference=f"{{file: reference.csv, sha256: {right}}}"
    )
    assert finished.returncode == 0, finished.stderr
    assert "drift: " in finished.stderr
    finished = run(
        tmp_path, factories.manifest(600), reference="{file: reference.csv, sha256: abc}"
    )
    assert finished.returncode == 1
    assert (
        f"reference.csv has sha256 {right}, validate.reference.sha256 says abc" in finished.stderr
    )


def test_many_sources_are_drawn_as_a_few_and_the_others():
    manifest = factories.manifest(60)
    manifest["source"] = [f"hospital {i % 12:02d}" for i in range(60)]
    figure = findings.draw(manifest)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(words) == 8 and words[-1] == "other sources"
