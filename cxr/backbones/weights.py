"""Weight files of timm's networks and of our own: checked, folded for one grey channel, taken whole or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from cxr import artifacts
from cxr.backbones import stem

AUXILIARY = "AuxLogits"
"""Inception-v3's second classifier, used in its training alone (Szegedy et al. 2016,
https://arxiv.org/abs/1512.00567): torchvision's own file holds it, timm's on the hub doesn't."""
OURS, HEAD = "backbone.", "head."
"""What the tensors of a model of ours (`cxr.training.models`) are named under, each of them."""
_COUNTS = "num_batches_tracked"
"""BatchNorm's count of the batches that it saw: files of older networks lack it."""


class Taken(NamedTuple):
    """How many of a network's parameters a weight file gave."""

    taken: int
    all: int


class _Misfit(NamedTuple):
    """The names of the tensors in which a file is not what a network asks for."""

    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]

    def words(self, path: Path) -> str:
        """Say it, with three names of each kind."""
        return (
            f"{path} does not fit the backbone: {len(self.missing)} tensors missing {self.missing[:3]}, "
            f"{len(self.unexpected)} unexpected {self.unexpected[:3]}, "
            f"{len(self.misshapen)} of another shape {self.misshapen[:3]}"
        )


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
    tensors of equal name and shape, for a network that is not the file's own. Of a model of ours the
    backbone is taken and the head left: grey already, so nothing is folded, and whole, whatever
    `partial` says. Raises ValueError on another content than `sha256` names, on a missing or misshapen
    tensor, and on an unexpected one other than the classifier's; if `partial`, only where no
    parameter fits.
    """
    tensors = _read(path, sha256)
    if is_ours(tensors):
        return _load_ours(network, path, tensors)
    config: Mapping[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    for name in _all(config["first_conv"]):
        stem.fold(tensors, network, name, colours or stem.Norming())
    auxiliary = (AUXILIARY,) if hasattr(network, AUXILIARY) else ()
    classifier = tuple(f"{part}." for part in (*_all(config["classifier"]), *auxiliary))
    expected = network.state_dict()
    asked = {k: x for k, x in expected.items() if k in tensors or not k.endswith(_COUNTS)}
    given = {k: x for k, x in tensors.items() if k in expected or not k.startswith(classifier)}
    misfit = _compared(given, asked)
    fitting = {k: x for k, x in given.items() if k in asked and k not in misfit.misshapen}
    taken = _taken(network, fitting)
    if taken.taken == 0 if partial else any(misfit):
        raise ValueError(misfit.words(path))
    network.load_state_dict(fitting, strict=False)
    return taken


def is_ours(tensors: Collection[str]) -> bool:
    """Tell by the names of a file's tensors whether it holds a model of ours, backbone and head."""
    return any(name.startswith(OURS) for name in tensors) and all(
        name.startswith((OURS, HEAD)) for name in tensors
    )


def _load_ours(network: nn.Module, path: Path, tensors: Mapping[str, torch.Tensor]) -> Taken:
    """Load the backbone of a model of ours bit for bit; its head answers for other labels."""
    own = {k.removeprefix(OURS): x for k, x in tensors.items() if k.startswith(OURS)}
    misfit = _compared(own, network.state_dict())
    if any(misfit):
        raise ValueError(
            f"{misfit.words(path)}; it is named as a model of this project is: write the backbone and "
            "the backbone_options that `make keep` printed with it"
        )
    network.load_state_dict(own)
    return _taken(network, own)


def _taken(network: nn.Module, tensors: Collection[str]) -> Taken:
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    return Taken(sum(size for k, size in sizes.items() if k in tensors), sum(sizes.values()))


def _compared(given: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> _Misfit:
    """Set what a file holds beside what a network asks for."""
    return _Misfit(
        missing=[name for name in expected if name not in given],
        unexpected=[name for name in given if name not in expected],
        misshapen=[k for k, x in expected.items() if k in given and given[k].shape != x.shape],
    )


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
