"""Weight files of timm's networks: checked, folded for one grey channel, and taken whole or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from cxr import artifacts
from cxr.backbones import stem

AUXILIARY = "AuxLogits"
"""Inception-v3's second classifier, used in its training alone (Szegedy et al. 2016,
https://arxiv.org/abs/1512.00567): torchvision's own file holds it, timm's on the hub doesn't."""


class Taken(NamedTuple):
    """How many of a network's parameters a weight file gave."""

    taken: int
    all: int


def load_weights(
    network: nn.Module,
    path: Path,
    *,
    sha256: str,
    partial: bool = False,
    colours: stem.Norming | None = None,
) -> Taken:
    """Load tensors under timm's names into `network`, folding an RGB stem into the grey channel.

    The network then answers to a grey image as the file's own does to the image repeated in three
    channels, each normed as `colours` says (None: as the grey one): exactly where that is alike for
    all, up to zero-padded borders elsewhere, see `cxr.backbones.stem`. `partial` takes just the
    tensors of equal name and shape, for a network that is not the file's own. Raises ValueError on
    another content than `sha256` names, on a missing or misshapen tensor, and on an unexpected one
    other than the classifier's; if `partial`, only where no parameter fits.
    """
    config: Mapping[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    tensors = _read(path, sha256)
    for name in _all(config["first_conv"]):
        stem.fold(tensors, network, name, colours or stem.Norming())
    auxiliary = (AUXILIARY,) if hasattr(network, AUXILIARY) else ()
    classifier = tuple(f"{part}." for part in (*_all(config["classifier"]), *auxiliary))
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


def _read(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    if path.suffix != ".safetensors":
        raise ValueError(
            f"{path} is no .safetensors file: the others (.bin, .pt, .pth) are pickles, which run "
            "code on loading; convert it elsewhere"
        )
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `make data DATASET=weights FROM=<its folder>`")
    found = file_sha256(path)
    if found != sha256:
        raise ValueError(
            f"{path} has sha256 {found}, the recipe asks for {sha256 or 'none'}: if it is the file "
            "you mean, write the one that it has"
        )
    return artifacts.read_tensors(path)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _all(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
