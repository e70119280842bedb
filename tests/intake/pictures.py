"""Small grey pictures in every kind of container."""

from __future__ import annotations

import io
import tarfile
import zipfile

import numpy as np
from PIL import Image

from cxr import seeding


def png(i: int, size_px: int = 16) -> bytes:
    """Return the bytes of picture `i`."""
    buffer = io.BytesIO()
    pixels = seeding.stream(0, "intake", i).integers(0, 256, (size_px, size_px), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()


def fill(root, kind, numbers):
    """Write pictures into `root` as a container `a.<kind>`, or loose; return their member names."""
    root.mkdir(parents=True, exist_ok=True)
    names = [f"{i:04d}.png" for i in numbers]
    if kind == "loose":
        for name, i in zip(names, numbers, strict=True):
            (root / name).write_bytes(png(i))
        return names
    path = root / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, i in zip(names, numbers, strict=True):
                file.writestr(name, png(i))
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as file:
            for name, i in zip(names, numbers, strict=True):
                info = tarfile.TarInfo(name)
                info.size = len(png(i))
                file.addfile(info, io.BytesIO(png(i)))
    return [f"a.{kind}/{name}" for name in names]
