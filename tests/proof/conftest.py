"""A clone of HEAD whose stages are a matter of seconds, for all proofs of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof import clones


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of HEAD with small budgets in which everything up to the searched network has run."""
    root = clones.small(tmp_path_factory.mktemp("small") / "clone")
    clones.reproduced(root, *clones.up_to_the_searched(root))
    return root


@pytest.fixture(scope="session")
def whole(small: Path) -> Path:
    """The same clone when all its stages have run."""
    clones.reproduced(small)
    return small
