"""Cutting channels out of a network: which of them hang together, and removing them for good.

A convolution can't lose a filter by itself: the BatchNorm behind it, the convolutions that read it
and the branches added to it lose the same channel. Torch-Pruning traces such groups (Fang et al.
2023, "DepGraph: Towards Any Structural Pruning", https://github.com/VainF/Torch-Pruning). A group
is left out, hence kept whole, where a cut is not one choice of channels for all its layers: at
convolutions in groups, at splits, at norms over channels, at parameters outside of layers, and at
the network's output. One norm over channels can be cut: GroupNorm of 8 channels a group, where as
many are kept as fill groups; what is kept finds itself among new neighbours there, so that its mean
and variance change and only training puts that right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning
from torch import nn
from torch_pruning import ops

from cxr.architectures import CHANNELS_PER_NORM_GROUP

# What may stand in a group beside its layers: it changes neither the number nor the order of channels.
_PASSES = (ops.OPTYPE.ELEMENTWISE, ops.OPTYPE.RESHAPE, ops.OPTYPE.CONCAT)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers that keep or lose the same channels together, by their dotted names in network order."""

    name: str
    """of the first layer that makes the channels"""
    channels: int
    """how many there are"""
    makers: tuple[str, ...]
    """convolutions and linear layers whose filters make the channels, one filter per channel"""
    depthwise: tuple[str, ...]
    """convolutions within single channels: one filter per channel too"""
    norms: tuple[str, ...]
    """BatchNorm and GroupNorm layers over exactly these channels"""
    takers: tuple[tuple[str, int], ...]
    """layers that read the channels, and how many inputs of the layer each channel is"""
    multiple: int = 1
    """kept channels must be so many, or a multiple: a GroupNorm's groups stay full"""


def groups(network: nn.Module, *, size_px: int, ignored: Sequence[nn.Module]) -> list[Group]:
    """Return the groups whose channels can be cut, in network order; `ignored` layers keep their outputs.

    Raises ValueError if a parameter is frozen: Torch-Pruning follows gradients and would not see it.
    """
    return _traced(network, size_px=size_px, ignored=ignored)[1]


def keep(
    network: nn.Module,
    kept: Mapping[str, Sequence[int]],
    *,
    size_px: int,
    ignored: Sequence[nn.Module],
) -> None:
    """Remove all channels but the kept ones, by group name, in place; groups not named stay whole.

    Nearly every parameter is a new object afterwards: make optimizers and averages anew. Raises
    ValueError for a group that is not there, for indices that are not ascending channels of it, for
    a number of them that leaves a GroupNorm's group unfilled, for a frozen parameter, and if a layer
    comes out with other channels than were asked for.
    """
    graph, found = _traced(network, size_px=size_px, ignored=ignored)
    _check(kept, {group.name: group for group in found})
    for group in found:
        gone = sorted(set(range(group.channels)) - set(kept.get(group.name, range(group.channels))))
        if gone:
            root = network.get_submodule(group.name)
            cut = graph.get_pruning_group(
                root, graph.get_pruner_of_module(root).prune_out_channels, gone
            )
            cut.prune(record_history=False)
            _regroup(network, group)
    _check_cut(network, found, kept)


def _regroup(network: nn.Module, group: Group) -> None:
    """Divide the channels left to a GroupNorm into groups as large as before: Torch-Pruning doesn't."""
    for name in group.norms:
        layer = network.get_submodule(name)
        if isinstance(layer, nn.GroupNorm):
            layer.num_groups = layer.num_channels // CHANNELS_PER_NORM_GROUP


def _traced(
    network: nn.Module, *, size_px: int, ignored: Sequence[nn.Module]
) -> tuple[torch_pruning.DependencyGraph, list[Group]]:
    """Trace one black image through the network; return Torch-Pruning's graph and our groups."""
    _check_trainable(network)
    try:
        with _modes_kept(network), torch.enable_grad():
            graph = torch_pruning.DependencyGraph().build_dependency(
                network, example_inputs=torch.zeros(1, 1, size_px, size_px), verbose=False
            )
            traced = list(
                graph.get_all_groups(
                    ignored_layers=list(ignored), root_module_types=[nn.Conv2d, nn.Linear]
                )
            )
    except Exception as error:  # whatever breaks in there, the cure is the same
        raise ValueError(
            f"Torch-Pruning can't follow this network at {size_px} px ({type(error).__name__}: "
            f"{error}): prune another backbone"
        ) from error
    names = {module: name for name, module in network.named_modules()}
    order = {name: place for place, name in enumerate(names.values())}
    found = [group for items in traced if (group := _group(graph, items, names, order))]
    return graph, sorted(found, key=lambda group: order[group.name])


@contextlib.contextmanager
def _modes_kept(network: nn.Module) -> Iterator[None]:
    """Put every module's training mode back: tracing switches to evaluation."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _group(
    graph: torch_pruning.DependencyGraph,
    items: torch_pruning.Group,
    names: Mapping[nn.Module, str],
    order: Mapping[str, int],
) -> Group | None:
    """Sort one traced group's members by what they do; None if it can't be cut as a whole."""
    channels = len(items[0].idxs)
    makers, depthwise, norms, takers = {}, {}, {}, {}
    for dependency, indices in items:
        module, kind = dependency.target.module, dependency.target.type
        reads = not graph.is_out_channel_pruning_fn(dependency.handler)
        same = list(indices) == list(range(channels))
        if kind in _PASSES:
            continue
        if kind == ops.OPTYPE.BN:
            if same and module.num_features == channels:
                norms[names[module]] = module
        elif kind == ops.OPTYPE.GN:
            if not same or not _in_eights(module, channels):
                return None
            norms[names[module]] = module
        elif kind == ops.OPTYPE.DEPTHWISE_CONV and _is_depthwise(module):
            if not same or module.out_channels != channels:
                return None
            depthwise[names[module]] = module
        elif kind not in (ops.OPTYPE.CONV, ops.OPTYPE.LINEAR) or getattr(module, "groups", 1) != 1:
            return None
        elif reads:
            if len(indices) % channels:
                return None
            takers[names[module]] = len(indices) // channels
        elif same and _outputs(module) == channels:
            makers[names[module]] = module
        else:
            return None
    if not makers:
        return None
    ordered = [sorted(part, key=order.__getitem__) for part in (makers, depthwise, norms, takers)]
    return Group(
        name=ordered[0][0],
        channels=channels,
        makers=tuple(ordered[0]),
        depthwise=tuple(ordered[1]),
        norms=tuple(ordered[2]),
        takers=tuple((name, takers[name]) for name in ordered[3]),
        multiple=CHANNELS_PER_NORM_GROUP
        if any(isinstance(norm, nn.GroupNorm) for norm in norms.values())
        else 1,
    )


def _in_eights(norm: nn.GroupNorm, channels: int) -> bool:
    """Tell whether a GroupNorm is over just these channels, in groups of 8."""
    return norm.num_channels == channels == norm.num_groups * CHANNELS_PER_NORM_GROUP


def _is_depthwise(layer: Any) -> bool:
    """Torch-Pruning takes a convolution of two inputs per filter for one, too."""
    return layer.groups == layer.in_channels == layer.out_channels


def _outputs(layer: Any) -> int:
    return layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features


def _check_trainable(network: nn.Module) -> None:
    frozen = [name for name, weight in network.named_parameters() if not weight.requires_grad]
    if frozen:
        raise ValueError(
            f"{len(frozen)} parameters are frozen (first: {frozen[0]}): Torch-Pruning would silently "
            "cut nothing; prune a network that is trained as a whole (trainable: [all])"
        )


def _check(kept: Mapping[str, Sequence[int]], found: Mapping[str, Group]) -> None:
    for name, indices in kept.items():
        if name not in found:
            raise ValueError(
                f"no group {name!r} to cut channels from: known are {', '.join(found) or 'none'}"
            )
        channels, multiple = found[name].channels, found[name].multiple
        inside = [index for index in indices if 0 <= index < channels]
        if not indices or list(indices) != sorted(set(inside)):
            raise ValueError(
                f"group {name} has channels 0..{channels - 1}; the kept ones must be some of "
                f"them, ascending, none twice, not {_short(indices)}"
            )
        if len(indices) % multiple:
            raise ValueError(
                f"group {name} runs through a GroupNorm of {multiple} channels a group: keep a "
                f"multiple of {multiple}, not {len(indices)}"
            )


def _short(indices: Sequence[int]) -> str:
    return str(list(indices)) if len(indices) <= 8 else f"[{', '.join(map(str, indices[:8]))}, …]"


def _check_cut(
    network: nn.Module, found: Sequence[Group], kept: Mapping[str, Sequence[int]]
) -> None:
    """Raise ValueError unless every layer that makes or norms channels has as many as were kept."""
    for group in found:
        wanted = len(kept.get(group.name, range(group.channels)))
        for name in (*group.makers, *group.depthwise, *group.norms):
            weight = network.get_submodule(name).weight
            if weight is not None and len(weight) != wanted:  # type: ignore[arg-type]
                raise ValueError(
                    f"{name} has {len(weight)} channels after the cut, not {wanted}: "  # type: ignore[arg-type]
                    "Torch-Pruning did not follow this network, so its MACs would not fall"
                )
