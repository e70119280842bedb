"""A small exported model, and a service of it that most tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr import answering
from tests.serving.exported import make
from tests.serving.served import Served, served


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exported model."""
    return make(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def model(exported: Path) -> answering.Model:
    return answering.open_model(exported)


@pytest.fixture(scope="session")
def service(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with short limits of time and little memory for decoding."""
    limits = {"upload_mb": 4, "memory_mb": 64, "decoder_mb": 600, "upload_s": 2}
    with served(exported, tmp_path_factory.mktemp("service"), limits=limits) as running:
        yield running
