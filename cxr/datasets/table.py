"""table: any set of images with one CSV that says what they show.

`labels.csv`, or the folder's only .csv (either may be .csv.gz), with the header

    path,label,patient,view,age_years,sex,split,source,kind

of which `path` (or `image`) and the labels must be there, the others may; further columns are
passed over. Paths are written from the folder on, archives taken as folders
(`images.zip/a/1.png`). A row whose file is not there stays a row: ingest reports it as a gap.

Labels stand in one of two forms:

- `label`: the class's name, or several joined by `|`; `none` and `no finding` mean that all labels
  are absent, an empty cell that all are unknown. Names become small letters with `_`.
- `label:<name>`: one column each, 1 present, 0 absent, empty (or nan, NA, unknown) unknown.

`split` is train, val or test; `kind` is image (or empty) or mask. WITHOUT `patient` EVERY IMAGE
COUNTS AS A PATIENT OF ITS OWN, so two images of one patient may fall into different splits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxr import archives
from cxr.datasets import _cells, _labels, _tables
from cxr.datasets._source import Source

SOURCE = Source(
    title="any set of images with a CSV table",
    url="",
    citation="",
    licence="as its makers say",
    redistributable=False,
    images={},
    sha256={},
    hint="put labels.csv beside the images, with the columns path and label, or path and label:<name> of each label",
)

FILE = "labels.csv"
_CURE = f"correct these rows; what each column may hold stands in {Path(__file__).name}"


def read(root: Path) -> pd.DataFrame:
    """Return a row per row of the table; raise one ValueError that names all rows at fault."""
    member = _table(root)
    where = f"table: {root / member}"
    rows = _tables.read(root, member)
    if rows.empty:
        raise ValueError(f"{where} has a header and no row: {SOURCE.hint}")
    path = _the_one(rows, where, "path", "image")
    if path not in rows.columns:
        raise ValueError(f"{where} lacks the column 'path': {_header(rows)}: {SOURCE.hint}")
    faults: list[tuple[int, str]] = []
    table = pd.DataFrame(
        {
            "image": _cells.column(rows, path, _image, faults),
            "source": _cells.column(rows, "source", _cells.source, faults),
            "patient": _cells.column(rows, "patient", _patient, faults),
            "view": _cells.column(rows, "view", _cells.view, faults),
            "age_years": _cells.column(
                rows, _the_one(rows, where, "age_years", "age"), _cells.age_years, faults
            ),
            "sex": _cells.column(rows, "sex", _cells.sex, faults),
            "given_split": _cells.column(rows, "split", _cells.split, faults),
            "kind": _cells.column(rows, "kind", _kind, faults),
        },
        index=rows.index,
    )
    found = archives.by_path(archives.members(root))
    table["image"] = [found.get(path, path) for path in table["image"]]
    labels = _labels.read(rows, faults, where=where, hint=SOURCE.hint)
    faults.extend(_twice(table["image"]))
    _tables.refuse(where, faults, cure=_CURE)
    return pd.concat([table, labels], axis="columns").reset_index(drop=True)


def _table(root: Path) -> str:
    """Return the member that is the table: labels.csv, or the only CSV file of the folder."""
    found = [x for x in archives.members(root) if x.lower().endswith((".csv", ".csv.gz"))]
    found = [x for x in found if x.removesuffix(".gz") == FILE] or found
    if not found:
        raise ValueError(f"table: {root} has no {FILE} and no other CSV file: {SOURCE.hint}")
    if len(found) > 1:
        raise ValueError(
            f"table: {root} has {len(found)} CSV files ({', '.join(found[:5])}): name the one that "
            f"lists the images {FILE}, and keep it once"
        )
    return found[0]


def _header(rows: pd.DataFrame) -> str:
    return f"row 1, its header, has {', '.join(map(repr, rows.columns))}"


def _the_one(rows: pd.DataFrame, where: str, *names: str) -> str:
    """Return the name, of these that mean the same, by which the column is called."""
    there = [name for name in names if name in rows.columns]
    if len(there) > 1:
        raise ValueError(f"{where} has both {there[0]!r} and {there[1]!r}: keep one of them")
    return (there or list(names))[0]


def _image(text: str) -> str:
    return _cells.formula_free(_cells.path(text))


def _patient(text: str) -> str:
    return _cells.formula_free("" if text.lower() in _cells.UNKNOWN else text)


def _kind(text: str) -> str:
    if text.lower() not in ("", "image", "mask"):
        raise ValueError("is no kind: write image or mask")
    return text.lower() or "image"


def _twice(images: pd.Series) -> list[tuple[int, str]]:
    """Name each row whose image stands in an earlier row."""
    first: dict[str, int] = {}
    return [
        (line, f"{image} stands in row {first[image]} already")
        for line, image in zip(images.index.tolist(), images, strict=True)
        if image is not None and first.setdefault(image, line) != line
    ]


def sample(root: Path) -> None:
    """Write a fake set of six small images of three patients, with their table."""
    lines = ["path,label,patient,view,age_years,sex,split,source,kind"]
    truth = ("effusion", "no finding", "effusion|pneumonia", "pneumonia", "no finding", "effusion")
    for i, label in enumerate(truth):
        picture = np.full((18, 20), 30 * i, np.uint8)
        picture[5:13, 5 : 9 + i] += 60
        (root / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / "images" / f"{i}.png")
        person = f"p{i // 2},{'PA' if i % 2 else 'AP'},{40 + i // 2},{'FMF'[i // 2]}"
        split = ("train", "val", "test")[i // 2]
        lines.append(f"images/{i}.png,{label},{person},{split},ward {i // 2},image")
    (root / FILE).write_text("\n".join(lines) + "\n")
