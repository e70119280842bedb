"""packing: put a data set's many loose image files into few zip archives that stand for their folder.

DVC needs minutes for 100,000 loose files and a second for the same bytes in archives. The archives
are uncompressed zips `images-001.zip`, `images-002.zip`, …, each with at most MOST_MEMBERS files under
their paths in the download (`images-001.zip/images/00000001_000.png`). The same files give the same
bytes: sorted, no clock time, no user. What is packed later goes into a new archive, the next
number, so what is known keeps its name and unchanged archives keep their bytes.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

LOOSE_LIMIT = 1000
"""So many loose image files stay loose; more are packed."""
MOST_MEMBERS = 10_000
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm", ".dicom")
"""Files of these endings are images, as in cxr/images.py, which flows do not import."""

_NAME = re.compile(r"images-(\d{3,})\.zip")
_MARK = b"packed by make data of cxrepro"  # the archive's comment tells ours from a download's


def images(names: Iterable[str]) -> list[str]:
    """Return those of `names` that are loose image files, sorted."""
    return sorted(name for name in names if name.lower().endswith(SUFFIXES))


def plan(loose: Iterable[str], taken: Iterable[str]) -> dict[str, list[str]]:
    """Return {archive: its members} for loose files, numbered on after the archives in `taken`."""
    numbers = [int(found[1]) for name in taken if (found := _NAME.fullmatch(name))]
    first, ordered = max(numbers, default=0) + 1, sorted(loose)
    blocks = [ordered[i : i + MOST_MEMBERS] for i in range(0, len(ordered), MOST_MEMBERS)]
    return {f"images-{number:03d}.zip": block for number, block in enumerate(blocks, start=first)}


def write(path: Path, files: Mapping[str, Path], told: Callable[[int], object]) -> None:
    """Write {member: file} into the zip `path`; `told` hears the bytes of each as they are done.

    Raises ValueError if a file changes while it is read, or its name is no text.
    """
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:
        archive.comment = _MARK
        for name, file in files.items():
            entry = zipfile.ZipInfo(_text(name), date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix; zipfile would write the machine's own
            entry.external_attr = 0o100644 << 16
            entry.file_size = expected = file.stat().st_size
            with file.open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            if entry.file_size != expected:
                raise ValueError(f"{file} changes while it is read: wait for its download to end")
            told(expected)


def members(path: Path) -> list[str]:
    """Return what an archive of ours holds; nothing for any other file."""
    if not _NAME.fullmatch(path.name):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist() if archive.comment == _MARK else []
    except zipfile.BadZipFile:
        return []


def differing(path: Path, files: Mapping[str, Path]) -> str:
    """Name the first member of the archive that is not byte for byte as in `files`; empty if all are."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            try:
                same = name in files and _equal(archive, name, files[name])
            except zipfile.BadZipFile:  # damaged since it was written
                same = False
            if not same:
                return name
    return ""


def _equal(archive: zipfile.ZipFile, name: str, file: Path) -> bool:
    if archive.getinfo(name).file_size != file.stat().st_size:
        return False
    with archive.open(name) as one, file.open("rb") as other:
        while part := other.read(1 << 20):
            if one.read(len(part)) != part:
                return False
    return True


def _text(name: str) -> str:
    """Refuse a name that is no UTF-8 text: a zip would hold other bytes than the folder."""
    if any(0xD800 <= ord(letter) < 0xE000 for letter in name):
        raise ValueError(f"the name {name!r} is not readable UTF-8 text: rename the file")
    return name
