"""The data sets of `make bench-search` and `bench-prune`: studies run up to preprocess, divided anew for each seed.

Ingest, merge and validate run once; a seed is the study's seed, so with it train is divided anew
into train and search_val (and val where the data set gives none). Test is the official part always.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cxr import artifacts, params
from flows import study
from stages import search
from tests.real import projects


@dataclass(frozen=True)
class Data:
    """A data set and the study whose parameters it is searched with."""

    study: str
    folder: str
    """under CXR_REAL_DATA"""
    size_px: int
    """side of the prepared images"""
    fit: str = "stretch"
    """or pad: how an image becomes square"""
    split: Mapping[str, Any] = field(default_factory=dict)
    """keys of the study's split that are others here"""


DATA = {
    "pneumoniamnist": Data("pneumoniamnist", "pneumoniamnist", 28),
    "nih14_lungmasked": Data("chestxray14_64px", "nih14_lungmasked", 64),
    "darkcovidnet": Data("darkcovidnet", "darkcovidnet", 96, fit="pad"),
    # one fold with a large val: it judges, and nothing is tested
    "darkcovidnet_wide": Data("darkcovidnet", "darkcovidnet", 96, fit="pad", split={
        "folds": 1,
        "fractions": {"train": 0.55, "search_val": 0.10, "val": 0.30, "calibration": 0.0, "test": 0.05},
    }),
}  # fmt: skip


def real(command: str) -> Path:
    """Return the folder of real data that CXR_REAL_DATA names; raise ValueError if there is none."""
    named = os.environ.get("CXR_REAL_DATA")
    if not named or not Path(named).is_dir():
        raise ValueError(
            f"CXR_REAL_DATA must name the folder of real data, not {named!r}: "
            f"CXR_REAL_DATA=<folder> make {command}"
        )
    return Path(named).resolve()


def settings(name: str, changes: Path | None = None) -> search.Params:
    """Return the recipe of the study's first search; `changes` is a file of keys to set otherwise.

    Raises ValueError if the study has no search.
    """
    data = DATA[name]
    tree = study.compose(data.study)["search"]
    if not tree["runs"] and not changes:
        raise ValueError(f"studies/{data.study}/study.yaml names no search: give search.runs one")
    recipe = tree["recipes"][tree["runs"][0]] if tree["runs"] else {}
    if changes:
        recipe = merged(recipe, params.read_yaml(changes).get(name, {}))
    return params.build(search.Params, recipe, where=f"{data.study}: search")


def merged(tree: Any, changes: Any) -> Any:
    """Return `tree` with the keys of `changes` in the place of its own, mapping by mapping."""
    if not isinstance(tree, dict) or not isinstance(changes, dict):
        return changes
    return {**tree, **{key: merged(tree.get(key), value) for key, value in changes.items()}}


def project(name: str, real: Path, home: Path, *, seed: int) -> Path:
    """Return a folder under `home` that holds `prepared` and `splits.csv` of the seed.

    What is there is not made again. Raises ValueError if the data are not in `real`.
    """
    data = DATA[name]
    if not (real / data.folder).is_dir():
        raise ValueError(
            f"{real / data.folder} is missing: CXR_REAL_DATA names the folder of data sets"
        )
    key = _key(data)
    # sets that differ in their division alone have one base
    base, found = home / f"{data.folder}-{key}", home / f"{name}-{key}{_own(data)}-{seed}"
    if (found / "splits.csv").is_file():
        return found
    if not base.is_dir():
        with artifacts.folder(base) as partial:
            datasets = projects.make(partial, data.study, real)
            _study(partial, data, seed)
            projects.stages(partial, datasets, "merge", "validate")
    _study(base, data, seed)
    projects.stages(base, [], "split", "preprocess")
    with artifacts.folder(found) as partial:
        shutil.copytree(base / "data/prepared", partial / "prepared")
        shutil.copyfile(base / "data/splits.csv", partial / "splits.csv")
    return found


def _key(data: Data) -> str:
    """Return 8 hex digits for what the study says of its data: after a change they are made anew."""
    tree = study.compose(data.study)
    about = [tree[x] for x in ("ingest", "merge", "validate", "split")]
    return hashlib.sha256(artifacts.canonical_json([data.size_px, about]).encode()).hexdigest()[:8]


def _own(data: Data) -> str:
    """Return 8 hex digits and a dash for what is other here than in the study; nothing if nothing is."""
    if data.fit == "stretch" and not data.split:
        return ""
    about = artifacts.canonical_json([data.fit, dict(data.split)])
    return f"-{hashlib.sha256(about.encode()).hexdigest()[:8]}"


def _study(folder: Path, data: Data, seed: int) -> None:
    """Give the project's parameters the seed, and the side and division that the bench works with."""
    # from the studies as they are: the copy was changed for another seed or division
    shutil.copytree(projects.ROOT / "studies", folder / "studies", dirs_exist_ok=True)
    path = folder / "studies" / data.study / "study.yaml"
    tree = params.read_yaml(path)
    steps = [{"name": "resize", "size_px": data.size_px, "fit": data.fit}]
    tree |= {"seed": seed, "preprocess": {"steps": steps}}
    tree["split"] = {**tree.get("split", {}), **data.split}
    YAML(typ="safe", pure=True).dump(tree, path)
    projects.run(folder, "-m", "flows.study", data.study)
