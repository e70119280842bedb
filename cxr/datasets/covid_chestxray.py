"""covid_chestxray: Cohen et al.'s COVID-19 image data collection, X-rays taken from articles and sites.

Cohen et al. 2020, "COVID-19 Image Data Collection: Prospective Predictions Are the Future",
arXiv:2006.11988. Read are the rows of `metadata.csv` (at any depth, also inside a zip of the
repository) that are X-rays, with their files in `images/` beside it. Rows of CT are passed over;
their names stand in `attrs["aside"]` of the result, since some of them lie among the images.

LABELS follow the column `finding`, every level of it: `Pneumonia/Viral/COVID-19` is pneumonia,
viral and covid_19; names become small letters with `_`, and the labels are those that occur in the
table, sorted. Older copies list them flat (`COVID-19, ARDS`) and then say nothing of pneumonia. What
a finding leaves open is unknown, not absent: plain `Pneumonia` says of no kind of pneumonia that it
is absent, but of tuberculosis it does. `No Finding` is all absent; `todo`, `Unknown` and an empty
cell are all unknown.

`source` is the host of the row's address (radiopaedia.org, …), or `cohen` without one: nearly all
images of a host share a finding, which is what the check of confounding must see. Patients are the
table's `patientid`. The file is not clean UTF-8: lines that are not are read as Windows-1252 (only
notes, names of places and people are concerned).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from PIL import Image

from cxr import archives
from cxr.datasets import _cells, _tables
from cxr.datasets._source import Source

SOURCE = Source(
    title="COVID-19 image data collection (Cohen et al. 2020)",
    url="https://github.com/ieee8023/covid-chestxray-dataset",
    citation=(
        "Cohen JP, Morrison P, Dao L, Roth K, Duong TQ, Ghassemi M: COVID-19 Image Data Collection: "
        "Prospective Predictions Are the Future. arXiv:2006.11988, 2020"
    ),
    licence="per image, column `license` of metadata.csv: Apache-2.0, CC BY-NC-SA 4.0, CC BY 4.0 or none stated",
    redistributable=False,
    images={},  # a growing collection: labels and counts are those of the copy
    sha256={},
    hint="clone https://github.com/ieee8023/covid-chestxray-dataset (its metadata.csv and its folder images)",
)

FILE = "metadata.csv"
ASIDE = ("annotations", "docs", "volumes", "benchmark")
"""Folders of the repository whose pictures are no X-rays of the table."""

_COLUMNS = ("finding", "filename", "view")
_NO_FINDING = "no_finding"
_UNKNOWN = ("", "todo", "unknown", "nan")
_CURE = f"correct these rows, or take the table as published ({SOURCE.url})"

Finding = frozenset[tuple[str, ...]]
"""The paths that a cell names, as ("pneumonia", "viral", "covid_19"); none for "No Finding"."""


def read(root: Path) -> pd.DataFrame:
    """Return a row per X-ray of metadata.csv; raise one ValueError that names all rows at fault."""
    member = _metadata(root)
    where, above = f"covid_chestxray: {root / member}", member.rpartition("/")[0]
    rows = _tables.read(root, member, fallback="cp1252")
    rows.columns = rows.columns.str.lower()  # older copies write Patientid
    if missing := [name for name in _COLUMNS if name not in rows.columns]:
        raise ValueError(f"{where} lacks the column {' and '.join(missing)}: {_CURE}")
    xray = [_is_xray(row) for row in rows.to_dict("records")]
    others, rows = rows[[not x for x in xray]], rows[xray]
    if rows.empty:
        raise ValueError(f"{where} has no row of an X-ray: {_CURE}")
    faults: list[tuple[int, str]] = []
    paths = _paths(root, rows, above, faults)
    findings = _cells.column(rows, "finding", _finding, faults)
    table = pd.DataFrame(
        {
            "image": paths,
            "source": _cells.column(rows, "url", host, faults),
            "patient": _cells.column(rows, "patientid", _cells.formula_free, faults),
            "view": _cells.column(rows, "view", _view, faults),
            "age_years": _cells.column(rows, "age", _cells.age_years, faults),
            "sex": _cells.column(rows, "sex", _cells.sex, faults),
            "given_split": "",
        }
    )
    _tables.refuse(where, faults, cure=_CURE)
    table = pd.concat([table, _labels(findings)], axis="columns")
    table.attrs["aside"] = sorted(x for x in _paths(root, others, above, []) if x)
    return table


def aside(member: str) -> bool:
    """Say whether an image file lies in a folder of drawings, masks, pages or CT volumes."""
    return any(part in ASIDE for part in member.split("/")[:-1])


def _metadata(root: Path) -> str:
    """Return the member that is the table."""
    found = [
        name
        for name in archives.members(root)
        if name.rpartition("/")[2] in (FILE, f"{FILE}.gz") and not aside(name)
    ]
    if len(found) != 1:
        what = f"{len(found)} ({', '.join(found[:3])}): keep one copy" if found else "none"
        raise ValueError(f"covid_chestxray: {root} must hold one {FILE}, it has {what}; {SOURCE.hint}")  # fmt: skip
    return found[0]


def _is_xray(row: Mapping[Any, str]) -> bool:
    """Say it by the column modality; copies older than that write CT, Axial or Coronal as the view."""
    if row.get("modality", "").strip():
        return row["modality"].strip().lower() in ("x-ray", "xray")
    return not re.match(r"ct\b|axial|coronal|sagittal", row["view"].strip().lower())


def _paths(
    root: Path, rows: pd.DataFrame, above: str, faults: list[tuple[int, str]]
) -> list[str | None]:
    """Return each row's member of the data set's folder, whether or not it is there."""
    folders = _cells.column(rows, "folder", lambda text: _cells.path(text or "images"), faults)
    files = _cells.column(rows, "filename", _cells.path, faults)
    result: list[str | None] = []
    first: dict[str, int] = {}
    held = archives.by_path(archives.members(root))
    for line, folder, file in zip(rows.index.tolist(), folders, files, strict=True):
        path = "/".join(filter(None, (above, folder, file))) if folder and file else None
        if path and first.setdefault(path, line) != line:
            faults.append((line, f"filename {file!r} stands in row {first[path]} already"))
        result.append(held.get(path, path) if path else None)
    return result


def _view(text: str) -> str:
    """Return PA, AP or LATERAL; other words of this free column say no more than unknown."""
    try:
        return _cells.view(text)
    except ValueError:
        return ""


def host(url: str) -> str:
    """Return the host of an address without `www.`, `cohen` if there is none."""
    first = re.split(r"[\s,;]+", url.strip())[0]
    try:
        name = urlsplit(first if "//" in first else f"//{first}").hostname or ""
    except ValueError:
        name = ""
    name = name.removeprefix("www.")
    return name if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", name) else "cohen"


def _finding(text: str) -> Finding | None:
    """Return the paths that a cell names, None if it is unknown."""
    paths = {tuple(_levels(words)) for words in text.split(",")} - {()}
    named = frozenset(paths - {(_NO_FINDING,)})
    if named and len(named) < len(paths):
        raise ValueError("contradicts itself: no finding beside a finding")
    return named if paths else None


def _levels(words: str) -> list[str]:
    """Return the names of a finding's levels, `Pneumonia/Unknown` being just pneumonia."""
    names = [_cells.label_name(word) for word in words.split("/")]
    return [name for name in names if name not in _UNKNOWN]


def _labels(findings: list[Finding | None]) -> pd.DataFrame:
    """Return the columns label:<name>: 1 named, NaN left open, 0 else."""
    paths = sorted(frozenset().union(*filter(None, findings)))
    below: dict[tuple[str, ...], set[str]] = {}
    for path in paths:
        for end in range(1, len(path)):
            below.setdefault(path[:end], set()).update(path[end:])
    names = sorted({word for path in paths for word in path})
    truths_IL = np.zeros((len(findings), len(names)))
    for i, found in enumerate(findings):
        if found is None:
            truths_IL[i] = math.nan
            continue
        named = {word for path in found for word in path}
        # `Pneumonia, Pneumonia/Viral` leaves the kind of virus open, not the kind of pneumonia
        ends = [path for path in found if not any(x[: len(path)] == path for x in found - {path})]
        left_open = {word for path in ends for word in below.get(path, ())}
        truths_IL[i] = [1.0 if x in named else math.nan if x in left_open else 0.0 for x in names]
    return pd.DataFrame(truths_IL, columns=[f"label:{name}" for name in names])


def sample(root: Path) -> None:
    """Write a fake copy of seven X-rays and one CT; the table has a line that is not UTF-8."""
    rows = (
        ("2", "M", "65", "Pneumonia/Viral/COVID-19", "PA", "X-ray", "a.png", "https://www.nejm.org/1"),
        ("2", "M", "65", "Pneumonia/Viral/COVID-19", "L", "X-ray", "b.png", "https://www.nejm.org/1"),
        ("3", "F", "", "Pneumonia/Viral/SARS", "AP Supine", "X-ray", "c.jpg", ""),
        ("4", "", "40", "Pneumonia/Bacterial/Klebsiella", "AP", "X-ray", "d.png", "radiopaedia.org/cases/7"),
        ("5", "F", "33", "No Finding", "PA", "X-ray", "e.png", "https://radiopaedia.org/cases/8"),
        ("6", "M", "51", "Tuberculosis", "AP Erect", "X-ray", "f.png", "https://www.eurorad.org/case/9"),
        ("6", "M", "51", "Tuberculosis", "Axial", "CT", "g.png", "https://www.eurorad.org/case/9"),
        ("7", "M", "70", "No Finding", "PA", "X-ray", "h.png", ""),
    )  # fmt: skip
    text = "patientid,sex,age,finding,view,modality,folder,filename,url,clinical_notes,\n"
    (root / "images").mkdir(parents=True, exist_ok=True)
    for i, (*cells, file, url) in enumerate(rows):
        picture = np.full((20, 18 + i), 25 * i, np.uint8)
        picture[4:16, 5:12] += 50
        Image.fromarray(picture).save(root / "images" / file)
        text += f'{",".join(cells)},images,{file},{url},"38.5°C,\nsecond line",\n'
    (root / FILE).write_bytes(text.encode().replace("°".encode(), "°".encode("cp1252"), 1))
