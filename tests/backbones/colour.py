"""Weight files as timm would have them: of a network in colour, its classifier included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from cxr import artifacts, seeding
from cxr.backbones.weights import file_sha256

SLIM = {"mlp_ratio": 0.01}
"""Of a VGG: its layers of 4096 at a hundredth of their width, so that a test needn't write 550 MB."""


def network(name: str, **options: Any) -> nn.Module:
    """Return timm's network of ten classes in colour, no tensor of it at a value that tells nothing."""
    with seeding.torch_global(1, name):
        source = timm.create_model(name, num_classes=10, **options)
    generator = seeding.torch_stream(1, "norms", name)
    for layer in source.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for key, tensor in layer.state_dict().items():
                if tensor.is_floating_point():
                    tensor.copy_(torch.rand(tensor.shape, generator=generator))
                    tensor.add_(0.5 if key in ("weight", "running_var") else -0.5)
    return source.eval()


def write(path: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write a weight file; return its sha256."""
    artifacts.write_tensors(path, tensors, {})
    return file_sha256(path)


def images(size_px: int) -> torch.Tensor:
    """Return a dark and a light grey image (2, 1, S, S) from 0 to 1."""
    generator = seeding.torch_stream(1, "images")
    grey = torch.rand(2, 1, size_px, size_px, generator=generator)
    return grey * torch.tensor([0.4, 1.0])[:, None, None, None]


def assert_equal(found_BF: torch.Tensor, expected_BF: torch.Tensor) -> None:
    """Assert that features agree by far better than those of different images do."""
    difference = (found_BF - expected_BF).abs().max()
    assert difference < 1e-4 * expected_BF.abs().max()
    assert difference < 1e-3 * (expected_BF[0] - expected_BF[1]).abs().max()


def answers(source: nn.Module, images_BCHW: torch.Tensor) -> torch.Tensor:
    """Return what a network of timm puts before its classifier."""
    with torch.no_grad():
        maps_BCHW = source.forward_features(images_BCHW)  # type: ignore[operator]
        return source.forward_head(maps_BCHW, pre_logits=True)  # type: ignore[operator]
