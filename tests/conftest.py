"""Fixtures for every test: the project's root, small disks, programs in processes of their own.

The exact profile comes by `-p stages` in pyproject.toml: a restart from here would lose all output.
DVC is imported here, since it logs for good to what sys.stdout is then: within a test that captures
its output that is closed when the test ends, and every later run of DVC in this process fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dvc  # noqa: F401
import pytest

from cxr import numerics
from tests import hosts

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """The environment of a new user: no pin set, the project importable from anywhere."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def python(clean_environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python <words>` in a clean environment: python("-c", "…", cwd=…, env={…}, pinned=True)."""

    def run(
        *words: str,
        cwd: Path = ROOT,
        env: dict[str, str] | None = None,
        pinned: bool = False,
        prefix: tuple[str, ...] = (),
        **options: object,
    ) -> subprocess.CompletedProcess[str]:
        environment = {**clean_environment, **(numerics.PINS if pinned else {}), **(env or {})}
        return subprocess.run(  # type: ignore[call-overload]
            [*prefix, sys.executable, *words],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            **options,
        )

    return run


def _mounted(path: Path, options: str) -> Iterator[Path]:
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("NOT TESTED: no `mount` here, so no small disk can be had")
    if done.returncode:
        pytest.skip(f"NOT TESTED: mounting a small disk needs root ({done.stderr.strip()})")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB; skips loudly where it can't be mounted."""
    yield from _mounted(tmp_path / "tiny disk", "size=64k")


@pytest.fixture
def readonly_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that nobody, not even root, can write to; skips loudly where it can't be mounted."""
    yield from _mounted(tmp_path / "read-only disk", "ro,size=64k")


@pytest.fixture
def two_machines() -> Iterator[hosts.Hosts]:
    """Two hosts on this machine; skips loudly without root."""
    yield from hosts.two()


@pytest.fixture(autouse=True)
def patient_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key of the tests' own, in no data set's folder, for the reader that replaces patients' ids."""
    path = tmp_path_factory.mktemp("key") / "patient.key"
    path.write_bytes(bytes(range(32)))
    monkeypatch.setenv("CXR_PATIENT_KEY_FILE", str(path))
    return path
