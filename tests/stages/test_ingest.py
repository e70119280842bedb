"""Tests of stages.ingest: the manifest's facts, faults noted, the same bytes twice and with workers."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from cxr import archives, intake, manifest
from cxr.datasets import darkcovidnet, folder
from stages import ingest


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """A data/raw with the sample of darkcovidnet, in a zip, as the working folder."""
    monkeypatch.chdir(tmp_path)
    darkcovidnet.sample(tmp_path / "copy")
    root = Path("data/raw/darkcovidnet")
    root.mkdir(parents=True)
    shutil.make_archive(str(root / "images"), "zip", tmp_path / "copy")
    yield root
    archives.close()


def ingested(root, dataset, folder):
    """The manifest of a data set, its facts kept in `folder`."""
    return ingest.ingest(root, dataset, intake.Keep(folder))[0]


def test_every_image_has_its_row(raw):
    assert ingest.main("darkcovidnet") == (
        "10 images of 6 patients (covid 4, no_findings 3, pneumonia 3)"
    )
    table = manifest.read(Path("data/manifests/darkcovidnet.csv"))
    assert table["image"].is_monotonic_increasing
    row = table.set_index("image").loc[
        "darkcovidnet/images.zip/X-Ray Image DataSet/No_findings/00000002_000.png"
    ]
    assert row["patient"] == "nih:00000002"
    assert (row["width_px"], row["height_px"], row["channels"], row["bit_depth"]) == (18, 20, 1, 8)
    assert (row["grey_min"], row["grey_max"]) == (80, 120)
    # 96 of the 360 pixels are 40 brighter than 80
    assert row["grey_mean"] == pytest.approx(80 + 40 * 96 / 360, abs=1e-4)
    assert row["grey_std"] == pytest.approx(40 * (96 / 360 * (1 - 96 / 360)) ** 0.5, abs=1e-4)
    file = Path("copy/X-Ray Image DataSet/No_findings/00000002_000.png").read_bytes()
    assert row["sha256"] == hashlib.sha256(file).hexdigest()
    assert row["fault"] == ""


def test_numbers_are_written_as_whole_numbers_even_beside_a_fault(raw):
    (raw / "Pneumonia").mkdir()
    (raw / "Pneumonia" / "00000009_000.png").write_bytes(b"")
    assert ingest.main("darkcovidnet").endswith("; 1 can't be decoded")
    lines = Path("data/manifests/darkcovidnet.csv").read_text().splitlines()
    assert ",18,20,1,8,80,120," in "\n".join(lines)
    broken = next(line for line in lines if "00000009_000" in line)
    assert ",,,,,,,,Pneumonia/00000009_000.png is empty (0 bytes): get the file again," in broken


def test_undecodable_images_are_noted_not_raised(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.png").write_bytes(b"no image")
    sample = tmp_path / "sample"
    folder.sample(sample)
    whole = next(sample.rglob("*.png")).read_bytes()
    (tmp_path / "a" / "cut.png").write_bytes(whole[:-20])
    shutil.rmtree(sample)
    faults = ingested(tmp_path, "folder", tmp_path.parent / "kept").set_index("image")["fault"]
    assert faults["folder/a/cut.png"].startswith("a/cut.png is damaged (")
    assert faults["folder/b/text.png"].startswith("b/text.png is no PNG, JPEG")
    assert not faults.str.contains(str(tmp_path)).any()


def test_rows_without_a_file_and_files_without_a_row_are_gaps(tmp_path, monkeypatch):
    folder.sample(tmp_path / "set")
    listed = folder.read(tmp_path / "set")
    renamed = listed.assign(image=["gone.png", *listed["image"].iloc[1:]])
    monkeypatch.setattr(folder, "read", lambda root: renamed)
    keep = intake.Keep(tmp_path / "kept")
    table, thumbnails, gaps = ingest.ingest(tmp_path / "set", "folder", keep)
    assert len(table) == len(thumbnails) == len(listed) - 1
    first = f"folder/{listed['image'].iloc[0]}"
    wanted = {("folder/gone.png", "absent"), (first, "unlisted")}
    assert set(gaps.itertuples(index=False, name=None)) == wanted
    monkeypatch.setattr(folder, "aside", lambda name: True, raising=False)
    gaps = ingest.ingest(tmp_path / "set", "folder", keep)[2]
    assert list(gaps["gap"]) == ["absent"]
    monkeypatch.setattr(folder, "read", lambda root: renamed.iloc[:1])
    with pytest.raises(ValueError, match=r"of the 1 images .* not one is there, first 'gone.png'"):
        ingest.ingest(tmp_path / "set", "folder", keep)


def test_image_without_a_patient_is_its_own(tmp_path):
    folder.sample(tmp_path)
    table = ingested(tmp_path, "folder", tmp_path.parent / "kept")
    assert (table["patient"] == table["image"]).all()
    assert set(table["given_split"]) == {"train", "test"}


def test_twice_and_with_two_workers_the_same_bytes(raw, monkeypatch):
    # 10 images are one chunk and so one process: more of them make two
    for i in range(40):
        (raw / "more" / "Pneumonia").mkdir(parents=True, exist_ok=True)
        name = f"{i:08d}_777.png"
        shutil.copy(
            "copy/X-Ray Image DataSet/Pneumonia/00000003_000.png", raw / "more/Pneumonia" / name
        )
    written = []
    for workers in ("1", "1", "2"):
        monkeypatch.setenv("CXR_WORKERS", workers)
        shutil.rmtree("data/.scratch", ignore_errors=True)
        ingest.main("darkcovidnet")
        written.append(Path("data/manifests/darkcovidnet.csv").read_bytes())
    assert written[0] == written[1] == written[2]
    assert written[0].count(b"\n") == 51


@pytest.mark.parametrize("steps", ["[{name: resize, size_px: 16, fit: pad}]", "3", "[{name: no}]"])
def test_steps_of_preprocess_are_a_hint_that_changes_no_output(raw, steps):
    written = []
    for text in ("study: x\n", f"preprocess: {{steps: {steps}}}\n"):
        Path("params.yaml").write_text(text)
        shutil.rmtree("data/.scratch", ignore_errors=True)
        ingest.main("darkcovidnet")
        written.append([path.read_bytes() for path in sorted(Path("data/manifests").iterdir())])
    assert written[0] == written[1] and len(written[0]) == 3
    assert Path("data/.scratch/pixels").exists() == ("resize" in steps)


def test_missing_raw_data_and_unknown_reader_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError,
        match=r"data/raw/darkcovidnet is missing.*`make data DATASET=darkcovidnet FROM=<folder>`",
    ):
        ingest.main("darkcovidnet")
    with pytest.raises(
        ValueError, match=r"unknown datasets 'nowhere': known are chestxray14, .*darkcovidnet"
    ):
        ingest.main("nowhere")
    assert list(tmp_path.iterdir()) == []


def test_real_set_in_twenty_seconds(tmp_path):
    real = os.environ.get("CXR_REAL_DATA")
    if not real:
        pytest.skip("CXR_REAL_DATA is not set: the real darkcovidnet is not ingested")
    start = time.perf_counter()
    table = ingested(Path(real, "darkcovidnet"), "darkcovidnet", tmp_path)
    assert time.perf_counter() - start < 20
    assert (table["fault"] == "").all()
    assert table["patient"].nunique() == 754
    twins = table[table["pixels_sha256"].duplicated(keep=False)]
    assert [Path(name).stem for name in twins["image"]] == ["00002658_001", "00002658_002"]
    assert twins["phash"].nunique() == 1
