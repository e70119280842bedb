"""drift: numbers, words and labels that moved against the reference."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr import seeding
from cxr.checks import _shift, drift
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Patients are twenty years older, mostly AP, and have pneumonia three times out of four."""
    reference, manifest = factories.manifest(800), factories.manifest(800)
    manifest["age_years"] += 20
    manifest["view"] = ["PA" if i % 10 == 0 else "AP" for i in range(800)]
    manifest["label:pneumonia"] = [0.0 if i % 4 == 0 else 1.0 for i in range(800)]
    return manifest, ["", "", ""], {"reference": reference}


def found(manifest: pd.DataFrame, reference: pd.DataFrame | None) -> list[str]:
    return drift.find(manifest, reference=reference)["detail"].tolist()


def test_column_old_and_new_value_and_size_are_named():
    manifest, _, evidence = broken()
    age, view, label = found(manifest, **evidence)
    assert age.startswith("age_years: median 68, was 48; PSI ")
    assert "(large), KS 0.3" in age
    assert view.startswith("view: AP 90%, was 33%") or view.startswith("view: PA 10%, was 67%")
    assert label.startswith("label pneumonia: present in 75.0%, was 50.0% (z 7.")


def test_without_a_reference_or_a_change_nothing_is_said():
    manifest = factories.manifest(800)
    assert found(manifest, None) == []
    assert found(manifest, manifest.iloc[::-1]) == []


def test_chance_is_no_drift():
    """Sixty patients each from the same population: PSI passes .1 by chance, and nothing is said."""
    rng = seeding.stream(1, "drift")
    indices, said = [], 0
    for _ in range(100):
        one, other = (factories.manifest(60, images_per_patient=1) for _ in range(2))
        for table in (one, other):
            table["age_years"] = rng.normal(50, 15, 60).round()
            table["label:pneumonia"] = (rng.random(60) < 0.3).astype(float)
        indices.append(_shift.psi(*_shift.binned(one["age_years"], other["age_years"])))
        said += bool([x for x in found(one, other) if "age" in x or "pneumonia" in x])
    assert np.mean(np.array(indices) >= 0.1) > 0.5
    assert said <= 2


def test_images_of_one_patient_count_once():
    """Four hundred images of ten patients are ten cases."""
    one, other = (factories.manifest(400, images_per_patient=40) for _ in range(2))
    one["label:pneumonia"] = (one["patient"] < "toy/000004").astype(float)
    other["label:pneumonia"] = (other["patient"] < "toy/000006").astype(float)
    assert not [x for x in found(one, other) if "pneumonia" in x]


def test_a_column_of_one_value_that_changes_is_told():
    manifest = factories.manifest(200)
    manifest["width_px"] = 128
    assert found(manifest, factories.manifest(200)) == [
        "width_px: median 128, was 224; PSI 0.00, KS 1.00"
    ]


def test_a_column_that_is_no_longer_known_is_told():
    manifest = factories.manifest(200).assign(age_years=np.nan)
    assert found(manifest, factories.manifest(200)) == [
        "age_years: known in 0 images, in the reference in 200"
    ]


def test_a_reference_of_older_columns_and_other_labels_is_compared_where_it_can_be():
    older = factories.manifest(200).drop(columns=["kind", "file_bytes", "file_format"])
    older = older.rename(columns={"label:pneumonia": "label:mass"})
    assert found(factories.manifest(200), older) == [
        "label mass: only in the reference",
        "label pneumonia: not in the reference",
    ]


def test_unreadable_images_have_no_part():
    manifest = factories.manifest(400)
    manifest.loc[::2, ["fault", "view"]] = ["is damaged", "AP"]
    reference = manifest[manifest["fault"] == ""]
    assert found(manifest, reference) == []


def test_psi_and_ks_of_known_tables():
    before, now = np.array([500, 500]), np.array([300, 700])
    assert _shift.psi(before, now) == pytest.approx(0.2 * np.log(0.7 / 0.3), abs=1e-3)
    assert _shift.ks(pd.Series([1.0, 2, 3, 4]), pd.Series([3.0, 4, 5, 6])) == 0.5
    counts = _shift.binned(pd.Series(range(100)), pd.Series(range(50, 150)))
    assert counts[0].tolist() == [10] * 10
    assert counts[1].tolist() == [0] * 5 + [10] * 4 + [60]


def test_the_limits_of_chance_are_those_of_the_distributions():
    """Chi-square's 99.9 % point at 9 degrees is 27.88; Kolmogorov's, 1.95."""
    assert _shift.psi_of_chance(10, (100, 100)) == pytest.approx(27.88 * 0.02, rel=0.01)
    assert _shift.ks_of_chance((200, 200)) == pytest.approx(0.195)
