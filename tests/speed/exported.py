"""A small model, saved and exported as the stages leave them, and its contenders."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from cxr import artifacts, exporting
from cxr.speed.turns import Contender
from cxr.training import models
from tests.pruning import parents

LABELS = 2
NO_LIBRARY = Path("/nonexistent")


def make(root: Path, name: str = "toy", **changes: Any) -> Path:
    """Write data/models/<name> and data/exported/<name> under `root`; return the model's folder."""
    folder = parents.save(root / "data/models" / name, parents.small(**changes), folds=1)
    about = {"fold": 0, "model": name}
    content = exporting.to_onnx(models.load(folder, 0), size_px=parents.SIZE, about=about)
    export(root, name, {"fold-0.onnx": content})
    return folder


def export(root: Path, name: str, files: dict[str, bytes]) -> None:
    """Write ONNX files and what names them."""
    folder = root / "data/exported" / name
    for file, content in files.items():
        artifacts.write_bytes(folder / file, content)
    hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    artifacts.write_json(folder / "metadata.json", {"files": hashes})


def images(root: Path, count: int = 4) -> Path:
    """Write grey images of the model's side."""
    path = root / "images.npy"
    shape = (count, parents.SIZE, parents.SIZE)
    artifacts.write_array(
        path, (np.arange(np.prod(shape)) * 7 % 251).astype(np.uint8).reshape(shape)
    )
    return path


def contender(root: Path, **changes: Any) -> Contender:
    """Return the small model in ONNX Runtime, or changed."""
    usual = {
        "model": "toy", "engine": "onnxruntime", "precision": "float32", "exact": False,
        "file": root / "data/exported/toy/fold-0.onnx", "batch": 2, "threads": 1,
    }  # fmt: skip
    return Contender(**{**usual, **changes})


def torch(root: Path, **changes: Any) -> Contender:
    """Return the small model in eager PyTorch, in the exact profile, or changed."""
    usual = {"engine": "pytorch", "exact": True, "file": root / "data/models/toy"}
    return contender(root, **{**usual, **changes})
