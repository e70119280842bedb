"""A trained network as an ONNX graph: grey values in, probabilities and maps out, the same bytes anywhere.

The graph takes grey values as they are, 0..255, and gives probabilities: normalisation, temperature
and softmax or sigmoid are inside, so a user can get none wrong. Where the network allows it another
output says where a score comes from (`cxr.exporting.maps`), and one how unlike the training images an
image is (`cxr.exporting.strangeness`). It scores an image once, as it is: of a
model whose figures are means over `test_views` views it is the first view, and its metadata says so.
Exported with torch.onnx (torch.export and onnxscript), which folds BatchNorm into the convolutions.
Sources: https://onnx.ai/onnx/repo-docs/IR.html, https://docs.pytorch.org/docs/stable/onnx.html.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import Message
from torch import nn

from cxr import artifacts
from cxr.exporting import maps, strangeness
from cxr.training import batches, losses, models
from cxr.training.network import Network, last_layer

OPSET = 20  # what the exporter writes by itself; onnxruntime 1.18 (2024) and later run it
INPUT, OUTPUT, MAPS, STRANGENESS = "images", "probabilities", "maps", "strangeness"
METADATA_KEY = "cxr"
_SEAL, _NO_SEAL = '"seal":"{}"', "0" * 64
_VARYING = ("doc_string", "metadata_props")


class Scorer(nn.Module):
    """Grey images (N, 1, S, S), float32 0..255 → probabilities (N, L), as `models.predict_once`.

    With a `pooling` the maps (N, L, h, w) too, and with `strange` the strangeness (N,).
    """

    def __init__(
        self,
        member: models.Member,
        pooling: maps.Pooling | None,
        strange: strangeness.Strangeness | None,
    ) -> None:
        super().__init__()
        self.network, self.recipe = member.network, member.recipe
        self.temperature, self.pooling, self.strange = member.temperature, pooling, strange

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mean, std = self.recipe.mean, self.recipe.std
        normalised = images.mul(1.0 / (255.0 * std)).sub(mean / std)
        found = []
        if self.pooling is None:
            pooled = self.network.backbone(normalised)
        else:
            last = self.pooling.maps(normalised)
            pooled = self.pooling.means(last)
            found.append(maps.by_label(self.network, last))
        features = before_last(self.network, pooled)
        if self.strange is not None:
            found.append(self.strange(images, features))
        return self._probabilities(last_layer(self.network)(features)), *found

    def _probabilities(self, raw: torch.Tensor) -> torch.Tensor:
        if self.temperature != 1.0:  # no step in the graph that does nothing
            raw = raw / self.temperature
        return losses.probabilities(raw, self.recipe.loss)


def before_last(network: Network, pooled: torch.Tensor) -> torch.Tensor:
    """Return what the last linear layer is given, of what the backbone gives."""
    for layer in list(network.head.children())[:-1]:
        pooled = layer(pooled)
    return pooled


def features(member: models.Member, images_NHW: np.ndarray) -> np.ndarray:
    """Return what the last linear layer is given, float32 (N, C), of uint8 images."""
    network = member.network.eval()
    with torch.inference_mode():
        parts = [
            before_last(network, network.backbone(batch)).numpy()
            for batch in batches.scored(images_NHW, member.recipe)
        ]
    return np.concatenate(parts)


def to_onnx(
    member: models.Member, *, size_px: int, about: Mapping[str, Any],
    strange: strangeness.Fitted | None = None,
) -> bytes:  # fmt: skip
    """Return the network as an ONNX file, the same bytes from any folder and process.

    `about` goes into the file as canonical JSON under the one metadata key `cxr`, and beside it what
    there is to say of the maps and, where it is known what is `strange`, of that.
    """
    found = maps.find(member.network, size_px=size_px)
    pooling = None if isinstance(found, str) else found
    names = [OUTPUT, *([MAPS] if pooling else []), *([STRANGENESS] if strange else [])]
    example = torch.zeros(2, 1, size_px, size_px)  # a batch of 1 would be taken for a constant
    program = torch.onnx.export(
        Scorer(member, pooling, strange.strangeness if strange else None).eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=names,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    own = maps.describe(found, member.network, name=MAPS)
    if strange is not None:
        own |= strangeness.describe(strange, name=STRANGENESS)
    return finished(program.model_proto, {**about, **own})


def finished(model: onnx.ModelProto, about: Mapping[str, Any]) -> bytes:
    """Return a model's file, checked: `about` in it and nothing of the machine that made it.

    `seal` in it is the file's own sha256, made with 64 zeros in its place: a file that comes alone can
    be told from a damaged one. It is no signature.
    """
    _strip(model)
    model.producer_name, model.producer_version = "cxrepro", ""  # torch names its build: +cpu, +cu
    said = artifacts.canonical_json({**about, "seal": _NO_SEAL})
    onnx.helper.set_model_props(model, {METADATA_KEY: said})
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString(deterministic=True)
    place = _SEAL.format(_NO_SEAL).encode()
    assert content.count(place) == 1
    return content.replace(place, _SEAL.format(hashlib.sha256(content).hexdigest()).encode())


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
