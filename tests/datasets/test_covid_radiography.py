"""Tests of cxr.datasets.covid_radiography: layouts, masks, sheets, and the real files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cxr import archives
from cxr.datasets import covid_radiography
from tests.datasets.test_sheets import inline, xlsx

TOP = "COVID-19_Radiography_Dataset"
RSNA = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data"
KERMANY = "https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia"


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def make(root, *names):
    """Make empty files; reading a layout looks at names only."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def rows(root, *columns):
    table = covid_radiography.read(root)
    return list(zip(*(table[name] for name in columns), strict=True))


def label_of(table):
    labels = table.filter(like="label:")
    assert (labels.sum(axis="columns") == 1).all()
    return labels.idxmax(axis="columns").str.removeprefix("label:").tolist()


def test_sample_has_images_masks_and_sources(tmp_path):
    covid_radiography.sample(tmp_path)
    table = covid_radiography.read(tmp_path)
    assert table["kind"].value_counts().to_dict() == {"image": 8, "mask": 4}
    table = table.assign(label=label_of(table)).set_index("image")
    image = table.loc[f"{TOP}/Viral Pneumonia/images/Viral Pneumonia-1.png"]
    mask = table.loc[f"{TOP}/Viral Pneumonia/masks/Viral Pneumonia-1.png"]
    bare = table.loc[f"{TOP}/Viral Pneumonia/images/Viral Pneumonia-2.png"]
    assert image["label"] == mask["label"] == "viral_pneumonia"
    assert image["patient"] == mask["patient"] == "viral_pneumonia:1"
    assert bare["patient"] == ""
    assert image["source"] == mask["source"] == "kermany"
    assert set(table["source"][table["label"] == "lung_opacity"]) == {"rsna"}


def test_classes_in_every_spelling(tmp_path):
    make(tmp_path, "COVID-19/COVID-19 (1).png", "NORMAL/NORMAL(12).png", "lung-opacity/a.jpg",
         "Viral_Pneumonia/Viral Pneumonia-3.png")  # fmt: skip
    table = covid_radiography.read(tmp_path)
    assert label_of(table) == ["covid", "normal", "viral_pneumonia", "lung_opacity"]
    assert set(table["kind"]) == {"image"}
    assert set(table["source"]) == {"unknown"}
    assert set(table["patient"]) == {""}


@pytest.mark.parametrize(
    ("stem", "number"),
    [
        ("COVID-1", 1), ("COVID-19", 19), ("COVID-19 (7)", 7), ("COVID-19-7", 7), ("Normal-10192", 10192),
        ("NORMAL(3)", 3), ("Viral Pneumonia-0005", 5), ("Lung_Opacity 8", 8), ("COVID", None),
        ("picture-1", None), ("Normal-1a", None),
    ],
)  # fmt: skip
def test_number_in_a_name(stem, number):
    assert covid_radiography.number_of(stem) == number


def test_class_folders_may_be_archives_and_what_lies_elsewhere_is_no_row(tmp_path):
    make(tmp_path / "in", "images/COVID-1.png", "masks/COVID-1.png")
    shutil.make_archive(str(tmp_path / "COVID"), "zip", tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    make(
        tmp_path, "Normal/images/Normal-1.png", "figures/1.png", "images/2.png", "COVID/notes/3.png"
    )
    assert rows(tmp_path, "image", "kind") == [
        ("COVID.zip/images/COVID-1.png", "image"),
        ("COVID.zip/masks/COVID-1.png", "mask"),
        ("Normal/images/Normal-1.png", "image"),
    ]


def test_a_class_without_images_is_no_label(tmp_path):
    make(tmp_path, "COVID/images/COVID-1.png", "Normal/images/Normal-1.png",
         "Lung_Opacity/masks/Lung_Opacity-1.png")  # fmt: skip
    (tmp_path / "Viral Pneumonia.metadata.csv").write_text(f"FILE NAME,URL\nViral Pneumonia-1,{RSNA}\n")  # fmt: skip
    table = covid_radiography.read(tmp_path)
    assert list(table.filter(like="label:")) == ["label:covid", "label:normal"]
    assert len(table) == 2


def test_mask_without_its_image_stays(tmp_path):
    make(tmp_path, "COVID/images/COVID-1.png", "COVID/masks/COVID-2.png", "Normal/images/1.png")
    assert rows(tmp_path, "kind", "patient") == [("image", ""), ("mask", "covid:2"), ("image", "")]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["COVID/images/Normal-7.png"], "COVID/images/Normal-7.png has the name of another class"),
        (["COVID/masks/mask.png"], "COVID/masks/mask.png has no number that tells its X-ray"),
        (["COVID/COVID-1.png"], "COVID/images/COVID-1.png stands there twice, also as COVID/COVID-1.png"),
        (["COVID/images/COVID-1.jpg"], "COVID-1.png stands there twice, also as COVID/images/COVID-1.jpg"),
        (["covid/images/COVID-19 (1).png"], "covid/images/COVID-19 (1).png stands there twice"),
    ],
)  # fmt: skip
def test_files_in_doubt_are_named(tmp_path, names, fault):
    make(tmp_path, "COVID/images/COVID-1.png", "Normal/images/Normal-1.png", *names)
    with pytest.raises(
        ValueError, match=r"has files in doubt \(1\): .*Cure: keep one copy"
    ) as caught:
        covid_radiography.read(tmp_path)
    assert fault in str(caught.value)


def test_one_class_is_refused(tmp_path):
    make(tmp_path, "COVID/images/COVID-1.png", "Normal/masks/Normal-1.png")
    with pytest.raises(
        ValueError, match=r"has images of covid, expected two or more .*get the zip"
    ):
        covid_radiography.read(tmp_path)


def two_classes(root):
    make(
        root, *(f"top/{name}/images/{name}-{i}.png" for name in ("COVID", "Normal") for i in (1, 2))
    )


def test_sources_come_from_the_spreadsheet(tmp_path):
    two_classes(tmp_path)
    sheet = xlsx(
        inline("FILE NAME", "FORMAT", "SIZE", "URL")
        + inline("NORMAL-1", "PNG", "256*256", KERMANY)
        + inline("NORMAL-2.png", "PNG", "256*256", RSNA)
        + inline("Normal-3", "PNG", "256*256", RSNA)
    )
    (tmp_path / "top" / "Normal.metadata.xlsx").write_bytes(sheet)
    assert rows(tmp_path, "image", "source") == [
        ("top/COVID/images/COVID-1.png", "unknown"),
        ("top/COVID/images/COVID-2.png", "unknown"),
        ("top/Normal/images/Normal-1.png", "kermany"),
        ("top/Normal/images/Normal-2.png", "rsna"),
        ("top/Normal/images/normal-3.png", "rsna"),
    ]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (RSNA, "rsna"),
        (KERMANY, "kermany"),
        ("https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia", "kermany"),
        (
            "https://bimcv.cipf.es/bimcv-projects/bimcv-covid19/#1590858128006-9e640421-6711",
            "bimcv",
        ),
        ("https://github.com/ml-workgroup/covid-19-image-repository/tree/master/png", "hannover"),
        ("https://sirm.org/category/senza-categoria/covid-19/", "sirm"),
        (" https://eurorad.org ", "eurorad"),
        ("https://github.com/ieee8023/covid-chestxray-dataset", "cohen"),
        ("https://github.com/armiro/COVID-CXNet", "covid-cxnet"),
        ("https://www.example.org/x", "example.org"),
        ("", "unknown"),
    ],
)
def test_collection_at_a_url(url, name):
    assert covid_radiography.collection(url) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "FILE NAME,URL\nCOVID-1,x\n",
            r"row 2: 'COVID-1' is no name like COVID-1 of the class normal",
        ),
        (
            f"FILE NAME,URL\nNormal-1,{RSNA}\nNormal-1,{KERMANY}\n",
            r"row 3: 'Normal-1' stands twice",
        ),
        ("FILE NAME,LINK\nNormal-1,x\n", r"lacks the column URL"),
        ("FILE NAME,URL\nNormal-1\n", r"1 cells, the header has 2"),
    ],
)
def test_faulty_sheet_is_named(tmp_path, text, message):
    two_classes(tmp_path)
    (tmp_path / "top" / "Normal.metadata.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"Normal\.metadata\.csv .*{message}"):
        covid_radiography.read(tmp_path)


def test_two_sheets_of_one_class_are_refused(tmp_path):
    two_classes(tmp_path)
    for name in ("Normal.metadata.csv", "NORMAL.metadata.tsv"):
        (tmp_path / name).write_text("FILE NAME\tURL\n")
    with pytest.raises(
        ValueError, match=r"holds NORMAL.metadata.tsv and Normal.metadata.csv: which"
    ):
        covid_radiography.read(tmp_path)


def test_children_are_known_by_number_where_the_numbering_is(tmp_path):
    make(tmp_path, "COVID/COVID-1.png", "COVID/COVID-100.png")
    make(tmp_path, *(f"Normal/images/Normal-{n}.png" for n in range(1, 10_193)))
    sources = dict(rows(tmp_path, "image", "source"))
    children = {name for name, source in sources.items() if source == "kermany"}
    assert children == {f"Normal/images/Normal-{n}.png" for n in range(63, 1404)}
    assert set(sources.values()) == {"kermany", "unknown"}
    sheet = f"FILE NAME,URL\nNormal-63,{RSNA}\n"  # a sheet knows better
    (tmp_path / "Normal.metadata.csv").write_text(sheet)
    assert dict(rows(tmp_path, "image", "source"))["Normal/images/Normal-63.png"] == "rsna"
    (tmp_path / "Normal.metadata.csv").unlink()
    (tmp_path / "Normal/images/Normal-5000.png").unlink()  # another numbering, for all one knows
    assert {source for _, source in rows(tmp_path, "image", "source")} == {"unknown"}


def test_real_set_has_its_two_classes_whole():
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: the real covid_radiography is not read")
    root = Path(folder, "covid_radiography")
    table = covid_radiography.read(root)
    counts = {name: label_of(table).count(name) for name in ("covid", "normal")}
    assert counts == {name: covid_radiography.SOURCE.images[name] for name in counts}
    assert len(table) == 13_808
    assert set(table["image"]) | {"SOURCE.md", "labels.csv.gz"} == set(archives.members(root))
    assert (set(table["kind"]), set(table["patient"])) == ({"image"}, {""})
    assert table["source"].value_counts().to_dict() == {"unknown": 12_467, "kermany": 1_341}
