"""no_class: every other image is in one."""

import numpy as np
import pandas as pd

from cxr.checks import no_class
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(200)
    manifest.loc[[5, 8], ["label:normal", "label:pneumonia"]] = 0.0
    return manifest, manifest["image"][[5, 8]].tolist()


def test_an_unknown_label_may_be_the_class():
    manifest, images = broken()
    manifest.loc[5, "label:normal"] = np.nan
    assert no_class.find(manifest)["image"].tolist() == images[1:]


def test_where_labels_may_combine_none_may_be_present():
    manifest = factories.manifest(200, multilabel=True)
    assert (manifest.filter(like="label:").sum(axis=1) == 0).any()
    assert no_class.find(manifest).empty
