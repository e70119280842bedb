"""Class activation maps: how much each place of the last maps adds to each label's raw score.

Where a network ends in maps A_c, their means and one linear layer, the raw score of label l is
b_l + sum over c of w_lc mean(A_c), which is b_l + mean(sum over c of w_lc A_c): the linear layer
applied to the maps before they are averaged says what each place adds, exactly (Zhou et al. 2016,
"Learning deep features for discriminative localization", CVPR, https://arxiv.org/abs/1512.04150).
Where anything else stands behind the maps there is no such map, and none is made up: what gradients
would say (Selvaraju et al. 2017) an ONNX graph can't, for it has none.

B is images, C channels, L labels, h and w the maps' sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cxr import seeding
from cxr.backbones import searched
from cxr.training.network import Network, last_layer

_HIDDEN = "hidden layers of the head stand between the means of the maps and the scores"
_NO_MEANS = (
    "what the head is given are no means of the last maps: layers behind the pooling, or every place "
    "by itself, stand between them"
)
_CLOSE = 1e-5  # of the largest feature: the means' own rounding


@dataclass(frozen=True)
class Pooling:
    """A backbone cut where its last maps are averaged."""

    maps: Callable[[torch.Tensor], torch.Tensor]
    """images normalised (B, 1, S, S) → the last maps (B, C, h, w)"""
    means: Callable[[torch.Tensor], torch.Tensor]
    """the last maps → what the backbone gives (B, C)"""
    sides: tuple[int, int]
    """h and w"""


def find(network: Network, *, size_px: int) -> Pooling | str:
    """Return where the network's last maps are averaged for its one linear layer, or why they are not.

    Seen on noise of the images' size, as only the answer counts: where the maps are single pixels,
    say, the largest of each is its mean too. The network is switched to evaluation.
    """
    if len([layer for layer in network.head.modules() if isinstance(layer, nn.Linear)]) > 1:
        return _HIDDEN
    parts = _parts(network.backbone)
    if parts is None:
        return "the backbone does not say which its last maps are"
    noise = torch.randn(2, 1, size_px, size_px, generator=seeding.torch_stream(0, "maps", "noise"))
    with torch.inference_mode():
        network.eval()
        maps_BChw = parts[0](noise)
        features, whole = parts[1](maps_BChw), network.backbone(noise)
        if maps_BChw.ndim != 4 or features.shape != maps_BChw.shape[:2]:
            return _NO_MEANS
        apart = (maps_BChw.mean(dim=(2, 3)) - features).abs().max()
        if not torch.equal(features, whole) or not apart <= _CLOSE * features.abs().max():
            return _NO_MEANS
    return Pooling(*parts, (maps_BChw.shape[2], maps_BChw.shape[3]))


def _parts(backbone: nn.Module) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
    """Return what leads to a backbone's last maps, and what follows: of timm's networks or ours."""
    if not isinstance(backbone, searched.Planned):
        first, rest = (getattr(backbone, f"forward_{part}", None) for part in ("features", "head"))
        return None if first is None or rest is None else (first, rest)
    names = [name for name, _ in backbone.named_children()]
    layers, place = list(backbone.children()), names.index("pool")
    return _in_turn(layers[:place]), _in_turn(layers[place:])


def _in_turn(layers: list[nn.Module]) -> Callable[[torch.Tensor], torch.Tensor]:
    def run(values: torch.Tensor) -> torch.Tensor:
        for layer in layers:
            values = layer(values)
        return values

    return run


def by_label(network: Network, maps_BChw: torch.Tensor) -> torch.Tensor:
    """Return the maps (B, L, h, w) whose means plus the last layer's bias are the raw scores (B, L)."""
    return functional.conv2d(maps_BChw, last_layer(network).weight[:, :, None, None])


def describe(found: Pooling | str, network: Network, *, name: str) -> dict[str, Any]:
    """Return what a file says of its output `name`, or why it has none."""
    if isinstance(found, str):
        return {"maps": None, "no_maps": found}
    bias_L = last_layer(network).bias.tolist()
    return {
        "maps": {
            "name": name,
            "type": "float32",
            "shape": ["batch", len(bias_L), *found.sides],
            "values": "what each place adds to each label's raw score, in the order of labels: the "
            "mean of a map plus the label's bias is the score that temperature, if any, and softmax "
            "or sigmoid make a probability of; it says what a score rests on, not where a disease is",
            "bias": bias_L,
        }
    }
