"""Tests of stages.merge: labels of the study, what is dropped, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import manifest, params
from stages import merge
from tests import factories

NAN = np.nan


def table(dataset, labels, rows):
    """A manifest of `dataset` with one row of label values per image."""
    made = factories.manifest(len(rows), labels=labels, images_per_patient=1)
    made["dataset"] = dataset
    made["image"] = [f"{dataset}/{i}.png" for i in range(len(rows))]
    made[[f"label:{name}" for name in labels]] = np.array(rows, dtype=float)
    return made


def merged_with(tables, labels, *, unmapped="leave_out", masks=False):
    settings = merge.Params(labels=labels, unmapped=unmapped, masks=masks)
    return merge.merge(tables, settings)


def values(merged):
    return dict(zip(merged["image"], manifest.label_array(merged).tolist(), strict=True))


def test_any_source_makes_a_label_and_all_absent_make_none():
    one = table("a", ["x", "y"], [[1, 0], [0, 1], [0, 0], [NAN, 0], [NAN, 1], [NAN, NAN]])
    merged, left_out = merged_with([one], {"t": ["x", "y"]})
    assert np.array_equal(
        manifest.label_array(merged)[:, 0], [1, 1, 0, NAN, 1, NAN], equal_nan=True
    )
    assert left_out == {"with dropped labels": 0, "masks": 0}
    assert manifest.labels(merged) == ["t"]


def test_only_the_labels_that_a_data_set_has_count_for_its_images():
    one = table("a", ["covid", "normal"], [[1, 0], [0, 1]])
    two = table("b", ["COVID", "Normal"], [[1, 0], [0, 1]])
    labels = {"covid": ["covid", "COVID"], "normal": ["normal", "Normal"]}
    merged, _ = merged_with([two, one], labels)
    assert values(merged) == {"a/0.png": [1, 0], "a/1.png": [0, 1],
                              "b/0.png": [1, 0], "b/1.png": [0, 1]}  # fmt: skip


def test_label_that_a_data_set_lacks_is_unknown_there():
    one, two = table("a", ["x"], [[1], [0]]), table("b", ["y"], [[1], [0]])
    merged, _ = merged_with([one, two], {"x": ["x"], "y": ["y"]})
    wanted = [[1, NAN], [0, NAN], [NAN, 1], [NAN, 0]]
    assert np.array_equal(manifest.label_array(merged), wanted, equal_nan=True)


def test_order_of_labels_is_the_order_in_params(tmp_path):
    one = table("a", ["x", "y"], [[1, 0]])
    (tmp_path / "params.yaml").write_text(
        "merge: {labels: {second: [y], first: [x]}, unmapped: leave_out, masks: false}\n"
    )
    settings = params.load(merge.Params, "merge", path=tmp_path / "params.yaml")
    merged, _ = merge.merge([one], settings)
    assert manifest.labels(merged) == ["second", "first"]


def test_images_of_a_dropped_class_are_left_out():
    one = table("a", ["covid", "normal", "pneumonia"], [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    labels = {"covid": ["covid"], "normal": ["normal"]}
    merged, left_out = merged_with([one], labels)
    assert values(merged) == {"a/0.png": [1, 0], "a/1.png": [0, 1]}
    assert left_out["with dropped labels"] == 1
    assert merge.dropped([one], labels) == ["pneumonia"]


def test_findings_beside_a_named_one_and_images_without_any_stay():
    one = table("a", ["x", "y"], [[1, 1], [0, 0], [NAN, 0], [0, 1]])
    merged, left_out = merged_with([one], {"x": ["x"]})
    assert list(merged["image"]) == ["a/0.png", "a/1.png", "a/2.png"]
    assert left_out["with dropped labels"] == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"t": ["x", "z"]}, r"merge.labels.t: no data set has the label 'z': known are x, y"),
        ({}, r"merge.labels is empty: name the labels .* of x, y"),
        ({"t": []}, r"merge.labels.t is empty: name the labels"),
    ],
)
def test_faulty_map_is_named(labels, message):
    with pytest.raises(ValueError, match=message):
        merged_with([table("a", ["x", "y"], [[1, 0]])], labels)


def test_same_data_set_twice_is_refused():
    one = table("a", ["x"], [[1]])
    with pytest.raises(ValueError, match=r"merge: 1 images stand twice, first 'a/0.png'"):
        merged_with([one, one], {"x": ["x"]})


def test_unmapped_findings_may_be_negatives():
    one = table("a", ["x", "y"], [[1, 1], [0, 0], [0, 1]])
    merged, left_out = merged_with([one], {"x": ["x"]}, unmapped="negative")
    assert values(merged) == {"a/0.png": [1], "a/1.png": [0], "a/2.png": [0]}
    assert left_out == {"with dropped labels": 0, "masks": 0}


def test_masks_are_left_out_unless_the_study_wants_them():
    one = table("a", ["x"], [[1], [0], [1]])
    one["kind"] = ["image", "image", "mask"]
    merged, left_out = merged_with([one], {"x": ["x"]})
    assert list(merged["image"]) == ["a/0.png", "a/1.png"] and left_out["masks"] == 1
    merged, left_out = merged_with([one], {"x": ["x"]}, masks=True)
    assert len(merged) == 3 and left_out["masks"] == 0


def write(dataset, made, *, level):
    """Write a manifest, thumbnails that tell their row, and one gap."""
    folder = Path("data/manifests")
    manifest.write(folder / f"{dataset}.csv", made)
    thumbnails = np.zeros((len(made), 32, 32), np.uint8)
    thumbnails += np.arange(level, level + len(made), dtype=np.uint8)[:, None, None]
    manifest.write_thumbnails(folder / f"{dataset}.thumbnails.npy", thumbnails)
    gaps = pd.DataFrame([(f"{dataset}/9.png", "absent")], columns=["image", "gap"])
    manifest.write_gaps(folder / f"{dataset}.gaps.csv", gaps)


def test_stage_reads_its_manifests_and_writes_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(
        "ingest: {datasets: [b, a]}\n"
        "merge: {labels: {covid: [covid], normal: [normal]}, unmapped: leave_out, masks: false}\n"
    )
    with pytest.raises(
        ValueError, match=r"data/manifests/b.csv is missing: run `dvc repro ingest@b`"
    ):
        merge.main()
    one = table("a", ["covid", "normal", "pneumonia"], [[1, 0, 0], [0, 0, 1]])
    one.loc[0, ["width_px", "grey_mean"]] = NAN
    write("a", one, level=10)
    write("b", table("b", ["covid", "normal"], [[0, 1], [NAN, NAN]]), level=20)
    assert merge.main() == (
        "3 images (covid 1, normal 1); 1 left out with dropped labels; 1 of unknown label"
    )
    assert "not named by merge.labels: pneumonia" in capsys.readouterr().err
    lines = Path("data/manifest.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["a/0.png", "b/0.png", "b/1.png"]
    assert ",224,224,1,8,0,255," in lines[2]
    thumbnails = np.load("data/thumbnails.npy")
    assert thumbnails[:, 0, 0].tolist() == [10, 20, 21]  # of a/0, b/0 and b/1
    gaps = [("a/9.png", "absent"), ("b/9.png", "absent")]
    assert (
        list(manifest.read_gaps(Path("data/gaps.csv")).itertuples(index=False, name=None)) == gaps
    )
    first = Path("data/manifest.csv").read_bytes()
    merge.main()
    assert Path("data/manifest.csv").read_bytes() == first
