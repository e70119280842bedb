"""A model's preprocessing stands alone: the same pictures, no network opened, refusals by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxr import answering
from cxr.onnx_runtime import onnxruntime
from tests.answering import exported


def test_pictures_are_the_models_and_no_network_is_opened(
    folder: Path, model: answering.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(onnxruntime, "InferenceSession")
    preparation = answering.open_preparation(folder)
    content = exported.png(exported.chests()[0][:, :80])
    assert np.array_equal(preparation.prepare(content, "p"), model.prepare(content, "p"))
    with pytest.raises(ValueError, match="InferenceSession"):
        answering.open_model(folder)


def test_a_bent_file_is_named(folder: Path) -> None:
    preparation = answering.open_preparation(folder)
    with pytest.raises(ValueError, match=r"half\.png"):
        preparation.prepare(exported.png(exported.chests()[0])[:100], "half.png")


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    changed = exported.make(tmp_path / "changed")
    network = next(changed.glob("*.onnx"))
    network.write_bytes(network.read_bytes() + b" ")
    with pytest.raises(ValueError, match=network.name):
        answering.open_preparation(changed)
