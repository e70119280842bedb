"""unreadable: an image that the decoder refused, in its words."""

import pandas as pd

from cxr.checks import unreadable
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[4, "fault"] = "is damaged (image file is truncated)"
    return manifest, [manifest["image"][4]]


def test_the_decoders_words_are_kept():
    details = unreadable.find(broken()[0])["detail"].tolist()
    assert details == ["is damaged (image file is truncated)"]
