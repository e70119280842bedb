"""covid_radiography: the COVID-19 Radiography Database, 21,165 X-rays of four classes, lung masks.

Chowdhury et al. 2020 (IEEE Access 8:132665) and Rahman et al. 2021 (Computers in Biology and
Medicine 132:104319), collected from other collections. Read are, at any depth, in the folder itself
or in archives:

    <class>/images/COVID-1.png    <class>/masks/COVID-1.png    <class>.metadata.xlsx
    <class>/COVID-19 (1).png      (older releases: no masks)

The classes COVID, Lung_Opacity, Normal and Viral Pneumonia may be spelled with space, `_` or `-`,
in any case, COVID-19 too; at least two of them must be there, and a class that has no images is no
label. Masks are rows of kind `mask`, with their X-ray's class: a study leaves them out or takes them
in, as readers of whole folders do without knowing. A mask without its X-ray stays a row.

Patients are unknown. An X-ray and its mask, files of one number, are one patient (`covid:1`).

Sources come from the set's own sheets (also .csv or .tsv, with the columns FILE NAME and URL): the
collection that the URL names. Without sheet or row it is `unknown`, save that of the 10,192 Normal
X-rays of the last release the numbers 63 to 1403 are known to be Kermany's children (their pixels were
compared with that set's). A row without its image is kept, at the path where the image should be.
Classes nearly equal sources here: DeGrave et al. 2021, "AI for radiographic COVID-19 detection selects
shortcuts over signal", Nature Machine Intelligence 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from PIL import Image

from cxr import archives, artifacts, images
from cxr.datasets import _sheets, _tables
from cxr.datasets._source import Source

SOURCE = Source(
    title="COVID-19 Radiography Database (Chowdhury et al. 2020, Rahman et al. 2021)",
    url="https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
    citation=(
        "Chowdhury MEH, Rahman T, Khandakar A, Mazhar R, Kadir MA, Mahbub ZB, et al.: Can AI help in "
        "screening viral and COVID-19 pneumonia? IEEE Access 8:132665-132676, 2020; Rahman T, "
        "Khandakar A, Qiblawey Y, Tahir A, Kiranyaz S, et al.: Exploring the effect of image "
        "enhancement techniques on COVID-19 detection using chest X-ray images. Computers in Biology "
        "and Medicine 132:104319, 2021"
    ),
    licence="of each collection that it is made of; see its page",
    redistributable=False,
    images={"covid": 3616, "lung_opacity": 6012, "normal": 10192, "viral_pneumonia": 1345},
    sha256={},  # the page names none, and its zip changes with each release
    hint="get the zip from https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
)

UNKNOWN = "unknown"
COLLECTIONS = {
    "kaggle.com/c/rsna-pneumonia-detection-challenge": "rsna",
    "kaggle.com/paultimothymooney/chest-xray-pneumonia": "kermany",
    "bimcv.cipf.es": "bimcv",
    "github.com/ml-workgroup/covid-19-image-repository": "hannover",
    "figshare.com/articles/covid-19_chest_x-ray_image_repository": "hannover",
    "sirm.org": "sirm",
    "eurorad.org": "eurorad",
    "github.com/ieee8023/covid-chestxray-dataset": "cohen",
    "github.com/armiro/covid-cxnet": "covid-cxnet",
}
"""How the URLs of the sheets begin (without https://www.), and a short name for what is there."""

CHILDREN = range(63, 1404)
"""Numbers of the Normal X-rays that are Kermany's children, in the release of 10,192 Normal ones."""

_SPELLINGS = {name.replace("_", ""): name for name in SOURCE.images} | {"covid19": "covid"}
_KINDS = {"images": "image", "masks": "mask"}
_SHEET_ENDINGS = (".xlsx", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
_NUMBERED = re.compile(r"(.+?)[\s_-]*\(?([0-9]{1,9})\)?")


class _File(NamedTuple):
    """An image file in a class folder."""

    label: str
    kind: str
    number: int | None
    member: str


def read(root: Path) -> pd.DataFrame:
    """Return one row per image or mask, and per row of a sheet without image; raise ValueError."""
    members = archives.members(root)
    files = [file for name in members if images.is_image(name) and (file := _file(name))]
    labels = [name for name in SOURCE.images if any(f.label == name and f.kind == "image" for f in files)]  # fmt: skip
    if len(labels) < 2:
        raise ValueError(
            f"covid_radiography: {root} has images of {' and '.join(labels) or 'no class'}, expected "
            f"two or more of the class folders COVID, Lung_Opacity, Normal, Viral Pneumonia: "
            f"{SOURCE.hint}"
        )
    files = [file for file in files if file.label in labels]
    _check(root, files)
    sources = _children(files) | _sources(root, members, labels)
    files += _absent(files, sources)
    table = pd.DataFrame(
        {
            "image": [file.member for file in files],
            "kind": [file.kind for file in files],
            "source": [sources.get((file.label, file.number), UNKNOWN) for file in files],
            "patient": _patients(files),
            "view": "",
            "age_years": np.nan,
            "sex": "",
            "given_split": "",
        }
    )
    for name in labels:
        table[f"label:{name}"] = [float(file.label == name) for file in files]
    return table


def class_of(name: str) -> str:
    """Return the label that a folder or file names in any known spelling; empty for other names."""
    return _SPELLINGS.get(re.sub(r"[\s_-]", "", name).lower(), "")


def number_of(stem: str) -> int | None:
    """Return the number of `COVID-7`, `COVID-19 (7)` or `Viral Pneumonia-7`, None if it has none."""
    match = _NUMBERED.fullmatch(stem)
    return int(match[2]) if match and class_of(match[1]) else None


def collection(url: str) -> str:
    """Return the short name of the collection at `url`, its host if it is not known."""
    parts = urlsplit(url.strip().lower())
    place = f"{parts.netloc}{parts.path}".removeprefix("www.").replace("/datasets/", "/")
    known = [name for start, name in COLLECTIONS.items() if place.startswith(start)]
    return known[0] if known else parts.netloc.removeprefix("www.") or UNKNOWN


def _file(member: str) -> _File | None:
    """Read class and kind from the folders that a file lies in; None if it lies in no class."""
    folders = [archives.without_suffix(part) for part in member.split("/")[:-1]]
    kind = _KINDS.get(folders[-1].lower()) if folders else None
    label = class_of(folders[-2] if kind and len(folders) > 1 else folders[-1]) if folders else ""
    if not label:
        return None
    return _File(label, kind or "image", number_of(PurePosixPath(member).stem), member)


def _check(root: Path, files: list[_File]) -> None:
    """Refuse files that stand twice, or whose names say another class or no number of a mask."""
    seen: dict[object, str] = {}
    faults = []
    for file in files:
        stem = PurePosixPath(file.member).stem
        match = _NUMBERED.fullmatch(stem)
        named = class_of(match[1]) if match else ""
        if named and named != file.label:
            faults.append(f"{file.member} has the name of another class")
        if file.kind == "mask" and file.number is None:
            faults.append(f"{file.member} has no number that tells its X-ray, as COVID-1.png has")
        key = (file.label, file.kind, stem if file.number is None else file.number)
        first = seen.setdefault(key, file.member)
        if first != file.member:
            faults.append(f"{file.member} stands there twice, also as {first}")
    if faults:
        more = f"; and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise ValueError(
            f"covid_radiography: {root} has files in doubt ({len(faults)}): {'; '.join(faults[:10])}"
            f"{more}. Cure: keep one copy of each, in the folder of its class"
        )


def _patients(files: Iterable[_File]) -> list[str]:
    """Return `<class>:<number>` for an X-ray with a mask and for the mask, nothing for the others."""
    masked = {(file.label, file.number) for file in files if file.kind == "mask"}
    return [f"{f.label}:{f.number}" if (f.label, f.number) in masked else "" for f in files]


def _children(files: Iterable[_File]) -> dict[tuple[str, int | None], str]:
    """Return the source of what is known to be children's by its number, where the numbering is known."""
    numbers = {f.number for f in files if f.label == "normal" and f.kind == "image"}
    if numbers != set(range(1, SOURCE.images["normal"] + 1)):
        return {}
    return {("normal", number): "kermany" for number in CHILDREN}


def _sources(
    root: Path, members: list[str], labels: list[str]
) -> dict[tuple[str, int | None], str]:
    """Return the source of each (label, number) in the sheets of these labels."""
    sheets: dict[str, str] = {}
    for member in members:
        name, _, ending = member.rpartition("/")[2].partition(".metadata")
        if ending.lower() not in _SHEET_ENDINGS or class_of(name) not in labels:
            continue
        first = sheets.setdefault(class_of(name), member)
        if first != member:
            raise ValueError(
                f"covid_radiography: {root} holds {first} and {member}: which one counts? Keep one"
            )
    found: dict[tuple[str, int | None], str] = {}
    for label, member in sheets.items():
        found.update(_sheet(root, member, label))
    return found


def _sheet(root: Path, member: str, label: str) -> dict[tuple[str, int | None], str]:
    """Return the source of each (label, number) in one sheet; refuse rows in doubt."""
    where, columns = str(root / member), ("FILE NAME", "URL")
    if member.lower().endswith(".xlsx"):
        table = _sheets.read(archives.read(root, member), where=where)
    else:
        table = _tables.read(root, member)
    table.columns = table.columns.str.upper()
    if missing := [name for name in columns if name not in table.columns]:
        raise ValueError(f"{where} lacks the column {' and '.join(missing)}: take it as published")
    found: dict[tuple[str, int | None], str] = {}
    faults = []
    rows = zip(
        table.index.tolist(), table["FILE NAME"].tolist(), table["URL"].tolist(), strict=True
    )
    for line, name, url in rows:
        stem = name.strip()
        stem = stem[: stem.rindex(".")] if images.is_image(stem) else stem
        match = _NUMBERED.fullmatch(stem)
        if match is None or class_of(match[1]) != label:
            faults.append((line, f"{name!r} is no name like COVID-1 of the class {label}"))
            continue
        source = collection(url)
        if found.setdefault((label, int(match[2])), source) != source:
            faults.append((line, f"{name!r} stands twice, with another URL"))
    _tables.refuse(where, faults, cure="take the sheet as published, or take it away")
    return found


def _absent(files: list[_File], sources: Iterable[tuple[str, int | None]]) -> list[_File]:
    """Return a file for each row of a sheet that has none, beside the class's first X-ray."""
    there = {(file.label, file.number) for file in files if file.kind == "image"}
    beside: dict[str, PurePosixPath] = {}
    for file in files:
        if file.kind == "image":
            beside.setdefault(file.label, PurePosixPath(file.member))
    return [
        _File(label, "image", number, str(beside[label].with_name(f"{label}-{number}.png")))
        for label, number in sources
        if (label, number) not in there
    ]


def sample(root: Path) -> None:
    """Write a fake set: four classes of two images each, a mask to the first, and the sheets."""
    urls = ("https://eurorad.org", "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data",
            "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data",
            "https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia")  # fmt: skip
    top = root / "COVID-19_Radiography_Dataset"
    for level, name in enumerate(("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")):
        for folder in ("images", "masks"):
            (top / name / folder).mkdir(parents=True, exist_ok=True)
        for number in (1, 2):
            picture = np.full((22, 22), 40 * level + 15 * number, np.uint8)
            picture[5:17, 4:10] += 60
            Image.fromarray(picture).save(top / name / "images" / f"{name}-{number}.png")
        mask = np.zeros((16, 16), np.uint8)
        mask[4:12, 3 : 7 + level] = 255
        Image.fromarray(mask).save(top / name / "masks" / f"{name}-1.png")
        rows = "".join(f"{name}-{number},PNG,256*256,{urls[level]}\n" for number in (1, 2))
        sheet = f"FILE NAME,FORMAT,SIZE,URL\n{rows}"
        artifacts.write_bytes(top / f"{name}.metadata.csv", sheet.encode())
