"""A search space with its choices made and its caps: which genomes stand for which network, and which are let in.

Costs are those of the whole network, head included, for one image of the prepared size, so that a cap
means what the model's own cost will say. They are counted, nothing is built.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from cxr import architectures, artifacts, params, plugins
from cxr.architectures import Cost
from cxr.evolution import novelty
from cxr.evolution.genes import Gene, Genome
from cxr.training.recipe import Head

MB = 10**6
"""bytes"""
STARTS = 4
"""How many of the largest draws `Space.largest` lets grow."""
ANY_PX = 4096
"""Side of images on which every network works."""


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What a network may cost at most, for one image of the prepared size; null: as much as it will."""

    parameters: int | None
    """numbers that training may change"""
    macs: int | None
    """multiply-accumulates"""
    activation_mb: float | None
    """outputs of convolutions and linear layers in float32, in 10^6 bytes: what training keeps, at least"""

    def __post_init__(self) -> None:
        for name in ("parameters", "macs", "activation_mb"):
            found = getattr(self, name)
            if found is not None and found <= 0:
                raise ValueError(f"{name} must be above 0, or null for no cap, not {found}")

    def hold(self, cost: Cost) -> bool:
        """Tell whether `cost` keeps within all caps."""
        pairs = (
            (cost.parameters, self.parameters),
            (cost.macs, self.macs),
            (cost.activation_bytes / MB, self.activation_mb),
        )
        return all(cap is None or found <= cap for found, cap in pairs)

    def words(self) -> str:
        """Say the caps that are set."""
        pairs = {
            "parameters": self.parameters,
            "macs": self.macs,
            "activation_mb": self.activation_mb,
        }
        return ", ".join(f"{name} {cap:,}" for name, cap in pairs.items() if cap is not None)


@dataclass(frozen=True, kw_only=True)
class Space:
    """A plug-in of cxr/search/spaces with its parameters, under caps."""

    name: str
    """of the plug-in"""
    plugin: ModuleType
    """the file itself"""
    settings: Any
    """its Params"""
    caps: Caps
    """what a network may cost"""
    size_px: int
    """side of the images that networks are for, as prepared; one too deep for them is not allowed"""
    labels: int
    """outputs of the head"""
    head: Head
    """what follows the backbone's features"""

    @functools.cached_property
    def genes(self) -> list[Gene]:
        """What can be chosen."""
        found: list[Gene] = self.plugin.genes(self.settings)
        return found

    def architecture(self, genome: Genome) -> dict[str, Any]:
        """Return the network that `genome` stands for, as plain JSON."""
        found: dict[str, Any] = self.plugin.architecture(
            genome, self.settings, size_px=self.size_px
        )
        return found

    @property
    def pretrained(self) -> bool:
        """Tell whether timm's weights fit the space's networks in part."""
        return bool(self.plugin.PRETRAINED)

    @functools.cached_property
    def _identities(self) -> dict[Genome, str]:
        return {}

    @functools.cached_property
    def _needed(self) -> dict[str, int]:
        return {}

    @functools.cached_property
    def _costs(self) -> dict[str, Cost]:
        return {}

    def identity(self, genome: Genome) -> str:
        """Return the network's canonical JSON: genomes of one network have the same."""
        if genome not in self._identities:
            self._identities[genome] = artifacts.canonical_json(self.architecture(genome))
        return self._identities[genome]

    def cost(self, genome: Genome) -> Cost:
        """Return what the network costs, its head included."""
        name = self.identity(genome)
        if name not in self._costs:
            self._costs[name] = self._whole(self.architecture(genome))
        return self._costs[name]

    def allowed(self, genome: Genome) -> bool:
        """Tell whether the network works on the images and keeps within the caps."""
        return self.needed_px(genome) <= self.size_px and self.caps.hold(self.cost(genome))

    def needed_px(self, genome: Genome) -> int:
        """Return the side that an image needs, so that the network never halves a single pixel."""
        name = self.identity(genome)
        if name not in self._needed:
            network = self.architecture(genome)
            # bound to a side that is too small, it would be a fault and could not be asked
            unbound = {"side_px": ANY_PX} if "side_px" in network else {}
            self._needed[name] = architectures.smallest_px({**network, **unbound})
        return self._needed[name]

    def size(self) -> int:
        """Return the number of genomes; some of them stand for the same network."""
        return math.prod(gene.size for gene in self.genes)

    def all(self) -> Iterator[Genome]:
        """Yield every genome, the last gene fastest: for spaces that are small enough to walk."""
        return itertools.product(*[range(gene.size) for gene in self.genes])

    def largest(self, seed: int, *names: str | int) -> Genome:
        """Return the network of most MACs under the caps that draws and growth find.

        Of the uniform draws of a stream (of all genomes, where they are no more) the few largest
        that are allowed grow: of all networks that differ in one gene the largest takes the place,
        as long as one is larger. The same for the same seed and names; no promise that nothing
        larger exists. Raises ValueError if no draw is allowed.
        """
        few = self.size() <= novelty.DRAWS
        draws: Iterable[Genome] = (
            self.all() if few else novelty.uniform(self.genes, seed, *names, "largest")
        )
        allowed = sorted(filter(self.allowed, draws), key=self._by_macs)
        if not allowed:
            raise novelty.nothing_allowed()
        return max(map(self._grown, allowed[-STARTS:]), key=self._by_macs)

    def _grown(self, genome: Genome) -> Genome:
        while True:
            near = max(filter(self.allowed, self._neighbours(genome)), key=self._by_macs, default=genome)  # fmt: skip
            if self.cost(near).macs <= self.cost(genome).macs:
                return genome
            genome = near

    def _neighbours(self, genome: Genome) -> Iterator[Genome]:
        for place, gene in enumerate(self.genes):
            for value in range(gene.size):
                if value != genome[place]:
                    yield (*genome[:place], value, *genome[place + 1 :])

    def _by_macs(self, genome: Genome) -> tuple[int, Genome]:
        return self.cost(genome).macs, genome

    def _whole(self, architecture: Mapping[str, Any]) -> Cost:
        return whole(architecture, size_px=self.size_px, labels=self.labels, head=self.head)

    def check(self, *, image_px: int) -> None:
        """Raise ValueError if nothing in the space can be searched with images of `image_px`.

        They may be too small, or of another side than networks that are bound to theirs; or no
        network keeps within the caps.
        """
        smallest = self.plugin.smallest(self.settings, size_px=self.size_px)
        needed = min(map(self.needed_px, smallest))
        if image_px < needed:
            raise ValueError(
                f"images of {image_px} px are too small: the shallowest network of the space needs "
                f"{needed} px; raise image_px (and the prepared size) or offer fewer stages or "
                "convolutions or higher resolutions"
            )
        if image_px != self.size_px and self.plugin.fixed_size(self.settings):
            raise ValueError(
                f"networks of {self.name} that flatten their maps are bound to the side of their "
                f"images: image_px is {image_px}, the prepared images have {self.size_px} px; make "
                "them equal or offer no network that flattens"
            )
        if not any(map(self.allowed, smallest)):
            raise ValueError(self._infeasible(smallest))

    def _infeasible(self, smallest: Sequence[Genome]) -> str:
        """Say that the caps let in nothing, and how far they are from the smallest network."""
        fitting = [genome for genome in smallest if self.needed_px(genome) <= self.size_px]
        genome = min(fitting, key=self._by_macs)
        cost = self.cost(genome)
        return (
            f"no network of the space keeps within the caps ({self.caps.words()}): the smallest is "
            f"{self.identity(genome)} with {cost.macs:,} MACs, {cost.parameters:,} parameters and "
            f"{cost.activation_bytes / MB:,.3f} MB of activations; raise the caps or offer smaller "
            "choices"
        )


def whole(architecture: Mapping[str, Any], *, size_px: int, labels: int, head: Head) -> Cost:
    """Return the cost of a network with its head."""
    backbone = architectures.cost(architecture, size_px=size_px)
    parameters, macs, activation_bytes = (
        backbone.parameters, backbone.macs, backbone.activation_bytes,
    )  # fmt: skip
    features = architectures.features(architecture, size_px=size_px)
    for inputs, outputs in itertools.pairwise([features, *head.hidden, labels]):
        parameters += (inputs + 1) * outputs
        macs += inputs * outputs
        activation_bytes += 4 * outputs
    return Cost(parameters=parameters, macs=macs, activation_bytes=activation_bytes)


def load(tree: Mapping[str, Any], *, size_px: int, labels: int, head: Head, where: str) -> Space:
    """Make the space `{name: <file in cxr/search/spaces>, caps: …, …its choices}`, strictly."""
    plugin, settings, caps = read(tree, where=where)
    return Space(
        name=tree["name"], plugin=plugin, settings=settings, caps=caps,
        size_px=size_px, labels=labels, head=head,
    )  # fmt: skip


def read(tree: Mapping[str, Any], *, where: str) -> tuple[ModuleType, Any, Caps]:
    """Return a space's plug-in, its Params and its caps; raise ValueError that lists the faults."""
    if not isinstance(tree.get("name"), str):
        known = ", ".join(plugins.names("search/spaces"))
        raise ValueError(f"{where}.name is missing: known are {known}")
    try:
        plugin = plugins.load("search/spaces", tree["name"])
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if "caps" not in tree:
        raise ValueError(
            f"{where}.caps is missing: give parameters, macs and activation_mb, null for no cap"
        )
    own = {key: value for key, value in tree.items() if key not in ("name", "caps")}
    found, faults = [], []
    for record, part, place in ((plugin.Params, own, where), (Caps, tree["caps"], f"{where}.caps")):
        try:
            found.append(params.build(record, part, where=place))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError("\n".join(faults))
    return plugin, found[0], found[1]
