"""What is known of test images, what a model said of them, and what was decided.

Shapes: see `cxr.metrics`; in addition F folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxr import manifest
from cxr.metrics import classification


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Test images: what is known of them, what the model said and what was decided."""

    labels_NL: np.ndarray
    scores_NL: np.ndarray
    decided_NL: np.ndarray
    patients_N: np.ndarray
    folds_N: np.ndarray
    sources_N: np.ndarray
    exclusive: bool
    """One label per image (loss cross_entropy) or any number of them (bce, asymmetric)."""

    def part(self, chosen_N: np.ndarray) -> Scored:
        """Return the chosen images."""
        names = ("labels_NL", "scores_NL", "decided_NL", "patients_N", "folds_N", "sources_N")
        arrays = {name: getattr(self, name)[chosen_N] for name in names}
        return Scored(**arrays, exclusive=self.exclusive)


def from_table(predictions: pd.DataFrame, thresholds_FL: np.ndarray | None) -> Scored:
    """Decide on the labels of every row of a table of predictions (plots/predictions.csv).

    By thresholds_FL, of the row's fold (-1, a mean of networks: the last, its only one); without
    them for the highest score. Raises ValueError then unless each image has exactly one label.
    """
    labels_NL = manifest.label_array(predictions)
    names = [f"score:{label}" for label in manifest.labels(predictions)]
    scores_NL, folds_N = predictions[names].to_numpy(np.float64), predictions["fold"].to_numpy()
    if thresholds_FL is None:
        classification.class_of(labels_NL)  # complains unless each image has exactly one label
        labels_NL, decided_NL = np.nan_to_num(labels_NL), classification.highest(scores_NL)
    else:
        decided_NL = scores_NL >= thresholds_FL[folds_N]
    patients_N, sources_N = (
        predictions[column].fillna("unknown").replace("", "unknown").to_numpy(str)
        for column in ("patient", "source")
    )
    return Scored(
        labels_NL=labels_NL, scores_NL=scores_NL, decided_NL=decided_NL, patients_N=patients_N,
        folds_N=folds_N, sources_N=sources_N, exclusive=thresholds_FL is None,
    )  # fmt: skip
