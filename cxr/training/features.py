"""Features of frozen layers, worked out once for each view of an image and kept on disk while they are needed.

Same bytes as without: the last bits of a convolution depend on how many images it is given at a time
(a batch of 8 takes other kernels than one of 32), but in the exact profile neither on which others
are in the batch nor on the place among them. Measured for mobilenetv2_035 and _100, resnet18 and 50,
vgg16 and 19, efficientnet_b0, densenet121 and inception_v3, images of 32 to 224 px, batches of 2 to
128. So features are worked out in batches of training's own size, the last one filled up; those of
val in the batches that it is scored in.

Shapes: N images, B of a batch, H = W pixels.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cxr import artifacts, progress, scratch
from cxr.training import batches, frozen
from cxr.training.augmentation import is_still
from cxr.training.network import Network
from cxr.training.recipe import Recipe

FOLDER = Path("data/.scratch/features")
"""Where features lie while a training needs them."""


def feed(
    network: Network, recipe: Recipe, train_NHW: np.ndarray, val_NHW: np.ndarray,
    *, seed: int, stream: tuple[str | int, ...], folder: Path,
) -> batches.Feed:  # fmt: skip
    """Return the recipe's feed: kept features where it has frozen views, else images.

    Raises ValueError as `frozen.cut` does.
    """
    if not recipe.frozen_views:
        return batches.Images(train_NHW, val_NHW, recipe, seed, stream)
    return Features(network, recipe, train_NHW, val_NHW, seed=seed, stream=stream, folder=folder)


class Features:
    """The feed (see `batches.Feed`) of a network whose lower part is worked out once for each view.

    Epoch e is given view e % `frozen_views` of every image, an augmented copy; without augmentation
    all views are one. Features are worked out when they are first asked for, and lie in `folder` as
    float32, each set in a file named by all that it depends on: a training that is begun again finds
    them, as does one that differs above the cut alone.
    """

    def __init__(
        self, network: Network, recipe: Recipe, train_NHW: np.ndarray, val_NHW: np.ndarray,
        *, seed: int, stream: tuple[str | int, ...], folder: Path,
    ) -> None:  # fmt: skip
        self.cut = frozen.cut(network, size_px=train_NHW.shape[-1])
        self.recipe, self.train_NHW, self.val_NHW = recipe, train_NHW, val_NHW
        self.seed, self.stream, self.folder = seed, stream, folder
        self.still = is_still(recipe.augmentation)
        self._weights = _digest(*(x.numpy() for x in self.cut.below.state_dict().values()))
        self._open: dict[str, tuple[Path, np.ndarray]] = {}

    def reader(self, network: Network) -> nn.Module:
        """Return the layers of `network` above the cut."""
        return frozen.Above(network, self.cut)

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Yield (positions (B,), features (B, …)), in the order in which images would come."""
        view = 0 if self.still else epoch % self.recipe.frozen_views
        features = self._features(f"view {view}", self.train_NHW, self._inputs(view))
        drawn = batches.order(
            len(features), batch_size=self.recipe.batch_size,
            seed=self.seed, stream=self.stream, epoch=epoch,
        )  # fmt: skip
        for positions in drawn:
            yield positions, torch.from_numpy(features[positions])

    def val(self) -> Iterator[torch.Tensor]:
        """Yield the features (B, …) of the val images, as they are."""
        inputs = batches.scored(self.val_NHW, self.recipe)
        features = self._features("val", self.val_NHW, inputs)
        for first in range(0, len(features), batches.SCORED):
            yield torch.from_numpy(np.array(features[first : first + batches.SCORED]))

    def finish(self) -> None:
        """Remove the files, and what a killed process left of them."""
        for path, _ in self._open.values():
            for file in [path, *sorted(path.parent.glob(f".{path.name}.*.partial"))]:
                file.unlink(missing_ok=True)

    def _inputs(self, view: int) -> Iterator[torch.Tensor]:
        """Yield the images of a view, normalised (B, 1, H, W); the first fill up the last batch."""
        images, recipe = len(self.train_NHW), self.recipe
        size = min(recipe.batch_size, images)
        for first in range(0, images, size):
            changed = batches.changed(
                self.train_NHW, np.arange(first, first + size) % images, recipe.augmentation,
                seed=self.seed, stream=(*self.stream, "view", view),
            )  # fmt: skip
            yield batches.normalise(changed, mean=recipe.mean, std=recipe.std)

    def _features(
        self, name: str, images_NHW: np.ndarray, inputs: Iterator[torch.Tensor]
    ) -> np.ndarray:
        """Return features (N, …) mapped from their file; `inputs` are drawn if there is none."""
        if name not in self._open:
            path = self.folder / f"{self._key(name, images_NHW)}.f32"
            shape = (len(images_NHW), *self.cut.shape)
            found = _read(path, shape)
            if found is None:
                words = f"{' '.join(map(str, self.stream))}: features at {self.cut.place}, {name}"
                size = batches.SCORED if name == "val" else self.recipe.batch_size
                told = progress.track(inputs, total=-(-len(images_NHW) // size), words=words)
                found = _write(path, shape, map(self._below, told))
            self._open[name] = path, found
        return self._open[name][1]

    def _below(self, inputs: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return self.cut.below(inputs).contiguous().numpy()

    def _key(self, name: str, images_NHW: np.ndarray) -> str:
        """Return what stands for all that the features depend on."""
        recipe = self.recipe
        network = [recipe.backbone, recipe.backbone_options, self.cut.below.code, self._weights]
        settings: list[Any] = [name, recipe.mean, recipe.std, *network]
        if name != "val":
            settings.append(recipe.batch_size)
            if not self.still:
                settings += [dataclasses.asdict(recipe.augmentation), self.seed, self.stream]
        words = artifacts.canonical_json(settings), _digest(images_NHW)
        return scratch.key(*words, code=("cxr",))


def _digest(*arrays: np.ndarray) -> str:
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        return np.memmap(path, np.float32, mode="r", shape=shape)
    except (FileNotFoundError, ValueError):  # ValueError: the file is too short
        return None


def _write(path: Path, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> np.ndarray:
    """Write the rows of `parts`, as many as `shape` says, to a file that is whole or not there; map it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    left = shape[0]
    try:
        # not through a map: a full disk would end the process by a signal, and say nothing
        with partial.open("w+b") as file:
            for part in parts:
                file.write(part[:left].data)
                left -= len(part)
            file.flush()
            os.fsync(file.fileno())
            features = np.memmap(file, np.float32, mode="r", shape=shape)
        with contextlib.suppress(FileNotFoundError):
            partial.replace(path)  # not there if another training has just finished with the same
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk names no file
        raise
    return features
