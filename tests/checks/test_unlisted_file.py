"""unlisted_file: a file without a row."""

from typing import Any

import pandas as pd

from cxr.checks import unlisted_file
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    gaps = factories.gaps(("toy/a.png", "absent"), ("toy/c.png", "unlisted"))
    return factories.manifest(12), ["toy/c.png"], {"gaps": gaps}


def test_a_set_without_any_listed_image_is_counted_too():
    gaps = factories.gaps(*((f"gone/{i:03d}.png", "unlisted") for i in range(101)))
    (detail,) = unlisted_file.find(factories.manifest(2), gaps=gaps)["detail"]
    assert detail.startswith("gone: 101 not listed in any table, 0 images are there")
