"""chestxray14: 112,120 frontal X-rays of 30,805 patients of the NIH Clinical Center, 14 findings.

Wang et al. 2017, "ChestX-ray8", CVPR (arXiv:1705.02315); the labels are text-mined from reports.

Read are, at any depth, in the folder itself or in archives, plain or .gz:

- `Data_Entry_2017.csv` or `Data_Entry_2017_v2020.csv`, one of them: each of its rows is a row here.
- images of the names in it, png or jpg (`images_001.tar.gz` to `images_012.tar.gz`, or any of
  them). A row without an image keeps the path that it would have in a folder `images`.
- `train_val_list.txt` and `test_list.txt`, the official division, both or none. Images of the test
  list are marked `test`; the others are free to be train or val, so they are marked nothing.
- `BBox_List_2017.csv`, by `boxes`: 984 boxes drawn by a radiologist.

"No Finding" is no label: it is all 14 of them 0. Ages are taken as they stand, months and days as
years; some of the older table are impossible ("411"), for `validate` to find. Patients are named as
in darkcovidnet, whose NIH images are some of these.
"""

from __future__ import annotations

import gzip
import io
import math
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from cxr import archives, artifacts, images
from cxr.datasets import _cells, _tables
from cxr.datasets._source import Source

SOURCE = Source(
    title="ChestX-ray14 (NIH Clinical Center)",
    url="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    citation=(
        "Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM: ChestX-ray8: Hospital-scale chest X-ray "
        "database and benchmarks on weakly-supervised classification and localization of common "
        "thorax diseases. CVPR 2017, 3462-3471"
    ),
    licence="unrestricted use; name the download site, the paper and the NIH Clinical Center",
    redistributable=True,
    # positives among the 112,120 rows; an image may have several, 60,361 have none
    images={
        "atelectasis": 11559, "cardiomegaly": 2776, "effusion": 13317, "infiltration": 19894,
        "mass": 5782, "nodule": 6331, "pneumonia": 1431, "pneumothorax": 5302,
        "consolidation": 4667, "edema": 2303, "emphysema": 2516, "fibrosis": 1686,
        "pleural_thickening": 3385, "hernia": 227,
    },
    sha256={},  # the publisher names none
    hint=(
        "get Data_Entry_2017_v2020.csv, train_val_list.txt, test_list.txt and images_001.tar.gz to "
        "images_012.tar.gz from https://nihcc.app.box.com/v/ChestXray-NIHCC"
    ),
)  # fmt: skip

LABELS = tuple(SOURCE.images)
TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv")
LISTS = ("train_val_list.txt", "test_list.txt")
BOXES = "BBox_List_2017.csv"
FRAME_PX = 1024
"""Width and height of the images as published, in which the boxes are drawn."""

_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
_SEX_COLUMNS = ("Patient Gender", "Patient Sex")
_BOX_COLUMNS = {"Bbox [x": "x_px", "y": "y_px", "w": "width_px", "h]": "height_px"}
_NAME = re.compile(r"((\d{8})_\d{3})\.\w+", re.ASCII)
_AGE = re.compile(r"(\d+)([YMWD]?)", re.ASCII | re.IGNORECASE)
_PER_YEAR = {"": 1.0, "Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}
_NOTHING = "no finding"
_AS_PUBLISHED = "take the file as published"

Faults = list[tuple[int, str]]


def read(root: Path) -> pd.DataFrame:
    """Return one row per row of the table; raise ValueError that names file, rows and cure."""
    members = archives.members(root)
    member = _only(root, members, TABLES)
    if not member:
        raise ValueError(f"chestxray14: {root} has no {' or '.join(TABLES)}: {SOURCE.hint}")
    entries, where = _tables.read(root, member, columns=_COLUMNS), str(root / member)
    sex = next((name for name in _SEX_COLUMNS if name in entries.columns), "")
    if not sex:
        raise ValueError(f"{where} lacks the column {_SEX_COLUMNS[0]!r}: {_AS_PUBLISHED}")
    faults = _names_and_patients(entries)
    labels_IL = np.array(_each(entries["Finding Labels"], _findings, faults, [math.nan] * 14))
    table = pd.DataFrame(
        {
            "source": "nih",
            "patient": "nih:" + entries["Image Index"].str[:8],
            "view": _each(entries["View Position"], _cells.view, faults, ""),
            "age_years": _each(entries["Patient Age"], _age_years, faults, math.nan),
            "sex": _each(entries[sex], _cells.sex, faults, ""),
        }
    )
    _tables.refuse(where, faults, cure=_AS_PUBLISHED)
    table.insert(0, "image", _paths(root, members, entries["Image Index"]))
    if not table["image"].isin(members).any():
        raise ValueError(f"chestxray14: {root} has none of the images of its table: {SOURCE.hint}")
    table["given_split"] = _given_split(root, members, entries["Image Index"], where)
    labels = pd.DataFrame(labels_IL, table.index, [f"label:{name}" for name in LABELS])
    return pd.concat([table, labels], axis="columns").reset_index(drop=True)


def boxes(root: Path) -> pd.DataFrame:
    """Return the radiologist's boxes: image (as in `read`), label, x_px, y_px, width_px, height_px.

    x and y are the upper left corner, in the frame of 1024 x 1024 pixels as published, whatever the
    size of the copy at hand. An image may have several; most have none.
    """
    members = archives.members(root)
    member = _only(root, members, (BOXES,))
    if not member:
        raise ValueError(f"chestxray14: {root} has no {BOXES}: get it from {SOURCE.url}")
    columns = ("Image Index", "Finding Label", *_BOX_COLUMNS)
    entries = _tables.read(root, member, columns=columns)
    faults: Faults = _misnamed(entries["Image Index"])
    labels = _each(entries["Finding Label"], _box_label, faults, "")
    corners = entries[list(_BOX_COLUMNS)].rename(columns=_BOX_COLUMNS)
    corners = corners.apply(pd.to_numeric, errors="coerce").astype(float)
    x, y, width, height = (corners[name] for name in _BOX_COLUMNS.values())
    inside = (x >= 0) & (y >= 0) & (width > 0) & (height > 0)
    inside &= (x + width <= FRAME_PX) & (y + height <= FRAME_PX)  # not a number is not inside
    faults += [(line, f"no box inside {FRAME_PX} x {FRAME_PX} pixels") for line in entries.index[~inside]]  # fmt: skip
    _tables.refuse(str(root / member), faults, cure=_AS_PUBLISHED)
    corners.insert(0, "label", labels)
    corners.insert(0, "image", _paths(root, members, entries["Image Index"]))
    return corners.reset_index(drop=True)


def _only(root: Path, members: list[str], names: Sequence[str]) -> str:
    """Return the one member that has one of these names, plain or .gz; empty without any."""
    found = [m for m in members if m.rpartition("/")[2].removesuffix(".gz") in names]
    if len(found) > 1:
        raise ValueError(
            f"chestxray14: {root} holds {' and '.join(found)}: which one counts? Keep one of them"
        )
    return found[0] if found else ""


def _misnamed(names: pd.Series) -> Faults:
    """Note names that are not <8 digits of the patient>_<3 digits>.<ending>."""
    return [
        (line, f"{name!r} is no name like 00000001_000.png")
        for line, name in zip(names.index.tolist(), names.tolist(), strict=True)
        if not _NAME.fullmatch(name)
    ]


def _names_and_patients(entries: pd.DataFrame) -> Faults:
    """Note names that are none, stand twice, or tell another patient than the table does."""
    names, patients = entries["Image Index"], entries["Patient ID"]
    faults = _misnamed(names)
    stems = names.str[:12]
    faults += [(line, f"{names[line]} stands twice") for line in entries.index[stems.duplicated()]]
    other = names.str[:8] != patients.str.strip().str.zfill(8)
    return faults + [
        (line, f"{names[line]} has the Patient ID {patients[line]!r}")
        for line in entries.index[other & names.str.match(_NAME)]
    ]


def _each(column: pd.Series, parse: Callable[[str], Any], faults: Faults, blank: Any) -> list[Any]:
    """Return parse(text) for each cell, asked once per distinct text; what it refuses is noted."""
    codes, texts = pd.factorize(column)
    values = []
    for code, text in enumerate(texts):
        try:
            values.append(parse(text.strip()))
        except ValueError as error:
            values.append(blank)
            faults += [(x, f"{column.name} {text!r} {error}") for x in column.index[codes == code]]
    return [values[code] for code in codes.tolist()]


def _findings(text: str) -> list[float]:
    """Return the 14 labels of `Cardiomegaly|Effusion`."""
    words = [word.strip().lower() for word in text.split("|")]
    if words == [_NOTHING]:
        return [0.0] * len(LABELS)
    if odd := [word for word in words if word not in LABELS]:
        raise ValueError(f"is no list of the 14 findings, because of {odd[0]!r}")
    return [float(name in words) for name in LABELS]


def _box_label(text: str) -> str:
    name = text.lower()
    name = "infiltration" if name == "infiltrate" else name  # as this file spells it
    if name not in LABELS:
        raise ValueError("is none of the 14 findings")
    return name


def _age_years(text: str) -> float:
    """Return the years of `58`, `058Y`, `013M` or `002D`; NaN of nothing."""
    if not text:
        return math.nan
    age = _AGE.fullmatch(text)
    if not age:
        raise ValueError("is no age like 58, 058Y, 013M or 002D")
    return round(int(age[1]) / _PER_YEAR[age[2].upper()], 4)


def _paths(root: Path, members: list[str], names: pd.Series) -> list[str]:
    """Return each name's image among the members, found by its stem, or its path if it were there."""
    held: dict[str, str] = dict.fromkeys(names.str[:12], "")
    twice = []
    for member in members:
        stem = member.rpartition("/")[2].rpartition(".")[0]
        if stem in held and images.is_image(member):
            if held[stem]:
                twice.append(f"{held[stem]} and {member}")
            held[stem] = member
    if twice:
        raise ValueError(
            f"chestxray14: {root} holds {len(twice)} images twice, first {twice[0]}: keep one copy"
        )
    return [held[name[:12]] or f"images/{name}" for name in names.tolist()]


def _given_split(root: Path, members: list[str], names: pd.Series, where: str) -> list[str]:
    """Return `test` for names of the test list and nothing for the others."""
    found = [_only(root, members, (name,)) for name in LISTS]
    if not any(found):
        return [""] * len(names)
    if not all(found):
        raise ValueError(
            f"chestxray14: {root} has {' '.join(found).strip()} without "
            f"{LISTS[found.index('')]}: add it, or take both away to divide anew"
        )
    train_val, test = (_listed(root, member) for member in found)
    both = [(line, f"{name} stands in {found[0]} too") for name, line in test.items() if name in train_val]  # fmt: skip
    _tables.refuse(str(root / found[1]), both, cure=_AS_PUBLISHED)
    stems = names.str[:12]
    neither = names[~stems.isin(train_val.keys() | test.keys())]
    faults = [(line, f"{neither[line]} stands in neither {' nor '.join(found)}") for line in neither.index]  # fmt: skip
    _tables.refuse(where, faults, cure="take the lists as published, or take both away")
    return ["test" if stem in test else "" for stem in stems.tolist()]


def _listed(root: Path, member: str) -> dict[str, int]:
    """Return the line of each name in a list, which is a table of one column without a header."""
    table = _tables.read(root, member)
    names = pd.Series([table.columns[0], *table.iloc[:, 0].tolist()], [1, *table.index])
    _tables.refuse(str(root / member), _misnamed(names), cure=_AS_PUBLISHED)
    return dict(zip(names.str[:12], names.index.tolist(), strict=True))


def sample(root: Path) -> None:
    """Write a fake set of eight small images in the official layout, four patients, two of them test."""
    findings = ("Cardiomegaly", "Cardiomegaly|Effusion", "No Finding", "Hernia|Pleural_Thickening",
                "No Finding", "Infiltration", "Nodule|Mass", "No Finding")  # fmt: skip
    names = [f"{1 + i // 2:08}_{i % 2:03}.png" for i in range(len(findings))]
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
    rows = [
        f"{name},{finding},{i % 2},{1 + i // 2},{40 + i},{'FM'[i // 4]},{('PA', 'AP')[i % 2]},2500,2048,0.168,0.168\n"
        for i, (name, finding) in enumerate(zip(names, findings, strict=True))
    ]
    box = f"Image Index,Finding Label,Bbox [x,y,w,h],,,\n{names[5]},Infiltrate,225.08,547.02,86.78,79.19\n"
    texts = {
        TABLES[1]: header + "".join(rows),
        LISTS[0]: "\n".join(names[:4]) + "\n",
        LISTS[1]: "\n".join(names[4:]) + "\n",
        BOXES: box,
    }
    for name, text in texts.items():
        artifacts.write_bytes(root / name, text.encode())
    artifacts.write_bytes(root / "images_001.tar.gz", _sample_archive(names))


def _sample_archive(names: Sequence[str]) -> bytes:
    """Return a .tar.gz of one small image per name, without times of the clock."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for i, name in enumerate(names):
            picture, content = np.full((20, 20), 20 * i, np.uint8), io.BytesIO()
            picture[4:16, 3:9] += 30 + i
            Image.fromarray(picture).save(content, format="PNG")
            member = tarfile.TarInfo(f"images/{name}")
            member.size = len(content.getvalue())
            archive.addfile(member, io.BytesIO(content.getvalue()))
    return gzip.compress(whole.getvalue(), mtime=0)
