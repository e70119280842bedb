"""A clone of HEAD whose stages are a matter of seconds, for all proofs of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.proof import clones

# What makes the stages a matter of seconds; everything else is the committed study.
SMALL: dict[str, Any] = {
    "phantom": {"patients": 60, "image_px": 64},
    "preprocess": {"steps": [{"name": "resize", "size_px": 32, "fit": "stretch"}]},
    "search": {
        "generations": 3,
        "image_px": 32,
        "baselines": ["largest"],
        "rungs": [{"networks": 4, "samples": 160}, {"networks": 2, "samples": 320}],
        "finalists": {"networks": 2, "seeds": 2, "samples": 320},
    },
    "transfer": {"epochs": 2},
    "prune": {
        "population": 4,
        "generations": 3,
        "recalibration_images": 16,
        "contest": {"evolved": 2, "samples": 64},
    },
}


def merge(tree: dict[str, Any], change: dict[str, Any]) -> None:
    """Write `change` into `tree`, mapping by mapping; only keys that are there."""
    for key, value in change.items():
        assert key in tree, f"params.yaml has no {key}"
        if isinstance(value, dict):
            merge(tree[key], value)
        else:
            tree[key] = value


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of HEAD with small budgets in which everything up to the searched network has run."""
    root = clones.clone(tmp_path_factory.mktemp("small") / "clone")
    tree = clones.parameters(root)
    for section, change in SMALL.items():
        parts = tree[section].get("recipes", {"": tree[section]}).values()
        for part in parts:
            merge(part, change)
    clones.write_parameters(root, tree)
    parent = tree["prune"]["runs"][0]
    stage = "transfer-searched" if parent in tree["transfer"]["searched"] else "transfer"
    clones.reproduced(root, "repro", f"TARGET={stage}@{parent}")
    return root
