"""basalamah_grid: the plain networks of a published grid search, small enough to try them all.

Basalamah & Rahman 2021 tried conv_layers {1, 2, 3} x layer_sizes {32, 64, 128} x dense_layers
{0, 1, 2}, 27 networks, on COVID-19 against normal at 224 px, after a first pass over layer_sizes
{16 … 256}. A network flattens its maps, so it is bound to the side of its images and can be huge:
1 convolution, size 128 and 1 dense layer at 224 px have 202 M parameters. The caps of the search
keep such networks from being built; they then miss in the grid.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from cxr.evolution.genes import Gene, Genome
from cxr.search.spaces import _choices

PRETRAINED = False


@dataclass(frozen=True, kw_only=True)
class Params:
    """The choices, numbers in order."""

    conv_layers: list[int]
    """convolutions, each with ReLU and max-pooling"""
    layer_sizes: list[int]
    """channels of each convolution and width of each dense layer"""
    dense_layers: list[int]
    """dense layers with ReLU behind the flattened maps, before the recipe's head"""

    def __post_init__(self) -> None:
        _choices.check_numbers(conv_layers=self.conv_layers, layer_sizes=self.layer_sizes)
        _choices.check_numbers(least=0, dense_layers=self.dense_layers)


def genes(settings: Params) -> list[Gene]:
    """Return the three genes, in the order in which the grid is walked: the last runs fastest."""
    return [
        _choices.gene("conv_layers", settings.conv_layers),
        _choices.gene("layer_size", settings.layer_sizes),
        _choices.gene("dense_layers", settings.dense_layers),
    ]


def architecture(genome: Genome, settings: Params, *, size_px: int) -> dict[str, Any]:
    """Return the network of the family plain_cnn for images of `size_px`."""
    conv, size, dense = genome
    return {
        "family": "plain_cnn",
        "layer_size": settings.layer_sizes[size],
        "conv_layers": settings.conv_layers[conv],
        "dense_layers": settings.dense_layers[dense],
        "side_px": size_px,
    }


def smallest(settings: Params, *, size_px: int) -> list[Genome]:
    """Return all networks of the smallest layer size; which of them is smallest depends on the side."""
    place = settings.layer_sizes.index(min(settings.layer_sizes))
    others = itertools.product(range(len(settings.conv_layers)), range(len(settings.dense_layers)))
    return [(conv, place, dense) for conv, dense in others]


def fixed_size(settings: Params) -> bool:
    """Return True: flattened maps fit only the side that a network was made for."""
    return True
