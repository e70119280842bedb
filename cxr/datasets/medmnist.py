"""medmnist: any of the twelve 2D sets of MedMNIST at any size, from its one file.

Yang et al. 2023, "MedMNIST v2", Scientific Data 10:41; sizes 64, 128 and 224 came in 2024
(doi:10.5281/zenodo.10519652). The folder holds one file, `<set>.npz` (28 px) or `<set>_<size>.npz`,
whose arrays are train_images, val_images and test_images, uint8 (N, H, W) or (N, H, W, 3), with
train_labels and so on; an image is a row of an array, read in place.

A FILE WITH OTHER COUNTS THAN THE OFFICIAL ONES IS REFUSED, because results on it are not comparable.
To use a part all the same, name it `<set>_part.npz` (or `<set>_<size>_part.npz`): its source then
says so, and its division is not given on as the official one.

LIMITS. The files name no patients, so every image counts as a patient of its own. The official
division keeps patients or scans apart in chestmnist and the organ sets; of the others MedMNIST does
not say so, and pneumoniamnist has the same pixels in train and val. retinamnist's ordered grades
are classes here.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from cxr import archives, artifacts
from cxr.datasets import _medmnist, _tables
from cxr.datasets._source import Source

SOURCE = Source(
    title="MedMNIST v2, one of its 2D sets",
    url="https://medmnist.com",
    citation=(
        "Yang J, Shi R, Wei D, Liu Z, Zhao L, Ke B, Pfister H, Ni B: MedMNIST v2 - A large-scale "
        "lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data "
        "10:41, 2023"
    ),
    licence="CC-BY-4.0, dermamnist CC-BY-NC-4.0; and the terms of the set that it was made from",
    redistributable=True,
    images={},  # depends on the set: see _medmnist.py
    sha256={},
    hint="get one file, such as pneumoniamnist_224.npz, from https://doi.org/10.5281/zenodo.10519652",
)

SPLITS = ("train", "val", "test")
SIZES_PX = (28, 64, 128, 224)
_NAME = re.compile(r"([a-z]+)(?:_(\d+))?(_part)?\.npz")


def read(root: Path) -> pd.DataFrame:
    """Return a row per image, train first; raise ValueError that says what is not as published."""
    members = archives.members(root)
    file = _file(root, members)
    where = f"medmnist: {root / file}"
    known, size_px, part = _set(file, where)
    rows = {split: _rows(members, file, split, where) for split in SPLITS}
    counts = tuple(len(rows[split]) for split in SPLITS)
    if not part and counts not in known.counts:
        raise ValueError(
            f"{where} has {_words(counts)} images, officially they are "
            f"{' or '.join(map(_words, known.counts))}: {SOURCE.hint}; a part is used under the "
            f"name {file.removesuffix('.npz')}_part.npz, without the official division"
        )
    for split in SPLITS:
        _check_form(root, rows[split][0], known, size_px, where)
    labels_IL = np.concatenate(
        [_labels(root, f"{file}/{split}_labels.npy", len(rows[split]), known) for split in SPLITS]
    )
    table = pd.DataFrame({"image": [x for split in SPLITS for x in rows[split]]})
    table["source"] = known.name + (" (part)" if part else "")
    table = table.assign(patient="", view="", age_years=np.nan, sex="")
    table["given_split"] = "" if part else np.repeat(SPLITS, counts)
    columns = [f"label:{name}" for name in known.labels]
    return pd.concat([table, pd.DataFrame(labels_IL, columns=columns)], axis="columns")


def _file(root: Path, members: list[str]) -> str:
    """Return the one .npz of the folder."""
    found = sorted({name[: name.index(".npz/") + 4] for name in members if ".npz/" in name})
    if not found:
        raise ValueError(f"medmnist: {root} has no .npz file: {SOURCE.hint}")
    if len(found) > 1:
        raise ValueError(
            f"medmnist: {root} has {len(found)} .npz files ({', '.join(found)}): keep one; other "
            "sets or sizes are studies of their own"
        )
    return found[0]


def _set(file: str, where: str) -> tuple[_medmnist.Set, int, bool]:
    """Read set, size and whether it is a part from the file's name."""
    name = _NAME.fullmatch(file.rpartition("/")[2])
    known = _medmnist.SETS.get(name[1]) if name else None
    size_px = int(name[2] or 28) if name else 0
    if not name or not known or size_px not in SIZES_PX:
        raise ValueError(
            f"{where}: the name must be <set>.npz or <set>_<size>.npz, with the size one of "
            f"{', '.join(map(str, SIZES_PX))} and the set one of {', '.join(_medmnist.SETS)}"
        )
    return known, size_px, bool(name[3])


def _rows(members: list[str], file: str, split: str, where: str) -> list[str]:
    """Return the members that are the images of a split, in the array's order (six digits, sorted)."""
    found = [name for name in members if name.startswith(f"{file}/{split}_images/")]
    if not found:
        raise ValueError(
            f"{where} has no array {split}_images of uint8 (N, H, W) or (N, H, W, 3): {SOURCE.hint}"
        )
    return found


def _check_form(root: Path, member: str, known: _medmnist.Set, size_px: int, where: str) -> None:
    expected = (size_px, size_px) + ((3,) if known.colour else ())
    shape = _array(root, member).shape
    if shape != expected:
        raise ValueError(
            f"{where}: an image of {member.split('/')[-2]} has the shape {shape}, expected {expected} "
            f"by the file's name: name it as published, or {SOURCE.hint}"
        )


def _labels(root: Path, member: str, count: int, known: _medmnist.Set) -> np.ndarray:
    """Return float (count, labels) of 1 and 0 from integers (N, 1) or (N,), or 0/1 (N, labels)."""
    where, classes = f"medmnist: {root / member}", len(known.labels)
    raw = _array(root, member)
    expected = [(count, classes)] if known.multilabel else [(count, 1), (count,)]
    if raw.shape not in expected or raw.dtype.kind not in "iub":
        raise ValueError(
            f"{where} has {raw.dtype} of shape {raw.shape}, expected whole numbers of shape "
            f"{expected[0]}, a row per image: {SOURCE.hint}"
        )
    values = raw.reshape(count, -1).astype(np.int64)
    most = 1 if known.multilabel else classes - 1
    odd = np.flatnonzero(((values < 0) | (values > most)).any(axis=1)).tolist()
    faults = [(i, f"{values[i].tolist()} is no label, expected 0 to {most}") for i in odd]
    _tables.refuse(where, faults, cure=SOURCE.hint)
    return values.astype(float) if known.multilabel else np.eye(classes)[values[:, 0]]


def _array(root: Path, member: str) -> np.ndarray:
    content = archives.read(root, member)
    try:
        array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"medmnist: {root / member} is damaged ({error}): {SOURCE.hint}") from None
    return array


def _words(counts: tuple[int, ...]) -> str:
    return ", ".join(f"{count} {split}" for split, count in zip(SPLITS, counts, strict=True))


def sample(root: Path) -> None:
    """Write a part of a fake pneumoniamnist: four images to train, two to validate, two to test."""
    arrays: dict[str, np.ndarray] = {}
    for level, (split, count) in enumerate(zip(SPLITS, (4, 2, 2), strict=True)):
        pictures = np.full((count, 28, 28), 40 * level, np.uint8)
        pictures[:, 6:22, 8:20] += 20 * np.arange(3, 3 + count).astype(np.uint8)[:, None, None]
        arrays[f"{split}_images"] = pictures
        arrays[f"{split}_labels"] = (np.arange(count) % 2).astype(np.uint8)[:, None]
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    artifacts.write_bytes(root / "pneumoniamnist_part.npz", buffer.getvalue())
