"""arrival_drift_grave: greys of another kind, labels of another meaning, an arrival that is not taken up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr.checks import arrival_drift, arrival_drift_grave
from tests.checks import arriving


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """The new images are darker by more than all there were before, and nearly all show pneumonia."""
    manifest = arriving.manifest(600, 200)
    manifest.loc[600:, "grey_mean"] -= 60.0
    manifest.loc[600:, "label:pneumonia"] = [float(i % 50 > 0) for i in range(200)]
    return manifest, ["", ""], {"arrival": arriving.arrival()}


def found(manifest: pd.DataFrame) -> list[str]:
    return arrival_drift_grave.find(manifest, arrival=arriving.arrival())["detail"].tolist()


def test_greys_and_labels_are_named_and_are_not_told_twice():
    manifest, _, evidence = broken()
    grey, label = found(manifest)
    assert grey.startswith("grey_mean: median 6") and grey.endswith("KS 1.00 (chance 0.23)")
    assert label == "label pneumonia: present in 98.0% of the patients, was 50.0%; h 1.29, z 11.0"
    assert arrival_drift.find(manifest, **evidence).empty


@pytest.mark.parametrize("column", ["width_px", "height_px", "age_years", "bit_depth"])
def test_another_device_or_age_is_only_warned_of(column):
    manifest = arriving.manifest(600, 200)
    manifest.loc[600:, column] = 90
    assert found(manifest) == []
    assert len(arrival_drift.find(manifest, arrival=arriving.arrival())) == 1


def test_a_shift_of_half_a_standard_deviation_is_only_warned_of():
    manifest = arriving.manifest(2000, 2000)
    half = manifest["grey_std"].size // 2
    ranks = (np.arange(half) * 7919 % half + 0.5) / half  # the same even draw, shuffled, for both
    manifest["grey_std"] = 60 + 10 * np.concatenate([ranks, ranks + 0.25])
    assert found(manifest) == []
    assert len(arrival_drift.find(manifest, arrival=arriving.arrival())) == 1


def test_an_arrival_of_which_the_study_takes_up_nothing_is_told():
    manifest = arriving.manifest(60, 0)
    assert found(manifest) == ["no image of toy/new is left: do its labels stand in merge.labels?"]
