"""What `make bench-prune` prunes: parents, recipes, and a small project folder for each set and seed.

In that folder the stages transfer, prune and finish run as DVC would run them: what is measured is what
ships. It is named by data, recipes, seed and code (`cxr.scratch`), so nothing of other code is taken up.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from cxr import artifacts, params, scratch
from cxr.pruning.methods import METHODS, PICK
from cxr.training.recipe import Recipe
from flows import study
from stages import finish, prune
from tests.bench.prune_rows import SCRATCH
from tests.bench.search_data import merged

RUN = "mobilenetv2_035"
SHARES = (0.5, 0.3)
SHOWN = (*METHODS, PICK, SCRATCH)
"""All that is fine-tuned, in the order of the tables."""
WEIGHTS = "mobilenetv2_035.imagenet.safetensors"
_SHA256 = "1350336e1898df60fd6e7988e4551ea30cdf97476c4ea450f20ee912e06c21b6"

_STEPS = ("prune_teacher", "prune_tuning", "prune_validity", "distill_student")
"""Whose code decides what a project's folder holds, beside the stages'."""

Tree = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A parent on a data set."""

    data: str
    """in search_data.DATA: images and their division"""
    study: str
    """whose recipes the parent is trained and pruned with"""
    run: str
    """of that study"""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """keys of transfer, prune and finish that are others here"""


_SHARES = {"prune": {"shares": list(SHARES)}}
CASES = {
    "darkcovidnet": Case(data="darkcovidnet", study="darkcovidnet", run=RUN, changes=_SHARES),
    "nih14_lungmasked": Case(
        data="nih14_lungmasked", study="nih14", run="imagenet",
        changes={**_SHARES, "transfer": {
            "backbone": "mobilenetv2_035",
            "backbone_options": {"bn_eps": 1.0e-3},  # as these weights were trained
            "weights": {"file": f"data/raw/weights/{WEIGHTS}", "sha256": _SHA256},
        }},
    ),
}  # fmt: skip
VALIDITY = Case(data="darkcovidnet_wide", study="darkcovidnet", run=RUN, changes=_SHARES)
"""One fold with a large val: what is looked at is how the fitness ranks, not how good a network is."""


def case(name: str) -> Case:
    """Return what is pruned under this name: a data set's, or that of --validity."""
    return CASES.get(name, VALIDITY)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of a data set is used; None: all of it."""

    images: int | None = None
    """of each part and fold, at most"""
    folds: int | None = None


def recipes(case: Case, changes: Mapping[str, Any] | None = None) -> Tree:
    """Return the sections transfer, prune and finish of a case's run, checked, `changes` upon them.

    Run at the project's root, where the studies are. Raises ValueError for a recipe that a stage refuses.
    """
    composed = study.compose(case.study)
    defaults = params.read_yaml(Path("studies/defaults.yaml"))
    tree: Tree = {"transfer": composed["transfer"]["recipes"][case.run]}
    for section in ("prune", "finish"):
        own = composed[section]["recipes"].get(case.run)
        tree[section] = defaults[section]["recipes"]["*"] if own is None else own
    tree = merged(merged(tree, case.changes), changes or {})
    records = {"transfer": Recipe, "prune": prune.Params, "finish": finish.Params}
    for section, content in tree.items():
        if section not in records:
            raise ValueError(f"{section!r} is no section: known are {', '.join(records)}")
        params.build(records[section], content, where=f"{case.data}: {section}")
    return tree


def code() -> str:
    """Return a name for the code that makes a row: the library's, the stages' and the benchmark's own."""
    return f"code-{scratch.key(code=['cxr', 'stages', *map(_file, (*_STEPS, 'prune_judging'))])}"


def _file(name: str) -> str:
    return f"tests/bench/{name}.py"


def same(before: str, project: Path) -> None:
    """Raise ValueError if the code is no longer what it was `before`: two versions met in the project."""
    if code() != before:
        raise ValueError(
            f"cxr, stages or a step in tests/bench was edited while {project} was worked on, which may "
            "hold pieces of both versions: delete it and start again, in a checkout that stays as it is"
        )


def lay(folder: Path, tree: Tree, real: Path, root: Path, *, seed: int, size: Size) -> Path:
    """Return a project folder under `root` whose stages can run; what is there stays.

    `folder` has `prepared` and `splits.csv` of the seed. Raises ValueError if the weights are missing.
    """
    inputs = [folder / "prepared", folder / "splits.csv"]
    own = scratch.key(code=[*map(_file, _STEPS)])  # the rest is the stages' code
    settings = [tree, seed, size.images, size.folds, own]
    project = scratch.folder("bench-prune", inputs=inputs, settings=settings, root=root)
    if not (project / "params.yaml").is_file():
        bring_weights(tree["transfer"].get("weights"), real / "weights", project)
        copy_images(folder, project, size)
        runs = {section: {"recipes": {RUN: content}} for section, content in tree.items()}
        with (project / "params.partial").open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump({"seed": seed, **runs}, file)
        (project / "params.partial").rename(project / "params.yaml")
    return project


def copy_images(folder: Path, project: Path, size: Size) -> None:
    """Give a project the prepared images of `folder`, and its division made `thin`."""
    shutil.copytree(folder / "prepared", project / "data/prepared", dirs_exist_ok=True)
    splits = thin(artifacts.read_csv(folder / "splits.csv"), size)
    artifacts.write_csv(project / "data/splits.csv", splits)


def bring_weights(weights: Any, source: Path, project: Path) -> None:
    """Bring a network's weight file to where its recipe expects it; the recipe holds its sha256."""
    if not isinstance(weights, dict):
        return
    path = Path(weights["file"])
    if not (source / path.name).is_file():
        raise ValueError(
            f"{source / path.name} is missing: training starts from it; CXR_REAL_DATA names the "
            "folder that holds `weights`"
        )
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / path.name, project / path)


def thin(splits: pd.DataFrame, size: Size) -> pd.DataFrame:
    """Return the division with at most `size.images` of each part, spread over the table, the rest excluded."""
    folds = [name for name in splits.columns if name.startswith("fold_")]
    found = splits.drop(columns=folds[size.folds :] if size.folds else [])
    if size.images:
        for fold in [name for name in found.columns if name in folds]:
            parts = found[fold].to_numpy(dtype=object, copy=True)
            for part in sorted(set(parts)):
                rows = np.flatnonzero(parts == part)
                few = min(size.images, len(rows))
                stay = rows[np.linspace(0, len(rows) - 1, few).round().astype(int)]
                parts[np.setdiff1d(rows, stay)] = "excluded"
            found[fold] = parts
    return found
