"""The small model, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr import numerics
from tests.speed import exported


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/models/toy, data/exported/toy and images.npy; look, don't touch."""
    numerics.exact_torch()
    root = tmp_path_factory.mktemp("speed")
    exported.make(root)
    exported.images(root)
    return root
