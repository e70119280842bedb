"""Fit a network: seeded batches, AdamW, warm-up and cosine, averaged weights, early stopping on val.

Or for an exact number of steps, as a search does that gives every network as many images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cxr import progress, seeding
from cxr.metrics import auroc, classification
from cxr.training import batches, distillation, features, losses, mixing, schedules
from cxr.training.averaging import Average
from cxr.training.network import Network, freeze, train_mode
from cxr.training.recipe import Recipe
from cxr.training.sharded.shards import Shard
from cxr.training.sharded.sharing import Sharing
from cxr.training.sharded.team import Alone, Team

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Part:
    """Images of one part of the split and what is known of them."""

    images_NHW: np.ndarray
    labels_NL: np.ndarray


@dataclass(frozen=True)
class Epoch:
    """One line of the learning curve; losses are means over images."""

    epoch: int
    learning_rate: float
    train_loss: float
    val_loss: float
    val_auroc: float
    val_accuracy: float


@dataclass(frozen=True)
class Fitted:
    """The kept weights (all tensors of the network), the epoch they are from, and the curve."""

    tensors: Tensors
    best_epoch: int
    history: list[Epoch]


class Diverged(ValueError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class _Training:
    """What one training goes by, from its first step to its last."""

    network: Network
    recipe: Recipe
    feed: batches.Feed
    labels_NL: np.ndarray
    """of the training images"""
    loss: losses.Loss
    teacher: distillation.Teacher | None
    optimizer: torch.optim.Optimizer
    average: Average
    seed: int
    stream: tuple[str | int, ...]
    length: schedules.Length
    sharing: Sharing | None
    """the feed, where batches are cut into shards"""


def fit(
    network: Network,
    recipe: Recipe,
    *,
    train: Part,
    val: Part,
    seed: int,
    stream: tuple[str | int, ...],
    teacher: distillation.Teacher | None = None,
    steps: int | None = None,
    kept: Path = features.FOLDER,
    team: Team | None = None,
) -> Fitted:
    """Train `network` on `train`; keep the weights of the epoch that is best on `val`.

    A `teacher` has its word in the training loss, never in val's. Every draw comes from `stream`
    under `seed`. With `steps` it is trained for exactly so many, whatever the recipe says of epochs
    and of early stopping: the schedule spans them, at most a fifth is warm-up, the last epoch may be
    a part of one, and it alone is judged and kept. With `frozen_views` the features of frozen layers
    lie under `kept` until the training is done. Shards are worked by a `team`, all of whom call this
    alike and are given the same, or by this process alone. Raises ValueError when a part is empty,
    Diverged when the loss is no longer a number.
    """
    if not len(train.images_NHW) or not len(val.images_NHW):
        raise ValueError("train and val need at least one image each: see split.fractions")
    if teacher is not None and recipe.frozen_views:
        raise ValueError(
            "a teacher has to see images, frozen_views keeps but their features: set frozen_views: 0"
        )
    freeze(network, recipe.trainable)
    loss = losses.make(
        recipe.loss,
        train.labels_NL,
        class_weights=recipe.class_weights,
        label_smoothing=recipe.label_smoothing,
    )
    images, sharing = (train.images_NHW, val.images_NHW), None
    if recipe.shards > 1:
        sharing = Sharing(
            network, batches.Images(*images, recipe, seed, stream),
            (train.labels_NL, val.labels_NL), team or Alone(),
        )  # fmt: skip
    feed = sharing or features.feed(network, recipe, *images, seed=seed, stream=stream, folder=kept)
    run = _Training(
        network, recipe, feed, train.labels_NL, loss, teacher, _optimizer(network, recipe),
        Average(network, recipe.ema_decay), seed, stream,
        schedules.length(recipe, len(train.images_NHW), steps), sharing,
    )  # fmt: skip
    fitted = _fitted(run, val.labels_NL, all_epochs=steps is None)
    feed.finish()
    return fitted


def _fitted(run: _Training, val_labels_NL: np.ndarray, *, all_epochs: bool) -> Fitted:
    """Train epoch by epoch, each or only the last one judged on val; return the best of those judged."""
    stopping, epochs = run.recipe.early_stopping, run.length.epochs
    trained, judged = (run.feed.reader(x) for x in (run.network, run.average.network))
    history: list[Epoch] = []
    best, best_epoch, kept = -np.inf, 0, Tensors()
    words = " ".join(map(str, run.stream))
    for epoch in progress.track(range(epochs), total=epochs, words=words):
        train_loss = _train_epoch(run, trained, epoch)
        if not all_epochs and epoch + 1 < epochs:
            continue
        rate = run.optimizer.param_groups[0]["lr"]
        raw = _blocks(judged, run.feed.val())
        whole = run.sharing.scores(raw, val_labels_NL.shape[1]) if run.sharing else torch.cat(raw)
        said = _judged(whole, run.recipe, val_labels_NL)
        history.append(Epoch(epoch, rate, train_loss, *said))
        score = _score(history[-1], stopping.monitor)
        if not kept or score > best:
            best, best_epoch, kept = score, epoch, run.average.tensors()
        if stopping.monitor != "last" and epoch - best_epoch >= stopping.patience:
            break
    return Fitted(kept, best_epoch, history)


def raw_scores(network: nn.Module, recipe: Recipe, images_NHW: np.ndarray) -> torch.Tensor:
    """Return raw scores float32 (N, L) of uint8 images (N, H, W), before softmax or sigmoid."""
    return torch.cat(_blocks(network, batches.scored(images_NHW, recipe)))


def _blocks(reader: nn.Module, inputs: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    reader.eval()
    with torch.inference_mode():
        return [reader(block) for block in inputs]


def _optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW over four groups: backbone and head, each with and without weight decay."""
    settings = recipe.optimizer
    groups = []
    for part, rate in (
        (network.backbone, settings.learning_rate),
        (network.head, settings.head_learning_rate),
    ):
        trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
        for decay, chosen in (
            (settings.weight_decay, [p for p in trained if p.ndim > 1]),
            (0.0, [p for p in trained if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "lr": rate, "peak": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


def _train_epoch(run: _Training, reader: nn.Module, epoch: int) -> float:
    """Go once through the training images, or as far as the training goes; return the mean loss.

    `reader` turns what the feed gives into raw scores, in the layers of the network.
    """
    train_mode(run.network)
    first = epoch * run.length.epoch
    total, images = 0.0, 0
    steps = range(first, run.length.steps)
    for step, (positions, inputs) in zip(steps, run.feed.batches(epoch), strict=False):
        factor = schedules.warmup_cosine(step, steps=run.length.steps, warmup=run.length.warmup)
        for group in run.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        run.optimizer.zero_grad(set_to_none=True)
        value = _gradient(run, reader, step, inputs, torch.from_numpy(run.labels_NL[positions]))
        run.optimizer.step()
        run.average.update(run.network)
        total += value * len(positions)
        images += len(positions)
    if not np.isfinite(total):
        raise Diverged(f"the loss is not a number in epoch {epoch}: lower optimizer.learning_rate")
    return total / images


def _gradient(
    run: _Training, reader: nn.Module, step: int, inputs: torch.Tensor, labels_BL: torch.Tensor
) -> float:
    """Leave the gradient of one batch in the network, whose parameters hold none; return its loss."""
    if run.sharing is None:
        value = _loss(run, reader, (step,), inputs, labels_BL)
        value.backward()
        return float(value.detach())

    def one(part: Shard, own: torch.Tensor) -> torch.Tensor:
        key = (step, "shard", part.number)
        return _loss(run, reader, key, own, labels_BL[part.rows], factor=part.factor)

    return run.sharing.gradient(inputs, labels_BL, run.loss, one)


def _loss(
    run: _Training, reader: nn.Module, key: tuple[str | int, ...], inputs: torch.Tensor,
    labels_BL: torch.Tensor, *, factor: float = 1.0,
) -> torch.Tensor:  # fmt: skip
    """Return the loss of one batch: by its labels, blended or not, times `factor`, and by the teacher's word.

    Its draws are those of `key`.
    """
    mix = None
    if run.recipe.mixup:
        rng = seeding.stream(run.seed, *run.stream, "mixup", *key)
        mix = mixing.draw(run.recipe.mixup, rng=rng, size=len(inputs))
        inputs = mix.images(inputs)
    with seeding.torch_global(run.seed, *run.stream, "dropout", *key):
        raw = reader(inputs)
    value = mix.loss(run.loss, raw, labels_BL) if mix else run.loss(raw, labels_BL)
    if factor != 1.0:
        value = factor * value
    if run.teacher is None:
        return value
    return run.teacher.blend(value, raw, inputs, loss=run.recipe.loss)


def judge(network: Network, recipe: Recipe, part: Part) -> tuple[float, float, float]:
    """Return loss (plain, unweighted), macro AUROC and accuracy on a part of the split.

    Raises Diverged if a score is no number.
    """
    return _judged(raw_scores(network, recipe, part.images_NHW), recipe, part.labels_NL)


def _judged(raw: torch.Tensor, recipe: Recipe, labels_NL: np.ndarray) -> tuple[float, float, float]:
    """Return what `judge` does, of raw scores (N, L)."""
    if not bool(torch.isfinite(raw).all()):
        raise Diverged("the scores are not numbers: lower optimizer.learning_rate")
    plain = losses.make(recipe.loss, labels_NL, class_weights="none", label_smoothing=0.0)
    scores = losses.probabilities(raw, recipe.loss).numpy()
    return (
        float(plain(raw, torch.from_numpy(labels_NL))),
        float(auroc.macro(labels_NL, scores)),
        classification.accuracy(labels_NL, scores, exclusive=recipe.loss == "cross_entropy"),
    )


def _score(line: Epoch, monitor: str) -> float:
    """Return what early stopping compares; higher is better, a metric that is undefined never wins."""
    value = {
        "loss": -line.val_loss,
        "auroc": line.val_auroc,
        "accuracy": line.val_accuracy,
        "last": float(line.epoch),  # a later epoch always wins
    }[monitor]
    return value if np.isfinite(value) else -np.inf


def history_rows(fitted: Fitted, *, fold: int) -> list[dict[str, float]]:
    """Return the learning curve as rows of a table."""
    return [{"fold": fold, **dataclasses.asdict(line)} for line in fitted.history]
