"""Toys that have run once, a fresh copy of each for a test, and a site cache of its own for DVC."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.flows import deployed, toy


@pytest.fixture(autouse=True)
def own_site_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))


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


@pytest.fixture
def clone(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A clone, as a hospital would keep it, whose remote and storage lie beside it; no version yet."""
    return deployed.copy(deployed.made(tmp_path_factory.getbasetemp()), tmp_path / "toy")


@pytest.fixture
def promoted(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """The same with v1.0.0 and v1.1.0, which is prod, of `deployed.NAME`."""
    return deployed.copy(deployed.promoted(tmp_path_factory.getbasetemp()), tmp_path / "toy")
