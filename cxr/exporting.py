"""A trained network as an ONNX file that runs without this code, and the proof that both say the same.

The graph takes grey values as they are, 0..255, and gives probabilities: normalisation, temperature
and softmax or sigmoid are inside, so a user can get none wrong. It scores an image once, as it is, and
is compared with PyTorch doing so: of a model whose figures are means over `test_views` views it is the
first view, and its metadata says so. Exported with torch.onnx (torch.export and
onnxscript), which folds BatchNorm into the convolutions; run with onnxruntime.
Sources: https://onnx.ai/onnx/repo-docs/IR.html, https://docs.pytorch.org/docs/stable/onnx.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from google.protobuf.message import Message
from torch import nn

from cxr import artifacts, numerics, prepared
from cxr.training import losses, models

OPSET = 20  # what the exporter writes by itself; onnxruntime 1.18 (2024) and later run it
INPUT, OUTPUT = "images", "probabilities"
METADATA_KEY = "cxr"
LARGEST_DIFFERENCE = 1e-4
"""Between the probabilities of PyTorch and onnxruntime. Two of them can close in by twice as much, so
whatever is decided by a margin above 0.0002 is decided alike."""
_CHECKED_IMAGES = 64
_VARYING = ("doc_string", "metadata_props")


@dataclass(frozen=True)
class Task:
    """One fold's export, as a worker receives it."""

    model: Path
    fold: int
    prepared_folder: Path
    rows: np.ndarray
    """positions of images that the network did not train on, to compare on"""


@dataclass(frozen=True)
class Exported:
    """An ONNX file's bytes and how far its probabilities are from PyTorch's.

    The difference varies with the processor, so it enters no file.
    """

    content: bytes
    difference: float
    temperature: float


class Scorer(nn.Module):
    """Grey images (N, 1, S, S), float32 0..255 → probabilities (N, L), as `models.predict_once`."""

    def __init__(self, member: models.Member) -> None:
        super().__init__()
        self.network, self.recipe = member.network, member.recipe
        self.temperature = member.temperature

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean, std = self.recipe.mean, self.recipe.std
        raw = self.network(images.mul(1.0 / (255.0 * std)).sub(mean / std))
        if self.temperature != 1.0:  # no step in the graph that does nothing
            raw = raw / self.temperature
        return losses.probabilities(raw, self.recipe.loss)


def export_fold(task: Task) -> Exported:
    """Export one fold's network and compare it with PyTorch on at most 64 images, spread evenly."""
    numerics.exact_torch()
    config, member = models.config(task.model), models.load(task.model, task.fold)
    about = {**metadata(task.model.name, config), "fold": task.fold}
    if calibrated(config):
        about["temperature"] = member.temperature
    content = to_onnx(member, size_px=config["size_px"], about=about)
    rows = task.rows[:: max(-(-len(task.rows) // _CHECKED_IMAGES), 1)]
    images_NHW = prepared.read(task.prepared_folder).gather(rows)
    return Exported(content, compare(content, member, images_NHW), member.temperature)


def metadata(model: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an ONNX file says of its model.

    `test_views` is there if it is above 1: the model's figures are then means over so many views of
    an image, of which the file scores the first.
    """
    keys = ["labels", "loss", "mean", "size_px", "std"]
    keys += ["test_views"] if config["test_views"] > 1 else []
    return {"model": model, **{key: config[key] for key in keys}}


def calibrated(config: Mapping[str, Any]) -> bool:
    """Tell whether the files of a model divide by a temperature, and say which."""
    return config["calibration"] == "temperature"


def to_onnx(member: models.Member, *, size_px: int, about: Mapping[str, Any]) -> bytes:
    """Return the network as an ONNX file, the same bytes from any folder and process.

    `about` goes into the file as canonical JSON under the one metadata key `cxr`.
    """
    example = torch.zeros(2, 1, size_px, size_px)  # a batch of 1 would be taken for a constant
    program = torch.onnx.export(
        Scorer(member).eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    _strip(model)
    model.producer_name, model.producer_version = "cxrepro", ""  # torch names its build: +cpu, +cu
    onnx.helper.set_model_props(model, {METADATA_KEY: artifacts.canonical_json(about)})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _strip(message: Message) -> None:
    """Clear all notes in a protobuf tree: they hold stack traces, and with them this machine's paths."""
    for field, value in message.ListFields():
        if field.name in _VARYING:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if isinstance(value, Message) else value:
                _strip(part)


def compare(content: bytes, member: models.Member, images_NHW: np.ndarray) -> float:
    """Return the largest difference of probabilities between onnxruntime and PyTorch, images seen once.

    Raises ValueError if there is no image, or if the difference is not at most LARGEST_DIFFERENCE.
    """
    if not len(images_NHW):
        raise ValueError("no val image to compare on: see split.fractions")
    ours_NL = models.predict_once(member, images_NHW)
    theirs_NL = probabilities(content, images_NHW)
    difference = float(np.abs(ours_NL - theirs_NL).max())
    if not difference <= LARGEST_DIFFERENCE:  # so that not-a-number fails as well
        raise ValueError(
            f"the exported network gives other probabilities than PyTorch: they differ by up to "
            f"{difference:.2g} on {len(images_NHW)} images, expected at most {LARGEST_DIFFERENCE:g}; "
            f"torch {torch.__version__} can't export this network faithfully to opset {OPSET}: "
            "take the model out of export.models"
        )
    return difference


def probabilities(content: bytes, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L) of uint8 images, run by onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    images_N1HW = images_NHW[:, None].astype(np.float32)
    return session.run([OUTPUT], {INPUT: images_N1HW})[0]
