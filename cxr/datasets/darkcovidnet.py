"""darkcovidnet: the image set of DarkCovidNet, 124 COVID-19, 500 pneumonia and 500 normal X-rays.

Ozturk et al. 2020, "Automated detection of COVID-19 cases using deep neural networks with X-ray
images", Computers in Biology and Medicine 121:103792. The COVID-19 images come from Cohen et al.'s
collection (arXiv:2006.11988), the others from ChestX-ray14 (Wang et al., CVPR 2017).

Read are the three class folders `Covid-19`, `No_findings` and `Pneumonia`, at any depth, in the
folder itself or inside a zip. Patients:

- NIH names begin with the patient's number (`00002658_001.png` → `nih:00002658`), certain.
- Cohen's names tell the article or the published case (`lancet-case2a`, `nejmoa2001191_f3-PA`,
  `covid-19-pneumonia-24-day7`). View, day and figure are cut from the end, and what is equal then
  is one patient (`case`). So all figures of one article go together, of different patients too:
  that costs the split some freedom and never leaks. Other names tell nothing; those that the
  collection's own table gives to one patient are listed in `_SAME_AS`. LIMIT: `cohen:` patients
  are cases or articles, 72 of them, not exactly people; files added to the set later may be
  pictures of one patient under unrelated names.

Known faults, for `validate` to find: 21 patients stand in both No_findings and Pneumonia, and
00002658_001 and 00002658_002 have the same pixels.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image

from cxr import archives, images
from cxr.datasets._source import Source

SOURCE = Source(
    title="DarkCovidNet image set (Ozturk et al. 2020)",
    url="https://github.com/muhammedtalo/COVID-19",
    citation=(
        "Ozturk T, Talo M, Yildirim EA, Baloglu UB, Yildirim O, Acharya UR: Automated detection of "
        "COVID-19 cases using deep neural networks with X-ray images. Computers in Biology and "
        "Medicine 121:103792, 2020"
    ),
    licence="none stated; COVID-19 part: per image, see Cohen et al.; other parts: NIH Clinical Center",
    redistributable=False,
    # the paper counts 125 of covid: covid-19-pneumonia-14-PA.png is missing from the repository
    images={"covid": 124, "no_findings": 500, "pneumonia": 500},
    sha256={},  # a git repository, no fixed file: commit ee3e2cffc0824711bed675275506b26f19be7198
    hint="clone https://github.com/muhammedtalo/COVID-19 and take its folder 'X-Ray Image DataSet'",
)

CLASSES = {"Covid-19": "covid", "No_findings": "no_findings", "Pneumonia": "pneumonia"}
_NIH_NAME = re.compile(r"(\d{8})_\d{3}")
_UUID = re.compile(r"[0-9A-F]{8}-[0-9A-F]{4}-", re.IGNORECASE)
_SAME_AS = {
    "9C34AF49-E589-44D5-92D3-168B3B04E4A6": "8FDE8DBA-CFBD-4B4C-B1A4-6F36A93B7E87",
    "F2DE909F-E19C-4900-92F5-8F435B031AC6": "31BA3780-2323-493F-8AED-62081B9C383B",
    "F4341CE7-73C9-45C6-99C8-8567A5484B63": "E63574A7-4188-4C8D-8D17-9D67A18A1AFA",
    "FE9F9A5D-2830-46F9-851B-1FF4534959BE": "7D2CF6CE-F529-4470-8356-D33FFAF98600",
    "5931B64A-7B97-485D-BE60-3F1EA76BC4F0": "171CB377-62FF-4B76-906C-F3787A01CB2E",
    "C6EA0BE5-B01E-4113-B194-18D956675E25": "171CB377-62FF-4B76-906C-F3787A01CB2E",
    "B2D20576-00B7-4519-A415-72DE29C90C34": "6C94A287-C059-46A0-8600-AFB95F4727B7",
    "9fdd3c3032296fd04d2cad5d9070d4_jumbo": "58cb9263f16e94305c730685358e4e_jumbo",
}
"""Names of one patient (metadata.csv of ieee8023/covid-chestxray-dataset, commit 6a42423, patientid)."""
_EXPOSURE = re.compile(r"(?:-(?:PA|AP|L|day-?\d+|\d+-(?:days?|hours?)|admission))+$")
"""View and time at the end: -PA, -day7, -12-hours, -admission."""
_FIGURE = re.compile(
    r"[-_.](?:pdf-\d+|fig-?\d+|f\d+|g\d{3}|gr\d+_lrg|fx\d+_lrg|Fig\d+_HTML)(?![0-9]).*$"
)
"""From the figure's number on: .pdf-002-a1, .fig5, _f1a, -g001-l-a, -gr2_lrg-a, _Fig1_HTML.webp."""
_PANEL = re.compile(r"(?<=^auntminnie)-[a-d](?=-)|(?<=^lancet-case\d)[a-z]$")
"""A panel's letter where no figure is named."""


def read(root: Path) -> pd.DataFrame:
    """Return one row per image below `root`; raise ValueError if a class folder is missing."""
    found = [name for name in archives.members(root) if images.is_image(name)]
    found = [name for name in found if PurePosixPath(name).parent.name in CLASSES]
    classes = {PurePosixPath(name).parent.name for name in found}
    if missing := [name for name in CLASSES if name not in classes]:
        raise ValueError(
            f"darkcovidnet: {root} has no images in a folder {', '.join(missing)} (expected "
            f"{', '.join(CLASSES)}, as folders or in a zip): {SOURCE.hint}"
        )
    _check_once(root, found)
    return pd.DataFrame([_row(name) for name in found])


def _check_once(root: Path, found: list[str]) -> None:
    """Refuse a folder that holds the set twice, as files and as zip."""
    seen: dict[tuple[str, str], str] = {}
    for name in found:
        path = PurePosixPath(name)
        first = seen.setdefault((path.parent.name, path.name), name)
        if first != name:
            raise ValueError(
                f"darkcovidnet: {root} holds {path.name} twice ({first} and {name}): keep one copy"
            )


def _row(name: str) -> dict[str, object]:
    path = PurePosixPath(name)
    label = CLASSES[path.parent.name]
    return {
        "image": name,
        "source": "cohen" if label == "covid" else "nih",
        "patient": patient(path.name),
        "view": "PA" if path.stem.endswith("-PA") else "",
        "age_years": np.nan,
        "sex": "",
        "given_split": "",
        **{f"label:{other}": float(other == label) for other in CLASSES.values()},
    }


def patient(file_name: str) -> str:
    """Return the patient that a file's name tells: `nih:<number>` or `cohen:<case>`."""
    stem = PurePosixPath(file_name).stem
    nih = _NIH_NAME.fullmatch(stem)
    return f"nih:{nih[1]}" if nih else f"cohen:{case(stem)}"


def case(stem: str) -> str:
    """Return the article or case that a name of Cohen's collection tells, without its ending."""
    if stem in _SAME_AS or _UUID.match(stem):
        return _SAME_AS.get(stem, stem)
    return _PANEL.sub("", _FIGURE.sub("", _EXPOSURE.sub("", stem)))


def sample(root: Path) -> None:
    """Write a fake set of ten small images in the repository's layout, with its known faults."""
    names = {
        "Covid-19": ("covid-19-pneumonia-1-day3.png", "covid-19-pneumonia-1-day7.png",
                     "lancet-case2a.jpg", "lancet-case2b.jpg"),
        "No_findings": ("00000001_000.png", "00000001_001.png", "00000002_000.png"),
        "Pneumonia": ("00000002_001.png", "00000003_000.png", "00000004_000.png"),
    }  # fmt: skip
    for level, (folder, files) in enumerate(names.items()):
        for i, name in enumerate(files):
            picture = np.full((20, 16 + i), 60 * level + 10 * i, np.uint8)
            picture[4:16, 4:12] += 40
            path = root / "X-Ray Image DataSet" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
