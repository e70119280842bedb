"""contradicting_labels: what can't both be true of one image."""

import pandas as pd
import pytest

from cxr.checks import contradicting_labels
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """One of 200 images is in two classes."""
    manifest = factories.manifest(200, labels=("covid", "pneumonia"))
    manifest.loc[5, ["label:covid", "label:pneumonia"]] = 1.0
    return manifest, [manifest["image"][5]]


def test_both_classes_are_named():
    assert contradicting_labels.find(broken()[0])["detail"].tolist() == ["labels covid+pneumonia"]


def test_labels_that_often_combine_are_no_classes():
    manifest = factories.manifest(200, labels=("effusion", "mass"), multilabel=True)
    assert (manifest.filter(like="label:").sum(axis=1) == 2).sum() > 10
    assert contradicting_labels.find(manifest).empty


@pytest.mark.parametrize("name", ["normal", "No Finding", "no_findings", "No-Finding", "Healthy"])
def test_nothing_beside_a_finding_is_wrong_even_where_labels_combine(name):
    manifest = factories.manifest(60, labels=("effusion", "mass"), multilabel=True)
    manifest[f"label:{name}"] = (manifest.filter(like="label:").sum(axis=1) == 0).astype(float)
    assert contradicting_labels.find(manifest).empty
    ill = manifest.index[manifest["label:mass"] == 1][0]
    manifest.loc[ill, f"label:{name}"] = 1.0
    assert contradicting_labels.find(manifest)["image"].tolist() == [manifest["image"][ill]]


def test_a_device_is_no_finding():
    manifest = factories.manifest(60, labels=("effusion", "mass"), multilabel=True)
    manifest["label:Support Devices"] = 1.0
    manifest["label:No Finding"] = 1.0
    manifest.loc[:, ["label:effusion", "label:mass"]] = 0.0
    assert contradicting_labels.find(manifest).empty
