"""Preflight: `python -m stages` checks in a second what a run would trip over later, and lists the stages.

DVC reports missing raw data or an unknown plug-in as `[Errno 2]` in the middle of a run; here each
fault is one line with its cure, before anything runs. Nothing numerical is imported, save the
preprocessing steps that params.yaml names.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cxr import params, plugins

RAW = Path("data/raw")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """The section `ingest`: it has no numbers of its own."""

    datasets: list[str]
    """readers in cxr/datasets"""


def stages() -> dict[str, ModuleType]:
    """Return the stages' modules by name, sorted."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    names = [file.stem for file in files if not file.stem.startswith("_")]
    return {name: importlib.import_module(f"stages.{name}") for name in names}


def faults(tree: dict[str, Any]) -> list[str]:
    """Return everything that is wrong with the parameters `tree` and the files it names."""
    found = list(_folders())
    found += _form(tree)
    found += _datasets(_list(tree, "ingest", "datasets"))
    found += _steps(_list(tree, "preprocess", "steps"))
    for section, content in tree.items():
        if _is_recipes(content):
            found += _runs(section, content["runs"], content["recipes"])
    return found


def _folders() -> Iterator[str]:
    """Check that results can be written where they go."""
    for folder in (Path(), Path("data"), RAW, Path("reports")):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            yield (
                f"{folder} can't be written: make it writable for this user, or its disk, "
                "and run again"
            )


def _form(tree: dict[str, Any]) -> Iterator[str]:
    """Compare every section with its stage's Params."""
    modules = stages()
    records = {name: module.Params for name, module in modules.items() if hasattr(module, "Params")}
    if "ingest" in modules:
        records.setdefault("ingest", Ingest)
    for name in tree:
        if name not in ("study", "seed", *modules):
            known = ", ".join(["study", "seed", *modules])
            yield f"params.yaml: section {name} is unknown: known are {known}"
    for name, kind in (("study", str), ("seed", int)):
        if type(tree.get(name)) is not kind:
            yield f"params.yaml: {name} must be {kind.__name__}, not {tree.get(name)!r}"
    for name, record in records.items():
        if name not in tree:
            yield f"params.yaml: section {name} is missing: run `make study STUDY=<name>` again"
        elif _is_recipes(tree[name]):
            for run, recipe in tree[name]["recipes"].items():
                yield from _build(record, recipe, f"params.yaml: {name}.recipes.{run}")
        else:
            yield from _build(record, tree[name], f"params.yaml: {name}")


def _build(record: type, tree: Any, where: str) -> list[str]:
    try:
        params.build(record, tree, where=where)
    except ValueError as error:
        return str(error).splitlines()
    return []


def _is_recipes(section: Any) -> bool:
    """Tell whether a section is a list of runs beside their recipes."""
    return (
        isinstance(section, dict)
        and isinstance(section.get("runs"), list)
        and isinstance(section.get("recipes"), dict)
    )


def _list(tree: dict[str, Any], section: str, key: str) -> list[Any]:
    """Return the list at `section.key`, empty where the form is wrong (which `_form` reports)."""
    content = tree.get(section)
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, list) else []


def _datasets(names: list[Any]) -> Iterator[str]:
    """Check that each data set has a reader and its raw data, unless a stage makes them."""
    if not names:
        yield "params.yaml: ingest.datasets is empty: name at least one reader of cxr/datasets"
    for name in map(str, names):
        try:
            plugins.check("datasets", name)
        except ValueError as error:
            yield f"params.yaml: ingest.datasets: {error}"
            continue
        if (Path(__file__).parent / f"{name}.py").exists():
            continue  # a stage of the data set's own name makes it
        folder = RAW / name
        if not folder.is_dir() or not any(folder.iterdir()):
            state = "is empty" if folder.is_dir() else "is missing"
            yield (
                f"{folder} {state}: run `make data DATASET={name} FROM=<the downloaded folder>`; "
                f"{_how_to_get(name)}"
            )


def _how_to_get(dataset: str) -> str:
    """Return what the reader says about getting its data (imports pandas: only on a fault)."""
    source = getattr(plugins.load("datasets", dataset), "SOURCE", None)
    return getattr(source, "hint", "") or f"cxr/datasets/{dataset}.py says where it comes from"


def _steps(steps: list[Any]) -> Iterator[str]:
    """Check each preprocessing step against its plug-in's Params."""
    for place, step in enumerate(steps):
        where = f"params.yaml: preprocess.steps[{place}]"
        if not isinstance(step, dict) or "name" not in step:
            yield f"{where} must be a mapping with a name, not {step!r}"
            continue
        try:
            plugins.check("preprocessing", str(step["name"]))
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        plugin = plugins.load("preprocessing", step["name"])
        rest = {key: value for key, value in step.items() if key != "name"}
        yield from _build(plugin.Params, rest, where)


def _runs(section: str, runs: list[Any], recipes: dict[str, Any]) -> Iterator[str]:
    """Check the runs' names, that each has its recipe, and the weights that the recipes name."""
    if len(set(map(str, runs))) < len(runs):
        yield f"params.yaml: {section}.runs names a run twice: {', '.join(map(str, runs))}"
    for run in runs:
        if not _PLAIN.fullmatch(str(run)):
            yield (
                f"params.yaml: {section}.runs: {run!r} is not a plain name: use small letters, "
                "digits and _, it becomes a folder's name"
            )
        elif run not in recipes:
            known = ", ".join(map(str, recipes)) or "none"
            yield f"params.yaml: {section}.recipes.{run} is missing: known recipes are {known}"
    checked = set()
    for run, recipe in recipes.items():
        listed = run in runs and isinstance(recipe, dict)  # a recipe may rest while no run needs it
        weights = recipe.get("weights") if listed else None
        if isinstance(weights, dict) and {"file", "sha256"} <= set(weights):
            pair = (str(weights["file"]), str(weights["sha256"]))
            if pair not in checked:
                yield from _weights(f"params.yaml: {section}.recipes.{run}.weights", *pair)
            checked.add(pair)


def _weights(where: str, file: str, sha256: str) -> Iterator[str]:
    path = Path(file)
    if not path.is_file():
        yield (
            f"{where}: {file} is missing: run `make data DATASET=weights FROM=<folder that holds "
            f"{path.name}>`"
        )
        return
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != sha256:
        yield f"{where}: {file} has sha256 {found}, not {sha256}: fetch it again or correct the recipe"


def layout(dataset: str) -> str:
    """Let a reader read its raw data; return the number of images per label."""
    reader = plugins.load("datasets", dataset)
    table = reader.read(RAW / dataset)
    labels = [name for name in table.columns if name.startswith("label:")]
    counts = ", ".join(f"{name.removeprefix('label:')} {int(table[name].sum())}" for name in labels)
    return f"{dataset}: {len(table)} images ({counts})"


def main() -> None:
    """Print the faults, one line each, and exit 1; or print what would run."""
    parser = argparse.ArgumentParser(prog="python -m stages", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--check", action="store_true", help="one line instead of the list of stages"
    )
    parser.add_argument("--dataset", help="only let this data set's reader read data/raw/<dataset>")
    arguments = parser.parse_args()
    try:
        if arguments.dataset:
            print(layout(arguments.dataset))
            return
        tree = params.read_yaml(params.PARAMS_FILE)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    found = faults(tree)
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    if found:
        sys.exit(1)
    if not arguments.check:
        for name, module in stages().items():
            print(f"{name:<12}{(module.__doc__ or '').splitlines()[0].removeprefix(f'{name}: ')}")
    runs = sum(len(section["runs"]) for section in tree.values() if _is_recipes(section))
    print(
        f"study {tree['study']}: {', '.join(tree['ingest']['datasets'])}; {runs} runs; "
        "parameters complete, raw data and weights in place"
    )


if __name__ == "__main__":
    main()
