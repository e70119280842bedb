"""arrival_leaks: what split would take in of a frozen part, and arrivals made of its copies."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from cxr.checks import arrival_in_frozen_part, arrival_leaks
from tests.checks import arriving
from tests.checks.test_arrival_in_frozen_part import TEST
from tests.checks.test_arrival_in_frozen_part import broken as come_again


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Patients and copies of test images come again, and the study divides by image."""
    manifest, images, evidence = come_again()
    arrival = arriving.arrival(TEST, by_patient=False)
    return manifest, images, {**evidence, "arrival": arrival}


def test_by_patient_only_near_duplicates_that_may_go_anywhere_leak():
    manifest, images, evidence = come_again()
    assert arrival_leaks.find(manifest, **evidence).empty
    evidence["arrival"] = arriving.arrival(TEST, near_duplicates=False)
    found = arrival_leaks.find(manifest, **evidence)
    assert found.to_numpy().tolist() == [[images[2], f"almost the pixels of {TEST[1]}"]]
    left_out = arrival_in_frozen_part.find(manifest, **evidence)
    assert left_out["image"].tolist() == images[:2]


@pytest.mark.parametrize(("copies", "told"), [(10, []), (11, ["11 of 20 images of toy/new are"])])
def test_an_arrival_of_which_most_are_copies_is_told(copies, told):
    manifest = arriving.manifest(40, 20)
    ends = slice(40, 40 + copies - 1)
    manifest.loc[ends, "pixels_sha256"] = manifest.loc[: copies - 1, "pixels_sha256"].to_numpy()
    arrival, pairs = arriving.arrival(manifest["image"][:40]), come_again()[2]["pairs"]
    found = arrival_leaks.find(manifest, arrival=arrival, pairs=pairs[:0])
    assert [words[: len("11 of 20 images of toy/new are")] for words in found["detail"]] == told
    assert found["image"].tolist() == [""] * len(told)
    assert len(arrival_in_frozen_part.find(manifest, arrival=arrival, pairs=pairs[:0])) == copies


def test_patients_who_come_again_are_no_copies():
    manifest = arriving.manifest(40, 20)
    manifest.loc[40:, "patient"] = manifest.loc[0, "patient"]
    pairs = come_again()[2]["pairs"][:0]
    assert arrival_leaks.find(manifest, arrival=arriving.arrival(TEST), pairs=pairs).empty
