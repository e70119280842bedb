"""A file that a parameter names together with its hash: the result depends on it, not on its path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A file of the project, bound to its content."""

    file: str
    """path under the project"""
    sha256: str
    """of the file"""


def bound(named: Bound, key: str) -> Path:
    """Return the file's path if it is the one that the parameter `key` speaks of.

    Raises ValueError if it is missing or another.
    """
    file = Path(named.file)
    if not file.is_file():
        raise ValueError(f"{file} of {key} is missing: take it back from git")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != named.sha256:
        raise ValueError(
            f"{file} has sha256 {digest}, {key}.sha256 says {named.sha256}: take the file meant, or "
            "write its sha256"
        )
    return file
