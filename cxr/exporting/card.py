"""What a file says of its model: labels, how to prepare an image, and a card of what it is and is not.

After Mitchell et al. 2019, "Model cards for model reporting", as far as it holds wherever the file goes:
figures and thresholds stand in the study's report. No clock time, no machine, no score of a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxr import limits

NOTICE = "Research use only, not a medical device."


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a study's parameters say of the images that a model learned from."""

    data_sets: Sequence[str]
    """readers in cxr/datasets"""
    preprocessing: Sequence[Mapping[str, Any]]
    """the steps of preprocess, in order, each with its name and parameters"""
    protocol: str
    """of the split: by_patient or by_image"""
    test: str
    """of several folds: in_turn or held_out"""


def metadata(model: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model's config says that a user of its files has to know.

    `test_views` is there if it is above 1: the model's figures are then means over so many views of
    an image, of which the file scores the first.
    """
    keys = ["labels", "loss", "mean", "size_px", "std"]
    keys += ["test_views"] if config["test_views"] > 1 else []
    return {"model": model, **{key: config[key] for key in keys}}


def calibrated(config: Mapping[str, Any]) -> bool:
    """Tell whether the files of a model divide by a temperature, and say which."""
    return config["calibration"] == "temperature"


def about(
    model: str, config: Mapping[str, Any], origin: Origin, *, parameters: int, macs: int
) -> dict[str, Any]:
    """Return all that is said of a model, or of one of its networks: parameters and MACs are its own."""
    return {
        **metadata(model, config),
        "preprocessing": [dict(step) for step in origin.preprocessing],
        "card": {
            "what": _what(config),
            "labels": config["labels"],
            "backbone": config["backbone"],
            "data_sets": [*origin.data_sets],
            "split": {"protocol": origin.protocol, "folds": config["folds"], "test": origin.test},
            "parameters": parameters,
            "macs": macs,
            "figures": f"with intervals in reports/evaluate/{model}/metrics.json and "
            "reports/index.html of the study, and so are thresholds of labels that combine",
            "intended_use": "research on the classification of chest X-rays, on images prepared as "
            "preprocessing says",
            "limits": limits.limits(
                data_sets=origin.data_sets, protocol=origin.protocol, calibrated=calibrated(config)
            ),
            "notice": NOTICE,
        },
    }


def _what(config: Mapping[str, Any]) -> str:
    one = config["loss"] == "cross_entropy"
    labels = "of its labels, of which an image has exactly one" if one else "label by itself"
    return f"a convolutional network that gives a grey chest X-ray the probability of each {labels}"
