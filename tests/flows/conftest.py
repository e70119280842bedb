"""A toy repository that has run once, and a fresh copy of it for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.flows import toy


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy whose pipeline ran and whose results are committed; not to be changed."""
    root = toy.run(toy.make(tmp_path_factory.mktemp("toy") / "with a space"))
    toy.commit(root)
    return root


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished toy, cache and git history included."""
    return Path(shutil.copytree(finished, tmp_path / "with a space", symlinks=True))
