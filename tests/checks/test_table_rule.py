"""table_rule: the Great Expectations suite says which row breaks which rule, the same in every run."""

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts
from cxr.checks import table_rule
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[3, "view"] = "OBLIQUE"
    manifest.loc[5, "label:normal"] = 0.5
    return manifest, manifest["image"][[3, 5]].tolist()


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("patient", "", "not be null"),
        ("source", "", "not be null"),
        ("kind", "drawing", "in set"),
        ("kind", "", "not be null"),
        ("file_bytes", 0, "between"),
        ("file_format", "", "not be null"),
        ("sex", "female", "in set"),
        ("given_split", "validation", "in set"),
        ("sha256", "ABC", "match regex"),
        ("phash", "xyz", "match regex"),
        ("pixels_sha256", "", "not be null"),
        ("width_px", 0, "between"),
        ("grey_std", 200.0, "between"),
        ("grey_std", np.nan, "not be null"),
        ("grey_max", 20, "greater than b"),
        ("image", "toy\\a.png", "match regex"),
    ],
)
def test_each_rule_names_the_row_and_the_column(column, value, rule):
    manifest = factories.manifest(12)
    manifest.loc[6, column] = value
    found = table_rule.find(manifest)
    assert found["image"].tolist() == [manifest["image"][6]]
    assert column in found["detail"].iloc[0] and rule in found["detail"].iloc[0]


def test_an_image_that_stands_twice_is_named_twice():
    manifest = factories.manifest(12)
    manifest.loc[6, "image"] = manifest["image"][7]
    assert table_rule.find(manifest)["image"].tolist() == [manifest["image"][7]] * 2


def test_a_column_too_many_is_a_finding_about_the_table():
    found = table_rule.find(factories.manifest(12).assign(weight=1))
    assert found["image"].tolist() == [""] and "weight" in found["detail"].iloc[0]


def test_unknown_values_and_unreadable_images_are_allowed():
    manifest = factories.manifest(12)
    manifest.loc[2, ["view", "sex", "given_split"]] = ""
    manifest.loc[2, ["age_years", "label:normal"]] = np.nan
    manifest = manifest.astype(
        dict.fromkeys(("width_px", "height_px", "grey_min", "grey_max"), float)
    )
    manifest.loc[3, ["pixels_sha256", "phash", "fault"]] = ["", "", "is damaged"]
    manifest.loc[3, ["width_px", "height_px", "grey_min", "grey_max", "grey_mean", "grey_std"]] = (
        np.nan
    )
    assert table_rule.find(manifest).empty


def test_results_are_the_same_in_every_run():
    first, second = (artifacts.canonical_json(table_rule.results(broken()[0])) for _ in range(2))
    assert first == second and "batch_id" not in first
