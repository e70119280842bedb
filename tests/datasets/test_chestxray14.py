"""Tests of cxr.datasets.chestxray14: its table, lists, boxes and images, and the real files."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import tarfile
import time
from pathlib import Path

import pytest

from cxr import archives
from cxr.datasets import chestxray14

OLD_HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


@pytest.fixture
def root(tmp_path):
    chestxray14.sample(tmp_path)
    return tmp_path


def table_of(root):
    return root / "Data_Entry_2017_v2020.csv"


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def old_table(root, *rows):
    """Put the older table in place of the sample's; a row is name, findings, patient, age, sex, view."""
    table_of(root).unlink()
    for name in chestxray14.LISTS:
        (root / name).unlink()
    lines = (f"{n},{f},0,{p},{a},{s},{v},2500,2048,0.1,0.1,\n" for n, f, p, a, s, v in rows)
    (root / "Data_Entry_2017.csv").write_text(OLD_HEADER + "".join(lines))


def test_rows_of_the_sample(root):
    table = chestxray14.read(root).set_index("image")
    row = table.loc["images_001.tar.gz/images/00000002_001.png"]
    positives = [name for name in table if name.startswith("label:") and row[name] == 1]
    assert positives == ["label:pleural_thickening", "label:hernia"]
    assert row[["source", "patient", "view", "age_years", "sex"]].tolist() == [
        "nih", "nih:00000002", "AP", 43.0, "F",
    ]  # fmt: skip
    nothing = table.loc["images_001.tar.gz/images/00000002_000.png"]
    assert [nothing[f"label:{name}"] for name in chestxray14.LABELS] == [0.0] * 14
    assert table["given_split"].tolist() == [""] * 4 + ["test"] * 4


@pytest.mark.parametrize("ending", ["tar.gz", "tar", "zip", "folder", "nested", "jpg"])
def test_images_are_found_by_their_stem_wherever_they_lie(root, ending):
    with tarfile.open(root / "images_001.tar.gz") as archive:
        archive.extractall(root / "out", filter="data")
    for path in (root / "out" / "images").iterdir():
        os.utime(path, (10**9, 10**9))  # a zip can't hold the sample's 1970
    (root / "images_001.tar.gz").unlink()
    first = {
        "tar.gz": "images_007.tar.gz/images/", "tar": "images_007.tar/images/",
        "zip": "images_007.zip/images/", "folder": "images/", "nested": "archive/images_001/images/",
        "jpg": "images/",
    }[ending]  # fmt: skip
    if ending in ("tar.gz", "tar", "zip"):
        kind = {"tar.gz": "gztar"}.get(ending, ending)
        shutil.make_archive(str(root / "images_007"), kind, root / "out", "images")
    else:
        shutil.copytree(root / "out" / "images", root / first)
    shutil.rmtree(root / "out")
    if ending == "jpg":
        for path in (root / first).iterdir():
            path.rename(path.with_suffix(".jpg"))
    suffix = "jpg" if ending == "jpg" else "png"
    table = chestxray14.read(root)
    assert table["image"][0] == f"{first}00000001_000.{suffix}"
    assert set(table["image"]) <= set(archives.members(root))


def test_row_without_an_image_stays_and_an_image_without_a_row_does_not_come(root):
    change(table_of(root), "00000002_000.png", "00000002_007.png")
    for name in chestxray14.LISTS:
        (root / name).unlink()
    images = chestxray14.read(root)["image"].tolist()
    assert images[2] == "images/00000002_007.png"
    assert len(images) == 8
    assert not [name for name in images if name.endswith("00000002_000.png")]


def test_tables_lists_and_boxes_may_be_gz_and_lie_deeper(root):
    (root / "tables").mkdir()
    for name in (table_of(root).name, *chestxray14.LISTS, chestxray14.BOXES):
        (root / "tables" / f"{name}.gz").write_bytes(gzip.compress((root / name).read_bytes()))
        (root / name).unlink()
    table = chestxray14.read(root)
    assert table["given_split"].tolist() == [""] * 4 + ["test"] * 4
    assert len(chestxray14.boxes(root)) == 1


def test_older_table_with_ages_in_every_unit(root):
    ages = {"058Y": 58.0, "411": 411.0, "013M": 1.0833, "002D": 0.0055, "26W": 0.4983, "": math.nan, "0": 0.0}  # fmt: skip
    rows = [
        (f"0000000{1 + i // 2}_00{i % 2}.png", "No Finding", 1 + i // 2, age, "M", "PA")
        for i, age in enumerate(ages)
    ]
    old_table(root, *rows)
    table = chestxray14.read(root)
    assert table["age_years"].tolist() == pytest.approx(list(ages.values()), nan_ok=True)
    assert table["given_split"].tolist() == [""] * len(ages)


def test_all_faulty_rows_are_named_at_once(root):
    good = ("00000001_000.png", "No Finding", 1, 5, "F", "PA")
    faulty = [
        ("00000001_001.png", "Cardiomegalie|Mass", 1, 5, "F", "PA"),
        ("00000002_000.png", "No Finding|Mass", 2, 5, "F", "PA"),
        ("00000002_001.png", "", 2, 5, "F", "PA"),
        ("00000003_000.png", "Mass", 4, 5, "F", "PA"),
        ("00000003_001.png", "Mass", 3, "five", "F", "PA"),
        ("00000004_000.png", "Mass", 4, 5, "X", "PA"),
        ("00000004_001.png", "Mass", 4, 5, "F", "up"),
        ("00000001_000.png", "Mass", 1, 5, "F", "PA"),
        ("=1+1", "Mass", 1, 5, "F", "PA"),
    ]
    old_table(root, good, *faulty)
    with pytest.raises(ValueError, match="faulty row") as caught:
        chestxray14.read(root)
    words = str(caught.value)
    assert f"{root / 'Data_Entry_2017.csv'} has 9 faulty rows: " in words
    for piece in (
        "row 3: Finding Labels 'Cardiomegalie|Mass'", "row 4: Finding Labels 'No Finding|Mass'",
        "row 5: Finding Labels '' is no list", "row 6: 00000003_000.png has the Patient ID '4'",
        "row 7: Patient Age 'five'", "row 8: Patient Gender 'X'", "row 9: View Position 'up'",
        "row 10: 00000001_000.png stands twice", "row 11: '=1+1' is no name like", "Cure: take",
    ):  # fmt: skip
        assert piece in words


def test_at_most_ten_faulty_rows_are_named(root):
    rows = [(f"{i:08}_000.png", "Mess", i, 5, "F", "PA") for i in range(1, 13)]
    old_table(root, *rows)
    with pytest.raises(ValueError, match=r"has 12 faulty rows: .*row 11: .*; and 2 more\."):
        chestxray14.read(root)


def test_both_tables_at_once_are_refused(root):
    shutil.copy(table_of(root), root / "Data_Entry_2017.csv")
    with pytest.raises(ValueError, match=r"holds Data_Entry_2017.csv and .*v2020.csv: which one"):
        chestxray14.read(root)


def test_list_alone_is_refused(root):
    (root / "test_list.txt").unlink()
    with pytest.raises(ValueError, match=r"train_val_list.txt without test_list.txt: add it, or"):
        chestxray14.read(root)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("test_list.txt", "00000003_000", "00000001_001",
         r"test_list.txt has 1 faulty row: row 1: 00000001_001 stands in train_val_list.txt too"),
        ("test_list.txt", "00000003_001.png\n", "",
         r"v2020.csv has 1 faulty row: row 7: 00000003_001.png stands in neither"),
        ("test_list.txt", "00000003_001.png", "00000003.png",
         r"test_list.txt has 1 faulty row: row 2: '00000003.png' is no name like"),
        ("Data_Entry_2017_v2020.csv", "Patient Gender", "Genus", r"lacks the column 'Patient Gender'"),
        ("Data_Entry_2017_v2020.csv", "Patient ID", "ID", r"lacks the column 'Patient ID'"),
    ],
)  # fmt: skip
def test_faulty_list_or_header_is_named(root, name, old, new, message):
    change(root / name, old, new)
    with pytest.raises(ValueError, match=message):
        chestxray14.read(root)


def test_image_in_two_places_is_refused(root):
    with tarfile.open(root / "images_001.tar.gz") as archive:
        archive.extract("images/00000001_001.png", root, filter="data")
    with pytest.raises(ValueError, match=r"1 images twice, first images/00000001_001.png and images_001.tar.gz/"):  # fmt: skip
        chestxray14.read(root)


def test_table_without_any_of_its_images_is_refused(root):
    (root / "images_001.tar.gz").unlink()
    with pytest.raises(ValueError, match=r"has none of the images of its table: get "):
        chestxray14.read(root)


def test_boxes_of_the_sample_name_the_same_images(root):
    boxes = chestxray14.boxes(root)
    assert list(boxes) == ["image", "label", "x_px", "y_px", "width_px", "height_px"]
    assert boxes.iloc[0].tolist() == [
        "images_001.tar.gz/images/00000003_001.png", "infiltration", 225.08, 547.02, 86.78, 79.19,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Infiltrate", "Shadow", "Finding Label 'Shadow'"),
        ("225.08", "1000", "no box inside 1024 x 1024"),
        ("225.08", "-1", "no box inside"),
        ("79.19", "0", "no box inside"),
        ("547.02", "nan", "no box inside"),
        ("00000003_001.png", "image.png", "'image.png' is no name like"),
    ],
)
def test_faulty_box_is_named(root, old, new, fault):
    change(root / chestxray14.BOXES, old, new)
    with pytest.raises(ValueError, match=f"BBox_List_2017.csv has 1 faulty row: row 2: {fault}"):
        chestxray14.boxes(root)


def test_missing_boxes_are_named(root):
    (root / chestxray14.BOXES).unlink()
    with pytest.raises(ValueError, match=r"has no BBox_List_2017.csv: get it from https://"):
        chestxray14.boxes(root)


@pytest.fixture(scope="module")
def real():
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: the real chestxray14 is not read")
    return Path(folder, "nih14_lungmasked")


def test_real_table_has_its_counts_and_no_patient_in_both_parts(real):
    start = time.process_time()
    table = chestxray14.read(real)
    assert time.process_time() - start < 6  # 112,120 rows; 1.9 s where this was written
    counts = table.filter(like="label:").sum().astype(int)
    assert {
        name.removeprefix("label:"): n for name, n in counts.items()
    } == chestxray14.SOURCE.images
    assert (len(table), table["patient"].nunique()) == (112_120, 30_805)
    test = table["given_split"] == "test"
    assert (test.sum(), (~test).sum()) == (25_596, 86_524)
    assert not set(table["patient"][test]) & set(table["patient"][~test])
    assert table["age_years"].max() == 95


def test_real_images_are_those_of_the_subset(real):
    table = chestxray14.read(real)
    there = table[table["image"].isin(archives.members(real))]
    assert (len(there), there["patient"].nunique()) == (11_304, 6_398)
    labels = there.filter(like="label:")
    assert {name.removeprefix("label:"): int(n) for name, n in labels.sum().items()} == {
        "infiltration": 4918, "effusion": 1953, "atelectasis": 1644, "consolidation": 1086,
        "nodule": 882, "mass": 731, "pneumothorax": 635, "edema": 458, "pleural_thickening": 433,
        "cardiomegaly": 371, "pneumonia": 362, "emphysema": 278, "fibrosis": 217, "hernia": 25,
    }  # fmt: skip
    assert int((labels.sum(axis=1) == 0).sum()) == 2885
    assert (there["given_split"] == "test").sum() == 3086


def test_real_boxes_are_whole(real):
    boxes = chestxray14.boxes(real)
    assert (len(boxes), boxes["image"].nunique(), boxes["label"].nunique()) == (984, 880, 8)
    assert boxes["image"].isin(archives.members(real)).sum() == 171
