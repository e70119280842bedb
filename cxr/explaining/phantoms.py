"""Where the findings of a synthetic radiograph were drawn: boxes, computed again from its seed.

A finding takes air away from the lungs (cxr/phantom/findings.py). Its place is where it takes at
least half of what it takes at most; each part of that hangs together and has a box of its own, save
specks. Ground glass has a box around most of each lung, effusion one at the base of one lung or two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

from cxr import workers
from cxr.explaining import places
from cxr.phantom import findings, organs
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import posed
from cxr.phantom.space import Space

COLUMNS = ("image", "label", *places.EDGES)
"""Of a table of boxes in shares of the stored image."""
_DRAWN = {
    "opacity": findings.opacity,
    "ground_glass": findings.ground_glass,
    "effusion": findings.effusion,
}
_MEMBER = re.compile(r".*/p(\d+)_(\d+)\.png", re.ASCII)
_OF_MOST = 0.5
_SPECK = 0.05  # of the finding's whole area: patches that noise cuts off

Item = tuple[int, str, int, str]


def boxes(images: Sequence[str], *, seed: int, task: str, image_px: int) -> pd.DataFrame:
    """Return the boxes (COLUMNS) of the phantom's `images`, whose names end in p<patient>_<number>.png.

    `seed`, `task` and `image_px` are those that the images were made with.
    """
    items = [(seed, task, image_px, name) for name in images]
    found = workers.run(_of_image, items, words="boxes of drawn findings", chunk=8)
    return pd.DataFrame([row for rows in found for row in rows], columns=list(COLUMNS))


def _of_image(item: Item) -> list[tuple[str | float, ...]]:
    seed, task, image_px, name = item
    named = _MEMBER.fullmatch(name)
    if not named:
        raise ValueError(
            f"{name} is no image of the phantom: run `dvc repro phantom ingest@phantom`"
        )
    index, number = (int(word) for word in named.groups())
    who = patient(seed, index, task=task)
    _, pose, _ = posed(seed, who, number)
    space = Space(seed, who, pose, image_px)
    return [
        (name, label, *(edge / image_px for edge in box))
        for label in who.findings
        for box in _boxes(place(space, label))
    ]


def place(space: Space, label: str) -> np.ndarray:
    """Return bool (H, W): where the finding takes at least half of the air that it takes at most."""
    taken = np.zeros_like(space.x)
    for side in (-1, 1):
        taken += organs.air(space, side) * _DRAWN[label](space, side)
    taken *= 1 - np.maximum(0.86 * organs.heart(space), 0.80 * organs.mediastinum(space))
    return (taken >= _OF_MOST * taken.max()) & (taken > 0)


def _boxes(place_HW: np.ndarray) -> list[tuple[int, ...]]:
    """Return left, top, right, bottom in pixels of each part that is no speck, from left to right."""
    _, _, parts, _ = cv2.connectedComponentsWithStats(place_HW.astype(np.uint8))
    kept = [part for part in parts[1:].tolist() if part[4] >= _SPECK * place_HW.sum()]
    return sorted((x, y, x + width, y + height) for x, y, width, height, _ in kept)
