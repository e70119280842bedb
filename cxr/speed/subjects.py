"""What is measured: a model's network as it is exported, its size and cost, and the images it scores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr import artifacts, exporting
from cxr.backbones.weights import file_sha256
from cxr.metrics import cost
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import radiographs
from cxr.training import models

MODELS, EXPORTED = Path("data/models"), Path("data/exported")
FOLD = 0
"""All folds of a model cost about the same; the first is measured."""
IMAGES = 32
_DRAWN = 8  # different ones; the rest are these upside down, mirrored, and both
_SEED = 1


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One model to be measured."""

    name: str
    folder: Path
    """of the model, for PyTorch"""
    files: dict[str, Path]
    """ONNX files by precision: float32, and int8 where the model was exported so too"""
    size_px: int
    """side of the images that it is measured with"""
    parameters: int
    macs: int
    weights_bytes: int
    """of its safetensors file"""

    def about(self) -> dict[str, Any]:
        """Return what a report says of it; config_sha256 binds it to the model's weights."""
        return {
            "fold": FOLD,
            "size_px": self.size_px,
            "parameters": self.parameters,
            "macs": self.macs,
            "weights_bytes": self.weights_bytes,
            "config_sha256": file_sha256(self.folder / "config.json"),
            "files": {
                precision: {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
                for precision, path in self.files.items()
            },
        }


def subject(name: str, *, size_px: int | None, scratch: Path) -> Subject:
    """Return the model `name`; with another `size_px` than its own it is exported anew, into `scratch`.

    Raises ValueError for a model that is missing or not exported, and for a file that was changed.
    """
    folder = MODELS / name
    config = models.config(folder)
    side = size_px or config["size_px"]
    member = models.load(folder, FOLD)
    if side == config["size_px"]:
        files = _exported(name)
    else:
        path = scratch / f"{name}.onnx"
        about = {**exporting.metadata(name, config), "fold": FOLD, "size_px": side}
        artifacts.write_bytes(path, exporting.to_onnx(member, size_px=side, about=about))
        files = {"float32": path}
    return Subject(
        name=name, folder=folder, files=files, size_px=side,
        parameters=cost.parameters(member.network),
        macs=cost.macs(member.network, size_px=side),
        weights_bytes=(folder / f"fold-{FOLD}.safetensors").stat().st_size,
    )  # fmt: skip


def _exported(name: str) -> dict[str, Path]:
    """Return the first fold's ONNX files by precision, checked against the metadata beside them."""
    folder = EXPORTED / name
    path = folder / "metadata.json"
    if not path.is_file():
        raise ValueError(
            f"{path} is missing: add {name} to export.models of the study and run `make repro`"
        )
    found = {}
    for file, sha256 in sorted(artifacts.read_json(path)["files"].items()):
        if not file.startswith((f"fold-{FOLD}.", f"fold-{FOLD}-")):
            continue
        if not (folder / file).is_file() or file_sha256(folder / file) != sha256:
            raise ValueError(
                f"{folder / file} is not the file that {path} names: run `dvc checkout` or `make repro`"
            )
        found["int8" if "int8" in file else "float32"] = folder / file
    return dict(sorted(found.items()))  # float32 first


def images(size_px: int) -> np.ndarray:
    """Return the radiographs that all score: drawn by code, uint8 (IMAGES, size_px, size_px)."""
    drawn: list[np.ndarray] = []
    index = 0
    while len(drawn) < _DRAWN:
        who = patient(_SEED, index, task="multilabel")
        drawn += [one.pixels_HW for one in radiographs(_SEED, who, image_px=size_px)]
        index += 1
    first_NSS = np.stack(drawn[:_DRAWN])
    turned = [first_NSS, first_NSS[:, ::-1], first_NSS[:, :, ::-1], first_NSS[:, ::-1, ::-1]]
    return np.ascontiguousarray(np.concatenate(turned)[:IMAGES])


def sha256(images_BSS: np.ndarray) -> str:
    """Return the hash of the images' bytes, as a contender reports it of what it has scored."""
    return hashlib.sha256(np.ascontiguousarray(images_BSS).tobytes()).hexdigest()


def one_side(found: Sequence[Subject]) -> int:
    """Return the side that all are measured with; raise ValueError if they differ."""
    sides = sorted({subject.size_px for subject in found})
    if len(sides) > 1:
        named = ", ".join(f"{subject.name} {subject.size_px}" for subject in found)
        raise ValueError(
            f"the models take images of several sides ({named}): measure them apart, or all at one "
            "side with --size-px"
        )
    return sides[0]
