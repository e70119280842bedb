"""What a search is told: its budgets in images seen, its finalists, its pre-filter, how a network is trained.

A budget counts images shown, not epochs, so that it means the same for any data set: `samples`
images are samples // batch_size steps, and the learning rate's schedule spans just these.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from cxr.training.recipe import (
    Augmentation,
    EarlyStopping,
    Head,
    Optimizer,
    Recipe,
    Weights,
)

Method = Literal["evolved", "random", "grid"]
LARGEST = "largest"
"""Among the baselines: the network of most MACs that the caps let in; the others are timm names."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One step of successive halving: how many networks of a generation are judged at which expense."""

    networks: int
    """of a generation; in a grid: the most that may be tried"""
    samples: int
    """images that each is shown, from scratch"""


@dataclass(frozen=True, kw_only=True)
class Finalists:
    """The best of the top rung and the baselines, trained again at length before one is picked."""

    networks: int
    """of each method"""
    seeds: int
    """how often each is trained"""
    samples: int
    """images that each is shown each time, from scratch"""

    def __post_init__(self) -> None:
        _positive(self, "networks", "seeds", "samples")


@dataclass(frozen=True, kw_only=True)
class Prefilter:
    """Of several children the one that a cheap proxy prefers, if the proxy is proven on generation 0."""

    proxy: str
    """a file in cxr/search/proxies"""
    draws: int
    """children for each place"""

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise ValueError(
                f"draws must be at least 2, not {self.draws}: or write prefilter: null"
            )


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained in a search: a recipe without what the search itself decides."""

    weights: Weights | None
    """null: from scratch; a file: what of it fits, in a space whose networks can take some up"""
    mean: float
    """of the grey input in 0..1, subtracted"""
    std: float
    """of the grey input in 0..1, divided by"""
    head: Head
    """what follows the pooled features"""
    loss: Literal["cross_entropy", "bce"]
    """cross_entropy: one label per image; bce: any number of labels, unknown ones ignored"""
    class_weights: Literal["none", "balanced"]
    """balanced: rare labels weigh more"""
    label_smoothing: float
    """share of the target spread over all classes (cross_entropy only)"""
    batch_size: int
    """images per step"""
    optimizer: Optimizer
    """AdamW and its schedule; of the steps at most a fifth is warm-up"""
    ema_decay: float
    """0: off; else the decay per step of the averaged weights, which are then the model"""
    augmentation: Augmentation
    """random changes of the training images"""

    def __post_init__(self) -> None:
        self.recipe()  # its faults are ours

    def recipe(self) -> Recipe:
        """Return the recipe of a searched network, its architecture still to be filled in."""
        return Recipe(
            backbone="searched", backbone_options={}, weights=self.weights,
            mean=self.mean, std=self.std, head=self.head, trainable=["all"], loss=self.loss,
            class_weights=self.class_weights, label_smoothing=self.label_smoothing,
            epochs=1, batch_size=self.batch_size, shards=1,
            optimizer=self.optimizer,
            ema_decay=self.ema_decay,
            early_stopping=EarlyStopping(monitor="last", patience=1),
            augmentation=self.augmentation, mixup=0.0, frozen_views=0, test_views=1,
            calibration="none",
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The equal terms on which the methods of a search compete."""

    methods: list[Method]
    """evolved and random side by side, one of them, or grid alone"""
    score: Literal["auroc", "accuracy"]
    """what is high in a good network: macro AUROC, or accuracy, on search_val"""
    generations: int
    """the first included"""
    rungs: list[Rung]
    """of every generation, the cheapest first; one: no halving"""
    guide: int
    """children for each place, of which evolution trains the most promising (see `cxr.search.guide`)"""

    def __post_init__(self) -> None:
        _positive(self, "guide")
        methods, rungs = self.methods, self.rungs
        if not methods or len(set(methods)) < len(methods):
            raise ValueError(f"methods must be evolved, random, both or grid, not {methods}")
        if self.generations < 1 or not rungs:
            raise ValueError(
                f"at least 1 generation and 1 rung are needed, not {self.generations} and {rungs}"
            )
        for number, rung in enumerate(rungs):
            _positive(rung, "networks", "samples", where=f"rungs[{number}].")
        if "grid" in methods and (len(methods), len(rungs), self.generations) != (1, 1, 1):
            raise ValueError(
                "a grid tries every network once: it goes with no other method, one rung and "
                f"generations 1, not with {methods}, {len(rungs)} rungs and {self.generations}"
            )
        if "grid" not in methods and rungs[0].networks < 2:
            raise ValueError(f"rungs[0].networks must be at least 2, not {rungs[0].networks}")
        for number, (low, high) in enumerate(itertools.pairwise(rungs), start=1):
            if high.networks >= low.networks or high.samples <= low.samples:
                raise ValueError(
                    f"rungs[{number}] must judge fewer networks than the rung before it, each on "
                    f"more samples, not {high.networks} of {low.networks} networks on "
                    f"{high.samples} after {low.samples} samples"
                )

    @property
    def top(self) -> int:
        """Return the number of the top rung."""
        return len(self.rungs) - 1

    def samples(self) -> int:
        """Return how many images a generation of one method is shown, over all rungs."""
        return sum(rung.networks * rung.samples for rung in self.rungs)


def _positive(record: object, *names: str, where: str = "") -> None:
    for name in names:
        if getattr(record, name) < 1:
            raise ValueError(f"{where}{name} must be at least 1, not {getattr(record, name)}")
