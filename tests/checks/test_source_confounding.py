"""source_confounding: the hospital foretells the label."""

import numpy as np
import pandas as pd
import pytest

from cxr import seeding
from cxr.checks import source_confounding
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """All pneumonias come from another hospital: both labels go with the source."""
    manifest = factories.manifest(80)
    manifest.loc[manifest["label:pneumonia"] == 1, "source"] = "other hospital"
    return manifest, ["", ""]


def test_complete_confounding_has_v_one():
    details = source_confounding.find(broken()[0])["detail"].tolist()
    assert details[1] == "pneumonia and source: Cramér's V 1.00 over 2 sources"


def test_chance_alone_is_corrected_away():
    rng = seeding.stream(1, "confounding")
    values = []
    for _ in range(200):
        counts = np.histogram2d(rng.integers(0, 8, 200), rng.integers(0, 2, 200), bins=(8, 2))[0]
        values.append(source_confounding.cramers_v(counts))
    assert np.mean(values) < 0.07  # uncorrected, eight sources of 200 images give .18


def test_v_of_a_known_table():
    """phi^2 = .36, less 1/199 for chance, over 1 - 1/199 for the corrected number of rows."""
    value = source_confounding.cramers_v(np.array([[80.0, 20.0], [20.0, 80.0]]))
    assert value == pytest.approx(np.sqrt((0.36 - 1 / 199) / (1 - 1 / 199)))


def test_one_source_foretells_nothing():
    assert source_confounding.cramers_v(np.array([[30.0, 10.0]])) == 0.0
