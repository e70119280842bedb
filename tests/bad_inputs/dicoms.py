"""DICOM files that are broken, or tell who the patient is; in a set of the reader `dicom`.

Many more are bent in tests/test_dicom_broken.py; these go through the stages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cxr.datasets import dicom
from tests import dicom_files
from tests.bad_inputs import Bad
from tests.bad_inputs.pictures import write
from tests.test_dicom_broken import BAD as BROKEN

FILE = "files/7.dcm"


def _make(file: str, content: Callable[[], bytes], root: Path) -> None:
    dicom.sample(root)
    write(root / file, content())
    with (root / "labels.csv").open("a") as table:
        table.write(f"{file},pneumonia\n")


def _bad(
    name: str,
    fate: Any,
    words: str,
    content: Callable[[], bytes],
    *,
    file: str = FILE,
    told: str = "",
    **more: Any,
) -> Bad:
    return Bad(name=f"DICOM: {name}", dataset="dicom", make=partial(_make, file, content),
               file=told or file, fate=fate, words=words, **more)  # fmt: skip


_NOTED = (
    "no pixels", "empty pixels", "too few bytes", "too many bytes", "cut in the pixels",
    "length beyond the end", "JPEG-LS", "big endian", "deflated", "frames", "huge", "32 bits",
    "JPEG bomb", "JPEG cut off", "JPEG 2000 cut off", "RLE garbage", "empty",
)  # fmt: skip
_EMPTY = {"empty": "is empty"}  # before anybody asks what it is
ALL = [
    *(_bad(kind, "noted", _EMPTY.get(kind, BROKEN[kind][1]), partial(BROKEN.__getitem__(kind).__getitem__, 0)) for kind in _NOTED),
    _bad("person in private and public elements", "legal", "", dicom_files.make, values={"file_format": "DICOM", "bit_depth": 12, "sex": "F", "age_years": 45.0}),
    _bad("person in the path", "refused", "row 8: its path holds the patient's name or id: give the file a name", dicom_files.make, file="files/Nightingale.dcm", told="labels.csv"),
    _bad("CT", "refused", "row 8: its file is CT, not CR or DX: take", partial(dicom_files.make, Modality="CT"), told="labels.csv"),
    _bad("PNG in the table", "refused", "row 8: its file is no DICOM file", lambda: b"\x89PNG", file="files/7.png", told="labels.csv"),
]  # fmt: skip
SECRETS = dicom_files.SECRETS
