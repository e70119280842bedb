"""Arrivals of new data made by code: a folder of phantom X-rays with the table that tells what they show.

As data set `table` reads them: images/<patient>_<number>.png and labels.csv (path, label, patient).
"""

from __future__ import annotations

import functools
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from cxr import artifacts, seeding
from cxr.phantom.patient import CLASSES, patient
from cxr.phantom.radiograph import radiographs


def write(
    folder: Path,
    *,
    seed: int,
    patients: int,
    first: int = 0,
    noise: float = 0.0,
    image_px: int = 64,
    gamma: float = 1.0,
    zipped: bool = False,
) -> list[str]:
    """Write the patients `first`, `first + 1`, … of `seed`, 1 to 3 images each; return the images' paths.

    The same seed and number is the same patient with the same images, in whatever folder; another
    seed makes other patients with other names. `noise` is the share of patients whose label is a
    wrong one, `gamma` the exponent of another display (1 none, 2 much darker); `zipped` puts the
    images into images.zip.
    """
    lines, files = ["path,label,patient"], {}
    for index in range(first, first + patients):
        name = f"s{seed}p{index:05d}"
        label, images = _examined(seed, index, image_px)
        rng = seeding.stream(seed, "arrival", "noise", index)
        if rng.random() < noise:
            label = str(rng.choice([other for other in CLASSES if other != label]))
        for number, pixels_HW in enumerate(images):
            path = f"images/{name}_{number}.png"
            files[path] = _png(pixels_HW, gamma)
            lines.append(f"{'images.zip/' * zipped}{path},{label},{name}")
    if zipped:
        files = {"images.zip": _zip(files)}
    for path, content in files.items():
        artifacts.write_bytes(folder / path, content)
    artifacts.write_text(folder / "labels.csv", "\n".join(lines) + "\n")
    return [line.partition(",")[0] for line in lines[1:]]


@functools.cache
def _examined(seed: int, index: int, image_px: int) -> tuple[str, list[np.ndarray]]:
    """Return a patient's label and images, uint8 (H, W)."""
    who = patient(seed, index, task="multiclass")
    images = [image.pixels_HW for image in radiographs(seed, who, image_px=image_px)]
    return (who.findings or CLASSES)[0], images


def _png(pixels_HW: np.ndarray, gamma: float) -> bytes:
    """Return the image as a display of another exponent shows it."""
    shown, content = np.rint(255 * (pixels_HW / 255) ** gamma), io.BytesIO()
    Image.fromarray(shown.astype(np.uint8)).save(content, format="png")
    return content.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    """Return an archive whose bytes hold no clock time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, inside in files.items():
            archive.writestr(zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0)), inside)
    return content.getvalue()
