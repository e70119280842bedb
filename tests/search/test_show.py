"""What was picked, in words, as a table of layers, with cost and score; nothing is trained for it."""

from __future__ import annotations

import json

import pandas as pd

from cxr.search import finalists, show

NETWORK = {
    "family": "cells", "resolution": 100, "stem": 8, "stem_stride": 2, "activation": "relu", "norm": "batch",
    "down": "stride", "pool": "gap", "hidden": [],
    "stages": [{"block": "residual", "width": 16, "depth": 2, "kernel": 3, "se": False}],
}  # fmt: skip


def finals(*rows):
    words = json.dumps(NETWORK, sort_keys=True, separators=(",", ":"))
    known = {"fold": 0, "network": words, "samples": 1440, "macs": 1_234_567, "parameters": 9_876, "activation_bytes": 2_500_000, "picked": 1}  # fmt: skip
    return pd.DataFrame([{**known, **row} for row in rows])[finalists.COLUMNS]


def seed(seed, auroc, accuracy, val, method="evolved"):
    scores = {"search_val_auroc": auroc, "search_val_accuracy": accuracy, "val_auroc": val, "val_accuracy": 0.5}  # fmt: skip
    return {"method": method, "seed": seed, **scores}


def test_words_layers_cost_and_score():
    table = finals(
        seed(0, 0.9, 0.7, None), seed(1, 0.8, 0.7, None), seed(0, 0.1, 0.1, 0.1, "random")
    )
    text = show.text([{"evolved": NETWORK}], table, size_px=64)
    assert text.startswith("fold 0, evolved: stem 8 → 2 × residual 16")
    lines = text.splitlines()
    assert lines[1].split() == ["layer", "channels", "side", "parameters", "MACs"]
    (stage,) = [line for line in lines if line.startswith("  2 × residual 16")]
    assert " 16 16 px " in " ".join(stage.split())
    assert (
        "  with its head: 9,876 parameters, 1,234,567 MACs for an image of 64 px, 2.50 MB" in text
    )
    assert (
        "search_val: AUROC 0.850 ± 0.071, accuracy 0.700 ± 0.000; mean ± sd of 2 training(s)"
        in text
    )
    assert "  val: AUROC unknown, accuracy 0.500" in text and "1,440 images" in text
    assert "random" not in text


def test_one_seed_has_no_spread_and_every_fold_its_part():
    table = pd.concat(
        [finals(seed(0, 0.9, 0.7, 0.8)), finals(seed(0, 0.6, 0.7, 0.8)).assign(fold=1)]
    )
    text = show.text([{"evolved": NETWORK}, {"evolved": NETWORK}], table, size_px=64)
    assert "AUROC 0.900, accuracy 0.700; mean" in text and "±" not in text.replace("± sd", "")
    assert text.count("fold ") == 2 and "fold 1, evolved" in text and "AUROC 0.600" in text
