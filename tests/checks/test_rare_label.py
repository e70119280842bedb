"""rare_label: fewer than ten patients."""

import pandas as pd

from cxr.checks import rare_label
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """38 images of 19 patients: ten normal, nine with pneumonia."""
    return factories.manifest(38), [""]


def test_patients_are_counted_not_images():
    details = rare_label.find(broken()[0])["detail"].tolist()
    assert details == ["pneumonia is present in 9 patients, less than 10"]
