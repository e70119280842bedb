"""The benchmarks' images: phantoms as PNG, most of 1024 px, drawn once into a folder and kept there."""

from __future__ import annotations

import functools
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


def images(count: int = COUNT, *, size_px: int = SIZE_PX) -> list[Path]:
    """Return `count` images; those not drawn before take some 2 s of one core each at 1024 px."""
    folder = home() / f"phantoms-{size_px}px"
    wanted = [folder / f"{index:04d}.png" for index in range(count)]
    missing = [path for path in wanted if not path.exists()]
    if missing:
        print(f"drawing {len(missing)} phantoms of {size_px} px into {folder}, once", flush=True)
        draw = functools.partial(_draw, size_px=size_px)
        workers.run(draw, missing, words="phantoms", chunk=4)
    return wanted


def _draw(path: Path, *, size_px: int) -> None:
    """Write the first image of a patient as PNG, as ChestX-ray14 has them: 8 bits, grey."""
    who = patient(_SEED, int(path.stem), task="multilabel")
    write(path, radiographs(_SEED, who, image_px=size_px)[0].pixels_HW)


def write(path: Path, pixels_HW: np.ndarray) -> None:
    """Write a grey uint8 image as PNG, whole or not at all: what is there is not drawn again."""
    buffer = io.BytesIO()
    Image.fromarray(pixels_HW).save(buffer, format="png")
    artifacts.write_bytes(path, buffer.getvalue())
