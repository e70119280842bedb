"""Clean clones of HEAD for the long proofs: what only a whole run can show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cxr import numerics, params

ROOT = Path(__file__).resolve().parents[2]
# What makes the stages a matter of seconds; everything else is the committed study.
SMALL: dict[str, Any] = {
    "phantom": {"patients": 60, "image_px": 64},
    "preprocess": {"steps": [{"name": "resize", "size_px": 32, "fit": "stretch"}]},
    "search": {
        "generations": 3,
        "image_px": 32,
        "baselines": ["largest"],
        "rungs": [{"networks": 4, "samples": 160}, {"networks": 2, "samples": 320}],
        "finalists": {"networks": 2, "seeds": 2, "samples": 320},
    },
    "transfer": {"epochs": 2},
    "prune": {
        "population": 4,
        "generations": 3,
        "recalibration_images": 16,
        "reconstruct": True,
        "contest": {"evolved": 2, "samples": 64},
    },
}


def git(root: Path, *arguments: str) -> str:
    """Run git in `root` under a name of its own."""
    identity = ("-c", "user.name=Proof", "-c", "user.email=proof@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def clone(folder: Path) -> Path:
    """Clone HEAD into `folder`, with nothing of this checkout's cache."""
    git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
    return folder


def environment(root: Path) -> dict[str, str]:
    """Return the environment of a person who works in a clone with this environment's packages."""
    ours = (*numerics.PINS, "CXR_PINNED", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # a person has none
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    lent = {
        "VENV": str(Path(sys.executable).parents[1]),
        "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
    }
    return {**inherited, **lent}


def make(root: Path, *words: str, before: tuple[str, ...] = (), **more: str) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run make in a clone with this environment's packages; `before` goes before the command."""
    return subprocess.run(
        [*before, "make", *words],
        cwd=root, env={**environment(root), **more}, capture_output=True, text=True,
    )  # fmt: skip


def parameters(root: Path) -> dict[str, Any]:
    """Return what a clone's params.yaml holds."""
    return params.read_yaml(root / "params.yaml")


def write_parameters(root: Path, tree: dict[str, Any]) -> None:
    """Give a clone other parameters, without the words for people."""
    YAML(typ="safe", pure=True).dump(tree, root / "params.yaml")


def dvc(root: Path, *words: str) -> str:
    """Run DVC in a clone with this environment's packages and return what it said."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=root, env={**os.environ, "PATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    return said.stdout + said.stderr


def reproduced(root: Path, *words: str, **options) -> bytes:
    """Run `make repro` in a clone, insist that it ends well, and return the text of dvc.lock."""
    said = make(root, *(words or ("repro",)), **options)
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    return (root / "dvc.lock").read_bytes()


def up_to_the_searched(root: Path) -> tuple[str, str]:
    """Return make's words for all that the network to prune needs, the search among it."""
    tree = parameters(root)
    parent = tree["prune"]["runs"][0]
    stage = "transfer-searched" if parent in tree["transfer"]["searched"] else "transfer"
    return "repro", f"TARGET={stage}@{parent}"


def small(folder: Path) -> Path:
    """Clone HEAD and give it the small budgets."""
    root = clone(folder)
    tree = parameters(root)
    for section, change in SMALL.items():
        parts = tree[section].get("recipes", {"": tree[section]}).values()
        for part in parts:
            merge(part, change)
    write_parameters(root, tree)
    return root


def merge(tree: dict[str, Any], change: dict[str, Any]) -> None:
    """Write `change` into `tree`, mapping by mapping; only keys that are there."""
    for key, value in change.items():
        assert key in tree, f"params.yaml has no {key}"
        if isinstance(value, dict):
            merge(tree[key], value)
        else:
            tree[key] = value
