"""How many patients stand behind a figure: images of one patient are no separate witnesses."""

from __future__ import annotations

import numpy as np


def patients(labels_NL: np.ndarray, patients_N: np.ndarray, value: int) -> np.ndarray:
    """Return how many patients (L,) have an image on which the label is `value`."""
    return np.array([len(np.unique(patients_N[labels_N == value])) for labels_N in labels_NL.T])
