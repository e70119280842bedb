"""Tests of stages.preprocess: order, exclusion, and the same bytes twice and with workers."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import archives, artifacts, images, intake, manifest, prepared
from cxr.datasets import darkcovidnet
from cxr.intake.pixels import Pixels
from cxr.preprocessing import resize
from stages import ingest, preprocess

STEPS = "preprocess: {steps: [{name: resize, size_px: 16, fit: stretch}]}\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working folder with the sample of darkcovidnet, ingested, and a split of two folds."""
    monkeypatch.chdir(tmp_path)
    root = Path("data/raw/darkcovidnet")
    darkcovidnet.sample(root)
    shutil.make_archive("images", "zip", root)
    shutil.rmtree(root)
    root.mkdir()
    shutil.move("images.zip", root)
    table = ingest.ingest(root, "darkcovidnet", intake.Keep(Path("kept")))[0]
    manifest.write(Path("data/manifest.csv"), table)
    write_splits(table["image"])
    Path("params.yaml").write_text(STEPS)
    yield tmp_path
    archives.close()


def write_splits(names, excluded=()):
    splits = pd.DataFrame({"image": sorted(names), "group": "g"})
    for fold in ("fold_0", "fold_1"):
        splits[fold] = ["excluded" if name in excluded else "train" for name in splits["image"]]
    artifacts.write_csv(Path("data/splits.csv"), splits)
    return splits


def ingested():
    return ingest.ingest(Path("data/raw/darkcovidnet"), "darkcovidnet", intake.Keep(Path("kept")))[
        0
    ]


def digest():
    files = sorted(Path("data/prepared").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_prepared_images_are_the_raw_ones_resized_in_order(project):
    assert preprocess.main() == "10 images of 16 x 16 px"
    opened = prepared.read(Path("data/prepared"))
    assert list(opened.index["image"]) == sorted(opened.index["image"])
    assert list(opened.index.columns) == [
        *prepared.COLUMNS, "label:covid", "label:no_findings", "label:pneumonia",
    ]  # fmt: skip
    for i, name in enumerate(opened.index["image"]):
        content = archives.read(Path("data/raw/darkcovidnet"), name.partition("/")[2])
        grey = images.decode(content, name=name).grey
        wanted = resize.apply(grey, resize.Params(size_px=16, fit="stretch"))
        assert np.array_equal(opened.gather(np.array([i]))[0], wanted)


def forget():
    """Remove what earlier runs left, so that the next one does all the work."""
    shutil.rmtree("data/.scratch", ignore_errors=True)


def test_same_bytes_from_raw_from_what_ingest_left_and_from_kept_shards(project, monkeypatch):
    from cxr.preprocessing import _chain

    forget()
    preprocess.main()
    first = digest()
    forget()
    table = ingest.ingest(
        Path("data/raw/darkcovidnet"), "darkcovidnet", ingest.keep("darkcovidnet")
    )[0]
    assert list(Path("data/.scratch/pixels").rglob("*.npy"))
    manifest.write(Path("data/manifest.csv"), table)
    monkeypatch.setattr(_chain, "prepare", None)  # nothing is decoded again
    preprocess.main()
    assert digest() == first
    inode = Path("data/prepared/images-0000.npy").stat().st_ino
    shutil.rmtree("data/prepared")  # as DVC does before a stage runs
    preprocess.main()
    assert digest() == first
    assert Path("data/prepared/images-0000.npy").stat().st_ino == inode


def test_kept_pixels_of_another_chain_are_not_taken(project):
    ingest.ingest(Path("data/raw/darkcovidnet"), "darkcovidnet", ingest.keep("darkcovidnet"))
    Path("params.yaml").write_text(STEPS.replace("16", "12"))
    assert preprocess.main() == "10 images of 12 x 12 px"


def test_damaged_pixels_are_made_again(project):
    forget()
    preprocess.main()
    first = digest()
    forget()
    ingest.ingest(Path("data/raw/darkcovidnet"), "darkcovidnet", ingest.keep("darkcovidnet"))
    for path in Path("data/.scratch/pixels").rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:-1])
    preprocess.main()
    assert digest() == first


def test_twice_and_with_workers_and_in_small_slices_the_same_bytes(project, monkeypatch):
    monkeypatch.setenv("CXR_WORKERS", "1")
    preprocess.main()
    first = digest()
    forget()
    preprocess.main()
    assert digest() == first
    monkeypatch.setattr(preprocess, "_AT_ONCE", 3)
    forget()
    preprocess.main()
    assert digest() == first
    monkeypatch.setenv("CXR_WORKERS", "2")
    monkeypatch.setattr(preprocess, "_AT_ONCE", 1024)
    _more_images(40)
    preprocess.main()
    two_workers = digest()
    monkeypatch.setenv("CXR_WORKERS", "1")
    forget()
    preprocess.main()
    assert digest() == two_workers != first


def _more_images(n):
    """Put copies of one image beside the archive: more than one chunk, so that two processes work."""
    content = archives.read(
        Path("data/raw/darkcovidnet"),
        "images.zip/X-Ray Image DataSet/Pneumonia/00000003_000.png",
    )
    for i in range(n):
        path = Path(f"data/raw/darkcovidnet/Pneumonia/{i:08d}_777.png")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    table = ingested()
    manifest.write(Path("data/manifest.csv"), table)
    write_splits(table["image"])


def test_images_excluded_from_every_fold_are_left_out(project):
    names = sorted(manifest.read(Path("data/manifest.csv"))["image"])
    splits = write_splits(names, excluded=names[:2])
    splits.loc[2, "fold_0"] = "excluded"  # only from one fold: it stays
    artifacts.write_csv(Path("data/splits.csv"), splits)
    assert preprocess.main() == "8 images of 16 x 16 px; 2 excluded by split"
    assert list(prepared.read(Path("data/prepared")).index["image"]) == names[2:]


def test_splits_of_other_images_are_refused(project):
    names = sorted(manifest.read(Path("data/manifest.csv"))["image"])
    write_splits(names[1:])
    with pytest.raises(ValueError, match=r"differ in 1 images, first darkcovidnet/images.zip/"):
        preprocess.main()


def test_image_that_can_not_be_decoded_is_named_and_nothing_is_left(project):
    broken = Path("data/raw/darkcovidnet/Pneumonia/00000009_000.png")
    broken.parent.mkdir()
    zipped = "images.zip/X-Ray Image DataSet/Pneumonia/00000003_000.png"
    broken.write_bytes(archives.read(Path("data/raw/darkcovidnet"), zipped)[:-20])
    table = ingested()
    manifest.write(Path("data/manifest.csv"), table)
    write_splits(table["image"])
    with pytest.raises(ValueError, match=r"darkcovidnet/Pneumonia/00000009_000.png is damaged"):
        preprocess.main()
    assert not Path("data/prepared").exists()
    assert not list(Path("data").glob(".*partial"))


def test_unknown_step_is_named_before_any_work(project):
    Path("params.yaml").write_text("preprocess: {steps: [{name: sharpen}]}\n")
    with pytest.raises(ValueError, match="unknown preprocessing 'sharpen'"):
        preprocess.main()
    Path("params.yaml").write_text("preprocess: {steps: []}\n")
    with pytest.raises(ValueError, match=r"params.yaml: preprocess.steps has no resize"):
        preprocess.main()


def test_real_set_is_prepared(tmp_path):
    real = os.environ.get("CXR_REAL_DATA")
    if not real:
        pytest.skip("CXR_REAL_DATA is not set: the real darkcovidnet is not prepared")
    root = Path(real, "darkcovidnet")
    rows = ingest.ingest(root, "darkcovidnet", intake.Keep(tmp_path))[0].iloc[:64]
    chain = [("resize", resize.Params(size_px=32, fit="pad"))]
    shapes = {
        picture.shape
        for picture in preprocess.pictures(Path(real), rows, chain, Pixels(tmp_path, []))
    }
    assert shapes == {(32, 32)}


def test_file_that_changed_since_ingest_is_refused(project):
    """The stage depends on the manifest, whose sha256 binds the raw files, not on the raw folder."""
    path = Path("data/manifest.csv")
    table = manifest.read(path)
    table.loc[3, "sha256"] = "0" * 64
    manifest.write(path, table)
    with pytest.raises(ValueError, match=r"changed since it was ingested: run `dvc repro` again"):
        preprocess.main()
