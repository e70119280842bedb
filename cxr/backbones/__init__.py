"""Backbones by timm name, for one grey channel, from scratch or from a local safetensors file.

timm: https://github.com/huggingface/pytorch-image-models. `searched` is no timm name: it stands for
the families that the search draws from, see `cxr.architectures`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import nn

from cxr import artifacts, seeding
from cxr.backbones import searched

SEARCHED = "searched"
"""The name under which `options` are a network of `cxr.architectures`."""


def create(
    name: str, *, options: Mapping[str, Any], seed: int, stream: tuple[str | int, ...]
) -> nn.Module:
    """Build the timm network `name` without a classifier: (B, 1, H, W) grey → (B, features) pooled.

    Weights are drawn from the named stream. `searched` builds the architecture in `options`. Raises
    ValueError for a name that timm does not know, and for a faulty architecture.
    """
    if name == SEARCHED:
        with seeding.torch_global(seed, *stream):
            return searched.build(options)
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:8])
        raise ValueError(f"unknown backbone {name!r}: timm has no such network; near it: {near}")
    with seeding.torch_global(seed, *stream):
        return timm.create_model(name, pretrained=False, in_chans=1, num_classes=0, **options)


def features(network: nn.Module) -> int:
    """Return the length of the pooled features; MobileNetV3 and VGG widen them behind the pooling."""
    return int(getattr(network, "head_hidden_size", None) or network.num_features)  # type: ignore[arg-type]


class Taken(NamedTuple):
    """How many of a network's parameters a weight file gave."""

    taken: int
    all: int


def load_weights(network: nn.Module, path: Path, *, sha256: str, partial: bool = False) -> Taken:
    """Load tensors under timm's names into `network`, folding an RGB stem into the grey channel.

    The fold sums the stem's weights over the colours: the same as repeating the grey channel, exact
    where the normalisation is equal across colours, up to zero-padded borders elsewhere. `partial`
    takes just the tensors of equal name and shape, for a network that is not the file's own. Raises
    ValueError on another content than `sha256` names, on a missing or misshapen tensor, and on an
    unexpected one other than the classifier's; if `partial`, only where no parameter fits.
    """
    tensors, classifier = _tensors(network, path, sha256)
    expected = network.state_dict()
    missing = [k for k in expected if k not in tensors and not k.endswith("num_batches_tracked")]
    extra = [k for k in tensors if k not in expected and not k.startswith(classifier)]
    shapes = [k for k in expected if k in tensors and tensors[k].shape != expected[k].shape]
    fitting = {k: v for k, v in tensors.items() if k in expected and k not in shapes}
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    taken = Taken(sum(size for k, size in sizes.items() if k in fitting), sum(sizes.values()))
    if taken.taken == 0 if partial else missing or extra or shapes:
        raise ValueError(
            f"{path} does not fit the backbone: {len(missing)} tensors missing {missing[:3]}, "
            f"{len(extra)} unexpected {extra[:3]}, {len(shapes)} of another shape {shapes[:3]}"
        )
    network.load_state_dict(fitting, strict=False)
    return taken


def _tensors(
    network: nn.Module, path: Path, sha256: str
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Read a weight file, its stem folded to grey; return it and what its classifier's names start with."""
    content_hash = hashlib.sha256(_bytes(path)).hexdigest()
    if content_hash != sha256:
        raise ValueError(f"{path} has sha256 {content_hash}, the recipe asks for {sha256}")
    tensors = artifacts.read_tensors(path)
    config: Mapping[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    stem = f"{_first(config['first_conv'])}.weight"
    if stem in tensors and tensors[stem].shape[1] == 3:
        tensors[stem] = tensors[stem].sum(dim=1, keepdim=True)
    return tensors, tuple(f"{part}." for part in _all(config["classifier"]))


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `make data DATASET=weights FROM=<its folder>`")
    return path.read_bytes()


def _all(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _first(names: str | tuple[str, ...]) -> str:
    return _all(names)[0]


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """Return the BatchNorm layers of a network (timm's variants included)."""
    return [
        layer
        for layer in network.modules()
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)
    ]
