"""How unlike the images that a network learned from an image is: fitted here, worked in the ONNX file.

The largest of three distances, each blind to what another sees:

- features: Mahalanobis, of what the last linear layer is given, from the training images (Lee et al.
  2018, https://arxiv.org/abs/1807.03888), as one Gaussian without classes, since labels may combine.
  Signed roots are taken first: they tame features that are mostly zero.
- picture: the same of the grey image itself, a thumbnail with its edges and its histogram; networks
  trained from scratch have features that let photos pass.
- turned: Fisher's linear discriminant between thumbnails of training images as they are and the same
  inverted, turned and upside down (auxiliary outliers: Hendrycks et al. 2019,
  https://arxiv.org/abs/1812.04606); they are too near the Gaussians' middle to be seen there.

A Gaussian's covariance is that of probabilistic PCA (Tipping & Bishop 1999,
https://doi.org/10.1111/1467-9868.00196): few axes, and one variance for all that is left. Each distance is
counted from its median on held-out images, in spreads up to their 97th percentile. The threshold is a
tolerance limit: where future images are drawn independently from where held-out ones came, at most
REFUSED of them are above it, with CONFIDENCE (a conformal threshold keeps that in the mean alone).
Fitted in float64; tests.bench.refusal holds it against others.

N is images, S their side, C features, D the length of a vector, K axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cxr import exact
from cxr.metrics.tolerance import tolerance

TRAIN_IMAGES, HELD_OUT_IMAGES = 1000, 500
"""At most, spread evenly."""
AXES = 16
"""At most; more made files larger and no set clearer."""
REFUSED, CONFIDENCE = 0.05, 0.95
"""Of images like the held-out ones, at most; how sure that is, of 59 or more."""
THRESHOLD = 1.0
THUMBNAIL_PX, BINS, SCALES = 16, 9, 4
_SMALLEST_PX = 4
"""Of an image whose edges are counted."""
_UPPER, _SHRINKAGE = 0.97, 0.05
_AT_ONCE = 64
_MARGIN = 1e-3
"""Spreads: what onnxruntime may round otherwise than torch refuses no image more."""
METHOD = (
    "the largest of three distances from training images: Mahalanobis of the features before the last "
    "layer (Lee et al. 2018), Mahalanobis of thumbnail, edges and histogram, both with the covariance "
    "of probabilistic PCA, and Fisher's discriminant against inverted and turned images; counted in "
    "spreads of held-out images above the threshold, plus 1"
)


class Picture(nn.Module):
    """Grey images (N, 1, S, S) 0..255 → thumbnails (N, 256) in 0..1, and edges with histogram (N, 8 + 9).

    Edges are logs of mean differences to the right and downwards, at one to four scales, each half
    the one before. The histogram has overlapping bins, at half the side.
    """

    def __init__(self, size_px: int) -> None:
        super().__init__()
        self.shrink: torch.Tensor
        self.centres: torch.Tensor
        self.register_buffer("shrink", torch.from_numpy(_areas(size_px)).float())
        self.register_buffer("centres", torch.linspace(0, 1, BINS)[:, None, None])
        sides = [size_px >> scale for scale in range(SCALES)]
        self.scales = max(1, sum(side >= _SMALLEST_PX for side in sides))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        grey = images / 255.0
        # transposed twice, so that the file holds one matrix and not its transpose too
        small = (self.shrink @ (self.shrink @ grey).transpose(2, 3)).transpose(2, 3)
        found, scaled, half = [], grey, functional.avg_pool2d(grey, 2)
        for scale in range(self.scales):
            scaled = functional.avg_pool2d(scaled, 2) if scale else scaled
            found += [_edges(scaled[..., 1:] - scaled[..., :-1])]
            found += [_edges(scaled[..., 1:, :] - scaled[..., :-1, :])]
        near = torch.relu(1.0 - (half - self.centres).abs() * (BINS - 1))
        found.append(exact.square_root(near.mean(dim=(2, 3))))
        return small.flatten(1), torch.cat(found, dim=1)


def _edges(differences: torch.Tensor) -> torch.Tensor:
    return torch.log(differences.abs().mean(dim=(2, 3)) + 1e-3)


def _areas(size_px: int) -> np.ndarray:
    """Return (16, S): the share that each pixel of a side has in each of a thumbnail's."""
    ends = np.arange(THUMBNAIL_PX + 1) * size_px / THUMBNAIL_PX
    pixels = np.arange(size_px)
    overlap = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return np.maximum(overlap, 0) * THUMBNAIL_PX / size_px


class Gaussian(nn.Module):
    """Vectors (N, D) → Mahalanobis distances (N,) from those it was fitted on, each place weighted."""

    def __init__(self, vectors_ND: np.ndarray, weights_D: np.ndarray) -> None:
        super().__init__()
        weighted_ND = vectors_ND.astype(np.float64) * weights_D
        mean_D = weighted_ND.mean(axis=0)
        _, lengths, axes_RD = np.linalg.svd(weighted_ND - mean_D, full_matrices=False)
        variances_R = lengths**2 / len(vectors_ND)
        self.axes_kept = kept = max(1, min(AXES, (len(vectors_ND) - 1) // 2, len(mean_D) - 1))
        rest = variances_R[kept:].sum() / max(len(mean_D) - kept, 1)
        floor = max(1e-4 * variances_R[0], 1e-12)  # below it float32 sees nothing
        scales_K = 1 / np.sqrt(np.maximum(variances_R[:kept], floor))
        self.weights: torch.Tensor
        self.mean: torch.Tensor
        self.axes: torch.Tensor
        self.scales: torch.Tensor
        self.register_buffer("weights", _float(weights_D))
        self.register_buffer("mean", _float(mean_D))
        self.register_buffer("axes", _float(axes_RD[:kept].T))
        self.register_buffer("scales", _float(scales_K))
        self.rest = 1 / float(max(rest, floor))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        centred = vectors * self.weights - self.mean
        along = centred @ self.axes
        beside = (centred.square().sum(dim=1) - along.square().sum(dim=1)).clamp(min=0)
        return exact.square_root((along * self.scales).square().sum(dim=1) + beside * self.rest)


class Turned(nn.Module):
    """Thumbnails (N, 256) → how much more each looks inverted, turned or upside down than as it should (N,)."""

    def __init__(self, small_ND: np.ndarray) -> None:
        super().__init__()
        upright_ND = small_ND.astype(np.float64)
        sides = upright_ND.reshape(-1, THUMBNAIL_PX, THUMBNAIL_PX)
        wrong = [
            1 - sides,
            *(np.rot90(sides, times, (1, 2)) for times in (1, 2, 3)),
            sides[:, ::-1],
        ]
        classes = [upright_ND, *(one.reshape(len(one), -1) for one in wrong)]
        means = [one.mean(axis=0) for one in classes]
        pooled = np.concatenate([one - mean for one, mean in zip(classes, means, strict=True)])
        covariance_DD = pooled.T @ pooled / len(pooled)
        even = max(np.trace(covariance_DD) / len(covariance_DD), 1e-12)
        covariance_DD = (1 - _SHRINKAGE) * covariance_DD + _SHRINKAGE * even * np.eye(
            len(covariance_DD)
        )
        apart_DW = np.stack([mean - means[0] for mean in means[1:]], axis=1)
        weights_DW = np.linalg.solve(covariance_DD, apart_DW)
        middles_WD = np.stack([(mean + means[0]) / 2 for mean in means[1:]])
        self.weights: torch.Tensor
        self.offsets: torch.Tensor
        self.register_buffer("weights", _float(weights_DW))
        self.register_buffer("offsets", _float(np.einsum("wd,dw->w", middles_WD, weights_DW)))

    def forward(self, small: torch.Tensor) -> torch.Tensor:
        return (small @ self.weights - self.offsets).amax(dim=1)


class Strangeness(nn.Module):
    """Grey images (N, 1, S, S) 0..255 and their features (N, C) → strangeness (N,); above 1 is too strange."""

    def __init__(self, images_NHW: np.ndarray, features_NC: np.ndarray) -> None:
        super().__init__()
        self.picture = Picture(images_NHW.shape[1])
        small_ND, rest_ND = _in_batches(self.picture, images_NHW)
        (rooted_NC,) = _in_batches(lambda rooted: (_rooted(rooted),), features_NC)
        self.features = Gaussian(rooted_NC, np.ones(features_NC.shape[1]))
        self.look = Gaussian(
            np.concatenate([small_ND, rest_ND], axis=1), _evened(small_ND, rest_ND)
        )
        self.turned = Turned(small_ND)
        self.middles: torch.Tensor
        self.spreads: torch.Tensor
        self.register_buffer("middles", torch.zeros(3))
        self.register_buffer("spreads", torch.ones(3))
        self.above = 0.0

    def forward(self, images: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        spreads = (self.distances(images, features) - self.middles) / self.spreads
        return spreads.amax(dim=1) + (THRESHOLD - self.above)

    def distances(self, images: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the three distances (N, 3)."""
        small, rest = self.picture(images)
        look = self.look(torch.cat([small, rest], dim=1))
        return torch.stack([self.features(_rooted(features)), look, self.turned(small)], dim=1)

    def of(self, images_NHW: np.ndarray, features_NC: np.ndarray) -> np.ndarray:
        """Return the strangeness float32 (N,) of uint8 images."""
        (found_N,) = _in_batches(lambda *both: (self(*both),), images_NHW, features_NC)
        return found_N

    def apart(self, images_NHW: np.ndarray, features_NC: np.ndarray) -> np.ndarray:
        """Return the three distances float32 (N, 3) of uint8 images, to be looked at one by one."""
        (found_N3,) = _in_batches(lambda *both: (self.distances(*both),), images_NHW, features_NC)
        return found_N3

    def set_threshold(self, images_NHW: np.ndarray, features_NC: np.ndarray) -> None:
        """Count each distance in spreads of held-out images, and set what is too strange."""
        found_N3 = self.apart(images_NHW, features_NC).astype(np.float64)
        middles_3 = np.median(found_N3, axis=0)
        spreads_3 = np.quantile(found_N3, _UPPER, axis=0) - middles_3
        self.middles.copy_(_float(middles_3))
        self.spreads.copy_(_float(np.maximum(spreads_3, 1e-3 * np.abs(middles_3) + 1e-6)))
        self.above = 0.0
        apart_N = np.sort(self.of(images_NHW, features_NC).astype(np.float64)) - THRESHOLD
        most = tolerance(len(apart_N), exceeded=REFUSED, confidence=CONFIDENCE).above
        self.above = float(apart_N[len(apart_N) - 1 - most]) + _MARGIN


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What is strange to one network, and on how many images that was found."""

    strangeness: Strangeness
    train_images: int
    held_out_images: int
    refused: float
    """share of the held-out images that are above the threshold"""


def fit(train: tuple[np.ndarray, np.ndarray], held_out: tuple[np.ndarray, np.ndarray]) -> Fitted:
    """Return what is strange beside the training images; each part is uint8 (N, S, S) and features (N, C).

    Raises ValueError if there are fewer than two training images, or no held-out one.
    """
    if len(train[0]) < 2 or not len(held_out[0]):
        raise ValueError(
            f"{len(train[0])} training images and {len(held_out[0])} of val can't tell which images are "
            "strange, expected two and one at least: see split.fractions"
        )
    found = Strangeness(*train).eval()
    found.set_threshold(*held_out)
    return Fitted(
        strangeness=found, train_images=len(train[0]), held_out_images=len(held_out[0]),
        refused=float((found.of(*held_out) > THRESHOLD).mean()),
    )  # fmt: skip


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many of the rows, evenly spread."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))]


def describe(found: Fitted, *, name: str) -> dict[str, Any]:
    """Return what a file says of its output `name`."""
    sure = tolerance(found.held_out_images, exceeded=REFUSED, confidence=CONFIDENCE)
    return {
        "strangeness": {
            "name": name,
            "type": "float32",
            "shape": ["batch"],
            "values": "how unlike the training images an image is; above the threshold it should not be "
            "answered: no chest X-ray as those were, turned, or inverted",
            "threshold": THRESHOLD,
            "method": METHOD,
            "axes": {"features": found.strangeness.features.axes_kept, "picture": found.strangeness.look.axes_kept},
            "train_images": found.train_images,
            "held_out_images": found.held_out_images,
            "held_out_refused": found.refused,
            "refused_at_most": REFUSED,
            "confidence": round(sure.confidence, 4),
        }
    }  # fmt: skip


def _evened(small_ND: np.ndarray, rest_ND: np.ndarray) -> np.ndarray:
    """Return the weights (D,) by which thumbnail and the rest vary by 1 each, the rest evenly."""
    small = 1 / math.sqrt(max(small_ND.astype(np.float64).var(axis=0).sum(), 1e-12))
    deviations = np.maximum(rest_ND.astype(np.float64).std(axis=0), 1e-3)
    return np.concatenate(
        [np.full(small_ND.shape[1], small), 1 / (deviations * math.sqrt(len(deviations)))]
    )


def _rooted(values: torch.Tensor) -> torch.Tensor:
    return values.sign() * exact.square_root(values.abs())


def _in_batches(
    work: Callable[..., tuple[torch.Tensor, ...]], *arrays: np.ndarray
) -> list[np.ndarray]:
    """Return each of what `work` gives for uint8 images (N, S, S) and float32 arrays, so many at a time."""
    found = []
    for first in range(0, len(arrays[0]), _AT_ONCE):
        parts = [array[first : first + _AT_ONCE] for array in arrays]
        images = [x[:, None].astype(np.float32) if x.dtype == np.uint8 else x for x in parts]
        with torch.inference_mode():
            found.append([made.numpy() for made in work(*map(torch.from_numpy, images))])
    return [np.concatenate(one) for one in zip(*found, strict=True)]


def _float(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
