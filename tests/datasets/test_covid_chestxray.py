"""Tests of cxr.datasets.covid_chestxray: which rows, what a finding says, and the odd bytes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cxr import archives
from cxr.datasets import covid_chestxray

NAN = np.nan


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def read(root, *rows, header="patientid,sex,age,finding,view,modality,filename,url"):
    (root / "metadata.csv").write_text("\n".join([header, *rows]) + "\n")
    return covid_chestxray.read(root)


def labels(root, *findings):
    result = read(root, *(f'{i},,,"{x}",PA,X-ray,{i}.png,' for i, x in enumerate(findings)))
    return {
        name.removeprefix("label:"): result[name].tolist()
        for name in result
        if name.startswith("label:")
    }


def same(a, b):
    return list(a) == list(b) and all(np.array_equal(a[x], b[x], equal_nan=True) for x in a)


def test_sample_has_views_patients_and_sources(tmp_path):
    covid_chestxray.sample(tmp_path)
    table = covid_chestxray.read(tmp_path)
    assert table["image"].tolist() == [f"images/{x}" for x in ("a.png", "b.png", "c.jpg", "d.png", "e.png", "f.png", "h.png")]  # fmt: skip
    assert table["view"].tolist() == ["PA", "LATERAL", "AP", "AP", "PA", "AP", "PA"]
    assert table["patient"].tolist() == ["2", "2", "3", "4", "5", "6", "7"]
    assert table["source"].tolist() == [
        "nejm.org", "nejm.org", "cohen", "radiopaedia.org", "radiopaedia.org", "eurorad.org", "cohen",
    ]  # fmt: skip
    assert table["label:covid_19"].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert table["label:pneumonia"].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert table.attrs["aside"] == ["images/g.png"]


def test_odd_bytes_change_neither_rows_nor_other_lines(tmp_path):
    covid_chestxray.sample(tmp_path)
    content = (tmp_path / "metadata.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        content.decode()
    mended = content.replace(b"\xb0", "°".encode()).replace(b"\xc2\xc2", b"\xc2")
    before = covid_chestxray.read(tmp_path)
    (tmp_path / "metadata.csv").write_bytes(mended)
    assert covid_chestxray.read(tmp_path).equals(before)


def test_every_level_of_a_finding_is_a_label(tmp_path):
    found = labels(
        tmp_path, "Pneumonia/Viral/COVID-19", "Pneumonia/Bacterial/E.Coli", "Pneumonia/Viral/Herpes ",
        "No Finding", "Tuberculosis", "todo", "Unknown", "",
    )  # fmt: skip
    assert same(
        found,
        {
            "bacterial": [0, 1, 0, 0, 0, NAN, NAN, NAN],
            "covid_19": [1, 0, 0, 0, 0, NAN, NAN, NAN],
            "e_coli": [0, 1, 0, 0, 0, NAN, NAN, NAN],
            "herpes": [0, 0, 1, 0, 0, NAN, NAN, NAN],
            "pneumonia": [1, 1, 1, 0, 0, NAN, NAN, NAN],
            "tuberculosis": [0, 0, 0, 0, 1, NAN, NAN, NAN],
            "viral": [1, 0, 1, 0, 0, NAN, NAN, NAN],
        },
    )


def test_what_a_finding_leaves_open_is_unknown(tmp_path):
    found = labels(
        tmp_path, "Pneumonia", "Pneumonia/Viral", "Pneumonia/Unknown", "Pneumonia/Viral/SARS",
        "Pneumonia/Bacterial/Nocardia", "Pneumonia, Pneumonia/Viral", "Tuberculosis",
    )  # fmt: skip
    assert same(
        found,
        {
            "bacterial": [NAN, 0, NAN, 0, 1, 0, 0],
            "nocardia": [NAN, 0, NAN, 0, 1, 0, 0],
            "pneumonia": [1, 1, 1, 1, 1, 1, 0],
            "sars": [NAN, NAN, NAN, 1, 0, NAN, 0],
            "tuberculosis": [0, 0, 0, 0, 0, 0, 1],
            "viral": [NAN, 1, NAN, 1, 0, 1, 0],
        },
    )


def test_flat_lists_of_older_copies_are_read(tmp_path):
    found = labels(tmp_path, "COVID-19, ARDS", "SARS", "ARDS,")
    assert same(found, {"ards": [1, 0, 1], "covid_19": [1, 0, 0], "sars": [0, 1, 0]})


def test_copy_before_the_column_modality_leaves_out_ct(tmp_path):
    header = "Patientid,offset,sex,age,finding,survival,view,date,location,filename,doi, url"
    table = read(
        tmp_path,
        "1, ,,,COVID-19,,PA,2019,,a.jpg,,https://radiopaedia.org/cases/2",
        "17,9,M,54,COVID-19,Y,CT,2020,Korea,b.jpg,,",
        "17,9,M,54,ARDS,Y,Axial,2020,Korea,c.jpg,,",
        "5,,F,40,ARDS,,PA,2017,,d.png,,",
        header=header,
    )
    assert table["image"].tolist() == ["images/a.jpg", "images/d.png"]
    assert table["source"].tolist() == ["radiopaedia.org", "cohen"]
    assert table["patient"].tolist() == ["1", "5"]
    assert table.attrs["aside"] == ["images/b.jpg", "images/c.jpg"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.NEJM.org/doi/full/1", "nejm.org"),
        ("https://radiopaedia.org/cases/1?lang=us", "radiopaedia.org"),
        ("radiopaedia.org/cases/1", "radiopaedia.org"),
        ("https://a.org/1 , https://b.org/2", "a.org"),
        ("", "cohen"),
        ("personal communication", "cohen"),
        ("http://[broken", "cohen"),
    ],
)
def test_source_is_the_host(url, host):
    assert covid_chestxray.host(url) == host


def test_a_zip_of_the_repository_is_read_with_its_folders(tmp_path):
    covid_chestxray.sample(tmp_path / "x" / "covid-chestxray-dataset-master")
    shutil.make_archive(str(tmp_path / "master"), "zip", tmp_path / "x")
    shutil.rmtree(tmp_path / "x")
    table = covid_chestxray.read(tmp_path)
    assert table["image"][0] == "master.zip/covid-chestxray-dataset-master/images/a.png"
    assert set(table["image"]) <= set(archives.members(tmp_path))


def test_rows_of_absent_files_stay_and_drawings_are_aside(tmp_path):
    covid_chestxray.sample(tmp_path)
    (tmp_path / "images" / "e.png").unlink()
    assert len(covid_chestxray.read(tmp_path)) == 7
    assert covid_chestxray.aside("annotations/lungVAE-masks/a_mask.png")
    assert covid_chestxray.aside(
        "master.zip/covid-chestxray-dataset-master/docs/covid-xray-umap.png"
    )
    assert not covid_chestxray.aside("images/a.png")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2,F,4,No Finding,PA,X-ray,a.png,", "row 3: filename 'a.png' stands in row 2 already"),
        ("2,F,4,No Finding,PA,X-ray,../b.png,", "leaves the data set's folder"),
        ("2,F,4,No Finding,PA,X-ray,,", "names no file"),
        ('2,F,4,"COVID-19, No Finding",PA,X-ray,b.png,', "contradicts itself"),
        ("2,F,old,No Finding,PA,X-ray,b.png,", "age 'old' is no number of years"),
        ("2,?,4,No Finding,PA,X-ray,b.png,", r"sex '\?' is no sex"),
        ("=2,F,4,No Finding,PA,X-ray,b.png,", "patientid '=2' begins as a spreadsheet's formula"),
    ],
)
def test_faulty_row_is_named_with_its_cure(tmp_path, row, message):
    with pytest.raises(ValueError, match=f"metadata.csv has 1 faulty row: .*{message}.*Cure"):
        read(tmp_path, "1,M,3,COVID-19,PA,X-ray,a.png,", row)


def test_missing_and_double_tables_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"must hold one metadata.csv, it has none; clone https"):
        covid_chestxray.read(tmp_path)
    covid_chestxray.sample(tmp_path / "a")
    covid_chestxray.sample(tmp_path / "b")
    with pytest.raises(ValueError, match=r"it has 2 \(a/metadata.csv, b/metadata.csv\): keep one"):
        covid_chestxray.read(tmp_path)
    with pytest.raises(ValueError, match=r"lacks the column filename"):
        read(tmp_path / "a", "1,2,3", header="patientid,finding,view")
    with pytest.raises(ValueError, match=r"no row of an X-ray"):
        read(tmp_path / "a", "1,M,3,COVID-19,Axial,CT,a.png,")
