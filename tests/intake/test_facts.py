"""Tests of cxr.intake.facts: what is measured on one image."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from cxr import images, manifest, seeding
from cxr.intake import facts
from tests.intake import pictures


def test_columns_are_those_of_the_manifest():
    assert set(facts.UNKNOWN) < set(manifest.COLUMNS)


def test_grey_statistics_are_exact():
    for shape in ((1, 1), (7, 13), (64, 64)):
        grey = seeding.stream(0, "grey", *shape).integers(0, 256, shape, dtype=np.uint8)
        mean, deviation = facts._mean_and_deviation(grey)
        assert mean == round(grey.astype(np.float64).mean(), 4)
        assert math.isclose(deviation, grey.astype(np.float64).std(), abs_tol=5e-5)
    white = np.full((10_000, 9_000), 255, np.uint8)  # as large as an image may be, and as bright
    assert facts._mean_and_deviation(white) == (255.0, 0.0)


def test_facts_thumbnail_and_image():
    row, small, grey = facts.examine(pictures.png(3), name="x.png")
    assert row["sha256"] == hashlib.sha256(pictures.png(3)).hexdigest()
    assert (row["file_format"], row["file_bytes"]) == ("PNG", len(pictures.png(3)))
    assert (row["grey_min"], row["grey_max"]) == (grey.min(), grey.max())
    assert np.array_equal(small, images.thumbnail(grey)) and small.shape == (32, 32)
    assert row["phash"] == images.difference_hash(small)


def test_a_fault_is_noted():
    row, small, grey = facts.examine(b"nothing", name="x.png")
    assert row["fault"].startswith("x.png is no PNG") and grey is None and not small.any()
    assert row["file_bytes"] == 7 and row["width_px"] is None
