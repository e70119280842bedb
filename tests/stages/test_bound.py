"""A file that a parameter names is taken up only if it is the one that was meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stages._bound import Bound, bound


def test_a_file_is_what_its_hash_says_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "reference.csv"
    file.write_text("image\n")
    named = Bound(file=str(file), sha256=hashlib.sha256(b"image\n").hexdigest())
    assert bound(named, "validate.reference") == file
    file.write_text("image\na.png\n")
    with pytest.raises(ValueError, match=r"has sha256 .*, validate.reference.sha256 says"):
        bound(named, "validate.reference")
    file.unlink()
    with pytest.raises(
        ValueError, match=r"of validate\.reference is missing: take it back from git"
    ):
        bound(named, "validate.reference")
