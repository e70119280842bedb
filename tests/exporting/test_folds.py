"""One fold: compared on images from all over val, told with its own costs, in whole numbers if wanted."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cxr import exporting, numerics, prepared
from cxr.exporting import folds, graph, running
from cxr.metrics import cost
from cxr.training import models
from tests.exporting import toys
from tests.exporting.test_card import ORIGIN

numerics.exact_torch()


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return toys.save(tmp_path_factory.mktemp("models") / "toy", **toys.SMALL)


def task(model: Path, folder: Path, rows: np.ndarray, **changes) -> exporting.Task:
    usual = {"fold": 0, "origin": ORIGIN, "calibration": None, "trained": np.arange(8, 20)}
    return exporting.Task(model=model, prepared_folder=folder, rows=rows, **{**usual, **changes})


@pytest.mark.parametrize(("val", "compared"), [(6, 6), (64, 64), (65, 33), (700, 64)])
def test_a_fold_is_compared_on_at_most_64_images_from_all_over_val(
    tmp_path, model, monkeypatch, val, compared
):
    shown: list[np.ndarray] = []
    monkeypatch.setattr(graph, "to_onnx", lambda *_, **__: b"")
    monkeypatch.setattr(graph, "about", lambda _: {})
    monkeypatch.setattr(folds, "_strange", lambda *_: None)
    monkeypatch.setattr(running, "compare_strangeness", lambda *_: 0.0)
    monkeypatch.setattr(prepared, "read", lambda _: SimpleNamespace(gather=shown.append))
    monkeypatch.setattr(running, "compare", lambda *_: 0.0)
    folds.export_fold(task(model, tmp_path, np.arange(100, 100 + val)))
    (rows,) = shown
    assert len(rows) == compared and rows[0] == 100
    assert rows[-1] >= 100 + val - -(-val // 64)


def test_what_it_says_and_costs_is_its_own(tmp_path, model):
    names = [f"toy/{i:02d}" for i in range(20)]
    index = pd.DataFrame({"image": names, "patient": names, "source": "toy", "view": "",
                          "age_years": np.nan, "sex": ""})  # fmt: skip
    for place, label in enumerate("abc"):
        index[f"label:{label}"] = (np.arange(20) % 3 == place).astype(float)
    prepared.write(tmp_path / "prepared", toys.images(20).__getitem__, index)
    rows, train = np.arange(8), np.arange(8, 20)
    found = folds.export_fold(task(model, tmp_path / "prepared", rows, calibration=train))
    member = models.load(model, 0)
    assert found.about["card"]["parameters"] == cost.parameters(member.network)
    assert found.about["card"]["macs"] == cost.macs(member.network, size_px=32)
    assert found.int8 is not None
    said = graph.about(found.int8.content)
    assert said.pop("int8")["calibration_images"] == 12
    assert said.pop("seal") != found.about["seal"]
    assert said == {key: value for key, value in found.about.items() if key != "seal"}
    strange = found.about["strangeness"]
    assert (strange["train_images"], strange["held_out_images"]) == (12, 8)
    assert strange["held_out_refused"] == 0  # of 8 images 5 % is none
    assert strange["refused_at_most"] == 0.05 and strange["confidence"] == round(1 - 0.95**8, 4)
    assert list(found.int8.costs) == ["float32", "int8"]
    for kind, file in (("float32", found.content), ("int8", found.int8.content)):
        costs = found.int8.costs[kind]
        assert costs["onnx_bytes"] == len(file) and 0 <= costs["val_auroc"] <= 1
        assert costs["val_accuracy"] * 8 == round(costs["val_accuracy"] * 8)
    assert folds.export_fold(task(model, tmp_path / "prepared", rows)).int8 is None


def test_an_undefined_auroc_is_none():
    assert folds._known(np.array(np.nan)) is None and folds._known(np.array(0.5)) == 0.5
