"""A trained network as an ONNX graph: grey values in, probabilities and maps out, the same bytes anywhere.

The graph takes grey values as they are, 0..255, and gives probabilities: normalisation, temperature
and softmax or sigmoid are inside, so a user can get none wrong. Where the network allows it a second
output says where a score comes from (`cxr.exporting.maps`). It scores an image once, as it is: of a
model whose figures are means over `test_views` views it is the first view, and its metadata says so.
Exported with torch.onnx (torch.export and onnxscript), which folds BatchNorm into the convolutions.
Sources: https://onnx.ai/onnx/repo-docs/IR.html, https://docs.pytorch.org/docs/stable/onnx.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import onnx
import torch
from google.protobuf.message import Message
from torch import nn

from cxr import artifacts
from cxr.exporting import maps
from cxr.training import losses, models

OPSET = 20  # what the exporter writes by itself; onnxruntime 1.18 (2024) and later run it
INPUT, OUTPUT, MAPS = "images", "probabilities", "maps"
METADATA_KEY = "cxr"
_VARYING = ("doc_string", "metadata_props")


class Scorer(nn.Module):
    """Grey images (N, 1, S, S), float32 0..255 → probabilities (N, L), as `models.predict_once`.

    With a `pooling` the maps (N, L, h, w) too.
    """

    def __init__(self, member: models.Member, pooling: maps.Pooling | None) -> None:
        super().__init__()
        self.network, self.recipe = member.network, member.recipe
        self.temperature, self.pooling = member.temperature, pooling

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        mean, std = self.recipe.mean, self.recipe.std
        normalised = images.mul(1.0 / (255.0 * std)).sub(mean / std)
        if self.pooling is None:
            return self._probabilities(self.network(normalised))
        last = self.pooling.maps(normalised)
        raw = self.network.head(self.pooling.means(last))
        return self._probabilities(raw), maps.by_label(self.network, last)

    def _probabilities(self, raw: torch.Tensor) -> torch.Tensor:
        if self.temperature != 1.0:  # no step in the graph that does nothing
            raw = raw / self.temperature
        return losses.probabilities(raw, self.recipe.loss)


def to_onnx(member: models.Member, *, size_px: int, about: Mapping[str, Any]) -> bytes:
    """Return the network as an ONNX file, the same bytes from any folder and process.

    `about` goes into the file as canonical JSON under the one metadata key `cxr`, and beside it what
    there is to say of the maps.
    """
    found = maps.find(member.network, size_px=size_px)
    pooling = None if isinstance(found, str) else found
    example = torch.zeros(2, 1, size_px, size_px)  # a batch of 1 would be taken for a constant
    program = torch.onnx.export(
        Scorer(member, pooling).eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT] if pooling is None else [OUTPUT, MAPS],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    own = maps.describe(found, member.network, name=MAPS)
    return finished(program.model_proto, {**about, **own})


def finished(model: onnx.ModelProto, about: Mapping[str, Any]) -> bytes:
    """Return a model's file, checked: `about` in it and nothing of the machine that made it."""
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


def about(content: bytes) -> dict[str, Any]:
    """Return what a file says of itself."""
    (said,) = onnx.load_from_string(content).metadata_props
    return json.loads(said.value)
