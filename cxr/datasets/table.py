"""table: any set of images with a CSV that says what they show, or several that came one after another.

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

A folder with a `labels.csv` of its own is an arrival: what came later, beside a table at the top or
without one. Its paths are written from that folder on, and name nothing outside. All tables are read
as one: a patient's name means one person in all of them, a label that stands in none of a table's
rows is absent there (column `label`) or unknown (columns `label:<name>`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    """Return a row per row of every table, that of the top first, then the arrivals, sorted by folder.

    Raises one ValueError that names all rows at fault in a table, or an image that two tables list.
    """
    members = archives.members(root)
    places = _places(root, members)
    rows = {member: _rows(root, member) for member in places}
    names = frozenset[str]()
    if len(places) > 1:
        names = names.union(*(_labels.named(table) for table in rows.values()))
    elif "" not in places.values():
        places = _only_one(root, rows, places, members)
    found = _inside(members, places.values())
    tables = {
        member: _table(root, member, rows[member], found[folder], folder, names)
        for member, folder in places.items()
    }
    _refuse_twice(root, tables)
    return pd.concat(list(tables.values()), ignore_index=True)


def _places(root: Path, members: Sequence[str]) -> dict[str, str]:
    """Return the folder of each member that is a table: "" for the set's own, which may be in any."""
    arrivals: dict[str, list[str]] = {}
    for member in members:
        folder, _, name = member.partition("/")
        if name.removesuffix(".gz") == FILE and not archives.is_archive(folder):
            arrivals.setdefault(folder, []).append(member)
    rest = [member for member in members if member.partition("/")[0] not in arrivals]
    places = {_own(root, rest): ""} if _csv(rest) or not arrivals else {}
    for folder, found in sorted(arrivals.items()):
        places[_the_table(root / folder, found)] = folder
    return places


def _own(root: Path, members: Sequence[str]) -> str:
    """Return the set's own table: labels.csv, or the only CSV file."""
    found = _csv(members)
    found = [x for x in found if x.removesuffix(".gz") == FILE] or found
    if not found:
        raise ValueError(f"table: {root} has no {FILE} and no other CSV file: {SOURCE.hint}")
    return _the_table(root, found)


def _csv(members: Sequence[str]) -> list[str]:
    return [name for name in members if name.lower().endswith((".csv", ".csv.gz"))]


def _the_table(folder: Path, found: Sequence[str]) -> str:
    """Return the only one found; raise ValueError if there are more."""
    if len(found) > 1:
        raise ValueError(
            f"table: {folder} has {len(found)} CSV files ({', '.join(found[:5])}): name the one that "
            f"lists the images {FILE}, and keep it once"
        )
    return found[0]


def _only_one(
    root: Path,
    rows: Mapping[str, pd.DataFrame],
    places: Mapping[str, str],
    members: Sequence[str],
) -> dict[str, str]:
    """Return the place of a set's only table, which lies in a folder.

    It is the set's own, its paths written from the top on, if one of them is there: so a set that
    had one table was always read.
    """
    ((member, folder),) = places.items()
    column = _the_one(rows[member], _where(root, member), "path", "image")
    listed, found = _cells.column(rows[member], column, _image, []), archives.by_path(members)
    return {member: "" if any(path in found for path in listed) else folder}


def _inside(members: Sequence[str], folders: Collection[str]) -> dict[str, dict[str, str]]:
    """Return for each folder {path from it on, before packing: member}; "" holds them all."""
    within: dict[str, list[str]] = {folder: [] for folder in folders}
    for member in members:
        head, _, rest = member.partition("/")
        if head in within:
            within[head].append(rest)
        if "" in within:
            within[""].append(member)
    return {
        folder: {path: _in(folder, name) for path, name in archives.by_path(names).items()}
        for folder, names in within.items()
    }


def _in(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def _where(root: Path, member: str) -> str:
    return f"table: {root / member}"


def _rows(root: Path, member: str) -> pd.DataFrame:
    """Return a table's rows as text; raise ValueError if there are none, or no column of paths."""
    where, rows = _where(root, member), _tables.read(root, member)
    if rows.empty:
        raise ValueError(f"{where} has a header and no row: {SOURCE.hint}")
    if _the_one(rows, where, "path", "image") not in rows.columns:
        raise ValueError(f"{where} lacks the column 'path': {_header(rows)}: {SOURCE.hint}")
    return rows


def _table(
    root: Path,
    member: str,
    rows: pd.DataFrame,
    found: Mapping[str, str],
    folder: str,
    names: Collection[str],
) -> pd.DataFrame:
    """Return one table, read, each row by its line; `found` is {path: member} of its folder.

    `names` are labels that the column `label` may name, beside those that it does.
    """
    where, faults = _where(root, member), list[tuple[int, str]]()
    path = _the_one(rows, where, "path", "image")
    age = _the_one(rows, where, "age_years", "age")
    table = pd.DataFrame(
        {
            "image": _cells.column(rows, path, _image, faults),
            "source": _cells.column(rows, "source", _cells.source, faults),
            "patient": _cells.column(rows, "patient", _patient, faults),
            "view": _cells.column(rows, "view", _cells.view, faults),
            "age_years": _cells.column(rows, age, _cells.age_years, faults),
            "sex": _cells.column(rows, "sex", _cells.sex, faults),
            "given_split": _cells.column(rows, "split", _cells.split, faults),
            "kind": _cells.column(rows, "kind", _kind, faults),
        },
        index=rows.index,
    )
    there = table["image"].isin(list(found))
    table["image"] = [name and found.get(name, _in(folder, name)) for name in table["image"]]
    labels = _labels.read(rows, faults, where=where, hint=SOURCE.hint, also=names)
    faults.extend(_twice(table["image"]))
    _tables.refuse(where, faults, cure=_CURE)
    if folder and not there.any():
        raise ValueError(
            f"{where} lists {len(rows)} images, of which not one is in {root / folder}: bring them, "
            "and write their paths from that folder on"
        )
    return pd.concat([table, labels], axis="columns")


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


def _refuse_twice(root: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Raise ValueError for rows whose image another table lists."""
    first: dict[str, str] = {}
    for member, table in tables.items():
        lines = zip(table.index.tolist(), table["image"], strict=True)
        faults = [
            (line, f"{image} stands in {first[image]} already")
            for line, image in lines
            if image in first
        ]
        _tables.refuse(_where(root, member), faults, cure="keep each image in one of the tables")
        first |= {image: f"row {line} of {member}" for line, image in table["image"].items()}


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
