"""label_from_borders: the control classifier does too well."""

from typing import Any

import numpy as np
import pandas as pd

from cxr.checks import label_from_borders
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Pneumonias have a black line at the top, as from another printer."""
    manifest = factories.manifest(200)
    thumbnails = factories.thumbnails(manifest)
    thumbnails[(manifest["label:pneumonia"] == 1).to_numpy(), :2] = 0
    return manifest, ["", ""], {"thumbnails": thumbnails}


def test_the_auroc_and_its_interval_are_named():
    manifest, _, evidence = broken()
    details = label_from_borders.find(manifest, **evidence, seed=3)["detail"]
    assert details[1].startswith("pneumonia from borders and file statistics: AUROC 1.000 [1.000")


def test_the_middle_of_the_image_is_not_seen():
    manifest, _, _ = broken()
    thumbnails = factories.thumbnails(manifest)
    thumbnails[(manifest["label:pneumonia"] == 1).to_numpy(), 4:-4, 4:-4] = 0
    assert label_from_borders.find(manifest, thumbnails=thumbnails, seed=3).empty


def test_a_file_s_size_is_seen():
    manifest, _, _ = broken()
    manifest["file_bytes"] += np.where(manifest["label:normal"] == 1, 8000, 0)
    thumbnails = factories.thumbnails(manifest)
    assert len(label_from_borders.find(manifest, thumbnails=thumbnails, seed=3)) == 2
