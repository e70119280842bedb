"""arrival_drift: numbers, words and shares of the newest arrival that moved, and no more than chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cxr.checks import _arrival, arrival_drift, arrival_drift_grave
from tests.checks import arriving


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """The new patients are of another ward with a new device, and have pneumonia more often."""
    manifest = arriving.manifest(600, 400)
    manifest.loc[600:, ["source", "bit_depth", "width_px"]] = ["ward 2", 12, 1024]
    manifest.loc[600:, "label:pneumonia"] = [float(i % 10 > 2) for i in range(400)]
    return manifest, ["", "", "", ""], {"arrival": arriving.arrival()}


def found(manifest: pd.DataFrame, **arrival: Any) -> list[str]:
    return arrival_drift.find(manifest, arrival=arriving.arrival(**arrival))["detail"].tolist()


def test_column_old_and_new_value_statistics_and_chance_are_named():
    manifest, _, evidence = broken()
    assert arrival_drift.find(manifest, **evidence)["detail"].tolist() == [
        "width_px: median 1024, was 224; PSI 13.75 (chance 0.09), KS 1.00 (chance 0.18)",
        "source: toy hospital 0%, was 100%; PSI 13.75 (chance 0.09)",
        "bit_depth: 12 100%, was 0%; PSI 13.75 (chance 0.09)",
        "label pneumonia: present in 70.0% of the patients, was 50.0%; h 0.41, z 4.5",
    ]


def test_nothing_is_said_without_an_arrival_or_with_nothing_before_it():
    manifest, _, _ = broken()
    assert arrival_drift.find(manifest, arrival=None).empty
    everything = arriving.manifest(0, 100)
    assert found(everything) == []
    assert arrival_drift_grave.find(everything, arrival=arriving.arrival()).empty


def test_a_folder_that_only_begins_alike_is_another():
    manifest, _, _ = broken()
    manifest["image"] = manifest["image"].str.replace("toy/new/", "toy/newer/")
    assert not arriving.arrival().holds(manifest["image"]).any()


def test_the_share_of_unlabelled_images_is_a_share():
    manifest = arriving.manifest(600, 400)
    manifest.loc[600:639, ["label:normal", "label:pneumonia"]] = np.nan
    assert found(manifest) == ["unlabelled: 10.0% of the patients, was 0.0%; h 0.64, z 6.3"]


def test_a_few_patients_may_differ_by_chance():
    """Five of six have pneumonia, all of one sex: nothing that six patients prove."""
    manifest = arriving.manifest(600, 12).assign(age_years=50.0)
    manifest.loc[600:, "sex"] = "F"
    manifest.loc[600:, "label:pneumonia"] = [0.0] * 2 + [1.0] * 10
    assert found(manifest) == []


def test_a_rare_label_that_a_few_patients_lack_is_chance():
    """None of twenty where one in five has it: 1.2 % of such draws, so no finding of one in a thousand."""
    manifest = arriving.manifest(400, 20, images_per_patient=1).assign(age_years=50.0)
    manifest["label:pneumonia"] = [float(i % 5 == 0 and i < 400) for i in range(420)]
    assert not [words for words in found(manifest) if "pneumonia" in words]


def test_a_patient_counts_once_however_many_images_there_are():
    manifest = arriving.manifest(600, 40, images_per_patient=1)
    manifest.loc[610:, "patient"] = "toy/000610"
    manifest.loc[600:, "label:pneumonia"] = [float(i % 2 or i > 9) for i in range(40)]
    assert not [words for words in found(manifest) if "pneumonia" in words]


def test_unreadable_images_and_columns_without_a_value_have_no_part():
    manifest = arriving.manifest(400, 400)
    manifest.loc[600:, ["fault", "grey_mean"]] = ["is damaged", 250.0]
    manifest["age_years"] = np.nan
    assert found(manifest) == []
    manifest.loc[400:, "fault"] = "is damaged"
    assert found(manifest) == []


def test_the_limits_are_those_of_the_effects_they_are_named_after():
    """Two normal distributions d standard deviations apart: the largest difference is 2 Phi(d/2) - 1."""
    from scipy.stats import norm

    assert round(2 * norm.cdf(0.25) - 1, 2) == _arrival._LEAST_KS
    assert round(2 * norm.cdf(0.4) - 1, 2) == _arrival._LARGE_KS
