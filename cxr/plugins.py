"""A folder's listing is its registry: the word in params.yaml is the file name in the folder."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parent


def names(folder: str) -> list[str]:
    """List the plug-ins of `cxr/<folder>`, sorted; files that start with `_` are the folder's own."""
    paths = sorted((_ROOT / folder).glob("*.py"))
    return [path.stem for path in paths if not path.stem.startswith("_")]


def check(folder: str, name: str) -> None:
    """Raise ValueError, with the known names, unless `name` is a plug-in of `cxr/<folder>`."""
    known = names(folder)
    if name not in known:
        raise ValueError(
            f"unknown {folder} {name!r}: known are {', '.join(known) or 'none'}; "
            f"to add one, write cxr/{folder}/{name}.py"
        )


def load(folder: str, name: str) -> ModuleType:
    """Import `cxr/<folder>/<name>.py`; raise ValueError with the known names if there is none."""
    check(folder, name)
    return importlib.import_module(f"cxr.{folder.replace('/', '.')}.{name}")
