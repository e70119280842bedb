"""Cutting channels out of a network: which of them hang together, and removing them for good.

A convolution can't lose a filter by itself: the BatchNorm behind it, the convolutions that read it
and the branches added to it lose the same channel. Torch-Pruning traces such groups (Fang et al.
2023, "DepGraph: Towards Any Structural Pruning", https://github.com/VainF/Torch-Pruning). A group
is left out, hence kept whole, where a cut is not one choice of channels for all its layers: at
convolutions in groups that put out more or fewer channels than they read, at splits, at norms over
channels, at parameters outside of layers, and at the network's output.

Two layers over several channels at once can be cut. A convolution in groups (ResNeXt, RegNet) that
puts out as many channels as it reads keeps or loses whole groups, inputs and outputs together: as a
depthwise one does, whose groups are of one channel. GroupNorm of 8 channels a group keeps as many
channels as fill groups; what is kept finds itself among new neighbours there, so that its mean and
variance change and only training puts that right.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
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
    """convolutions within single channels, or within blocks of them: one filter per channel too"""
    norms: tuple[str, ...]
    """BatchNorm and GroupNorm layers over exactly these channels"""
    takers: tuple[tuple[str, int], ...]
    """layers that read the channels, and how many inputs of the layer each channel is"""
    inputs: tuple[tuple[int, ...], ...]
    """of each taker: which of its inputs these are, channel by channel"""
    multiple: int = 1
    """kept channels must be so many, or a multiple: groups of norms and of convolutions stay full"""
    block: int = 1
    """so many neighbours stay or go together, as they are one group of a convolution: the channels
    from 0 to block - 1, from block to 2 block - 1, and so on"""


def groups(network: nn.Module, *, size_px: int, ignored: Sequence[nn.Module]) -> list[Group]:
    """Return the groups whose channels can be cut, in network order; `ignored` layers keep their outputs.

    Raises ValueError if a parameter is frozen: Torch-Pruning follows gradients and would not see it.
    """
    return [group for group, _ in _traced(network, size_px=size_px, ignored=ignored)]


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
    a number of them that leaves a GroupNorm's group unfilled, for a part of a convolution's group,
    for a frozen parameter, and if a layer comes out with other channels than were asked for.
    """
    traced = _traced(network, size_px=size_px, ignored=ignored)
    _check(kept, {group.name: group for group, _ in traced})
    cuts: dict[Any, tuple[torch_pruning.Dependency, set[int]]] = {}
    for group, items in traced:
        gone = set(range(group.channels)) - set(kept.get(group.name, range(group.channels)))
        for item in items:
            # a layer behind a concatenation loses channels of several groups: all at once
            key = (item.dep.target.module, item.dep.handler)
            cuts.setdefault(key, (item.dep, set()))[1].update(
                index for index, channel in _pairs(item) if channel in gone
            )
    for dependency, indices in cuts.values():
        if indices and dependency.target.type not in _PASSES:
            dependency(sorted(indices))
    for group, _ in traced:
        _regroup(network, group)
    _check_cut(network, [group for group, _ in traced], kept)


def _regroup(network: nn.Module, group: Group) -> None:
    """Divide the channels left to a layer into groups as large as before: Torch-Pruning doesn't."""
    for layer in map(network.get_submodule, (*group.depthwise, *group.norms)):
        if isinstance(layer, nn.GroupNorm):
            layer.num_groups = layer.num_channels // CHANNELS_PER_NORM_GROUP
        elif isinstance(layer, nn.Conv2d):
            layer.groups = layer.in_channels // layer.weight.shape[1]


class _Graph(torch_pruning.DependencyGraph):
    """Torch-Pruning's graph, where every convolution in groups is cut as a depthwise one is."""

    def get_pruner_of_module(self, module: Any) -> Any:
        """Return what cuts the module; Torch-Pruning's own would cut inside of each group."""
        if _in_blocks(module):
            return self.REGISTERED_PRUNERS[ops.OPTYPE.DEPTHWISE_CONV]
        return super().get_pruner_of_module(module)


def _traced(
    network: nn.Module, *, size_px: int, ignored: Sequence[nn.Module]
) -> list[tuple[Group, torch_pruning.Group]]:
    """Trace one black image through the network; return each group, and what Torch-Pruning knows of it."""
    _check_trainable(network)
    try:
        with modes_kept(network), torch.enable_grad():
            graph = _Graph().build_dependency(
                network, example_inputs=(torch.zeros(1, 1, size_px, size_px),), verbose=False
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
    found = [(group, items) for items in traced if (group := _group(graph, items, names, order))]
    return sorted(found, key=lambda pair: order[pair[0].name])


@contextlib.contextmanager
def modes_kept(network: nn.Module) -> Iterator[None]:
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
    channels, blocks, eights = len(items[0].idxs), [1], [1]
    roles: dict[str, dict[str, int]] = {"makers": {}, "depthwise": {}, "norms": {}, "takers": {}}
    inputs: dict[str, tuple[int, ...]] = {}
    for item in items:
        module, role = item.dep.target.module, _role(graph, item, channels)
        if role is None:
            return None
        if role:
            roles[role][names[module]] = _each(item, channels)
        if role == "takers":
            inputs[names[module]] = tuple(sorted(item.idxs, key=dict(_pairs(item)).__getitem__))
        if role == "depthwise":
            blocks.append(channels // module.groups)
        elif isinstance(module, nn.GroupNorm):
            eights.append(CHANNELS_PER_NORM_GROUP)
    if not roles["makers"]:
        return None
    ordered = {role: sorted(members, key=order.__getitem__) for role, members in roles.items()}
    return Group(
        name=ordered["makers"][0],
        channels=channels,
        makers=tuple(ordered["makers"]),
        depthwise=tuple(ordered["depthwise"]),
        norms=tuple(ordered["norms"]),
        takers=tuple((name, roles["takers"][name]) for name in ordered["takers"]),
        inputs=tuple(inputs[name] for name in ordered["takers"]),
        multiple=math.lcm(*blocks, *eights),
        block=math.lcm(*blocks),
    )


def _role(graph: torch_pruning.DependencyGraph, item: Any, channels: int) -> str | None:
    """Say what one traced layer is to its group: a role, "" if it has none, None if it rules a cut out."""
    module, kind = item.dep.target.module, item.dep.target.type
    same = sorted(_pairs(item)) == [(channel, channel) for channel in range(channels)]
    if kind in _PASSES:
        return ""
    if kind == ops.OPTYPE.BN:  # one over a concatenation loses channels of several groups
        return "norms" if same and module.num_features == channels else ""
    if kind == ops.OPTYPE.GN:
        return "norms" if same and _in_eights(module, channels) else None
    if _in_blocks(module):
        return "depthwise" if same and module.out_channels == channels else None
    if kind not in (ops.OPTYPE.CONV, ops.OPTYPE.LINEAR) or getattr(module, "groups", 1) != 1:
        return None
    if graph.is_out_channel_pruning_fn(item.dep.handler):
        return "makers" if same and _outputs(module) == channels else None
    return "takers" if _each(item, channels) else None


def _pairs(item: Any) -> list[tuple[int, int]]:
    """Return a traced layer's indices, each with the channel that it is; their order means nothing."""
    return list(zip(item.idxs, item.root_idxs, strict=True))


def _each(item: Any, channels: int) -> int:
    """Return how many of a traced layer's indices each channel is; 0 if that differs."""
    counts = Counter(channel for _, channel in _pairs(item))
    return counts[0] if len(counts) == channels and len(set(counts.values())) == 1 else 0


def _in_eights(norm: nn.GroupNorm, channels: int) -> bool:
    """Tell whether a GroupNorm is over just these channels, in groups of 8."""
    return norm.num_channels == channels == norm.num_groups * CHANNELS_PER_NORM_GROUP


def _in_blocks(layer: Any) -> bool:
    """Tell whether a layer is a convolution in groups, depthwise ones among them, that keeps the width."""
    return (
        isinstance(layer, nn.Conv2d)
        and layer.groups > 1
        and layer.in_channels == layer.out_channels
    )


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
        channels, multiple, block = found[name].channels, found[name].multiple, found[name].block
        inside = [index for index in indices if 0 <= index < channels]
        if not indices or list(indices) != sorted(set(inside)):
            raise ValueError(
                f"group {name} has channels 0..{channels - 1}; the kept ones must be some of "
                f"them, ascending, none twice, not {_short(indices)}"
            )
        if len({index // block for index in indices}) * block != len(indices):
            raise ValueError(
                f"group {name} runs through a convolution in groups of {block} channels: keep all or "
                f"none of 0..{block - 1}, of {block}..{2 * block - 1} and so on, not {_short(indices)}"
            )
        if len(indices) % multiple:
            raise ValueError(
                f"group {name} runs through a GroupNorm of {CHANNELS_PER_NORM_GROUP} channels a "
                f"group: keep a multiple of {multiple}, not {len(indices)}"
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
