"""What each place of a network's last maps adds to one answer: HiResCAM.

With the last maps A and the answer's raw score s, the map is the sum over channels c of
A_c * ds/dA_c, place by place (Draelos & Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful
explanations", https://arxiv.org/abs/2011.08891). Where means of the maps and one linear layer make
the score, it is Zhou et al.'s class activation map (2016) divided by the number of places, and so is
Grad-CAM (Selvaraju et al. 2017) before it drops what is negative: what the places add sums up to the
score, save the bias. Where the maps are flattened into one linear layer that still holds for
HiResCAM, and no longer for Grad-CAM, which takes a channel's mean gradient for all its places. With
more layers behind the maps it is a local answer: what small changes of a place would do.

The score explained is the log odds of a label's probability. With a sigmoid that is the raw score.
With a softmax it is the raw score minus the logarithm of the summed exponentials of the others:
adding the same to all raw scores changes no probability, so a raw score alone, and a map of it,
could show what tells no label from another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cxr.backbones import searched
from cxr.training import batches
from cxr.training.models import Member
from cxr.training.recipe import Loss

Part = Callable[[torch.Tensor], torch.Tensor]
_CLOSE = 1e-4  # of the largest raw score, or of 1: batches of other sizes round otherwise


def explain(member: Member, images_NHW: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return maps float32 (N, h, w): what each place of an image adds to the log odds of its label.

    Images are uint8 (N, H, W), `labels_N` the position of the label that each is asked for. The
    network is left in evaluation mode. Raises ValueError for a backbone without maps.
    """
    to_maps, to_features = split(member.network.backbone)
    network, wanted_N = member.network.eval(), torch.from_numpy(labels_N.astype(np.int64))
    found, first = [], 0
    for images_B1HW in batches.scored(images_NHW, member.recipe):
        with torch.no_grad():
            maps_BChw = _checked(to_maps(images_B1HW))
            whole_BL = network(images_B1HW[:1])
        maps_BChw.requires_grad_(True)
        raw_BL = network.head(to_features(maps_BChw))
        apart = float((raw_BL[:1].detach() - whole_BL).abs().max())
        if not apart <= _CLOSE * max(1.0, float(whole_BL.abs().max())):
            raise ValueError(
                f"{member.recipe.backbone} does more than its two parts: raw scores differ by {apart:.2g}; "
                "take the model out of explain.models"
            )
        wanted_B = wanted_N[first : first + len(images_B1HW)]
        answers_B = log_odds(raw_BL / member.temperature, wanted_B, member.recipe.loss)
        (gradients_BChw,) = torch.autograd.grad(answers_B.sum(), maps_BChw)
        found.append((maps_BChw * gradients_BChw).sum(dim=1).detach())
        first += len(images_B1HW)
    return torch.cat(found).numpy()


def log_odds(raw_BL: torch.Tensor, wanted_B: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Return (B,): the log odds that raw scores (B, L) give to one wanted label each."""
    own_B = raw_BL.gather(1, wanted_B[:, None])[:, 0]
    if loss != "cross_entropy":
        return own_B
    others_BL = raw_BL.scatter(1, wanted_B[:, None], -torch.inf)
    return own_B - others_BL.logsumexp(dim=1)


def split(backbone: nn.Module) -> tuple[Part, Part]:
    """Return what leads to a backbone's last maps, and what makes features of them.

    Raises ValueError if it does not say which its last maps are, or has none of the form (B, C, h, w).
    """
    if isinstance(backbone, searched.Planned):
        place = [name for name, _ in backbone.named_children()].index("pool")
        parts = list(backbone.children())
        return nn.Sequential(*parts[:place]), nn.Sequential(*parts[place:])
    first, rest = (getattr(backbone, f"forward_{part}", None) for part in ("features", "head"))
    # timm's transformers with places in the last two dimensions instead: (B, h, w, C)
    other_form = str(getattr(backbone, "output_fmt", "NCHW")).endswith("NHWC")
    if first is None or rest is None or other_form:
        raise _no_maps(type(backbone).__name__)
    return first, rest


def _checked(maps: Any) -> torch.Tensor:
    if not isinstance(maps, torch.Tensor) or maps.ndim != 4:
        raise _no_maps("its features")
    return maps


def _no_maps(what: str) -> ValueError:
    return ValueError(
        f"the backbone has no maps of channels, rows and columns ({what}): take the model out of "
        "explain.models"
    )


def enlarged(maps_Nhw: np.ndarray, size_px: int) -> np.ndarray:
    """Return maps float32 (N, S, S), interpolated between the middles of the places (bilinear)."""
    maps_N1hw = torch.from_numpy(maps_Nhw)[:, None]
    size = (size_px, size_px)
    large_N1SS = functional.interpolate(maps_N1hw, size, mode="bilinear", align_corners=False)
    return large_N1SS[:, 0].numpy()
