"""numerics.lock is in step with requirements.lock, and requirements.lock with what is installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from flows import lock

ROOT = Path(__file__).resolve().parents[2]


def test_numerics_lock_is_in_step():
    wanted = lock.numerics((ROOT / lock.REQUIREMENTS).read_text())
    assert (ROOT / lock.NUMERICS).read_text() == wanted, "run `python -m flows.lock`"


def test_locked_versions_are_installed():
    for line in (ROOT / lock.NUMERICS).read_text().splitlines():
        name, _, version = line.partition("==")
        assert importlib.metadata.version(name).partition("+")[0] == version


def test_only_what_computes_enters():
    text = "ruff==1.0 \\\n    --hash=sha256:ab\nnumpy==2.0 ; python_version < '3.12' \\\n    --hash=sha256:cd\n"
    assert lock.numerics(text) == "numpy==2.0\n"


def test_two_versions_are_refused():
    with pytest.raises(ValueError, match="several versions of numpy"):
        lock.numerics("numpy==2.0\nnumpy==2.1\n")


def test_requirements_lock_has_hashes_and_no_index():
    text = (ROOT / lock.REQUIREMENTS).read_text()
    assert "--index-url" not in text
    names = [line for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert names
    assert all(line.endswith("\\") for line in names)
