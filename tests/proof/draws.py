"""Random combinations of everything that a study can say, with budgets of seconds.

A combination is a study drawn by its number alone: data, seed, preprocessing, division,
search space, backbone, recipe, distillation, pruning, export. What is drawn is valid; the rest is what
people could have written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from cxr import seeding

T = TypeVar("T")
Tree = dict[str, Any]
NORMAL, FINDINGS = "normal", ("opacity", "ground_glass", "effusion")
RUN, FOUND = "net", "searched"
BACKBONES: tuple[Tree, ...] = (
    {"backbone": "resnet10t", "backbone_options": {"channels": [16, 32, 64, 128]}},
    {"backbone": "mobilenetv2_035", "backbone_options": {}},
    {"backbone": "mobilenetv3_small_050", "backbone_options": {}},
    {"backbone": "lcnet_035", "backbone_options": {}},
)
CAPS: Tree = {"parameters": 1_000_000, "macs": 40_000_000, "activation_mb": None}
CELLS: Tree = {
    "name": "cxr_cells", "caps": CAPS, "stages": [3, 4], "stems": [8, 16], "stem_strides": [2],
    "blocks": ["plain", "residual", "inverted", "dense"], "widths": [8, 16, 24], "depths": [1, 2],
    "kernels": [3, 5], "expansions": [2, 4], "squeeze_excitation": [False, True], "norms": ["batch"],
    "activations": ["relu"], "downs": ["stride", "max_pool"], "resolutions": [75, 100], "pools": ["gap"],
    "hidden": [[]],
}  # fmt: skip
MOBILE: Tree = {
    "name": "mobile", "caps": CAPS, "like": "mobilenetv2_035", "widths": [75, 100], "depths": [-2, -1], "kernels": [3, 5], "expansions": [3, 6],
}  # fmt: skip
CRITERIA = ("l1_norm", "l2_norm", "bn_scale", "taylor", "fpgm", "random", "reconstruction")


class Lot:
    """Draws for one purpose, by a number."""

    def __init__(self, number: int, purpose: str) -> None:
        self._rng: np.random.Generator = seeding.stream(number, "proof", purpose)

    def mixed(self, choices: Sequence[T]) -> list[T]:
        """Return the choices in another order."""
        return [choices[int(place)] for place in self._rng.permutation(len(choices))]

    def one(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[int(self._rng.integers(len(choices)))]

    def whole(self, low: int, high: int) -> int:
        """Return a number from low to high."""
        return int(self._rng.integers(low, high + 1))

    def falls(self, chance: float) -> bool:
        """Return true by this chance."""
        return bool(self._rng.random() < chance)


def study(number: int) -> Tree:
    """Return combination `number` as the text of a study.yaml would give it."""
    lot = Lot(number, "combination")
    labels = lot.falls(0.25)
    tree = {
        "about": f"Combination {number} of tests/proof.",
        "seed": lot.whole(0, 10**6),
        "phantom": {
            "patients": lot.whole(60, 90), "image_px": lot.one((64, 96)),
            "task": "multilabel" if labels else "multiclass",
        },
        "merge": {"labels": {name: [name] for name in (FINDINGS if labels else (NORMAL, *FINDINGS))}},
        "preprocess": {"steps": _steps(lot)},
        "split": _split(lot),
        "evaluate": {"bootstrap_samples": 50},
    }  # fmt: skip
    return tree | _models(lot, labels=labels)


def _steps(lot: Lot) -> list[Tree]:
    """Return one to three steps; the last brings the images to one size."""
    before: list[Tree] = []
    if lot.falls(0.3):
        before.append(
            {"name": "clahe", "clip_limit": lot.one((2.0, 4.0)), "tiles": lot.one((4, 8))}
        )
    if lot.falls(0.3):
        before.append(
            {"name": "gaussian_blur", "kernel_px": lot.one((3, 5)), "sigma_px": lot.one((0.8, 1.1))}
        )
    return [
        *before,
        {"name": "resize", "size_px": lot.one((32, 40)), "fit": lot.one(("stretch", "pad"))},
    ]


def _split(lot: Lot) -> Tree:
    folds = lot.one((1, 1, 2, 3))
    test = "held_out" if folds > 1 and lot.falls(0.4) else "in_turn"
    return {"protocol": lot.one(("by_patient", "by_patient", "by_image")), "folds": folds, "test": test,
            "near_duplicates": lot.one((True, True, False))}  # fmt: skip


def _recipe(lot: Lot, *, labels: bool) -> Tree:
    """Return what a training can be told, any of it with any other."""
    loss = lot.one(("bce", "asymmetric")) if labels else "cross_entropy"
    return {
        "head": lot.one(({"kind": "linear", "hidden": []}, {"kind": "mlp", "hidden": [16]})),
        "loss": loss,
        "class_weights": lot.one(("none", "balanced")) if loss != "asymmetric" else "none",
        "label_smoothing": 0.0 if labels else lot.one((0.0, 0.1)),
        "epochs": lot.whole(1, 3),
        "batch_size": lot.one((8, 16)),
        "ema_decay": lot.one((0.0, 0.9)),
        "early_stopping": {"monitor": lot.one(("loss", "auroc", "accuracy", "last"))},
        "augmentation": {"rotate_deg": lot.one((0.0, 12.0)), "flip": lot.falls(0.5), "border": lot.one(("black", "edge"))},
        "mixup": lot.one((0.0, 0.0, 0.3)),
        "test_views": lot.one((1, 1, 2)),
        "calibration": lot.one(("none", "temperature")),
    }  # fmt: skip


def _models(lot: Lot, *, labels: bool) -> Tree:
    """Return which networks are trained, and what is done with them afterwards."""
    recipe = _recipe(lot, labels=labels)
    tree: Tree = {
        "models": [RUN],
        "search": {"runs": []},
        "transfer": {"runs": [RUN], "searched": [], "recipes": {RUN: recipe | lot.one(BACKBONES)}},
        "distill": {"runs": [], "teacher": RUN},
        "prune": {"runs": []}, "finish": {"cuts": []}, "explain": {"models": []}, "export": {"models": []},
    }  # fmt: skip
    if lot.falls(0.5):
        tree["search"] = {
            "runs": ["small"],
            "recipes": {"small": _search(lot, loss="bce" if labels else "cross_entropy")},
        }
        tree["transfer"]["searched"] = [FOUND]
        found = {"backbone": "searched", "backbone_options": {"search": "small", "pick": "evolved"}}
        tree["transfer"]["recipes"][FOUND] = _recipe(lot, labels=labels) | found
        tree["models"].append(FOUND)
        if lot.falls(0.5):
            tree["distill"] = {"runs": [FOUND], "teacher": RUN, "recipes": {FOUND: {}}}
            tree["models"].append(f"{FOUND}-taught")
    if lot.falls(0.6):
        parent = lot.one([*tree["transfer"]["runs"], *tree["transfer"]["searched"]])
        share = lot.one((0.5, 0.7))
        tree["prune"] = {"runs": [parent], "recipes": {parent: _prune(lot, share)}}
        cut = f"{lot.one(('pruned', 'uniform', 'evolved'))}_{round(100 * share)}"
        tree["finish"] = {"cuts": [cut], "recipes": {parent: {"epochs": lot.whole(1, 2)}}}
        tree["models"].append(f"{parent}-{cut}")
    if lot.falls(0.4):
        tree["export"] = {"models": [lot.one(tree["models"])]}
    if lot.falls(0.3):
        tree["explain"] = {"models": [lot.one(tree["models"])], "images": 2}
    return tree


def _search(lot: Lot, *, loss: str) -> Tree:
    return {
        "space": lot.one((CELLS, MOBILE)),
        "generations": lot.whole(1, 2),
        "rungs": [{"networks": lot.whole(2, 4), "samples": lot.one((40, 80))}],
        "image_px": 32, "guide": lot.one((1, 10)), "baselines": [],
        "finalists": {"networks": 1, "seeds": lot.whole(1, 2), "samples": 80},
        "training": {"loss": loss},
    }  # fmt: skip


def _prune(lot: Lot, share: float) -> Tree:
    return {
        "criterion": lot.one(CRITERIA), "encoding": lot.one(("counts", "mask")), "multiple": lot.one((4, 8)),
        "shares": [share], "window": 0.9, "fitness": lot.one(("auroc", "loss", "distance")), "population": 4, "generations": 2,
        "recalibration_images": 16, "reconstruct": lot.one((True, False)), "contest": {"evolved": 1, "samples": 32},
        "survivors": lot.one((None, {"networks": 2, "samples": 32})),
    }  # fmt: skip
