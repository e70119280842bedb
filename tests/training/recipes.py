"""A tiny recipe that tests change."""

from typing import Any

from cxr import params
from cxr.training.recipe import Recipe

TINY: dict[str, Any] = {
    "backbone": "mobilenetv2_035",
    "backbone_options": {},
    "weights": None,
    "mean": 0.449,
    "std": 0.226,
    "head": {"kind": "linear", "hidden": [], "dropout": 0.1},
    "trainable": ["all"],
    "loss": "cross_entropy",
    "class_weights": "none",
    "label_smoothing": 0.0,
    "epochs": 2,
    "batch_size": 8,
    "shards": 1,
    "optimizer": {
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-3,
        "weight_decay": 0.01,
        "warmup_epochs": 0.5,
    },
    "ema_decay": 0.0,
    "early_stopping": {"monitor": "loss", "patience": 5},
    "augmentation": {
        "rotate_deg": 10.0,
        "translate": 0.08,
        "scale": 0.08,
        "brightness": 0.1,
        "contrast": 0.1,
        "flip": False,
        "border": "black",
    },
    "mixup": 0.0,
    "frozen_views": 0,
    "test_views": 1,
    "calibration": "none",
}


def tiny(**changes: Any) -> Recipe:
    """Return the tiny recipe with top-level keys replaced."""
    return params.build(Recipe, {**TINY, **changes}, where="recipe")
