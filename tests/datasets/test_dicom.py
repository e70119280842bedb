"""Tests of cxr.datasets.dicom: what the table and the headers say, and that nobody is told who the patient is."""

from __future__ import annotations

import math
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from cxr import archives
from cxr.datasets import dicom
from tests import dicom_files as files


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def put(root, **elements_of):
    """Write a file per keyword, `a` as a.dcm, and a table that gives each the label x in turn."""
    lines = ["path,label"]
    for i, (name, elements) in enumerate(elements_of.items()):
        (root / f"{name}.dcm").write_bytes(files.make(**elements))
        lines.append(f"{name}.dcm,{'xy'[i % 2]}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")


def refused(root, match):
    """Return the words with which `root` is refused; they tell nothing of the patient."""
    with pytest.raises(ValueError, match=match) as caught:
        dicom.read(root)
    error = caught.value
    seen = f"{error} {error.__cause__}"
    assert not [secret for secret in files.SECRETS if secret in seen]
    return str(error)


def test_headers_fill_up_what_the_table_leaves_open(tmp_path):
    put(tmp_path, a={}, b={"PatientSex": "M", "PatientAge": "018M", "ViewPosition": "LL"})
    table = dicom.read(tmp_path).set_index("image")
    assert table.loc["a.dcm", ["view", "age_years", "sex"]].tolist() == ["PA", 45.0, "F"]
    assert table.loc["b.dcm", ["view", "age_years", "sex"]].tolist() == ["LATERAL", 1.5, "M"]
    assert table["label:x"].tolist() == [1.0, 0.0]
    assert table["given_split"].tolist() == ["", ""]


def test_table_counts_more_than_the_header(tmp_path):
    put(tmp_path, a={}, b={})
    (tmp_path / "labels.csv").write_text(
        "image,label:x,patient,view,age_years,sex,split,source\n"
        "a.dcm,1,p1,AP,7,M,train,ward 1\nb.dcm,,p1,,,,test,\n"
    )
    table = dicom.read(tmp_path)
    assert table["view"].tolist() == ["AP", "PA"]
    assert table["age_years"].tolist() == [7.0, 45.0]
    assert table["sex"].tolist() == ["M", "F"]
    assert table["given_split"].tolist() == ["train", "test"]
    assert table["source"].tolist() == ["ward 1", "unknown"]
    assert table["patient"].nunique() == 1
    assert table["label:x"].tolist()[0] == 1.0 and math.isnan(table["label:x"][1])


def test_patients_are_keyed_hashes(tmp_path, patient_key):
    put(tmp_path, a={}, b={"PatientID": " MRN445566 "}, c={"PatientID": "other"}, d={"PatientID": ""})  # fmt: skip
    first = dicom.read(tmp_path)["patient"].tolist()
    # HMAC-SHA256 of the id with the key 00 01 … 1f, by `openssl dgst -sha256 -mac HMAC`
    assert first[0] == "a1a62a925e5e0bad233ee27cc647f6fe"
    assert first[0] == first[1] != first[2]
    assert first[3] == ""
    patient_key.write_bytes(b"another key, long enough")
    second = dicom.read(tmp_path)["patient"].tolist()
    assert second[0] == second[1] != first[0]


@pytest.mark.parametrize("age", ["089Y", "090Y", "104Y", "400Y"])
def test_ages_above_89_become_90_and_impossible_ones_stay(tmp_path, age):
    put(tmp_path, a={"PatientAge": age}, b={})
    found = dicom.read(tmp_path)["age_years"][0]
    assert found == {"089Y": 89.0, "090Y": 90.0, "104Y": 90.0, "400Y": 400.0}[age]


def test_nothing_of_the_patient_is_in_the_rows(tmp_path):
    put(tmp_path, a={}, b={})
    text = dicom.read(tmp_path).to_csv()
    assert not [secret for secret in files.SECRETS if secret in text]
    assert "1.2.826" not in text


def test_files_are_known_by_their_content_in_folders_and_archives(tmp_path):
    put(tmp_path / ".", a={})
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as file:
        file.writestr("deep/IM0001", files.make(PatientAge="007Y"))
        file.writestr("notes.md", "no picture")
    (tmp_path / "labels.csv").write_text("path,label\nmore.zip/deep/IM0001,x\na.dcm,y\n")
    table = dicom.read(tmp_path)
    assert table["image"].tolist() == ["more.zip/deep/IM0001", "a.dcm"]
    assert table["age_years"].tolist() == [7.0, 45.0]


def test_rows_may_name_the_instance(tmp_path):
    put(tmp_path, a={"SOPInstanceUID": "1.2.3"}, b={"SOPInstanceUID": "1.2.4"})
    (tmp_path / "labels.csv").write_text("sop_instance_uid,label\n1.2.4,x\n1.2.3,y\n")
    assert dicom.read(tmp_path)["image"].tolist() == ["b.dcm", "a.dcm"]
    (tmp_path / "labels.csv").write_text("sop_instance_uid,label\n1.2.4,x\n1.2.9,y\n1.2.4,y\n")
    words = refused(tmp_path, "row 3: its sop_instance_uid is that of no files, expected one")
    assert "row 4: its file stands in row 2 already" in words
    shutil.copy(tmp_path / "a.dcm", tmp_path / "c.dcm")
    (tmp_path / "labels.csv").write_text("sop_instance_uid,label\n1.2.3,x\n")
    refused(tmp_path, "row 2: its sop_instance_uid is that of 2 files")


def test_absent_and_broken_files_stay_rows(tmp_path):
    put(tmp_path, a={}, b={})
    (tmp_path / "b.dcm").write_bytes(files.make()[:140])
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("gone.dcm,x\n")
    table = dicom.read(tmp_path).set_index("image")
    assert table.loc["gone.dcm", ["patient", "view", "sex"]].tolist() == ["", "", ""]
    assert math.isnan(table.loc["gone.dcm", "age_years"])
    assert table.loc["b.dcm", "patient"] == ""


def test_all_faulty_rows_are_named_at_once(tmp_path):
    put(tmp_path, a={}, b={"Modality": "CT"}, c={}, d={"Modality": "SR"})
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "e.png")
    (tmp_path / "labels.csv").write_text(
        "path,label,view,sex,age_years,split\n"
        "a.dcm,x,PA,F,3,train\n"
        "b.dcm,x,,,,\n"
        "e.png,y,,,,\n"
        "../c.dcm,y,,,,\n"
        "c.dcm,y,sideways,Seacole,Derbyshire,MRN445566\n"
        "d.dcm,,,,,\n"
        "a.dcm,y,,,,\n"
    )
    words = refused(tmp_path, "9 faulty rows")
    for part in (
        "row 3: its file is CT, not CR or DX: take file and row out",
        "row 4: its file is no DICOM file: the reader `table` takes images",
        "row 5: its path leaves the data set's folder",
        "row 6: its view is no view",
        "row 6: its sex is no sex",
        "row 6: its age_years is no number of years",
        "row 6: its split is no split",
        "row 7: its file is SR",
        "row 8: its file stands in row 2 already",
    ):
        assert part in words, part
    assert "Cure:" in words


@pytest.mark.parametrize(
    "path",
    ["MRN445566.dcm", "mrn-445566/1.dcm", "Nightingale/1.dcm", "ward/flörence 2.dcm",
     "1820-05-12.dcm", "set.zip/acc778899/1"],
)  # fmt: skip
def test_path_that_names_the_patient_is_refused(tmp_path, path):
    if ".zip" in path:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
            file.writestr(path.removeprefix("set.zip/"), files.make())
    else:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(files.make())
    (tmp_path / "labels.csv").write_text(f"path,label\n{path},x\n")
    words = refused(
        tmp_path, "row 2: its path holds the patient's name or id: give the file a name"
    )
    assert path not in words
    # and no less if no row names it
    (tmp_path / "b.dcm").write_bytes(files.make())
    (tmp_path / "labels.csv").write_text("path,label\nb.dcm,x\n")
    words = refused(tmp_path, "1 files that no row names have their patient's name or id")
    assert path not in words


def test_absent_file_is_compared_with_the_tables_patient(tmp_path):
    put(tmp_path, a={})
    (tmp_path / "labels.csv").write_text("path,label,patient\na.dcm,x,\nSeacole.dcm,y,Seacole\n")
    refused(tmp_path, "row 3: its path holds the patient's name or id")


def test_what_no_person_is_called_may_stand_in_a_path(tmp_path):
    drawn = "16d7f894-55d1-4a0b-9c1d-0123456789ab"
    for i, name in enumerate((drawn, "Anonymous", "Doe")):
        (tmp_path / f"{name} {i}.dcm").write_bytes(files.make(PatientID=name, PatientName=name))
    lines = [f"{path.name},x" for path in sorted(tmp_path.glob("*.dcm"))]
    (tmp_path / "labels.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    assert len(dicom.read(tmp_path)) == 3


def test_missing_key_is_named_with_its_cure(tmp_path, patient_key):
    put(tmp_path, a={})
    patient_key.unlink()
    words = refused(tmp_path, r"patient\.key is missing: .*`\.venv/bin/python -m flows\.key`")
    assert str(patient_key) in words
    patient_key.write_bytes(b"fifteen bytes..")
    refused(tmp_path, r"patient\.key has 15 bytes, a key needs 16")


def test_key_among_the_data_is_refused(tmp_path, monkeypatch):
    put(tmp_path, a={})
    (tmp_path / "patient.key").write_bytes(bytes(32))
    monkeypatch.setenv("CXR_PATIENT_KEY_FILE", str(tmp_path / "patient.key"))
    refused(tmp_path, r"patient\.key lies among the data, which DVC keeps and passes on")


def test_without_patients_no_key_is_needed(tmp_path, patient_key):
    put(tmp_path, a={"PatientID": ""})
    patient_key.unlink()
    assert dicom.read(tmp_path)["patient"].tolist() == [""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.dcm,x\n", "expected one and only one of path, image and sop_instance_uid"),
        ("path,image,label\na.dcm,a.dcm,x\n", "expected one and only one of path, image"),
        ("path,patient\na.dcm,p\n", "neither label nor label:<name> columns"),
        ("path,label\n", "names no label in any row"),
        ("path,label:x\n", "has a header and no row"),
        ("", "is empty"),
    ],
)
def test_faulty_table_is_named(tmp_path, text, message):
    put(tmp_path, a={})
    (tmp_path / "labels.csv").write_text(text)
    refused(tmp_path, message)


def test_two_tables_are_refused(tmp_path):
    put(tmp_path, a={})
    shutil.copy(tmp_path / "labels.csv", tmp_path / "labels.tsv")
    refused(tmp_path, "has 2 labels.csv")


def test_sample_holds_no_id_of_its_headers(tmp_path):
    dicom.sample(tmp_path)
    table = dicom.read(tmp_path)
    assert table["patient"].nunique() == 3
    assert table["patient"].str.fullmatch("[0-9a-f]{32}").all()
    assert set(table["view"]) == {"PA", "AP"}
    assert "MRN" not in table.to_csv()
