"""A clone of HEAD whose stages are a matter of seconds, for all proofs of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof import clones


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of HEAD with small budgets in which everything up to the searched network has run."""
    root = clones.small(tmp_path_factory.mktemp("small") / "clone")
    tree = clones.parameters(root)
    parent = tree["prune"]["runs"][0]
    stage = "transfer-searched" if parent in tree["transfer"]["searched"] else "transfer"
    clones.reproduced(root, "repro", f"TARGET={stage}@{parent}")
    return root


@pytest.fixture(scope="session")
def whole(small: Path) -> Path:
    """The same clone when all its stages have run."""
    clones.reproduced(small)
    return small
