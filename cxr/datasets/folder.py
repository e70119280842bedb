"""folder: any set with one folder per class, with or without the folders train, val and test above.

    <class>/…/image.png        {train,val,test}/<class>/…/image.png

An archive counts as a folder of its name, folders that hold all the rest (a wrapping
`images.zip/Dataset/`) are passed over, and below the class anything may follow. So
`covid.zip` beside `normal.zip` are two classes, as two folders would be. A class's label is its
name in small letters with `_` for all that is neither letter nor digit.

Patients: `patients.csv` beside the images, with the columns `image` (path in this folder, or the
file's name if that is unique) and `patient`, one row per image. WITHOUT IT EVERY IMAGE COUNTS AS A
PATIENT OF ITS OWN, so two images of one patient may fall into different splits.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxr import archives, images
from cxr.datasets import _cells, _tables
from cxr.datasets._source import Source

SOURCE = Source(
    title="any set of images with one folder per class",
    url="",
    citation="",
    licence="as its makers say",
    redistributable=False,
    images={},
    sha256={},
    hint="put images into folders named by their class, with train/, val/ and test/ above or without",
)

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
PATIENTS_FILE = "patients.csv"


def read(root: Path) -> pd.DataFrame:
    """Return one row per image below `root`; raise ValueError if there are not two classes or more."""
    members = archives.members(root)
    found = [name for name in members if images.is_image(name)]
    if not found:
        unread = [name for name in members if archives.is_unread(name)]
        cure = f"{unread[0]} is an archive that is not read: unpack it" if unread else SOURCE.hint
        raise ValueError(
            f"folder: {root} has no images ({', '.join(images.SUFFIXES)}), neither in folders nor "
            f"in zip or tar archives: {cure}"
        )
    paths = [archives.unpacked(name) for name in found]
    given_splits, classes = _splits_and_classes(root, paths)
    names = sorted(set(classes))
    if len(names) < 2:
        raise ValueError(
            f"folder: {root} has one class, {names[0]}, expected two or more: {SOURCE.hint}"
        )
    table = pd.DataFrame(
        {"image": found, "source": _cells.NO_SOURCE, "patient": _patients(root, paths)}
    )
    table = table.assign(view="", age_years=np.nan, sex="", given_split=given_splits)
    for name in names:
        table[f"label:{name}"] = [float(one == name) for one in classes]
    return table


def _splits_and_classes(root: Path, found: list[str]) -> tuple[list[str], list[str]]:
    """Read given split ("" without) and class from each path."""
    folders = [[archives.without_suffix(part) for part in name.split("/")[:-1]] for name in found]
    wrapping = _wrapping(folders)
    folders = [parts[wrapping:] for parts in folders]
    splits = [SPLITS.get(parts[0].lower(), "") if parts else "" for parts in folders]
    if any(splits):
        if "" in splits:
            odd = found[splits.index("")]
            raise ValueError(
                f"folder: {root}: {odd} lies outside the folders train, val and test that other "
                "images lie in: move it into one of them"
            )
        folders = [parts[1:] for parts in folders]
    for name, parts in zip(found, folders, strict=True):
        if not parts or not _label(parts[0]):
            raise ValueError(
                f"folder: {root}: {name} lies in no class folder beside another: {SOURCE.hint}"
            )
    return splits, [_label(parts[0]) for parts in folders]


def _wrapping(folders: list[list[str]]) -> int:
    """Count the outer folders that all images share and that name no split."""
    shared = 0
    # zip stops at the shortest path
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1 or parts[0].lower() in SPLITS:
            break
        shared += 1
    return shared


def _label(folder: str) -> str:
    return re.sub(r"[\W_]+", "_", folder.lower()).strip("_")


def _patients(root: Path, found: list[str]) -> list[str]:
    """Return each image's patient from patients.csv; empty strings (each its own) without that file."""
    if not (root / PATIENTS_FILE).is_file():
        return [""] * len(found)
    where = f"folder: {root / PATIENTS_FILE}"
    table = _tables.read(root, PATIENTS_FILE, columns=("image", "patient"))
    names, patients = table["image"].str.strip(), table["patient"].str.strip()
    faults = [(line, f"{names[line]} stands twice") for line in names.index[names.duplicated()]]
    faults += [(line, f"{names[line]} has no patient") for line in names.index[patients == ""]]
    _tables.refuse(where, faults, cure="keep one row per image, with its patient")
    patient_of: dict[str, str] = dict(zip(names, patients, strict=True))
    times = Counter(name.rsplit("/", 1)[-1] for name in found)
    if shared := [name for name in names if times[name] > 1 and name not in found]:
        raise ValueError(f"{where}: {shared[0]} stands in several folders: write its path")
    result = [patient_of.get(name, patient_of.get(name.rsplit("/", 1)[-1], "")) for name in found]
    if "" in result:
        raise ValueError(f"{where} has no patient for {found[result.index('')]}: add its row")
    return result


def sample(root: Path) -> None:
    """Write a fake set of eight small images: two classes in train and test."""
    for split in ("train", "test"):
        for level, name in enumerate(("normal", "pneumonia")):
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(2):
                picture = np.full((18, 18), 90 * level + 20 * i, np.uint8)
                picture[5:13, 5:13] += 50
                Image.fromarray(picture).save(folder / f"{split}-{name}-{i}.png")
