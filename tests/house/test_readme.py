"""The README's numbers are those that the committed reports and records hold, and no stage is left out."""

from __future__ import annotations

import pytest

from cxr import artifacts, params
from tests.house import source

README = (source.ROOT / "README.md").read_text(encoding="utf-8")
MODELS = params.read_yaml(source.ROOT / "params.yaml").get("models", [])
RECORDS = {
    path.parts[-3]: artifacts.read_json(path)["evaluate"]
    for path in sorted((source.ROOT / "studies").glob("*/record/metrics.json"))
}


def _row(found: dict) -> str:
    """Accuracy, macro-F1 and AUROC with their intervals, as the README's tables write them."""
    cells = []
    for metric in ("accuracy", "macro_f1", "auroc"):
        value, low, high = (
            f"{found[metric][key]:.3f}".removeprefix("0") for key in ("value", "low", "high")
        )
        cells.append(f"{value} [{low}, {high}]")
    return " | ".join(cells)


@pytest.mark.parametrize("model", MODELS)
def test_default_study(model: str) -> None:
    found = artifacts.read_json(source.ROOT / f"reports/evaluate/{model}/metrics.json")
    assert f"| {model} | {_row(found)} |" in README


@pytest.mark.parametrize(
    ("study", "model"), [(study, model) for study in RECORDS for model in RECORDS[study]]
)
def test_recorded_studies(study: str, model: str) -> None:
    assert f"| {_row(RECORDS[study][model])} |" in README


def test_there_are_numbers_to_compare() -> None:
    assert MODELS and "darkcovidnet" in RECORDS


@pytest.mark.parametrize("stage", sorted(params.read_yaml(source.ROOT / "dvc.yaml")["stages"]))
def test_every_stage_is_told(stage: str) -> None:
    """A second stage of the same file (`transfer-searched`) is told with the first."""
    name = stage.partition("-")[0]
    assert f"| `{name}` |" in README or f"| `{name}@<" in README
