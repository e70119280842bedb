"""A search space with its choices made and its caps: which genomes stand for which network, and which are let in.

MACs and parameters are those of the whole network, head included, for an image of the prepared size,
so that a cap means what the model's own cost will say.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from cxr import artifacts, params, plugins
from cxr.backbones import staged
from cxr.evolution.genes import Gene, Genome
from cxr.training.recipe import Head


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What a network may cost at most, and what decides its cost beside its architecture."""

    parameters: int
    """at most"""
    macs: int
    """at most, for one image"""
    size_px: int
    """side of the image that MACs are counted for"""
    labels: int
    """outputs of the head"""
    head: Head
    """what follows the pooled features"""


class Space:
    """A plug-in of cxr/search/spaces with its parameters, under caps."""

    def __init__(self, plugin: ModuleType, settings: Any, caps: Caps) -> None:
        self._plugin, self._settings, self._caps = plugin, settings, caps
        self.genes: list[Gene] = plugin.genes(settings)
        self.identity = functools.cache(self._identity)
        self.allowed = functools.cache(self._allowed)

    def architecture(self, genome: Genome) -> dict[str, Any]:
        """Return the network that `genome` stands for, as plain JSON."""
        found: dict[str, Any] = self._plugin.architecture(genome, self._settings)
        return found

    def _identity(self, genome: Genome) -> str:
        """Return the network's canonical JSON: genomes of one network have the same."""
        return artifacts.canonical_json(self.architecture(genome))

    def _allowed(self, genome: Genome) -> bool:
        """Tell whether the network keeps within the caps; it is counted, not built."""
        return self._fits(cost(self.architecture(genome), self._caps))

    def _fits(self, found: tuple[int, int]) -> bool:
        return found[0] <= self._caps.parameters and found[1] <= self._caps.macs

    def check(self, *, image_px: int) -> None:
        """Raise ValueError if no network keeps within the caps, or if images are too small for one."""
        needed = self._plugin.smallest_px(self._settings)
        if image_px < needed:
            raise ValueError(
                f"images of {image_px} px are too small: the deepest network of the space needs "
                f"{needed} px; raise image_px (and the prepared size) or lower the space's stages"
            )
        costs = {
            artifacts.canonical_json(network): cost(network, self._caps)
            for network in self._plugin.smallest(self._settings)
        }
        if not any(map(self._fits, costs.values())):
            name, (parameters, macs) = min(costs.items(), key=lambda item: (item[1][1], item))
            raise ValueError(
                f"no network of the space keeps within max_macs {self._caps.macs:,} and "
                f"max_parameters {self._caps.parameters:,}: the smallest is {name} with "
                f"{macs:,} MACs and {parameters:,} parameters; raise the caps or offer smaller choices"
            )


def cost(architecture: Mapping[str, Any], caps: Caps) -> tuple[int, int]:
    """Return parameters and MACs of the network with its head."""
    parameters, macs = staged.count(architecture, size_px=caps.size_px)
    widths = [architecture["stages"][-1]["width"], *caps.head.hidden, caps.labels]
    for inputs, outputs in itertools.pairwise(widths):
        parameters += (inputs + 1) * outputs
        macs += inputs * outputs
    return parameters, macs


def load(tree: Mapping[str, Any], caps: Caps, *, where: str) -> Space:
    """Make the space `{name: <file in cxr/search/spaces>, …its choices}`, strictly."""
    if not isinstance(tree.get("name"), str):
        known = ", ".join(plugins.names("search/spaces"))
        raise ValueError(f"{where}.name is missing: known are {known}")
    plugin = plugins.load("search/spaces", tree["name"])
    own = {key: value for key, value in tree.items() if key != "name"}
    return Space(plugin, params.build(plugin.Params, own, where=where), caps)
