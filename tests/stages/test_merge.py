"""Tests of stages.merge: labels of the study, what is dropped, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import manifest, params
from stages import merge
from stages._bound import Bound
from tests import factories

NAN = np.nan


def table(dataset, labels, rows):
    """A manifest of `dataset` with one row of label values per image."""
    made = factories.manifest(len(rows), labels=labels, images_per_patient=1)
    made["dataset"] = dataset
    made["image"] = [f"{dataset}/{i}.png" for i in range(len(rows))]
    made[[f"label:{name}" for name in labels]] = np.array(rows, dtype=float)
    return made


def merged_with(
    tables,
    labels,
    *,
    unmapped="leave_out",
    masks=False,
    leave_out_sources=(),
    patients=(),
    sample=None,
    seed=1,
):
    settings = merge.Params(
        labels=labels, unmapped=unmapped, masks=masks, leave_out_sources=[*leave_out_sources], leave_out_patients=None, sample=sample
    )  # fmt: skip
    return merge.merge(tables, settings, patients=patients, seed=seed)


def values(merged):
    return dict(zip(merged["image"], manifest.label_array(merged).tolist(), strict=True))


def test_any_source_makes_a_label_and_all_absent_make_none():
    one = table("a", ["x", "y"], [[1, 0], [0, 1], [0, 0], [NAN, 0], [NAN, 1], [NAN, NAN]])
    merged, left_out = merged_with([one], {"t": ["x", "y"]})
    assert np.array_equal(
        manifest.label_array(merged)[:, 0], [1, 1, 0, NAN, 1, NAN], equal_nan=True
    )
    assert set(left_out.values()) == {0}
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
        "merge:\n"
        "  {labels: {second: [y], first: [x]}, unmapped: leave_out, masks: false,\n"
        "   leave_out_sources: [], leave_out_patients: null, sample: null}\n"
    )
    settings = params.load(merge.Params, "merge", path=tmp_path / "params.yaml")
    merged, _ = merge.merge([one], settings, patients=[], seed=1)
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
    assert set(left_out.values()) == {0}


def test_masks_are_left_out_unless_the_study_wants_them():
    one = table("a", ["x"], [[1], [0], [1]])
    one["kind"] = ["image", "image", "mask"]
    merged, left_out = merged_with([one], {"x": ["x"]})
    assert list(merged["image"]) == ["a/0.png", "a/1.png"] and left_out["masks"] == 1
    merged, left_out = merged_with([one], {"x": ["x"]}, masks=True)
    assert len(merged) == 3 and left_out["masks"] == 0


COUNTED = {"x": ["x"], "y": ["y"]}


def two_labels(*, x, y, masks=False):
    """So many X-rays of labels x and y, patients of their own; with a mask each if asked for."""
    kinds = ["image", "mask"] if masks else ["image"]
    rows = [[label == "x", label == "y"] for label in "x" * x + "y" * y for _ in kinds]
    made = table("a", ["x", "y"], rows)
    made["kind"] = kinds * (x + y)
    numbers = [i for i in range(x + y) for _ in kinds]
    made["patient"] = [f"a:{i}" for i in numbers]
    made["image"] = [f"a/{k}s/{i}.png" for i, k in zip(numbers, made["kind"], strict=True)]
    return made


def names(merged, label):
    return set(merged["image"][merged[f"label:{label}"] == 1])


def test_sources_are_left_out_before_a_sample_is_drawn():
    one = two_labels(x=10, y=4)
    one["source"] = ["children" if i % 2 else "adults" for i in range(14)]
    merged, left_out = merged_with([one], COUNTED, leave_out_sources=["children"], sample={"x": 5})
    assert set(merged["source"]) == {"adults"}
    assert (len(names(merged, "x")), len(names(merged, "y"))) == (5, 2)
    assert (left_out["of sources left out"], left_out["for the sample"]) == (7, 0)
    with pytest.raises(ValueError, match=r"'kermany': known are adults, children"):
        merged_with([one], COUNTED, leave_out_sources=["adults", "kermany"])


def test_patients_are_left_out_with_all_their_images():
    one = two_labels(x=10, y=4)
    theirs = one["patient"].iloc[0]
    merged, left_out = merged_with([one], COUNTED, patients=[theirs, "nobody"])
    assert theirs in set(one["patient"]) - set(merged["patient"])
    count = int((one["patient"] == theirs).sum())
    assert (len(merged), left_out["of patients left out"]) == (14 - count, count)


def test_patients_come_from_a_table_that_its_hash_binds(tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text("patient\nnih:00000005\n")
    named = Bound(file=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    assert merge.left_out_patients(named) == ["nih:00000005"]
    file.write_text("patient\nnih:00000006\n")
    with pytest.raises(ValueError, match=r"patients.csv has sha256 .*leave_out_patients.sha256"):
        merge.left_out_patients(named)
    file.write_text("image\nnih:00000006\n")
    named = Bound(file=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="must have one column, patient"):
        merge.left_out_patients(named)
    file.unlink()
    with pytest.raises(ValueError, match="leave_out_patients is missing"):
        merge.left_out_patients(named)


def test_sample_keeps_so_many_of_each_label_named():
    merged, left_out = merged_with([two_labels(x=40, y=30)], COUNTED, sample={"x": 7})
    assert (len(names(merged, "x")), len(names(merged, "y"))) == (7, 30)
    assert left_out["for the sample"] == 33
    assert list(merged.index) == list(range(37)) and merged["image"].is_monotonic_increasing


def test_no_sample_changes_nothing_whatever_the_seed():
    one = two_labels(x=4, y=4)
    tables = [merged_with([one], COUNTED, seed=seed)[0] for seed in (1, 2)]
    tables += [merged_with([one], COUNTED, sample=sample)[0] for sample in ({}, {"x": 4})]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)


def test_sample_is_the_seeds_and_not_the_rows_order():
    one = two_labels(x=40, y=1)
    first = names(merged_with([one], COUNTED, sample={"x": 10})[0], "x")
    assert first == names(merged_with([one[::-1]], COUNTED, sample={"x": 10})[0], "x")
    assert first != names(merged_with([one], COUNTED, sample={"x": 10}, seed=2)[0], "x")


def test_larger_sample_and_more_images_move_as_few_as_can_be():
    few, more = two_labels(x=40, y=1), two_labels(x=60, y=1)
    before = names(merged_with([few], COUNTED, sample={"x": 10})[0], "x")
    assert before < names(merged_with([few], COUNTED, sample={"x": 11})[0], "x")
    after = names(merged_with([more], COUNTED, sample={"x": 10})[0], "x")
    came = after - names(few, "x")
    assert len(before - after) == len(came) > 0 and after - before == came


def test_masks_come_with_their_xray_and_are_not_counted():
    one = two_labels(x=20, y=5, masks=True)
    merged, _ = merged_with([one], COUNTED, sample={"x": 6, "y": 2}, masks=True)
    assert merged.groupby(["label:x", "kind"]).size().to_dict() == {
        (0, "image"): 2, (0, "mask"): 2, (1, "image"): 6, (1, "mask"): 6,
    }  # fmt: skip
    assert merged.groupby("patient").size().eq(2).all()
    without, _ = merged_with([one], COUNTED, sample={"x": 6, "y": 2})
    assert set(without["patient"]) == set(merged["patient"])  # the same X-rays without masks


def test_a_patient_is_taken_whole_but_for_the_last_one():
    one = two_labels(x=40, y=1)
    one["patient"] = [f"a:{i // 4}" for i in range(41)]
    merged, _ = merged_with([one], COUNTED, sample={"x": 10})
    of_x = merged[merged["label:x"] == 1]
    assert sorted(of_x.groupby("patient").size()) == [2, 4, 4]


def test_what_cannot_be_decoded_is_not_drawn():
    one = two_labels(x=5, y=1)
    one.loc[:2, "fault"] = "truncated"
    merged, _ = merged_with([one], COUNTED, sample={"x": 2})
    assert (merged["fault"] == "").all() and len(names(merged, "x")) == 2
    with pytest.raises(ValueError, match=r"merge.sample.x: 3 X-rays are asked for, but 2 can be"):
        merged_with([one], COUNTED, sample={"x": 3})


def test_images_of_several_labels_are_refused_in_a_sample():
    one = table("a", ["x", "y"], [[1, 0], [1, 1], [0, 1]])
    with pytest.raises(ValueError, match=r"1 images have several labels, first 'a/1.png'"):
        merged_with([one], COUNTED, sample={"x": 1})


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"z": 1}, r"merge: sample.z: the study has no such label: known are x, y"),
        ({"x": 0}, r"merge: sample.x must be at least 1, not 0"),
        ({"x": "all"}, r"merge.sample.x must be int, not 'all'"),
    ],
)
def test_faulty_sample_is_named_before_anything_runs(sample, message):
    tree = {"labels": COUNTED, "unmapped": "leave_out", "masks": False,
            "leave_out_sources": [], "leave_out_patients": None, "sample": sample}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        params.build(merge.Params, tree, where="merge")


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
        "seed: 1\n"
        "ingest: {datasets: [b, a]}\n"
        "merge:\n"
        "  labels: {covid: [covid], normal: [normal]}\n"
        "  unmapped: leave_out\n"
        "  masks: false\n"
        "  leave_out_sources: []\n"
        "  leave_out_patients: null\n"
        "  sample: null\n"
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


def test_stage_draws_thumbnails_with_their_rows_and_says_that_masks_lack(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    tree = "labels: {x: [x], y: [y]}, unmapped: leave_out, masks: true"
    tree += ", leave_out_sources: [], leave_out_patients: null, sample: {x: 3}"
    Path("params.yaml").write_text(f"seed: 1\ningest: {{datasets: [a]}}\nmerge: {{{tree}}}\n")
    made = two_labels(x=9, y=1).sort_values("image", ignore_index=True)
    write("a", made, level=0)
    assert merge.main() == "4 images (x 3, y 1); 6 left out for the sample"
    assert "merge.masks takes masks for images, but there are none" in capsys.readouterr().err
    kept = manifest.read(Path("data/manifest.csv"))["image"]
    thumbnails = np.load("data/thumbnails.npy")
    assert made["image"].iloc[thumbnails[:, 0, 0]].tolist() == kept.tolist()
