"""validate at the size of ChestX-ray14: 100,000 clean rows within a minute, and what each part costs."""

from __future__ import annotations

import hashlib
import resource
import time

import cv2
import numpy as np
import pytest

from cxr import control, plugins, seeding
from cxr.checks import table_rule
from stages import validate
from tests import factories

ROWS = 100_000
LABELS = tuple(f"finding_{i:02d}" for i in range(14))
MOST_S = 60.0  # beyond the import of Great Expectations
MOST_MB = 1024


def thumbnails() -> np.ndarray:
    """Return uint8 (ROWS, 32, 32), all different: smooth shapes with grain, as X-rays have them.

    Half are blends of two of 64 shapes and half shapes of their own.
    """
    rng = seeding.stream(0, "scale")
    coarse = rng.uniform(40, 215, (64 + ROWS // 2, 8, 8)).astype(np.float32)
    shapes = np.stack(
        [cv2.resize(x, (32, 32), interpolation=cv2.INTER_LINEAR) for x in coarse[:64]]
    )
    found = np.empty((ROWS, 32, 32), dtype=np.uint8)
    for i in range(ROWS):
        if i % 2:
            a, b = rng.integers(0, 64, 2)
            share = np.float32(rng.uniform(0.2, 0.8))
            image = share * shapes[a] + (1 - share) * shapes[b]
        else:
            image = cv2.resize(coarse[64 + i // 2], (32, 32), interpolation=cv2.INTER_LINEAR)
        found[i] = np.clip(image + rng.normal(0, 6, (32, 32)), 0, 255)
    return found


@pytest.mark.slow
def test_100_000_clean_rows_take_less_than_a_minute(monkeypatch):
    manifest = factories.manifest(ROWS, labels=LABELS, images_per_patient=4, multilabel=True)
    evidence = {
        "thumbnails": thumbnails(), "gaps": factories.gaps(), "reference": manifest, "arrival": None,
        "seed": 0,
    }  # fmt: skip
    assert len({hashlib.blake2b(x.tobytes()).digest() for x in evidence["thumbnails"]}) == ROWS
    start = time.perf_counter()
    table_rule._library()
    print(f"\nimport of Great Expectations {time.perf_counter() - start:.1f} s")
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds: dict[str, float] = {}

    def timed(module, function):
        original = getattr(module, function)

        def run(*arguments, **options):
            begin = time.perf_counter()
            result = original(*arguments, **options)
            name = f"{module.__name__}.{function}"
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begin
            return result

        monkeypatch.setattr(module, function, run)

    timed(validate, "near_duplicates")
    timed(control, "measure")
    timed(table_rule, "results")
    for name in plugins.names("checks"):
        if name not in ("table_rule", "label_from_borders"):
            timed(plugins.load("checks", name), "find")
    near = validate.NearDuplicates(correlation=0.99)
    params = validate.Params(accepted={}, near_duplicates=near, reference=None, arrival=None)
    start = time.perf_counter()
    found = validate.validate(manifest, params, evidence)
    whole = time.perf_counter() - start
    for name, part in sorted(seconds.items(), key=lambda item: -item[1])[:12]:
        print(f"{part:6.2f} s  {name}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{whole:6.2f} s  in all; memory {before_mb:.0f} MB before, {peak_mb:.0f} MB at most")
    print(found.summary["near_duplicates"], found.summary["counts"])
    assert whole <= MOST_S
    assert peak_mb - before_mb <= MOST_MB
