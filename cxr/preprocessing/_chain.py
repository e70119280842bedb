"""The steps of params.yaml as one chain, from an image's file to its prepared pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxr import archives, images, params, plugins

Step = tuple[str, Any]
"""A step's name and its own Params."""


def build(steps: Sequence[Mapping[str, Any]], *, where: str) -> tuple[Step, ...]:
    """Make each `{name: …, …}` its step, strictly; raise ValueError that names the faulty one."""
    chain = []
    for i, step in enumerate(steps):
        place = f"{where}[{i}]"
        if not isinstance(step.get("name"), str):
            known = ", ".join(plugins.names("preprocessing"))
            raise ValueError(f"{place}.name is missing: known are {known}")
        plugin = plugins.load("preprocessing", step["name"])
        own = {key: value for key, value in step.items() if key != "name"}
        chain.append((step["name"], params.build(plugin.Params, own, where=place)))
    if "resize" not in [name for name, _ in chain]:
        raise ValueError(f"{where} has no resize: batches need images of one square size")
    return tuple(chain)


def apply(image: np.ndarray, chain: Sequence[Step]) -> np.ndarray:
    """Send one uint8 (H, W) image through the chain."""
    for name, settings in chain:
        image = plugins.load("preprocessing", name).apply(image, settings)
    return image


def prepare(item: tuple[Path, str, str, tuple[Step, ...]]) -> np.ndarray:
    """Read, decode and send through the chain one (root, member, sha256, chain); for a worker.

    The manifest's sha256 is checked: it is what the result depends on, not the raw folder. Raises
    ValueError on a file that changed since it was ingested.
    """
    root, member, sha256, chain = item
    content = archives.read(root, member)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{root}/{member} changed since it was ingested: run `dvc repro` again")
    return apply(images.decode(content, name=f"{root.name}/{member}").grey, chain)
