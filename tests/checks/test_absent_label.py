"""absent_label: nothing to tell apart."""

import pandas as pd

from cxr.checks import absent_label
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest["label:effusion"], manifest["label:finding"] = 0.0, 1.0
    return manifest, ["", ""]


def test_label_and_what_is_missing_are_named():
    details = absent_label.find(broken()[0])["detail"].tolist()
    assert details == [
        "effusion is present in none of 12 readable images",
        "finding is absent in none of 12 readable images",
    ]


def test_unreadable_images_do_not_count():
    manifest = factories.manifest(12)
    manifest.loc[manifest["label:normal"] == 1, "fault"] = "is damaged"
    details = absent_label.find(manifest)["detail"].tolist()
    assert "normal is present in none of 6 readable images" in details
