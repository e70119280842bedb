"""no_label: nothing is known about the image."""

import numpy as np
import pandas as pd

from cxr.checks import no_label
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[7, ["label:normal", "label:pneumonia"]] = np.nan
    return manifest, [manifest["image"][7]]


def test_one_known_label_is_enough():
    manifest, _ = broken()
    manifest.loc[7, "label:normal"] = 0.0
    assert no_label.find(manifest).empty
