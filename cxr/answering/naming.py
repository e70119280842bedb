"""A model by path, study or registered version: what is no path is asked of flows, which know git and DVC.

cxr may not import flows, so they answer in a process of their own (`python -m flows.models`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cxr

_ROOT = Path(cxr.__file__).resolve().parents[1]


def find(name: str) -> Path:
    """Return the folder or file of a model; raise ValueError if nothing of that name is known."""
    path = Path(name)
    if path.exists():
        return path
    if path.suffix == ".onnx" or name.startswith((".", "/")):
        raise ValueError(f"{name} is missing: name a folder that export wrote, or an ONNX file")
    return Path(ask("where", name)["path"])


def ask(*words: str) -> Any:
    """Return what flows.models says, parsed; raise ValueError with its complaint."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "flows.models", *words],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    if done.returncode:
        lines = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.strip()]
        raise ValueError("\n".join(lines) or f"flows.models {words[0]} failed without a word")
    return json.loads(done.stdout)
