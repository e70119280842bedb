"""Temperature scaling: one number divides the raw scores, so that a probability means what it says.

Guo et al. 2017, "On calibration of modern neural networks", ICML, section 4.2: the temperature T is the
one of the highest likelihood on images that served for nothing else. It moves no raw score past
another, so an image's highest class stays the highest, and with a sigmoid each label's AUROC stays
(save where float32 knows only 0 or 1 for scores that differ).
It makes scores more or less sure and no label rarer: what class weights or an asymmetric loss added
to the scores of rare labels stays in them.
Shapes: N images, L labels; M decisions, K choices in each.
"""

from __future__ import annotations

import math

import numpy as np

from cxr import manifest, prepared, progress
from cxr.training import loop, losses
from cxr.training.network import Network
from cxr.training.recipe import Loss, Recipe

LOWEST, HIGHEST = 0.05, 20.0
"""What a temperature may be. LOWEST is reached where all decisions are right and the likelihood grows
with confidence for ever (too few images to say how sure the network may be), or where raw scores hardly
differ; it is so sharp that many scores are 0 or 1 to the last bit and can't be ranked any more. HIGHEST
is reached where the scores say nothing, or the contrary of the truth: then none should claim anything."""
_DIGITS = 6
_HALVINGS = 64  # of 20: what is left is below the spacing of float64


def temperature(
    network: Network,
    recipe: Recipe,
    tensors: loop.Tensors,
    images: prepared.Prepared,
    rows: np.ndarray,
) -> float:
    """Return T for a network with the weights `tensors`, fitted on the images at `rows`.

    Each image is scored once, as it is, whatever `test_views` says. 1 if the recipe asks for no
    calibration. The network is left with these weights.
    """
    if recipe.calibration == "none":
        return 1.0
    network.load_state_dict(tensors)
    raw_NL = loop.raw_scores(network, recipe, images.gather(rows)).numpy()
    return fit(raw_NL, manifest.label_array(images.index.iloc[rows]), recipe.loss)


def check(recipe: Recipe, labels_NL: np.ndarray, *, fold: int) -> None:
    """Raise ValueError if the recipe asks for a temperature that these labels can't give.

    To be called for every fold before the first is trained; labels_NL are its calibration images'.
    """
    if recipe.calibration == "temperature":
        _check(labels_NL, recipe.loss, where=f"calibration of fold {fold}")


def tell_bounds(temperatures: list[float], *, words: str) -> None:
    """Say of each fold's temperature that is a bound what it means; `words` name the model."""
    meaning = {
        LOWEST: "all calibration images are decided rightly, too few to say how sure to be (or the "
        "raw scores hardly differ); give split.fractions.calibration a larger share, or set "
        "calibration: none",
        HIGHEST: "the scores say nothing of the calibration images, or the contrary of the truth",
    }
    for fold, found in enumerate(temperatures):
        if found in meaning:
            progress.say(
                f"{words}: temperature of fold {fold} is the bound {found:g}: {meaning[found]}"
            )


def _check(labels_NL: np.ndarray, loss: Loss, *, where: str) -> None:
    if np.isnan(labels_NL).all():  # also where there is none
        raise ValueError(
            f"{where} has {len(labels_NL)} image(s) and no known label: a temperature is fitted "
            "there; give split.fractions.calibration a larger share, or set calibration: none"
        )
    if loss == "cross_entropy":
        losses.check_single_label(labels_NL)


def fit(raw_NL: np.ndarray, labels_NL: np.ndarray, loss: Loss) -> float:
    """Return the T, LOWEST to HIGHEST, that gives raw scores / T the lowest negative log likelihood.

    The plain one, without class weights: softmax with cross_entropy, else a sigmoid for each label,
    over known labels (1 present, 0 absent, NaN unknown). Where all choices have the same score T
    changes nothing and is 1. It is rounded to 6 digits: the halving below ends in a neighbour of the
    root, and a last bit of `exp`, the one step that may differ between processors, moves it by 1e-15.
    Raises ValueError if there is no known label, or a score that is no number.
    """
    _check(labels_NL, loss, where="calibration")
    if not np.isfinite(raw_NL).all():
        raise ValueError("the raw scores to calibrate hold some that are not numbers")
    leads_MK = _leads(raw_NL.astype(np.float64), labels_NL, loss)
    if not leads_MK.any():
        return 1.0
    # the sharpest first: where all is right by far, both slopes are too small for a float64
    if _slope(leads_MK, 1 / LOWEST) <= 0:
        return LOWEST
    if _slope(leads_MK, 1 / HIGHEST) >= 0:
        return HIGHEST
    low, high = LOWEST, HIGHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(leads_MK, 1 / middle) > 0:
            low = middle
        else:
            high = middle
    return round(high, _DIGITS)


def _leads(raw_NL: np.ndarray, labels_NL: np.ndarray, loss: Loss) -> np.ndarray:
    """Return (M, K): how far each choice's score is above the true one's, which itself has 0.

    cross_entropy: an image is a decision among labels; else each known label is one between absent,
    whose score is 0, and present.
    """
    if loss == "cross_entropy":
        true_N = labels_NL.argmax(axis=1)
        return raw_NL - raw_NL[np.arange(len(raw_NL)), true_N][:, None]
    known_NL = ~np.isnan(labels_NL)
    present_M = labels_NL[known_NL] == 1
    wrong_M = np.where(present_M, -raw_NL[known_NL], raw_NL[known_NL])
    return np.stack([np.zeros_like(wrong_M), wrong_M], axis=1)


def _slope(leads_MK: np.ndarray, sharpness: float) -> float:
    """Return the derivative of the sum of log Σ exp(sharpness × leads) by sharpness, which is 1 / T.

    It never falls as sharpness grows (the likelihood is convex in it), so halving finds its zero.
    """
    scaled_MK = sharpness * leads_MK
    weights_MK = np.exp(scaled_MK - scaled_MK.max(axis=1, keepdims=True))
    return math.fsum((weights_MK * leads_MK).sum(axis=1) / weights_MK.sum(axis=1))
