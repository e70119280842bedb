"""The boxes of a study: of its images, under its labels, in pixels of the prepared images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxr.explaining import geometry

EDGES = ["left", "top", "right", "bottom"]


def placed(
    boxes: pd.DataFrame,
    index: pd.DataFrame,
    sizes: pd.DataFrame,
    *,
    labels: Mapping[str, Sequence[str]],
    steps: Sequence[Mapping[str, Any]],
) -> pd.DataFrame:
    """Return row and label (positions in `index` and in `labels`) and EDGES in pixels, sorted.

    `boxes` (image, label, EDGES) are in shares of stored images of `sizes` (image, width_px,
    height_px), under the labels of their data sets. `labels` is merge.labels, which says what they
    are called in the study, `index` lists the prepared images, `steps` are preprocess.steps. Boxes of
    other images and labels are left out.
    """
    positions = {name: row for row, name in enumerate(index["image"])}
    side = sizes.set_index("image")
    found = []
    for target, sources in enumerate(labels.values()):
        own = boxes[boxes["label"].isin(sources) & boxes["image"].isin(positions)]
        for name, edges in zip(own["image"].tolist(), own[EDGES].to_numpy(np.float64), strict=True):
            width_px, height_px = (int(x) for x in side.loc[name, ["width_px", "height_px"]])
            moved = geometry.through(edges[None], steps, width_px=width_px, height_px=height_px)
            found.append((positions[name], target, *moved[0].tolist()))
    return pd.DataFrame(sorted(found), columns=["row", "label", *EDGES])
