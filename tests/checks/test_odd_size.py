"""odd_size: thumbnails and strips."""

import pandas as pd

from cxr.checks import odd_size
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[[3, 4, 5], "width_px"] = [28, 600, 500]
    return manifest, manifest["image"][[3, 4]].tolist()


def test_the_size_is_named():
    assert odd_size.find(broken()[0])["detail"].tolist() == ["28 x 224 px", "600 x 224 px"]
