"""Support: patients, not images, and an unknown label is none."""

from __future__ import annotations

import numpy as np

from cxr.metrics import support


def test_a_patient_counts_once_on_each_side() -> None:
    labels = np.array([[1.0], [1.0], [0.0], [0.0], [np.nan]])
    patients = np.array(["a", "a", "a", "b", "c"])
    assert support.patients(labels, patients, 1).tolist() == [1]
    assert support.patients(labels, patients, 0).tolist() == [2]
