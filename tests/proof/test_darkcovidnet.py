"""The real study, twice from an empty cache: same bytes, and as good as published here. Up to three hours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxr import artifacts
from tests.proof import clones

pytestmark = pytest.mark.slow


def finished(folder: Path, download: Path) -> Path:
    """Return a clean clone in which the three commands of the README have run."""
    root = clones.clone(folder)
    for words in (
        ("data", "DATASET=darkcovidnet", f"FROM={download}"),
        ("study", "STUDY=darkcovidnet"),
    ):
        said = clones.make(root, *words)
        assert said.returncode == 0, said.stderr[-3000:]
    clones.reproduced(root)
    return root


def test_the_real_study_repeats_to_the_byte_and_keeps_its_promise(tmp_path):
    real = os.environ.get("CXR_REAL_DATA", "")
    download = Path(real) / "darkcovidnet"
    if not real or not download.exists():
        pytest.skip("CXR_REAL_DATA names no folder with darkcovidnet: the real study is not proved")
    one, other = (finished(tmp_path / name / "clone", download) for name in ("one", "other"))
    assert (one / "dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()
    recorded = clones.ROOT / "studies/darkcovidnet/record/dvc.lock"
    assert not recorded.exists() or recorded.read_bytes() == (one / "dvc.lock").read_bytes()
    parent, pruned = (
        artifacts.read_json(one / f"reports/evaluate/{model}/metrics.json")
        for model in ("mobilenetv2_035", "mobilenetv2_035-pruned_50")
    )
    assert parent["auroc"]["value"] >= 0.93
    assert pruned["macs"] <= parent["macs"] / 2
    assert pruned["accuracy"]["value"] >= parent["accuracy"]["value"] - 0.02
