"""Preflight: `python -m stages` checks in a second what a run would trip over later, and lists the stages.

DVC reports missing raw data or an unknown plug-in as `[Errno 2]` in the middle of a run; here each
fault is one line with its cure, before anything runs. Nothing numerical is imported, save the
preprocessing steps and search spaces that params.yaml names.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cxr import params, plugins
from stages import _pruning, _runs

RAW = Path("data/raw")


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """The section `ingest`: it has no numbers of its own."""

    datasets: list[str]
    """readers in cxr/datasets"""


@dataclass(frozen=True, kw_only=True)
class Export:
    """The section `export`: it has no numbers of its own."""

    models: list[str]
    """models to write as ONNX"""
    int8: list[str]
    """those of them to write in 8 bits too"""


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
    found += _plugins(tree)
    found += _bound(tree, "merge", "leave_out_patients")
    found += _bound(tree, "split", "assignments")
    found += _bound(tree, "validate", "reference")
    found += _bound(tree, "explain", "boxes")
    found += _runs.faults(tree)
    found += _pruning.faults(tree)
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
    for name, record in (("ingest", Ingest), ("export", Export)):
        if name in modules:
            records.setdefault(name, record)
    known = ["study", "seed", "models", *modules]
    for name in tree:
        if name not in known:
            yield f"params.yaml: section {name} is unknown: known are {', '.join(known)}"
    for name, kind in (("study", str), ("seed", int)):
        if type(tree.get(name)) is not kind:
            yield f"params.yaml: {name} must be {kind.__name__}, not {tree.get(name)!r}"
    models = tree.get("models")
    if not models or _runs.names(tree, "models") != models:
        yield f"params.yaml: models must be a list of at least one name, not {models!r}"
    for name, record in records.items():
        where = f"params.yaml: {name}"
        if name not in tree:
            yield f"params.yaml: section {name} is missing: run `make study STUDY=<name>` again"
        elif name in _runs.TABLES:
            yield from _build(_runs.TABLES[name], tree[name], where)
            for run, recipe in _runs.recipes(tree, name).items():
                yield from _build(record, recipe, f"{where}.recipes.{run}")
        else:
            yield from _build(record, tree[name], where)


def _build(record: type, tree: Any, where: str) -> list[str]:
    return _faults(params.build, record, tree, where=where)


def _faults(check: Callable[..., Any], *arguments: Any, **named: Any) -> list[str]:
    """Return what a check complains of, a line for each fault."""
    try:
        check(*arguments, **named)
    except ValueError as error:
        return str(error).splitlines()
    return []


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


def _bound(tree: dict[str, Any], section: str, key: str) -> Iterator[str]:
    """Check a file that a section names by path and sha256."""
    content = tree.get(section)
    yield from _runs.bound(
        f"params.yaml: {section}.{key}",
        content.get(key) if isinstance(content, dict) else None,
        missing="take it back from git or from where it was made",
        other="take the one it speaks of",
    )


def _how_to_get(dataset: str) -> str:
    """Return what the reader says about getting its data (imports pandas: only on a fault)."""
    source = getattr(plugins.load("datasets", dataset), "SOURCE", None)
    return getattr(source, "hint", "") or f"cxr/datasets/{dataset}.py says where it comes from"


def _plugins(tree: dict[str, Any]) -> Iterator[str]:
    """Check each preprocessing step, search space and proxy against its plug-in."""
    for place, step in enumerate(_list(tree, "preprocess", "steps")):
        yield from _step(step, f"params.yaml: preprocess.steps[{place}]")
    for run, recipe in _runs.recipes(tree, "search").items():
        where = f"params.yaml: search.recipes.{run}"
        if isinstance(recipe, dict) and isinstance(recipe.get("space"), dict):
            from cxr.search import space  # it needs numpy

            yield from _faults(space.read, recipe["space"], where=f"{where}.space")
        chosen = recipe.get("prefilter") if isinstance(recipe, dict) else None
        if isinstance(chosen, dict) and isinstance(chosen.get("proxy"), str):
            found = _faults(plugins.check, "search/proxies", chosen["proxy"])
            yield from (f"{where}.prefilter.proxy: {fault}" for fault in found)


def _step(settings: Any, where: str) -> Iterator[str]:
    """Check one preprocessing step: a mapping of a plug-in's name and its parameters."""
    name = settings.get("name") if isinstance(settings, dict) else None
    if not isinstance(name, str):
        yield f"{where} must be a mapping with a name, not {settings!r}"
        return
    if wrong := _faults(plugins.check, "preprocessing", name):
        yield f"{where}: {wrong[0]}"
        return
    rest = {key: value for key, value in settings.items() if key != "name"}
    yield from _build(plugins.load("preprocessing", name).Params, rest, where)


def survey(dataset: str, folder: Path) -> dict[str, str]:
    """Let a reader read `folder`; return what it finds in `words`, and a `digest` of the set.

    The digest is of every row with its image's file name and whether the file is there: equal for
    the same set in other folders or archives. Raises ValueError that says which page has the data.
    """
    from cxr import archives
    from cxr.datasets import _gaps

    reader = plugins.load("datasets", dataset)
    try:
        table = reader.read(folder)
        members = archives.members(folder)
        there = table["image"].isin(members)
        if not there.any():
            raise ValueError(f"{folder} holds none of the {len(table)} images that its table lists")
    except ValueError as error:
        pages = [page for page in (reader.SOURCE.url, reader.SOURCE.hint) if page]
        missing = "; ".join(page for page in pages if page not in str(error))
        raise ValueError(f"{error}{f'; see {missing}' if missing else ''}") from None
    absent, unlisted = _gaps.between(table, members, reader)
    rows = table.assign(image=table["image"].str.rpartition("/")[2], there=there)
    text = rows[sorted(rows.columns)].to_csv(index=False)
    lines = "\n".join(sorted(text.splitlines()))
    words = [_counts(dataset, table[there])]
    if absent:
        words.append(f"{len(absent)} of {len(table)} listed images are absent (first {absent[0]}): {reader.SOURCE.url or reader.SOURCE.hint}")  # fmt: skip
    if unlisted:
        words.append(f"{len(unlisted)} files are in no table (first {unlisted[0]})")
    return {"words": "; ".join(words), "digest": hashlib.sha256(lines.encode()).hexdigest()}


def _counts(dataset: str, table: Any) -> str:
    """Say how many images there are per label, masks apart."""
    masks = table["kind"] == "mask" if "kind" in table.columns else table["image"].isna()
    pictures = table[~masks]
    labels = [name for name in table.columns if name.startswith("label:")]
    counts = [f"{name.removeprefix('label:')} {int(pictures[name].sum())}" for name in labels]
    apart = f", {masks.sum()} masks" if masks.any() else ""
    return f"{dataset}: {len(pictures)} images ({', '.join(counts)}){apart}"


def main() -> None:
    """Print the faults, one line each, and exit 1; or print what would run."""
    parser = argparse.ArgumentParser(prog="python -m stages", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--check", action="store_true", help="one line instead of the list of stages"
    )
    parser.add_argument("--dataset", help="only let this data set's reader read data/raw/<dataset>")
    parser.add_argument("--folder", type=Path, help="with --dataset: read this folder instead")
    parser.add_argument("--json", action="store_true", help="with --dataset: words and digest")
    arguments = parser.parse_args()
    try:
        if arguments.dataset:
            found = survey(arguments.dataset, arguments.folder or RAW / arguments.dataset)
            print(json.dumps(found) if arguments.json else found["words"])
            return
        tree = params.read_yaml(params.PARAMS_FILE)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    wrong = faults(tree)
    for fault in wrong:
        print(f"error: {fault}", file=sys.stderr)
    if wrong:
        sys.exit(1)
    if not arguments.check:
        for name, module in stages().items():
            print(f"{name:<12}{(module.__doc__ or '').splitlines()[0].removeprefix(f'{name}: ')}")
    print(
        f"study {tree['study']}: {', '.join(tree['ingest']['datasets'])}; {_runs.count(tree)} runs; "
        "parameters complete, raw data and weights in place"
    )


if __name__ == "__main__":
    main()
