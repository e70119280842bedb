"""dicom: radiographs as DICOM files, in folders or archives, and one CSV that says what they show.

`labels.csv` (or .tsv, or .gz of them) with the header

    path,label,patient,view,age_years,sex,split,source

of which `path` (or `image`, or instead `sop_instance_uid`) and the labels must be there, in either
of the forms that `table` reads. What the table does not say of patient, view, age and sex comes
from the files' headers. Files are known by their content, whatever they are called. A row whose
file is not there stays a row: ingest reports it as a gap.

NOTHING THAT TELLS WHO A PATIENT IS LEAVES THIS READER: patients become keyed hashes
(_pseudonyms.py), ages above 89 become 90 (as the Safe Harbor rule of HIPAA, 45 CFR 164.514(b)(2),
asks), errors name rows and not what stands in them, and a file whose path holds its patient's name,
id, birth date or accession number is refused, because paths are what images are called by. What is burnt into the pixels
stays there: look at some images before you publish anything.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from cxr import archives, workers
from cxr import dicom as files
from cxr.datasets import _cells, _labels, _pseudonyms, _tables
from cxr.datasets._source import Source

SOURCE = Source(
    title="any set of radiographs as DICOM files with a CSV table",
    url="",
    citation="",
    licence="as its makers say",
    redistributable=False,
    images={},
    sha256={},
    hint="put labels.csv beside the files, with the columns path and label, or path and label:<name> of each label",
)

MODALITIES = ("CR", "DX", "RG", "")
"""Computed, digital and other projection radiography, or not said."""
T = TypeVar("T")
_CURE = f"correct these rows; what each column may hold stands in {Path(__file__).name}"
_RENAME = "give the file a name that tells nothing of the patient (a number), here and in the table"


def read(root: Path) -> pd.DataFrame:
    """Return a row per row of the table; raise one ValueError that names all rows at fault."""
    members = archives.members(root)
    member = _table(root, members)
    where = f"dicom: {root / member}"
    rows = _tables.read(root, member)
    headers = _headers(root, members)
    faults: list[tuple[int, str]] = []
    found = _files(rows, headers, where, faults)
    asked = pd.DataFrame(
        {
            "image": found,
            "patient": _column(rows, "patient", _known, faults),
            "view": _column(rows, "view", _cells.view, faults),
            "age_years": _column(rows, "age_years", _cells.age_years, faults),
            "sex": _column(rows, "sex", _cells.sex, faults),
            "given_split": _column(rows, "split", _cells.split, faults),
            "source": _column(rows, "source", _cells.source, faults),
        },
        index=rows.index,
    )
    labels = _labels.read(rows, faults, where=where, hint=SOURCE.hint)
    faults += _refused(asked, headers, frozenset(members))
    _tables.refuse(where, faults, cure=_CURE)
    if asked.empty:
        raise ValueError(f"{where} has a header and no row: {SOURCE.hint}")
    _check_others(root, headers, frozenset(asked["image"]))
    table = pd.concat([_filled(root, asked, headers), labels], axis="columns")
    return table.reset_index(drop=True)


def _table(root: Path, members: list[str]) -> str:
    """Return the member that is the table."""
    found = [x for x in members if _tables.is_table(x) and x.split("/")[-1].startswith("labels.")]
    if len(found) != 1:
        raise ValueError(f"dicom: {root} has {len(found) or 'no'} labels.csv: {SOURCE.hint}, once")
    return found[0]


def _headers(root: Path, members: list[str]) -> dict[str, files.Facts | None]:
    """Return the header of each DICOM file below `root`, None where it can't be read."""
    items = [(root.absolute(), name) for name in members if not _tables.is_table(name)]
    read = workers.run(_header, items, words=f"reading the headers in {root}", chunk=16)
    return {name: header for (_, name), (there, header) in zip(items, read, strict=True) if there}


def _header(item: tuple[Path, str]) -> tuple[bool, files.Facts | None]:
    """Return whether a member is DICOM, and its header; for a worker."""
    root, name = item
    try:
        content = archives.read(root, name)
        return files.is_dicom(content), files.facts(content, name=name)
    except ValueError:  # ingest reads the file again and notes what is wrong with it
        return name.lower().endswith((".dcm", ".dicom")), None


def _column(
    rows: pd.DataFrame, name: str, parse: Callable[[str], T], faults: list[tuple[int, str]]
) -> list[T | None]:
    """Parse a column as `_cells.column` does, but name no cell's content: it may be a person's."""
    mine: list[tuple[int, str]] = []
    result = _cells.column(rows, name, parse, mine)
    text = rows.get(name, pd.Series(dtype=str)).str.strip()
    faults += [(line, x.replace(f"{name} {text[line]!r}", f"its {name}", 1)) for line, x in mine]
    return result


def _known(text: str) -> str:
    return "" if text.lower() in _cells.UNKNOWN else text


def _files(
    rows: pd.DataFrame,
    headers: dict[str, files.Facts | None],
    where: str,
    faults: list[tuple[int, str]],
) -> list[str | None]:
    """Return the member that each row means, None where it means none that could be."""
    keys = [name for name in ("path", "image", "sop_instance_uid") if name in rows.columns]
    if len(keys) != 1:
        raise ValueError(
            f"{where} has the columns {', '.join(map(repr, rows.columns))}, expected one and only "
            f"one of path, image and sop_instance_uid: {SOURCE.hint}"
        )
    if keys != ["sop_instance_uid"]:
        held = archives.by_path(headers)
        paths = _column(rows, keys[0], _cells.path, faults)
        found: list[str | None] = [held.get(path, path) if path else path for path in paths]
    else:
        members: dict[str, list[str]] = {}
        for member, header in headers.items():
            if header and header.instance:
                members.setdefault(header.instance, []).append(member)
        found = [*_column(rows, keys[0], lambda uid: _the_one(members.get(uid, [])), faults)]
    first: dict[str, int] = {}  # the row of each file
    for line, name in zip(rows.index.tolist(), found, strict=True):
        if name is not None and first.setdefault(name, line) != line:
            faults.append((line, f"its file stands in row {first[name]} already"))
    return found


def _the_one(names: list[str]) -> str:
    if len(names) != 1:
        raise ValueError(f"is that of {len(names) or 'no'} files, expected one")
    return names[0]


def _refused(
    asked: pd.DataFrame, headers: dict[str, files.Facts | None], members: frozenset[str]
) -> list[tuple[int, str]]:
    """Name the rows whose file is no X-ray, or whose path tells who the patient is."""
    faults = []
    for line, name, patient in zip(asked.index, asked["image"], asked["patient"], strict=True):
        if not isinstance(name, str):  # that the row has no file is named already
            continue
        header = headers.get(name)
        if name in members and name not in headers:
            faults.append((line, "its file is no DICOM file: the reader `table` takes images"))
        elif header and header.modality not in MODALITIES:
            kind = header.modality if header.modality.isalpha() else "something else"
            faults.append((line, f"its file is {kind[:4]}, not CR or DX: take file and row out"))
        # of a file that is not there only the table can tell whose it is
        elif _pseudonyms.gives_away(name, header.names if header else [patient or ""]):
            faults.append((line, f"its path holds the patient's name or id: {_RENAME}"))
    return faults


def _check_others(
    root: Path, headers: dict[str, files.Facts | None], listed: frozenset[str]
) -> None:
    """Refuse files without a row whose path gives a patient away: ingest would name them as gaps."""
    telling = [
        member
        for member, header in headers.items()
        if header and member not in listed and _pseudonyms.gives_away(member, header.names)
    ]
    if telling:
        raise ValueError(
            f"dicom: {root}: {len(telling)} files that no row names have their patient's name or id "
            f"in their path: take them out, or {_RENAME}"
        )


def _filled(
    root: Path, asked: pd.DataFrame, headers: dict[str, files.Facts | None]
) -> pd.DataFrame:
    """Fill up from the headers what the table leaves open, and take out who the patients are."""
    known = [headers.get(name) for name in asked["image"]]
    patients = [
        asks or (header.patient if header else "")
        for asks, header in zip(asked["patient"], known, strict=True)
    ]
    key = _pseudonyms.key(root) if any(patients) else b""
    ages = [
        header.age_years if math.isnan(asks) and header else asks
        for asks, header in zip(asked["age_years"], known, strict=True)
    ]
    return asked.assign(
        patient=[_pseudonyms.pseudonym(key, x) for x in patients],
        # nobody is older than 120: such an age is a fault, for validate to find
        age_years=np.array([90.0 if 89 < age <= 120 else age for age in ages], dtype=float),
        view=[x or (h.view if h else "") for x, h in zip(asked["view"], known, strict=True)],
        sex=[x or (h.sex if h else "") for x, h in zip(asked["sex"], known, strict=True)],
    )


def sample(root: Path) -> None:
    """Write a fake set of six small radiographs of three patients, as two makers store them."""
    (root / "files").mkdir(parents=True, exist_ok=True)
    lines = ["path,label"]
    truth = ("effusion", "no finding", "effusion|pneumonia", "pneumonia", "no finding", "effusion")
    for i, label in enumerate(truth):
        (root / "files" / f"{i}.dcm").write_bytes(_sample_file(i))
        lines.append(f"files/{i}.dcm,{label}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")


def _sample_file(i: int) -> bytes:
    """Return an uncompressed file of 12 bits: MONOCHROME2 with a window, or MONOCHROME1 without."""
    from pydicom import Dataset, FileMetaDataset, uid

    picture = np.full((18, 20), 300 * i, "<u2")
    picture[5:13, 5 : 9 + i] += 600
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
    data.file_meta.MediaStorageSOPInstanceUID = uid.UID(f"1.2.826.0.1.3680043.8.498.{i + 1}")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID
    data.PatientID, data.PatientName = f"MRN-{7000 + i // 2}", "Sample^Person"
    data.PatientSex, data.PatientAge = "FMF"[i // 2], f"{40 + i // 2:03d}Y"
    data.Modality, data.ViewPosition = ("DX", "CR")[i % 2], ("PA", "AP")[i % 2]
    data.Rows, data.Columns = picture.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, f"MONOCHROME{2 - i % 2}"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    if i % 2 == 0:
        data.WindowCenter, data.WindowWidth = "1200", "2400"
    data.PixelData = picture.tobytes()
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()
