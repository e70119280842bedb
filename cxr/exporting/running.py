"""An exported file run by onnxruntime, and the proof that it says what PyTorch says."""

from __future__ import annotations

import numpy as np
import torch

from cxr.exporting import graph, strangeness
from cxr.onnx_runtime import onnxruntime
from cxr.training import losses, models
from cxr.training.network import last_layer

LARGEST_DIFFERENCE = 1e-4
"""Between the probabilities of PyTorch and onnxruntime. Two of them can close in by twice as much, so
whatever is decided by a margin above 0.0002 is decided alike."""

LARGEST_STRANGENESS_DIFFERENCE = 2e-3
"""Between the strangeness by PyTorch and by onnxruntime, of itself where it is above 1."""


def outputs(content: bytes, images_NHW: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a file gives for uint8 images by its outputs' names, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    images_N1HW = images_NHW[:, None].astype(np.float32)
    return dict(zip(names, session.run(names, {graph.INPUT: images_N1HW}), strict=True))


def probabilities(content: bytes, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L) of uint8 images."""
    return outputs(content, images_NHW)[graph.OUTPUT]


def compare(content: bytes, member: models.Member, images_NHW: np.ndarray) -> float:
    """Return the largest difference of probabilities between onnxruntime and PyTorch, images seen once.

    Those that the means of the maps stand for count too. Raises ValueError if there is no image, or
    if the difference is not at most LARGEST_DIFFERENCE.
    """
    if not len(images_NHW):
        raise ValueError("no val image to compare on: see split.fractions")
    ours_NL, found = models.predict_once(member, images_NHW), outputs(content, images_NHW)
    given = {"probabilities": found[graph.OUTPUT]}
    if graph.MAPS in found:
        given["probabilities by its maps"] = of_maps(found[graph.MAPS], member)
    for what, theirs_NL in given.items():
        difference = float(np.abs(ours_NL - theirs_NL).max())
        if not difference <= LARGEST_DIFFERENCE:  # so that not-a-number fails as well
            raise ValueError(
                f"the exported network gives other {what} than PyTorch: they differ by up to "
                f"{difference:.2g} on {len(images_NHW)} images, expected at most "
                f"{LARGEST_DIFFERENCE:g}; torch {torch.__version__} can't export this network "
                f"faithfully to opset {graph.OPSET}: take the model out of export.models"
            )
    return max(float(np.abs(ours_NL - theirs_NL).max()) for theirs_NL in given.values())


def of_maps(maps_NLhw: np.ndarray, member: models.Member) -> np.ndarray:
    """Return the probabilities float32 (N, L) that the means of maps stand for."""
    bias_L = last_layer(member.network).bias.detach()
    raw_NL = torch.from_numpy(maps_NLhw).mean(dim=(2, 3)) + bias_L
    return losses.probabilities(raw_NL / member.temperature, member.recipe.loss).numpy()


def compare_strangeness(
    content: bytes, member: models.Member, found: strangeness.Fitted, images_NHW: np.ndarray
) -> float:
    """Return the largest difference of strangeness between onnxruntime and PyTorch, as a share of what is above 1.

    Raises ValueError if it is not at most LARGEST_STRANGENESS_DIFFERENCE.
    """
    ours_N = found.strangeness.of(images_NHW, graph.features(member, images_NHW))
    theirs_N = outputs(content, images_NHW)[graph.STRANGENESS]
    difference = float((np.abs(ours_N - theirs_N) / np.maximum(np.abs(ours_N), 1)).max())
    if not difference <= LARGEST_STRANGENESS_DIFFERENCE:
        raise ValueError(
            f"the exported network finds other images strange than PyTorch: they differ by up to "
            f"{difference:.2g} on {len(images_NHW)} images, expected at most "
            f"{LARGEST_STRANGENESS_DIFFERENCE:g}: take the model out of export.models"
        )
    return difference
