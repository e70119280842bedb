"""Let the channels that stay do the work of those that go: what the next layers read is reconstructed.

What a layer reads from a channel that goes is nearly a linear function of what it reads from those that
stay. Its weights for these take the function up, by least squares over images of train, in closed form from
second moments that are measured once, on the uncut parent (He et al. 2017, "Channel Pruning for
Accelerating Very Deep Neural Networks", ICCV, section 3.1). Nothing is trained and nothing is drawn.

Shapes: C inputs of a layer, K that stay, G that go, O outputs, P places (images, or pixels of them).
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cxr.backbones.surgery import Group
from cxr.training import batches
from cxr.training.recipe import Recipe

_BATCH = 64
_PLACES = 4096
"""Of a batch, at most: neighbouring pixels say the same again."""
_LEAST_RIDGE = 1e-4


@dataclass
class Moments:
    """What flows into a layer, summed over places."""

    places: int
    sum_C: np.ndarray
    products_CC: np.ndarray

    def add(self, values_PC: torch.Tensor) -> None:
        """Count these values in, some of them if they are many."""
        step = -(-len(values_PC) // _PLACES) | 1  # odd: a power of two would see the same columns
        some_PC = values_PC[::step].double().numpy()
        self.places += len(some_PC)
        self.sum_C += some_PC.sum(axis=0)
        self.products_CC += some_PC.T @ some_PC

    @property
    def mean_C(self) -> np.ndarray:
        """The mean of each input."""
        return self.sum_C / self.places

    def covariance_CC(self) -> np.ndarray:
        """Return the covariance, its diagonal raised by what so few places leave uncertain; all 0 of a dead layer."""
        mean_C = self.mean_C
        plain_CC = self.products_CC / self.places - np.outer(mean_C, mean_C)
        size = len(plain_CC)
        ridge = max(_LEAST_RIDGE, size / self.places) * max(0.0, np.trace(plain_CC)) / size
        return plain_CC + ridge * np.eye(size)


def moments(
    network: nn.Module, recipe: Recipe, images_NHW: np.ndarray, names: Collection[str]
) -> dict[str, Moments]:
    """Measure what flows into the layers named, convolutions and linear ones; the network is in evaluation then."""
    network.eval()
    with _watched(network, names) as found, torch.no_grad():
        for part in np.array_split(images_NHW, -(-len(images_NHW) // _BATCH)):
            network(batches.normalise(part, mean=recipe.mean, std=recipe.std))
    return found


@contextlib.contextmanager
def _watched(network: nn.Module, names: Collection[str]) -> Iterator[dict[str, Moments]]:
    found: dict[str, Moments] = {}
    hooks = []
    for name in names:
        layer = network.get_submodule(name)
        size = layer.weight.shape[1]  # type: ignore[index]
        seen = found[name] = Moments(0, np.zeros(size), np.zeros((size, size)))

        def see(_: nn.Module, inputs: tuple[torch.Tensor, ...], seen: Moments = seen) -> None:
            seen.add(inputs[0].movedim(1, -1).flatten(0, -2))

        hooks.append(layer.register_forward_pre_hook(see))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def lost_inputs(groups: Sequence[Group], kept: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Return which inputs each layer loses when all but the `kept` channels of the groups go."""
    found: dict[str, set[int]] = {}
    for group in groups:
        goes = set(range(group.channels)) - set(kept.get(group.name, range(group.channels)))
        for (name, each), inputs in zip(group.takers, group.inputs, strict=True):
            if goes:
                found.setdefault(name, set()).update(
                    inputs[channel * each + place] for channel in goes for place in range(each)
                )
    return {name: sorted(inputs) for name, inputs in found.items()}


def refit(
    network: nn.Module, recipe: Recipe, images_NHW: np.ndarray, lost: Mapping[str, Sequence[int]]
) -> None:
    """Let each layer's weights for the inputs that stay do the work of those for the `lost` ones, in place."""
    for name, seen in moments(network, recipe, images_NHW, lost).items():
        _refit(network.get_submodule(name), lost[name], seen)


def _refit(layer: nn.Module, lost: Sequence[int], seen: Moments) -> None:
    """Let a layer's weights for the inputs that stay do the work of those for the `lost` ones.

    What is lost of the mean goes to the bias; where there is none, the BatchNorm behind measures it.
    """
    goes_C = np.zeros(len(seen.sum_C), dtype=bool)
    goes_C[list(lost)] = True
    covariance_CC = seen.covariance_CC()
    if goes_C.all() or not np.trace(covariance_CC) > 0:
        return
    within_KK, across_KG = covariance_CC[~goes_C][:, ~goes_C], covariance_CC[~goes_C][:, goes_C]
    share_KG = np.linalg.solve(within_KK, across_KG)
    weight = layer.weight.detach().double().numpy()  # type: ignore[operator]
    refitted = weight.copy()
    refitted[:, ~goes_C] += np.tensordot(share_KG, weight[:, goes_C], (1, 1)).swapaxes(0, 1)
    mean_G = seen.mean_C[goes_C] - seen.mean_C[~goes_C] @ share_KG
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(refitted))  # type: ignore[operator]
        if layer.bias is not None:
            taps_OG = weight[:, goes_C].reshape(len(weight), len(mean_G), -1).sum(axis=2)
            layer.bias += torch.from_numpy(taps_OG @ mean_G).float()  # type: ignore[operator]
