"""The README's numbers are those that the committed reports and records hold."""

from __future__ import annotations

import pytest

from cxr import artifacts
from tests.house import source

README = (source.ROOT / "README.md").read_text(encoding="utf-8")


def _row(found: dict) -> str:
    """Accuracy, macro-F1 and AUROC with their intervals, as the README's tables write them."""
    cells = []
    for metric in ("accuracy", "macro_f1", "auroc"):
        value, low, high = (
            f"{found[metric][key]:.3f}".removeprefix("0") for key in ("value", "low", "high")
        )
        cells.append(f"{value} [{low}, {high}]")
    return " | ".join(cells)


@pytest.mark.parametrize("model", ["resnet10t", "resnet10t_half"])
def test_default_study(model: str) -> None:
    found = artifacts.read_json(source.ROOT / f"reports/evaluate/{model}/metrics.json")
    assert f"| {model} | {_row(found)} |" in README


@pytest.mark.parametrize(
    ("study", "model"), [("darkcovidnet", "mobilenetv2_035"), ("darkcovidnet", "scratch")]
)
def test_recorded_studies(study: str, model: str) -> None:
    record = artifacts.read_json(source.ROOT / f"studies/{study}/record/metrics.json")
    assert f"| {_row(record['evaluate'][model])} |" in README
