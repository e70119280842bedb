"""Tests of cxr.datasets.darkcovidnet: classes, patients, and the real set where it is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cxr import archives
from cxr.datasets import darkcovidnet


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def test_classes_sources_and_patients_of_the_sample(tmp_path):
    darkcovidnet.sample(tmp_path)
    table = darkcovidnet.read(tmp_path).set_index("image")
    assert table.filter(like="label:").sum().to_dict() == {
        "label:covid": 4.0, "label:no_findings": 3.0, "label:pneumonia": 3.0,
    }  # fmt: skip
    normal = table.loc["X-Ray Image DataSet/No_findings/00000002_000.png"]
    sick = table.loc["X-Ray Image DataSet/Pneumonia/00000002_001.png"]
    assert normal["patient"] == sick["patient"] == "nih:00000002"
    assert normal["source"] == "nih"
    assert set(table["source"][table["label:covid"] == 1]) == {"cohen"}
    assert table["patient"].nunique() == 6


@pytest.mark.parametrize(
    ("files", "patient"),
    [
        (["00002658_001.png", "00002658_002.jpg"], "nih:00002658"),
        (["lancet-case2a.jpg", "lancet-case2b.jpg"], "cohen:lancet-case2"),
        (["nejmoa2001191_f1-PA.jpeg", "nejmoa2001191_f4.jpeg"], "cohen:nejmoa2001191"),
        (["jkms-35-e79-g001-l-a.jpg", "jkms-35-e79-g001-l-c.jpg"], "cohen:jkms-35-e79"),
        (["ryct.2020200034.fig2.jpeg", "ryct.2020200034.fig5-day4.jpeg"], "cohen:ryct.2020200034"),
        (["covid-19-pneumonia-24-day6.jpg", "covid-19-pneumonia-24-day12.jpg"],
         "cohen:covid-19-pneumonia-24"),
        (["covid-19-pneumonia-rapidly-progressive-12-hours.jpg",
          "covid-19-pneumonia-rapidly-progressive-admission.jpg"],
         "cohen:covid-19-pneumonia-rapidly-progressive"),
        (["1-s2.0-S1684118220300682-main.pdf-002-a1.png",
          "1-s2.0-S1684118220300682-main.pdf-003-b2.png"],
         "cohen:1-s2.0-S1684118220300682-main"),
        (["auntminnie-a-2020_01_28_23_51.jpeg", "auntminnie-d-2020_01_28_23_51.jpeg"],
         "cohen:auntminnie-2020_01_28_23_51"),
        (["41591_2020_819_Fig1_HTML.webp-day5.png", "41591_2020_819_Fig1_HTML.webp-day10.png"],
         "cohen:41591_2020_819"),
        (["171CB377-62FF-4B76-906C-F3787A01CB2E.jpeg", "C6EA0BE5-B01E-4113-B194-18D956675E25.jpeg"],
         "cohen:171CB377-62FF-4B76-906C-F3787A01CB2E"),
    ],
)  # fmt: skip
def test_names_of_one_case_are_one_patient(files, patient):
    assert {darkcovidnet.patient(name) for name in files} == {patient}


def test_other_cases_stay_apart():
    names = [
        "covid-19-pneumonia-2.jpg", "covid-19-pneumonia-12.jpg", "covid-19-pneumonia-15-PA.jpg",
        "lancet-case2a.jpg", "kjr-21-e24-g001-l-a.jpg", "kjr-21-e25-g001-l-a.jpg",
        "figure1-5e71be566aa8714a04de3386-98-left.jpeg", "5e6dd879fde9502400e58b2f.jpeg",
        "1F6343EE-AFEC-4B7D-97F5-62797EE18767.jpeg", "80446565-E090-4187-A031-9D3CEAA586C8.jpeg",
        "6b44464d-73a7-4cf3-bbb6-ffe7168300e3.annot.original.jpeg",
    ]  # fmt: skip
    assert len({darkcovidnet.patient(name) for name in names}) == len(names)


def test_missing_class_is_named(tmp_path):
    darkcovidnet.sample(tmp_path)
    shutil.rmtree(tmp_path / "X-Ray Image DataSet" / "Pneumonia")
    with pytest.raises(ValueError, match=r"no images in a folder Pneumonia .*clone https://github"):
        darkcovidnet.read(tmp_path)


def test_set_that_is_there_twice_is_refused(tmp_path):
    darkcovidnet.sample(tmp_path / "copy")
    shutil.make_archive(str(tmp_path / "images"), "zip", tmp_path / "copy")
    with pytest.raises(ValueError, match=r"holds covid-19-pneumonia-1-day3.png twice .*keep one"):
        darkcovidnet.read(tmp_path)
    shutil.rmtree(tmp_path / "copy")
    zipped = darkcovidnet.read(tmp_path)
    assert zipped["image"][0].startswith("images.zip/X-Ray Image DataSet/Covid-19/")
    assert len(zipped) == 10


def test_real_set_has_its_counts_and_known_faults():
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: the real darkcovidnet is not read")
    table = darkcovidnet.read(Path(folder, "darkcovidnet"))
    labels = table.filter(like="label:")
    counts = {name.removeprefix("label:"): int(count) for name, count in labels.sum().items()}
    assert counts == darkcovidnet.SOURCE.images
    nih, cohen = (table[table["source"] == name] for name in ("nih", "cohen"))
    assert (nih["patient"].nunique(), cohen["patient"].nunique()) == (682, 72)
    both = [set(nih["patient"][nih[f"label:{name}"] == 1]) for name in ("no_findings", "pneumonia")]
    assert len(both[0] & both[1]) == 21
