"""The first convolution of colour weights, folded for one grey channel.

A network that was trained on colours sees a grey image as three equal channels g, channel c of it as
(g - mean_c) / std_c. Ours sees one, (g - mean) / std = x. With a_c = std / std_c and
b_c = (mean - mean_c) / std_c channel c is a_c x + b_c, so that the convolution's sum over c and its
window of w_c (a_c x + b_c) is one grey convolution with the weights Σ_c w_c a_c plus a constant, the
sum of all w_c b_c, which goes into the bias, or into the mean that the BatchNorm behind it subtracts.
The constant is too much where the window reaches into a border padded with zeros: there the answers
differ, unless all channels are normed as the grey one is (a_c = 1, b_c = 0) or nothing is padded
(Inception-v3). timm's own fold (`adapt_input_conv`) is the sum over c, as if a_c = 1 and b_c = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from cxr.backbones import names


@dataclass(frozen=True)
class Norming:
    """How each colour channel is normed beside the grey one: it is `scale` times that, plus `shift`."""

    scales: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shifts: tuple[float, float, float] = (0.0, 0.0, 0.0)


def norming(name: str, *, mean: float, std: float) -> Norming:
    """Return how timm's weights `name` normed colours beside `mean` and `std` of the grey input.

    Only a tag tells, as in resnet50.tv_in1k: of a name without one, the colours are taken to be
    normed as the grey input is. Raises ValueError for a tag that timm does not know.
    """
    if "." not in name:
        return Norming()
    trained = timm.get_pretrained_cfg(names.timm_name(name))
    assert trained is not None, "names.timm_name has seen the tag"
    scales = [std / own for own in trained.std]
    shifts = [(mean - centre) / own for centre, own in zip(trained.mean, trained.std, strict=True)]
    return Norming(tuple(scales), tuple(shifts))  # type: ignore[arg-type]


def fold(tensors: dict[str, torch.Tensor], network: nn.Module, name: str, colours: Norming) -> None:
    """Make the colour convolution `name` among `tensors` one for a grey channel, in place.

    Nothing is done to one that is grey already. Raises ValueError for a convolution that norms its
    own weights, and where a constant has neither a bias nor a BatchNorm to go to.
    """
    weight_OCHW = tensors.get(f"{name}.weight")
    if weight_OCHW is None or weight_OCHW.ndim != 4 or weight_OCHW.shape[1] != 3:
        return
    layer = network.get_submodule(name)
    if type(layer) not in (nn.Conv2d, Conv2dSame):
        raise ValueError(
            f"colour weights of {name}, a {type(layer).__name__}, can't be folded into a grey channel: "
            "only a plain convolution's can; give weights of one channel"
        )
    scales_C11, shifts_C11 = (
        torch.tensor(x)[:, None, None] for x in (colours.scales, colours.shifts)
    )
    tensors[f"{name}.weight"] = (weight_OCHW * scales_C11).sum(dim=1, keepdim=True)
    if any(colours.shifts):
        _add(tensors, network, name, (weight_OCHW * shifts_C11).sum(dim=(1, 2, 3)))


def _add(
    tensors: dict[str, torch.Tensor], network: nn.Module, name: str, constant_O: torch.Tensor
) -> None:
    """Add a constant to what a convolution puts out, by its bias or by the BatchNorm behind it."""
    bias, mean = f"{name}.bias", f"{_norm_behind(network, name)}.running_mean"
    if bias in tensors:
        tensors[bias] = tensors[bias] + constant_O
    elif mean in tensors:
        tensors[mean] = tensors[mean] - constant_O
    else:
        raise ValueError(
            f"{name} has neither a bias nor a BatchNorm behind it, to make up for colours that were "
            "normed otherwise: give the weights as {file, sha256} and the backbone without its tag, "
            "to take them for colours normed as the grey input is"
        )


def _norm_behind(network: nn.Module, name: str) -> str | None:
    """Return the name of the BatchNorm that stands right behind a convolution, in the same module."""
    around, _, own = name.rpartition(".")
    children = list(network.get_submodule(around).named_children())
    place = [child for child, _ in children].index(own) + 1
    if place < len(children) and isinstance(children[place][1], nn.BatchNorm2d):
        return f"{around}.{children[place][0]}".lstrip(".")
    return None
