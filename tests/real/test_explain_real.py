"""ChestX-ray14's boxes on real images: they lie where they should, and explain plays with them.

The images are lungs cut out of the originals: outside of the lungs they are black, which tells
whether a box lies where it was drawn. Nothing made from them is kept.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, numerics, prepared
from cxr.backbones.weights import file_sha256
from cxr.datasets import chestxray14
from cxr.explaining import geometry, places
from cxr.preprocessing import _chain
from cxr.training import loop, models
from cxr.training.network import build
from stages import explain
from stages._bound import Bound
from tests.real import projects
from tests.training.recipes import tiny

pytestmark = pytest.mark.slow
numerics.exact_torch()
STEPS = [{"name": "resize", "size_px": 64, "fit": "stretch"}]
LABELS = {name: [name] for name in sorted(chestxray14.LABELS)}
ROOT = Path("data/raw/chestxray14")
PROJECT: list[Path] = []


@pytest.fixture
def project(tmp_path_factory, monkeypatch) -> Bound:
    """All images with boxes, prepared, as the test part and 20 as val; an untrained network."""
    real = os.environ.get("CXR_REAL_DATA")
    if not real:
        pytest.skip("CXR_REAL_DATA is not set: nothing is explained on real data")
    monkeypatch.setenv("CXR_WORKERS", "1")
    if not PROJECT:
        folder = tmp_path_factory.mktemp("boxes")
        monkeypatch.chdir(folder)
        source = Path(real) / projects.FOLDERS["chestxray14"]
        shutil.copytree(source, ROOT, copy_function=shutil.copyfile)
        PROJECT.append(folder)
        _prepare()
    monkeypatch.chdir(PROJECT[0])
    (file,) = ROOT.glob("BBox_List_2017.csv*")
    return Bound(file=str(file), sha256=file_sha256(file))


def _prepare() -> None:
    boxed = set(chestxray14.boxes(ROOT)["image"])
    table = chestxray14.read(ROOT)
    there = table[table["image"].isin(boxed) & table["image"].str.startswith("images_001.tar/")]
    there = there.sort_values("image", kind="stable", ignore_index=True)
    chain = _chain.build(STEPS, where="steps")
    images = [_read(name, chain) for name in there["image"]]
    index = there.assign(image="chestxray14/" + there["image"])
    columns = [*prepared.COLUMNS, *(f"label:{name}" for name in LABELS)]
    prepared.write(explain.PREPARED, lambda rows: images[rows], index[columns])
    sizes = {"image": index["image"], "width_px": 128, "height_px": 128}
    artifacts.write_csv(explain.MANIFEST, pd.DataFrame(sizes).assign(sex=""))
    parts = np.where(np.arange(len(index)) < 20, "val", "test")
    splits = {"image": index["image"], "group": index["patient"], "fold_0": parts}
    artifacts.write_csv(explain.SPLITS, pd.DataFrame(splits))
    recipe = tiny(loss="bce")
    tensors = build(recipe, labels=len(LABELS), seed=1, fold=0).state_dict()
    fitted = loop.Fitted(dict(tensors), best_epoch=0, history=[])
    saved = models.Saved(fitted, recipe.backbone_options, {}, 1.0)
    models.save(explain.MODELS / "toy", recipe, [saved], labels=list(LABELS), size_px=64)


def _read(member: str, chain: tuple[_chain.Step, ...]) -> np.ndarray:
    from cxr import archives, images

    return _chain.apply(images.decode(archives.read(ROOT, member), name=member).grey, chain)


def test_boxes_lie_on_the_lungs_and_only_in_their_own_place(project):
    images = prepared.read(explain.PREPARED)
    boxes = explain.published(project)
    assert len(boxes) == 984
    sizes = artifacts.read_csv(explain.MANIFEST)
    placed = places.placed(boxes, images.index, sizes, labels=LABELS, steps=STEPS)
    assert placed["row"].nunique() == len(images.index) > 130
    truth = images.index[[f"label:{name}" for name in LABELS]].to_numpy()
    assert truth[placed["row"], placed["label"]].mean() > 0.9  # text-mined labels miss a few
    lung = images.gather(np.arange(len(images.index))) > 8
    masks = [geometry.mask(box[None], 64) for box in placed[places.EDGES].to_numpy()]
    pairs = list(zip(placed["row"], masks, strict=True))
    own = np.mean([lung[row][mask].mean() for row, mask in pairs])
    turned = np.mean([lung[row].T[mask].mean() for row, mask in pairs])  # x taken for y
    # hearts are cut out of these images, and with them most of each heart's box
    assert own > 2 * lung.mean() and own > turned + 0.05, (own, turned, lung.mean())


def test_explain_plays_with_them_and_shows_no_patient_in_a_report(project):
    sections = {
        "seed": 1, "ingest": {"datasets": ["chestxray14"]}, "merge": {"labels": LABELS},
        "phantom": {}, "preprocess": {"steps": STEPS},
        "explain": {"models": ["toy"], "images": 6, "part": "test",
                    "boxes": {"file": project.file, "sha256": project.sha256}},
    }  # fmt: skip
    artifacts.write_json(Path("params.yaml"), sections)
    artifacts.write_json(Path("reports/evaluate/toy/metrics.json"), {})
    explain.main("toy")
    game = artifacts.read_json(Path("reports/explain/toy/metrics.json"))["pointing"]
    assert game["plays"] > 110 and 0 < game["chance"] < 0.3
    assert set(game["per_label"]) <= set(LABELS) and "cardiomegaly" in game["per_label"]
    # who knows nothing points by chance; the hearts' boxes alone hold the middle
    assert game["accuracy"]["low"] < game["chance"] + 0.1
    assert game["per_label"]["cardiomegaly"]["centre"] > 0.5
    pictures = sorted(path.name for path in Path("reports/explain").rglob("*.png"))
    assert pictures == ["sanity.png"]
    assert sorted(path.name for path in Path("data/explained/toy").iterdir()) == ["fold-0.png"]
