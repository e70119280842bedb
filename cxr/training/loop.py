"""Fit a network: seeded batches, AdamW, warm-up and cosine, averaged weights, early stopping on val.

Or for an exact number of steps, as a search does that gives every network as many images.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cxr import progress, seeding
from cxr.metrics import auroc, classification
from cxr.training import batches, distillation, losses, schedules
from cxr.training.network import Network, freeze, train_mode
from cxr.training.recipe import Recipe

Tensors = dict[str, torch.Tensor]
_PREDICTION_BATCH = 64


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
class _Length:
    """How long a training is, in steps."""

    steps: int
    epoch: int
    """steps once through the images"""
    warmup: int

    @property
    def epochs(self) -> int:
        """Return how many epochs are begun."""
        return -(-self.steps // self.epoch)


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
) -> Fitted:
    """Train `network` on `train`; keep the weights of the epoch that is best on `val`.

    A `teacher` has its word in the training loss, never in val's. Every draw comes from `stream`
    under `seed`. With `steps` it is trained for exactly so many, whatever the recipe says of epochs
    and of early stopping: the schedule spans them, at most a fifth is warm-up, the last epoch may be
    a part of one, and it alone is judged and kept. Raises ValueError when a part is empty, Diverged
    when the loss is no longer a number.
    """
    if not len(train.images_NHW) or not len(val.images_NHW):
        raise ValueError("train and val need at least one image each: see split.fractions")
    freeze(network, recipe.trainable)
    loss = losses.make(
        recipe.loss,
        train.labels_NL,
        class_weights=recipe.class_weights,
        label_smoothing=recipe.label_smoothing,
    )
    optimizer = _optimizer(network, recipe)
    average, stopping = _Average(network, recipe.ema_decay), recipe.early_stopping
    history: list[Epoch] = []
    best, best_epoch, kept = -np.inf, 0, Tensors()
    length = _length(recipe, len(train.images_NHW), steps)
    for epoch in progress.track(
        range(length.epochs), total=length.epochs, words=" ".join(map(str, stream))
    ):
        train_loss = _train_epoch(
            network, recipe, train, loss, teacher, optimizer, average, seed, stream, epoch, length
        )
        if steps is not None and epoch + 1 < length.epochs:
            continue
        rate = optimizer.param_groups[0]["lr"]
        history.append(Epoch(epoch, rate, train_loss, *judge(average.network, recipe, val)))
        score = _score(history[-1], stopping.monitor)
        if not kept or score > best:
            best, best_epoch, kept = score, epoch, average.tensors()
        if stopping.monitor != "last" and epoch - best_epoch >= stopping.patience:
            break
    return Fitted(kept, best_epoch, history)


def _length(recipe: Recipe, images: int, steps: int | None) -> _Length:
    epoch = batches.steps_per_epoch(images, recipe.batch_size)
    warmup = round(recipe.optimizer.warmup_epochs * epoch)
    if steps is None:
        return _Length(recipe.epochs * epoch, epoch, warmup)
    if steps < 1:
        raise ValueError(f"a training needs at least 1 step, not {steps}")
    return _Length(steps, epoch, min(warmup, steps // 5))


def predict(network: nn.Module, recipe: Recipe, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L), see `losses.probabilities`."""
    return losses.probabilities(_raw_scores(network, recipe, images_NHW), recipe.loss).numpy()


def _raw_scores(network: nn.Module, recipe: Recipe, images_NHW: np.ndarray) -> torch.Tensor:
    network.eval()
    with torch.inference_mode():
        return torch.cat([
            network(batches.normalise(images_NHW[i : i + _PREDICTION_BATCH], mean=recipe.mean, std=recipe.std))
            for i in range(0, len(images_NHW), _PREDICTION_BATCH)
        ])  # fmt: skip


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


def _train_epoch(
    network: Network,
    recipe: Recipe,
    train: Part,
    loss: losses.Loss,
    teacher: distillation.Teacher | None,
    optimizer: torch.optim.Optimizer,
    average: _Average,
    seed: int,
    stream: tuple[str | int, ...],
    epoch: int,
    length: _Length,
) -> float:
    """Go once through the training images, or as far as the training goes; return the mean loss."""
    train_mode(network)
    first = epoch * length.epoch
    drawn = batches.epoch_batches(
        train.images_NHW, batch_size=recipe.batch_size, augmentation=recipe.augmentation,
        seed=seed, stream=stream, epoch=epoch,
    )  # fmt: skip
    total, images = 0.0, 0
    for step, (positions, changed) in zip(range(first, length.steps), drawn, strict=False):
        factor = schedules.warmup_cosine(step, steps=length.steps, warmup=length.warmup)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        images_B1HW = batches.normalise(changed, mean=recipe.mean, std=recipe.std)
        with seeding.torch_global(seed, *stream, "dropout", step):
            raw = network(images_B1HW)
        value = loss(raw, torch.from_numpy(train.labels_NL[positions]))
        if teacher is not None:
            value = teacher.blend(value, raw, images_B1HW, loss=recipe.loss)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        average.update(network)
        total += float(value.detach()) * len(positions)
        images += len(positions)
    if not np.isfinite(total):
        raise Diverged(f"the loss is not a number in epoch {epoch}: lower optimizer.learning_rate")
    return total / images


def judge(network: Network, recipe: Recipe, part: Part) -> tuple[float, float, float]:
    """Return loss (plain, unweighted), macro AUROC and accuracy on a part of the split.

    Raises Diverged if a score is no number.
    """
    raw = _raw_scores(network, recipe, part.images_NHW)
    if not bool(torch.isfinite(raw).all()):
        raise Diverged("the scores are not numbers: lower optimizer.learning_rate")
    plain = losses.make(recipe.loss, part.labels_NL, class_weights="none", label_smoothing=0.0)
    scores = losses.probabilities(raw, recipe.loss).numpy()
    return (
        float(plain(raw, torch.from_numpy(part.labels_NL))),
        float(auroc.macro(part.labels_NL, scores)),
        classification.accuracy(part.labels_NL, scores, exclusive=recipe.loss == "cross_entropy"),
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


class _Average:
    """Exponential moving average of all floating-point tensors; with decay 0 the network itself."""

    def __init__(self, network: Network, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.network = copy.deepcopy(network) if decay else network

    def update(self, network: Network) -> None:
        if not self.decay:
            return
        self.updates += 1
        # a short memory at first, else the random start would weigh on for 1 / (1 - decay) steps
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            current = network.state_dict()
            for name, kept in self.network.state_dict().items():
                if kept.is_floating_point():
                    kept.lerp_(current[name], 1 - decay)
                else:
                    kept.copy_(current[name])

    def tensors(self) -> Tensors:
        """Return a copy of the weights as they stand."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}


def history_rows(fitted: Fitted, *, fold: int) -> list[dict[str, float]]:
    """Return the learning curve as rows of a table."""
    return [{"fold": fold, **dataclasses.asdict(line)} for line in fitted.history]
