"""A network cut below its first trained layer: what lies there gives the same features in every epoch.

The cut is made in the graph of operations that torchvision's feature extraction traces
(https://docs.pytorch.org/vision/stable/feature_extraction.html), once as in training and once as in
scoring: what differs between the two, as dropout does, lies above it. The upper part is the network's
own layers, so that training it trains the network.

Shapes: B images of a batch, H = W pixels, L labels.
"""

from __future__ import annotations

import functools
import inspect
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from timm.models import get_notrace_functions, get_notrace_modules
from torch import fx, nn
from torch.fx.proxy import TraceError
from torchvision.models.feature_extraction import NodePathTracer

from cxr import backbones
from cxr.backbones import searched
from cxr.training.network import Network, train_mode


@dataclass(frozen=True)
class Cut:
    """A network in two: the upper part gives for `below`'s features what the network gives for images."""

    place: str
    """the operation whose results are kept, named as torchvision does"""
    below: fx.GraphModule
    """normalised images (B, 1, H, W) → features (B, *shape), whatever is trained and in any mode"""
    shape: tuple[int, ...]
    """of one image's features"""
    training: fx.Graph
    """the rest of the backbone as it is while training"""
    scoring: fx.Graph
    """the rest of the backbone as it is in eval mode"""


class Above(nn.Module):
    """Features (B, …) → raw scores (B, L), in the layers and in the mode of `network` itself."""

    def __init__(self, network: Network, cut: Cut) -> None:
        super().__init__()
        self.network = network
        self.as_training = fx.GraphModule(network.backbone, cut.training)
        self.as_scoring = fx.GraphModule(network.backbone, cut.scoring)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        rest = self.as_training if self.network.training else self.as_scoring
        return self.network.head(rest(features))


def cut(network: Network, *, size_px: int) -> Cut:
    """Cut a network, frozen by `network.freeze`, at the last place below which training changes nothing.

    All that follows there reads the one tensor that is kept: between ResNet's blocks is such a place,
    inside of one, beside its shortcut, is none. Leaves the network in training mode. Raises
    ValueError that names what is trained if no frozen layer lies below it, and for a network whose
    operations can't be traced.
    """
    train_mode(network)
    names, training = _traced(network.backbone)
    network.eval()
    _, scoring = _traced(network.backbone)
    train_mode(network)
    fixed = _fixed(training, scoring, network.backbone)
    for place in reversed(_bridges(training[:fixed])):
        below = fx.GraphModule(network.backbone, _until(training, place))
        if not list(below.parameters()):
            break
        with torch.inference_mode():
            features = below(torch.zeros(2, 1, size_px, size_px))
        # several tensors as a split makes, or windows in the place of images, can't be kept
        if isinstance(features, torch.Tensor) and (len(features), features.dtype) == (
            2,
            torch.float32,
        ):
            rest = (_after(nodes, place) for nodes in (training, scoring))
            return Cut(names[training[place]], below, tuple(features.shape[1:]), *rest)
    trained = [name for name, x in network.backbone.named_parameters() if x.requires_grad]
    raise ValueError(
        f"frozen_views: no frozen layer lies below {names.get(training[fixed], 'the head')}, the first "
        f"that training changes; {len(trained)} parameters of the backbone are trained "
        f"({', '.join(trained[:3])}): set frozen_views: 0, or leave the network's first layers frozen"
    )


def _traced(backbone: nn.Module) -> tuple[dict[fx.Node, str], list[fx.Node]]:
    """Return the backbone's operations in their order, and their names, as of its present mode."""
    tracer = NodePathTracer(
        # searched.Shrunk asks for the sides of its images, which are not known while tracing
        leaf_modules=[*get_notrace_modules(), searched.Shrunk],
        autowrap_functions=tuple(get_notrace_functions()),
    )
    # the forward of searched.Planned asks for the side, too, and then runs its parts in a row
    root = (
        nn.Sequential(OrderedDict(backbone.named_children()))
        if isinstance(backbone, searched.Planned)
        else backbone
    )
    given = inspect.signature(root.forward).parameters.values()
    options = {x.name: x.default for x in given if x.default is not x.empty}
    try:
        nodes = list(tracer.trace(root, concrete_args=options).nodes)
    except (TraceError, TypeError) as error:
        raise ValueError(
            f"frozen_views: {type(backbone).__name__} can't be cut, since tracing it ended with: "
            f"{error}; set frozen_views: 0"
        ) from None
    return tracer.node_to_qualname, nodes


def _fixed(training: list[fx.Node], scoring: list[fx.Node], backbone: nn.Module) -> int:
    """Return how many of the first operations neither a trained parameter nor the mode can change."""
    for place, (node, other) in enumerate(zip(training, scoring, strict=False)):
        if node.format_node() != other.format_node() or node.op == "output":
            return place
        if node.op in ("get_attr", "call_module"):
            used = functools.reduce(getattr, str(node.target).split("."), backbone)
            if _changes(used):
                return place
    raise AssertionError("a graph ends with its output")


def _changes(used: Any) -> bool:
    """Tell whether training changes a parameter, or what a layer in its present mode does."""
    if isinstance(used, torch.Tensor):
        return used.requires_grad
    chance = (
        layer.training and (getattr(layer, "p", 0) or getattr(layer, "drop_prob", 0))
        for layer in used.modules()  # Dropout has p, DropPath and DropBlock have drop_prob
    )
    # without statistics of its own a BatchNorm takes those of the batch, in eval mode too
    batch = (x.training or x.running_mean is None for x in backbones.batch_norms(used))
    return any(chance) or any(batch) or any(x.requires_grad for x in used.parameters())


def _bridges(nodes: list[fx.Node]) -> list[int]:
    """Return the places of operations behind which nothing is read of what came before them."""
    place = {node: at for at, node in enumerate(nodes)}
    found, reach = [], 0
    for at, node in enumerate(nodes):
        if reach <= at:
            found.append(at)
        reach = max([reach, *(place.get(user, len(nodes)) for user in node.users)])
    return found


def _until(nodes: list[fx.Node], place: int) -> fx.Graph:
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in nodes[: place + 1]:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(copies[nodes[place]])
    return graph


def _after(nodes: list[fx.Node], place: int) -> fx.Graph:
    graph = fx.Graph()
    copies = {nodes[place]: graph.placeholder("features")}
    for node in nodes[place + 1 :]:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    return graph
