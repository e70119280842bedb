"""A full or read-only disk under a real run: one clear line, a failure's exit code, nothing half written."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof import clones

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a disk of its own on `folder`; needs root and the right to mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk: full and read-only disks are not proved")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=256k", "free space on that disk and run again|free some and run again"),
        ("ro", "make it writable"),
    ],
)
def test_a_disk_that_takes_nothing_is_one_line(tmp_path, options, words):
    root = clones.clone(tmp_path / "clone")
    with small_disk(root / "data", options):
        said = clones.make(root, "repro")
        left = [path for path in (root / "data").rglob("*") if path.is_file()]
    assert said.returncode != 0
    text = said.stdout + said.stderr
    assert "Traceback" not in text
    assert any(choice in text for choice in words.split("|")), text[-2000:]
    assert [path for path in left if path.name != ".gitignore"] == []
