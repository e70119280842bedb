"""patient_contradicting_labels: one patient in several classes."""

import pandas as pd

from cxr.checks import patient_contradicting_labels
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """Patient 0, normal, gets a second image with pneumonia."""
    manifest = factories.manifest(12)
    manifest.loc[1, ["label:normal", "label:pneumonia"]] = [0.0, 1.0]
    return manifest, manifest["image"][[0, 1]].tolist()


def test_patient_and_classes_are_named():
    detail = patient_contradicting_labels.find(broken()[0])["detail"].iloc[0]
    assert detail == "patient toy/000000 in classes: normal, pneumonia"


def test_labels_that_combine_may_change():
    manifest, _ = broken()
    manifest.loc[5, ["label:normal", "label:pneumonia"]] = 1.0
    assert patient_contradicting_labels.find(manifest).empty
