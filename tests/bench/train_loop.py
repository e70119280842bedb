"""Our training loop beside the barest one: forward, backward, step on tensors that lie in memory ready-made.

Both train the same network from the same weights on the same batches in the same order, in this
process, on one thread, in the exact profile; the optimizer and its rates are the same, so without
augmentation they must end with the same bytes. Ours makes each batch from uint8 images (order,
augmentation, float32, normalisation), guards its chance and copies its weights after every epoch;
it judges VAL images besides, no more, for they are no part of what is compared.

Shapes: B images of a batch, H = W pixels, L labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from cxr.training import batches, loop, network, schedules
from cxr.training.recipe import Recipe
from tests.bench.train_rows import Row
from tests.bench.train_setup import STILL, clock, digest, drawn, recipe, turns

Batch = tuple[torch.Tensor, torch.Tensor]
"""images float32 (B, 1, H, W), normalised, and classes int64 (B,)"""

WAYS = ("bare", "ours", "ours, augmented")
VAL = 4
STREAM = ("bench",)


@dataclass(frozen=True)
class Work:
    """One training."""

    recipe: Recipe
    train: loop.Part
    val: loop.Part
    seed: int

    @property
    def images(self) -> int:
        """Return how many images it is shown."""
        size = self.recipe.batch_size
        return self.recipe.epochs * batches.steps_per_epoch(len(self.train.images_NHW), size) * size

    def network(self) -> network.Network:
        """Return the network with its first weights."""
        labels = self.train.labels_NL.shape[1]
        return network.build(self.recipe, labels=labels, seed=self.seed, fold=0)


@dataclass(frozen=True)
class Trained:
    """What a training ends with."""

    losses: list[float]
    """of each epoch, means over its images"""
    weights: str
    """stands for every byte of them"""


def ready(work: Work) -> list[list[Batch]]:
    """Return all batches of all epochs, as our feed gives them."""
    feed = batches.Images(
        work.train.images_NHW, work.val.images_NHW, work.recipe, work.seed, STREAM
    )
    classes_N = torch.from_numpy(work.train.labels_NL).argmax(dim=1)
    return [
        [(inputs, classes_N[torch.from_numpy(positions)]) for positions, inputs in feed.batches(epoch)]
        for epoch in range(work.recipe.epochs)
    ]  # fmt: skip


def bare(
    net: network.Network, settings: Recipe, epochs: Iterable[Iterable[Batch]], *, steps: int,
    after: Callable[[], None] = lambda: None,
) -> list[float]:  # fmt: skip
    """Train `net` on batches as they come, `steps` in an epoch; return each epoch's mean loss.

    `after` is called at the end of every epoch.
    """
    said = settings.optimizer
    groups = [
        {"params": [p for p in part.parameters() if (p.ndim > 1) == matrix], "peak": rate, "weight_decay": decay}
        for part, rate in ((net.backbone, said.learning_rate), (net.head, said.head_learning_rate))
        for matrix, decay in ((True, said.weight_decay), (False, 0.0))
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, fused=True)
    length, warmup, done, means = settings.epochs * steps, round(said.warmup_epochs * steps), 0, []
    for some in epochs:
        net.train()
        losses = []
        for inputs, classes in some:
            factor = schedules.warmup_cosine(done, steps=length, warmup=warmup)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
            value = functional.cross_entropy(net(inputs), classes)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            losses.append((value.detach(), len(inputs)))
            done += 1
        means.append(sum(float(x) * count for x, count in losses) / sum(x for _, x in losses))
        after()
    return means


def train_bare(work: Work, net: network.Network, epochs: list[list[Batch]]) -> Trained:
    """Train on ready-made batches."""
    losses = bare(net, work.recipe, epochs, steps=len(epochs[0]))
    return Trained(losses, digest(net.state_dict()))


def train_ours(work: Work, net: network.Network) -> Trained:
    """Train as a stage does."""
    fitted = loop.fit(
        net, work.recipe, train=work.train, val=work.val, seed=work.seed, stream=STREAM
    )
    return Trained([line.train_loss for line in fitted.history], digest(fitted.tensors))


def mirrored(part: loop.Part) -> loop.Part:
    """Return the images and their mirror images, so that an epoch is no shorter than a study's."""
    images_NHW = np.concatenate([part.images_NHW, part.images_NHW[:, :, ::-1]])
    return loop.Part(images_NHW, np.concatenate([part.labels_NL] * 2))


def measure(*, images: int, epochs: int, px: int, rounds: int) -> Iterator[Row]:
    """Train mobilenetv2_035 on phantoms and their mirror images in turns; yield a row for each training.

    The first training of each way is not counted.
    """
    train, val = drawn(images, VAL, px)
    plain = Work(recipe(epochs=epochs, augmentation=STILL), mirrored(train), val, seed=0)
    changed = dataclasses.replace(plain, recipe=recipe(epochs=epochs))
    made = ready(plain)
    for number, way in turns(WAYS, rounds + 1):
        given = changed if way == WAYS[2] else plain
        net = given.network()
        with clock() as took:
            found = train_bare(given, net, made) if way == "bare" else train_ours(given, net)
        if number:
            yield Row(
                part="loop", way=way, px=px, round=number - 1, images=given.images,
                seconds=took.seconds, cpu_seconds=took.cpu_seconds,
                train_loss=found.losses[-1], weights=found.weights,
            )  # fmt: skip
