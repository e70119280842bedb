"""A frozen table of how long single layers take, and what a pruned network takes by it: an objective.

Times vary from run to run and from machine to machine, so the search may not measure: it reads a
table that was measured once, is kept with the raw data and named by its sha256. A network's time is
the sum over its convolutions and linear layers at the channels that the cut leaves them; between the
counts of the table it is interpolated, linearly along inputs and outputs. What lies between the
layers is left out, so a sum ranks networks of one parent and is no promise of milliseconds
(Cai et al. 2019, "ProxylessNAS", section 3.3; Yang et al. 2018, "NetAdapt", section 3.3).

Legend: I inputs of the grid, O outputs of the grid, G groups of channels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import nn

from cxr import params
from cxr.evolution.genes import Genome
from cxr.pruning.encoding import Encoding

FORMAT = 1
Kind = Literal["plain", "pointwise", "depthwise", "grouped", "linear"]
Pair: TypeAlias = tuple[int, int]
"""Down and across."""
_MEASURE = (
    "measure one with `python -m cxr.speed.table --network <folder of the parent> --out <file>`"
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a layer's time depends on beside its channels."""

    kind: Kind
    kernel: Pair
    stride: Pair
    dilation: Pair
    filters: int
    """of each group of a grouped convolution, which cuts leave as they are; 1 of all other kinds"""
    side_px: Pair
    """of its input; a linear layer has 1 down and as many across as it sees vectors"""

    def __str__(self) -> str:
        if self.kind == "linear":
            return f"linear layer on {self.side_px[1]} vector(s)"
        wide = (
            [f"dilation {self.dilation[0]}x{self.dilation[1]}"] if self.dilation != (1, 1) else []
        )
        many = [f"{self.filters} filters a group"] if self.kind == "grouped" else []
        words = [
            f"{self.kind} convolution {self.kernel[0]}x{self.kernel[1]}",
            f"stride {self.stride[0]}x{self.stride[1]}", *wide, *many,
            f"at {self.side_px[0]}x{self.side_px[1]} px",
        ]  # fmt: skip
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of a network as it runs."""

    name: str
    shape: Shape
    inputs: int
    """that one filter reads: 1 of a depthwise convolution"""
    outputs: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The times of one shape over numbers of channels."""

    shape: Shape
    inputs: tuple[int, ...]
    """ascending, that one filter reads"""
    outputs: tuple[int, ...]
    """ascending"""
    microseconds: tuple[tuple[float, ...], ...]
    """one row for each of `inputs`, one number for each of `outputs`"""

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            counts = getattr(self, name)
            if not counts or counts[0] < 1 or any(a >= b for a, b in pairwise(counts)):
                raise ValueError(f"{name} must ascend from 1 or more, not {list(counts)}")
        widths = [len(row) for row in self.microseconds]
        if widths != [len(self.outputs)] * len(self.inputs):
            raise ValueError(
                f"microseconds must be {len(self.inputs)} row(s) of {len(self.outputs)} numbers, not "
                f"{widths}"
            )
        if not all(time > 0 for row in self.microseconds for time in row):
            raise ValueError("microseconds must be above 0")

    def covers(self, inputs: int, outputs: int) -> bool:
        """Tell whether the time at so many channels lies between measured ones."""
        ends = ((self.inputs, inputs), (self.outputs, outputs))
        return all(counts[0] <= wanted <= counts[-1] for counts, wanted in ends)

    def at(self, inputs: int, outputs: int) -> float:
        """Return the time at so many channels, linear between the nearest of the grid."""
        by_input_I = [np.interp(outputs, self.outputs, row) for row in self.microseconds]
        return float(np.interp(inputs, self.inputs, by_input_I))


@dataclass(frozen=True, kw_only=True)
class About:
    """How a table was measured; for people."""

    processor: str
    onnxruntime: str
    threads: int
    batch: int
    rounds: int
    """each grid point is the median over so many"""
    networks: list[str]
    """whose layers were measured"""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The content of a table's file."""

    format: int
    about: About
    grids: tuple[Grid, ...]

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format must be {FORMAT}, which this code reads, not {self.format}")
        shapes = [grid.shape for grid in self.grids]
        if twice := [shape for place, shape in enumerate(shapes) if shape in shapes[:place]]:
            raise ValueError(f"{twice[0]} stands there twice")

    @classmethod
    def read(cls, file: Path, sha256: str) -> Table:
        """Read a table; raise ValueError if it is missing, not the one named, or not as it should be."""
        if not file.is_file():
            raise ValueError(f"{file} is missing: run `dvc pull`, or {_MEASURE}")
        content = file.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise ValueError(
                f"{file} has sha256 {found}, wanted is {sha256}: another table gives another search; "
                "run `dvc checkout`, or name this one's sha256 in the recipe"
            )
        try:
            tree = json.loads(content)
        except ValueError as error:
            raise ValueError(f"{file} is no valid JSON: {error}") from None
        return params.build(cls, tree, where=str(file))


@dataclass(frozen=True, kw_only=True)
class Timing:
    """A table bound to one parent: the time of each of its cuts. Made by `bind`, travels to workers."""

    encoding: Encoding
    grids: tuple[Grid, ...]
    """of each layer, as often as it runs"""
    rows: tuple[int, ...]
    """of each of them: its row in the encoding's cost"""

    def microseconds(self, genome: Genome) -> float:
        """Return the sum over the layers at the channels that `genome` leaves them."""
        return sum(
            grid.at(*wanted)
            for grid, wanted in zip(
                self.grids, _channels(self.encoding, genome, self.rows), strict=True
            )
        )


def bind(table: Table, network: nn.Module, encoding: Encoding, *, size_px: int) -> Timing:
    """Return the table's times for cuts of `network`, whose genomes are `encoding`'s.

    Raises ValueError that names the layers whose shape or channels the table does not hold.
    """
    grids = {grid.shape: grid for grid in table.grids}
    found = layers(network, size_px=size_px)
    places = {name: row for row, name in enumerate(_weighted(network))}
    rows = tuple(places[layer.name] for layer in found)
    ends = [_channels(encoding, genome, rows) for genome in (encoding.smallest, encoding.whole)]
    lacking = []
    for layer, *wanted in zip(found, *ends, strict=True):
        grid = grids.get(layer.shape)
        if grid is None:
            lacking.append(f"{layer.name}: no {layer.shape}")
        elif not all(grid.covers(*channels) for channels in wanted):
            lacking.append(
                f"{layer.name}: {wanted[0]} to {wanted[1]} channels (inputs, outputs) of a "
                f"{layer.shape}, measured are {_span(grid.inputs)} and {_span(grid.outputs)}"
            )
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise ValueError(
            f"the latency table lacks {len(lacking)} of {len(found)} layers of this network "
            f"({'; '.join(lacking[:3])}{more}): {_MEASURE}"
        )
    return Timing(encoding=encoding, grids=tuple(grids[layer.shape] for layer in found), rows=rows)


def _span(counts: Sequence[int]) -> str:
    return f"{counts[0]}..{counts[-1]}"


def _channels(encoding: Encoding, genome: Genome, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield what one filter reads and how many filters there are, of the layers in these rows."""
    counts_G = np.array(encoding.counts(genome), dtype=np.int64)
    cost = encoding.cost
    inputs = cost.inputs_L + cost.inputs_LG @ counts_G
    outputs = cost.outputs_L + cost.outputs_LG @ counts_G
    return ((int(inputs[row]), int(outputs[row])) for row in rows)


def _weighted(network: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the convolutions and linear layers by name: the rows of an encoding's cost."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }


def layers(network: nn.Module, *, size_px: int) -> list[Layer]:
    """Return the convolutions and linear layers in the order in which one image runs through them."""
    found: list[Layer] = []
    names = {layer: name for name, layer in _weighted(network).items()}

    def note(layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        outputs, inputs = layer.weight.shape[:2]
        shape = _shape(layer, given[0])
        found.append(Layer(name=names[layer], shape=shape, inputs=inputs, outputs=outputs))

    hooks = [layer.register_forward_pre_hook(note) for layer in names]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 1, size_px, size_px))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return found


def _shape(layer: nn.Conv2d | nn.Linear, given: torch.Tensor) -> Shape:
    one = (1, 1)
    if isinstance(layer, nn.Linear):
        vectors = given.numel() // layer.in_features
        return Shape(
            kind="linear", kernel=one, stride=one, dilation=one, filters=1, side_px=(1, vectors)
        )
    kernel, stride, dilation = (
        (int(pair[0]), int(pair[1])) for pair in (layer.kernel_size, layer.stride, layer.dilation)
    )
    kind: Kind = "pointwise" if kernel == one else "plain"
    if layer.groups > 1:
        alone = layer.groups == layer.in_channels == layer.out_channels
        kind = "depthwise" if alone else "grouped"
    return Shape(
        kind=kind, kernel=kernel, stride=stride, dilation=dilation,
        filters=layer.out_channels // layer.groups if kind == "grouped" else 1,
        side_px=(int(given.shape[-2]), int(given.shape[-1])),
    )  # fmt: skip
