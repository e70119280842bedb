"""gate: champion and challenger on the frozen list, whole or refused; a rejection is a result."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxr import artifacts, manifest, params, seeding
from cxr.metrics import summary
from stages import _stage, evaluate
from stages import gate as stage
from tests.gating import cases

GATE = Path("reports/gate")
NO_GROUP = dict.fromkeys(
    ("floor_auroc", "floor_sensitivity", "margin_auroc", "margin_sensitivity")
)  # fmt: skip
SETTINGS: dict[str, Any] = {
    "models": ["net"], "require_better": False, "margin_auroc": 0.1, "floor_auroc": 0.6,
    "min_patients": 5, "classes": NO_GROUP | {"floor_sensitivity": 0.1}, "sources": NO_GROUP,
    "calibration": dict.fromkeys(("ceiling_ece", "ceiling_brier", "margin_ece", "margin_brier")),
    "cost": {"parameters": 2.0, "macs": 2.0, "onnx_bytes": 2.0},
    "bootstrap_samples": 100, "confidence": 0.9,
}  # fmt: skip
MANIFEST = cases.manifest(80)


def write_report(predictions: pd.DataFrame, table: Path, metrics: Path, export: Path) -> None:
    """Write what evaluate and export leave of a model."""
    predicted = evaluate.Predicted(table=predictions, thresholds_FL=None)
    settings = evaluate.Params(bootstrap_samples=10, confidence=0.9)
    rng = seeding.stream(1, "x")
    measured = evaluate.evaluate(predicted, MANIFEST, settings=settings, rng=rng)
    found = summary.tree(measured) | {
        "labels": manifest.labels(predictions), "thresholds": None,
        "parameters": 1000, "macs": 5000,
    }  # fmt: skip
    artifacts.write_csv(table, predictions)
    artifacts.write_json(metrics, found)
    artifacts.write_json(export, {"onnx_bytes": 4000})


def write_champion(*, distance: float = 1.5, seed: int = 2) -> None:
    found = cases.predictions(MANIFEST, distance=distance, seed=seed)
    write_report(found, *(stage.CHAMPION / name for name in stage.BROUGHT))


def write_about(version: str | None = "v3", openings: int = 1) -> None:
    artifacts.write_json(stage.CHAMPION / "about.json", {"version": version, "openings": openings})


def write_challenger(*, distance: float = 2.5) -> None:
    folder = Path("reports/evaluate/net")
    write_report(
        cases.predictions(MANIFEST, distance=distance), folder / "plots/predictions.csv",
        folder / "metrics.json", Path("reports/export/net/metrics.json"),
    )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study whose model `net` is better than the champion, as the stages before leave it."""
    monkeypatch.chdir(tmp_path)
    manifest.write(stage.MANIFEST, MANIFEST)
    artifacts.write_csv(stage.CHAMPION / "acceptance.csv", MANIFEST[["image", "sha256"]].iloc[:60])
    artifacts.write_json(params.PARAMS_FILE, {"seed": 1, "gate": SETTINGS})  # JSON is YAML
    write_challenger()
    write_champion()
    write_about()
    return tmp_path


def told() -> dict[str, Any]:
    return dict(artifacts.read_json(GATE / "verdict.json"))


def test_a_better_challenger_is_promoted_and_everything_is_written(workspace: Path) -> None:
    line = stage.main("net")
    assert line.startswith("PROMOTE net against version v3: rules ")
    found = told()
    assert found["promote"] is True and found["reasons"] == [] and found["warnings"] == []
    assert found["acceptance"]["images"] == 60 and found["acceptance"]["openings"] == 1
    table = artifacts.read_csv(GATE / "plots/rules.csv")
    assert table["rule"].tolist()[:2] == ["macro AUROC: margin", "macro AUROC: floor"]
    assert set(table["rule"]) == set(found["rules"]) and set(table["passed"]) == {"yes"}
    assert (GATE / "plots/difference.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_bytes_twice_without_a_path_of_the_machine(workspace: Path) -> None:
    def outputs() -> dict[Path, bytes]:
        stage.main("net")
        return {path: path.read_bytes() for path in sorted(GATE.rglob("*.*"))}

    first = outputs()
    assert len(first) == 3 and first == outputs()
    assert str(workspace).encode() not in b"".join(first.values())


def test_the_numbers_are_those_of_evaluate_where_all_its_images_count(workspace: Path) -> None:
    artifacts.write_csv(stage.CHAMPION / "acceptance.csv", MANIFEST[["image"]])
    stage.main("net")
    metrics = artifacts.read_json(Path("reports/evaluate/net/metrics.json"))
    found = told()["rules"]
    assert found["macro AUROC: floor"]["value"] == metrics["auroc"]["value"]
    for name, of_label in metrics["per_label"].items():
        assert found[f"sensitivity, class {name}: floor"]["value"] == of_label["recall"]


def test_a_rejection_is_a_result_and_names_every_reason(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_challenger(distance=-0.5)
    artifacts.write_json(Path("reports/export/net/metrics.json"), {"onnx_bytes": 9000})
    monkeypatch.setattr(sys, "argv", ["gate", "net"])
    _stage.run("gate", stage.main, stage.Params, item="model")  # no exit: code 0
    out, err = capsys.readouterr()
    assert out.startswith("gate@net: REJECT net against version v3")
    broken = [words.partition(": ")[0] for words in told()["reasons"]]
    assert broken[:2] == ["macro AUROC", "macro AUROC"] and "ONNX bytes" in broken
    assert told()["promote"] is False
    assert "NO  ONNX bytes: cost" in err and "9,000 against 4,000" in err


def test_a_set_too_small_to_tell_leaves_it_undecided(workspace: Path) -> None:
    artifacts.write_csv(stage.CHAMPION / "acceptance.csv", MANIFEST[["image"]].iloc[:24])
    strict = SETTINGS | {"margin_auroc": 0.01}
    artifacts.write_json(params.PARAMS_FILE, {"seed": 1, "gate": strict})
    write_challenger(distance=1.4)
    assert stage.main("net").startswith("UNDECIDED net")
    assert told()["promote"] is False
    assert any("neither shown to be" in words for words in told()["reasons"])


def test_the_first_day_knows_absolute_limits_alone(workspace: Path) -> None:
    for name in stage.BROUGHT:
        (stage.CHAMPION / name).unlink()
    write_about(None)
    assert stage.main("net").startswith("PROMOTE net against absolute limits alone")
    assert [name.rpartition(": ")[2] for name in told()["rules"]] == ["floor"] * 3
    assert told()["champion"] is None and "there is no champion" in told()["warnings"][0]


def test_a_champion_that_lacks_or_lies_there_unnamed_is_no_first_day(workspace: Path) -> None:
    write_about(None)
    with pytest.raises(ValueError, match=r"but predictions.csv, metrics.json, export.json lie the"):
        stage.main("net")
    write_about("v3")
    (stage.CHAMPION / "metrics.json").unlink()
    (stage.CHAMPION / "export.json").unlink()
    with pytest.raises(ValueError, match=r"lacks metrics.json, export.json of the champion v3"):
        stage.main("net")
    assert not GATE.exists()


def test_a_second_opening_is_warned_of(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_about(openings=2)
    stage.main("net")
    assert "opened 2 times" in told()["warnings"][0]
    assert "warning: the acceptance set was opened 2 times" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"version": "v3"}, "openings is missing"),
        ({"version": "v3", "openings": 0}, "openings counts this time too: at least 1, not 0"),
        ({"version": 3, "openings": 1}, "version must be str, not 3"),
    ],
)
def test_what_is_wrong_about_the_champion_is_told(
    workspace: Path, about: dict[str, Any], words: str
) -> None:
    artifacts.write_json(stage.CHAMPION / "about.json", about)
    with pytest.raises(ValueError, match=words):
        stage.main("net")


def test_faults_of_a_table_are_told_by_file_and_image(workspace: Path) -> None:
    table = stage.CHAMPION / "predictions.csv"
    artifacts.write_csv(table, artifacts.read_csv(table).drop(index=3))
    with pytest.raises(
        ValueError, match=r"data/champion/predictions\.csv: no score of toy/images/000003"
    ):
        stage.main("net")


@pytest.fixture
def build() -> Callable[..., stage.Params]:
    return lambda **changed: params.build(stage.Params, SETTINGS | changed, where="gate")


def test_nonsense_is_refused(build: Callable[..., stage.Params]) -> None:
    for changed, words in (
        ({"models": ["a", "b"]}, "names 2 challengers: the best of several is too good by chance"),
        ({"confidence": 0.05}, "confidence must lie between 0.5 and 1, not 0.05"),
        ({"bootstrap_samples": 99}, "at least 100, not 99"),
        ({"min_patients": 0}, "min_patients must be at least 1"),
    ):
        with pytest.raises(ValueError, match=words):
            build(**changed)


def test_the_limits_are_what_params_say(build: Callable[..., stage.Params]) -> None:
    assert build(models=[]).models == []
    limits = dataclasses.asdict(build().limits())
    assert limits == json.loads(json.dumps({key: SETTINGS[key] for key in limits}))
