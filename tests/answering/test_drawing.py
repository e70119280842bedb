"""Overlays: coloured where the map speaks for the label, grey elsewhere, a PNG of a size to look at."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cxr import answering


def drawn(image: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """Return an overlay's pixels (H, W, 3)."""
    png = answering.overlay(image, activation)
    assert png.startswith(b"\x89PNG")
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_colour_stands_where_the_map_is_strong_and_nowhere_else() -> None:
    image = np.full((80, 80), 100, np.uint8)
    activation = np.array([[5.0, 0, 0, -9]] + [[0.0] * 4] * 3)
    found = drawn(image, activation)
    assert found.shape == (320, 320, 3)
    colour = np.ptp(found.astype(int), axis=2)
    assert colour[30, 30] > 60 and colour[300].max() == 0 and colour[:, 300].max() == 0


@pytest.mark.parametrize(
    "activation", [np.zeros((4, 4)), np.full((1, 1), -2.0), np.full((2, 2), np.nan)]
)
def test_what_speaks_for_nothing_stays_grey(activation: np.ndarray) -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    found = drawn(image, activation)
    assert found.shape == (320, 320, 3) and (np.ptp(found, axis=2) == 0).all()
    assert np.array_equal(found[::40, ::40, 0], image)


def test_a_large_picture_keeps_its_size() -> None:
    assert drawn(np.zeros((512, 512), np.uint8), np.ones((7, 7))).shape == (512, 512, 3)
