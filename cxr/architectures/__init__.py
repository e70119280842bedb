"""architectures: networks as plain JSON, one file per family, the file's name under the key `family`.

What is asked here is answered without building the network, and without torch: what it costs, how
it looks, where it is faulty. `cxr.backbones.searched` builds it from the same plan. A family's file
holds its dataclass `Architecture`, and `parts`, `fixed_px` and `smallest_px` of one. Every function
raises ValueError, with each fault and its place, for a faulty architecture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeGuard

from cxr import params, plugins
from cxr.architectures._plan import (
    CHANNELS_PER_NORM_GROUP,
    Concat,
    Conv,
    Cost,
    Layer,
    Linear,
    MaxPool,
    Part,
    Pool,
    Shape,
    Shrink,
    Squeeze,
    Sum,
    count,
    shrunk,
)

__all__ = [
    "CHANNELS_PER_NORM_GROUP", "Concat", "Conv", "Cost", "Layer", "Line", "Linear", "MaxPool", "Part",
    "Pool", "Shape", "Shrink", "Squeeze", "Sum", "cost", "features", "fixed_px", "outline", "parts", "read",
    "shrunk", "smallest_px", "words", "written_out",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Line:
    """One box of a drawing: the input, the stem, a stage, the pooling, a dense layer."""

    words: str
    channels: int
    """that it puts out; once flat, features"""
    side_px: int
    """of the maps that it puts out; 0 once flat"""
    parameters: int
    macs: int


def written_out(options: object) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether `options` hold a network, faulty or not, and don't just name a search that finds it."""
    return isinstance(options, Mapping) and "family" in options


def read(architecture: Mapping[str, Any]) -> Any:
    """Return the family's dataclass; raise one ValueError that lists every fault with its place."""
    return _read(architecture)[1]


def cost(architecture: Mapping[str, Any], *, size_px: int) -> Cost:
    """Return what the network costs for one (1, size_px, size_px) image, without a head.

    The same as `cxr.metrics.cost` counts in the built network. Raises ValueError for images that
    the network can't take, too.
    """
    layers: list[Layer] = []
    for part in _planned(architecture, size_px):
        layers += part.layers
    return count(layers, Shape(1, size_px))[1]


def features(architecture: Mapping[str, Any], *, size_px: int) -> int:
    """Return the length of what the network puts out: the head's inputs."""
    return outline(architecture, size_px=size_px)[-1].channels


def outline(architecture: Mapping[str, Any], *, size_px: int) -> list[Line]:
    """Return a line for the input and for each part, in the order an image meets them."""
    shape = Shape(1, size_px)
    lines = [Line(words="input", channels=1, side_px=size_px, parameters=0, macs=0)]
    for part in _planned(architecture, size_px):
        shape, found = count(part.layers, shape)
        lines.append(
            Line(
                words=part.words, channels=shape.channels, side_px=shape.side_px,
                parameters=found.parameters, macs=found.macs,
            )
        )  # fmt: skip
    return lines


def words(architecture: Mapping[str, Any]) -> str:
    """Say the network in one line: its parts, and what all of them share unless it is the usual."""
    plugin, found = _read(architecture)
    shared = plugin.shared_words(found)
    return " → ".join(part.words for part in plugin.parts(found)) + (
        f"; {shared}" if shared else ""
    )


def parts(architecture: Mapping[str, Any]) -> Sequence[Part]:
    """Return the plan of the network."""
    plugin, found = _read(architecture)
    planned: Sequence[Part] = plugin.parts(found)
    return planned


def smallest_px(architecture: Mapping[str, Any]) -> int:
    """Return the side that an image needs so that each halving still has two pixels to halve."""
    plugin, found = _read(architecture)
    return int(plugin.smallest_px(found))


def fixed_px(architecture: Mapping[str, Any]) -> int | None:
    """Return the only side of images that the network takes; None if it takes any."""
    plugin, found = _read(architecture)
    side: int | None = plugin.fixed_px(found)
    return side


def _read(architecture: Mapping[str, Any]) -> tuple[ModuleType, Any]:
    if not isinstance(architecture.get("family"), str):
        known = ", ".join(plugins.names("architectures"))
        raise ValueError(f"architecture.family is missing: known are {known}")
    plugin = plugins.load("architectures", architecture["family"])
    filled = _filled(architecture, plugin.Architecture)
    if isinstance(filled.get("stages"), list) and hasattr(plugin, "Stage"):
        stages = [_filled(stage, plugin.Stage) for stage in filled["stages"]]
        filled = {**filled, "stages": stages}
    return plugin, params.build(plugin.Architecture, filled, where="architecture")


def _filled(tree: Any, record: type) -> Any:
    """Put null where a key may be left out: it stands only where it means something."""
    if not isinstance(tree, Mapping):
        return tree
    may = [field.name for field in dataclasses.fields(record) if field.metadata.get("optional")]
    return {**dict.fromkeys(may), **tree}


def _planned(architecture: Mapping[str, Any], size_px: int) -> Sequence[Part]:
    """Return the plan; raise ValueError unless the network takes images of `size_px`."""
    plugin, found = _read(architecture)
    fixed = plugin.fixed_px(found)
    if fixed is not None and size_px != fixed:
        raise ValueError(
            f"the network takes images of {fixed} px alone, since its pixels are flattened into a "
            f"linear layer, not of {size_px} px: prepare them so, or make it with side_px {size_px}"
        )
    planned: Sequence[Part] = plugin.parts(found)
    return planned
