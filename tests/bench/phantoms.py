"""The benchmarks' images: phantoms of 1024 px as PNG, drawn once into a folder and kept there."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from cxr import artifacts, workers
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import radiographs

COUNT = 200
SIZE_PX = 1024
_SEED = 1


def home() -> Path:
    """Return the folder for what the benchmarks make once: CXR_BENCH_FOLDER, else in the temporary files."""
    chosen = os.environ.get("CXR_BENCH_FOLDER")
    return Path(chosen) if chosen else Path(tempfile.gettempdir()) / "cxrepro-bench"


def images(count: int = COUNT) -> list[Path]:
    """Return `count` images of 1024 px; those not drawn before take some 2 s of one core each."""
    folder = home() / f"phantoms-{SIZE_PX}px"
    wanted = [folder / f"{index:04d}.png" for index in range(count)]
    missing = [path for path in wanted if not path.exists()]
    if missing:
        print(f"drawing {len(missing)} phantoms of {SIZE_PX} px into {folder}, once", flush=True)
        workers.run(_draw, missing, words="phantoms", chunk=4)
    return wanted


def _draw(path: Path) -> None:
    """Write the first image of a patient as PNG, as ChestX-ray14 has them: 8 bits, grey."""
    who = patient(_SEED, int(path.stem), task="multilabel")
    write(path, radiographs(_SEED, who, image_px=SIZE_PX)[0].pixels_HW)


def write(path: Path, pixels_HW: np.ndarray) -> None:
    """Write a grey uint8 image as PNG, whole or not at all: what is there is not drawn again."""
    buffer = io.BytesIO()
    Image.fromarray(pixels_HW).save(buffer, format="png")
    artifacts.write_bytes(path, buffer.getvalue())
