"""One exported model of real phantoms for all tests of answering."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr import answering
from tests.answering import exported


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one network; not to be changed."""
    return exported.make(tmp_path_factory.mktemp("exported") / "toy")


@pytest.fixture(scope="session")
def model(folder: Path) -> answering.Model:
    return answering.open_model(folder, threads=1)
