"""Files with names, and things in the place of files, that trip programs up."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_inputs import Bad
from tests.bad_inputs.images import good
from tests.bad_inputs.pictures import chest, stored, write


def _bad(name: str, words: str, change: Callable[[Path], object], *, file: str, **more: Any) -> Bad:
    def make(root: Path) -> None:
        good(root)
        change(root)

    return Bad(**({"name": name, "dataset": "folder", "make": make, "file": file, "fate": "refused", "words": words} | more))  # fmt: skip


def _legal(name: str, file: str) -> Bad:
    return _bad(name, "", lambda root: write(root / file, stored(chest(5))), file=file,
                fate="legal", values={"label:normal": 1.0, "dataset": "folder"})  # fmt: skip


def _socket(root: Path) -> None:
    here = Path.cwd()
    os.chdir(root)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("ear.png")
    finally:
        os.chdir(here)


def _beside(root: Path) -> None:
    write(root / "normal/more.7z", b"7z\xbc\xaf\x27\x1c")
    write(root / "normal/set.rar", b"Rar!")


NO_FILE = "is a pipe, socket or device and no file: take it out"
LINK = "is a link to a folder or to nothing: put the files there"
ALL = [
    _bad("name with a line end", r"'normal/a\\nb.png' is not readable UTF-8 text; rename", lambda root: write(root / "normal/a\nb.png", b"x"), file="normal/a\\nb.png"),
    _bad("name that is no UTF-8", r"'normal/\\udcff.png' is not readable UTF-8 text; rename", lambda root: write(root / "normal/\udcff.png", b"x"), file="normal/\\udcff.png"),
    _bad("name with a backslash", "is not a plain relative path", lambda root: write(root / "normal/a\\b.png", b"x"), file="normal/a\\\\b.png"),
    _bad("link to nothing", LINK, lambda root: (root / "normal/x.png").symlink_to("nowhere"), file="normal/x.png"),
    _bad("link to the folder above", LINK, lambda root: (root / "normal/round").symlink_to(".."), file="normal/round"),
    _bad("link to itself", LINK, lambda root: (root / "normal/x.png").symlink_to("x.png"), file="normal/x.png"),
    _bad("pipe for an image", NO_FILE, lambda root: os.mkfifo(root / "normal/x.png"), file="normal/x.png"),
    _bad("pipe for an archive", NO_FILE, lambda root: os.mkfifo(root / "x.zip"), file="x.zip"),
    _bad("socket for an image", NO_FILE, _socket, file="ear.png"),
    _bad("image beside the classes", "stray.png lies in no class folder .*put images", lambda root: write(root / "stray.png", b"x"), file="stray.png"),
    _bad("image beside train and test", "lies outside the folders train, val and test .*move it", lambda root: write(root / "train/normal/0.png", b"x"), file="normal/0.png"),
    _bad("folder of nothing but signs", "lies in no class folder .*put images", lambda root: write(root / "!!/0.png", b"x"), file="!!/0.png"),
    _bad("patient of no image", "row 2: normal/0.png has no patient.*keep one row", lambda root: write(root / "patients.csv", b"image,patient\nnormal/0.png,\n"), file="patients.csv"),
    _bad("image of no patient", "has no patient for normal/1.png: add its row", lambda root: write(root / "patients.csv", b"image,patient\nnormal/0.png,x\n"), file="patients.csv"),
    _bad("table of patients with a cell too many", "row 2: 3 cells, the header has 2.*Cure", lambda root: write(root / "patients.csv", b"image,patient\nnormal/0.png,x,y\n"), file="patients.csv"),
    _bad("folder named as an image", "", lambda root: write(root / "normal/x.png/0.png", stored(chest(5))), file="normal/x.png/0.png", fate="legal", values={"label:normal": 1.0}),
    _bad("empty folder named as an archive", "", lambda root: (root / "x.zip").mkdir(), file="normal/0.png", fate="legal", values={"label:normal": 1.0}),
    _legal("spaces, # and % in a name", "normal/a #1 100%25.png"),
    _legal("quotes and commas in a name", "normal/a \"b\", 'c';.png"),
    _legal("formula for a name", "normal/=cmd|' -C calc'!A0.png"),
    _legal("HTML for a name", "normal/<img src=x onerror=alert(1)>.png"),
    _legal("other scripts and a mark that turns the writing round", "normal/\u0635\u062f\u0631 \u202egnp.\U0001fac1.png"),
    _legal("composed letters", "normal/e\u0301 and \u00e9.png"),
    _legal("name that means unknown to pandas", "normal/NaN.png"),
    _legal("name of 250 letters", f"normal/{'x' * 246}.png"),
    _legal("dashes first", "normal/--help.png"),
    _bad("names that differ in case only", "", lambda root: [write(root / "normal/A.png", stored(chest(5))), write(root / "normal/a.PNG", stored(chest(6)))], file="normal/a.PNG", fate="legal", values={"width_px": 80}),
    _bad("class folders that differ in case only", "", lambda root: write(root / "Normal/5.png", stored(chest(5))), file="Normal/5.png", fate="legal", values={"label:normal": 1.0}),
]  # fmt: skip

FOUND = [
    _bad("archive that no reader looks into", "unlisted_file", _beside, file="normal/set.rar", fate="found", gaps=2),
]  # fmt: skip
