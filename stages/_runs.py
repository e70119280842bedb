"""What params.yaml says of runs and models must fit together: who takes up what another one makes.

Part of the preflight (stages/__main__.py). It reads names alone and skips what has not its form,
which the preflight tells first; what prune and finish need stands in stages/_pruning.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr import architectures


@dataclass(frozen=True, kw_only=True)
class Table:
    """A section that holds a recipe for each run."""

    runs: list[str]
    """which recipes to run"""
    recipes: dict[str, Any]
    """by run"""


@dataclass(frozen=True, kw_only=True)
class Transfer(Table):
    """The section `transfer`: some of its runs wait for a search."""

    searched: list[str]
    """runs whose network a search finds"""


@dataclass(frozen=True, kw_only=True)
class Distill(Table):
    """The section `distill`: one run of transfer teaches others."""

    teacher: str | None
    """a run of transfer"""


@dataclass(frozen=True, kw_only=True)
class Finish:
    """The section `finish`: every run of prune is finished at every cut."""

    cuts: list[str]
    """which cuts of the pruned runs to fine-tune"""
    recipes: dict[str, Any]
    """by run of prune"""


TABLES: dict[str, type] = {
    "search": Table,
    "transfer": Transfer,
    "distill": Distill,
    "prune": Table,
    "finish": Finish,
}
LISTS = {
    "search": ("runs",),
    "transfer": ("runs", "searched"),
    "distill": ("runs",),
    "prune": ("runs",),
}
PICKS = ("evolved", "random", "grid")
TAUGHT = "taught"
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_]*")


def faults(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each fault of the runs and models in the parameters `tree`."""
    for section, lists in LISTS.items():
        for name in lists:
            yield from _names(tree, section, name)
        yield from _weights(tree, section)
    for run in sorted({*names(tree, "transfer", "runs")} & {*names(tree, "transfer", "searched")}):
        yield f"params.yaml: {run!r} stands in transfer.runs and in transfer.searched: keep one"
    yield from _searched(tree)
    yield from _not_searched(tree)
    yield from _taught(tree)
    yield from _search_val(tree)
    exported, unmade = names(tree, "export", "models"), "nothing makes the model"
    compared, explained = names(tree, "models"), names(tree, "explain", "models")
    yield from _models("models", compared, made(tree), unmade)
    if compared:  # else its own fault is told
        yield from _models("explain.models", explained, compared, "models lacks")
    yield from _models("export.models", exported, made(tree), unmade)
    whole = names(tree, "export", "int8")
    yield from _models("export.int8", whole, exported, "export.models lacks")
    challengers, about = names(tree, "gate", "models"), Path("data/champion/about.json")
    yield from _models("gate.models", challengers, compared, "models lacks")
    yield from _models("gate.models", challengers, exported, "export.models lacks")
    if challengers and not about.is_file():
        yield f"{about} is missing: bring what `python -m stages.gate --help` lists, or empty gate.models"


def names(tree: Mapping[str, Any], *place: str) -> list[str]:
    """Return the words of the list at `place`, empty where there is none."""
    node: Any = tree
    for word in place:
        node = node.get(word) if isinstance(node, dict) else None
    return [name for name in node if isinstance(name, str)] if isinstance(node, list) else []


def count(tree: Mapping[str, Any]) -> int:
    """Return how many runs the tables list, each cut of a pruned run one."""
    listed = sum(len(names(tree, section, name)) for section in LISTS for name in LISTS[section])
    return listed + len(names(tree, "prune", "runs")) * len(names(tree, "finish", "cuts"))


def made(tree: Mapping[str, Any]) -> list[str]:
    """Return the names of the models that the listed runs make, in the order of the pipeline."""
    taught = [f"{run}-{TAUGHT}" for run in names(tree, "distill", "runs")]
    runs, cuts = names(tree, "prune", "runs"), names(tree, "finish", "cuts")
    return [*transferred(tree), *taught, *(f"{run}-{cut}" for run in runs for cut in cuts)]


def transferred(tree: Mapping[str, Any]) -> list[str]:
    """Return the runs of transfer, those that wait for a search last."""
    return [*names(tree, "transfer", "runs"), *names(tree, "transfer", "searched")]


def recipes(tree: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the recipes of a section, empty where there are none."""
    content = tree.get(section)
    found = content.get("recipes") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def recipe_of(tree: Mapping[str, Any], section: str, run: str) -> dict[str, Any]:
    """Return a run's recipe in a section, empty where there is none."""
    found = recipes(tree, section).get(run)
    return found if isinstance(found, dict) else {}


def _names(tree: Mapping[str, Any], section: str, key: str) -> Iterator[str]:
    """Check that the runs are plain names, each once and each with its recipe."""
    runs, known = names(tree, section, key), recipes(tree, section)
    if len(set(runs)) < len(runs):
        yield f"params.yaml: {section}.{key} names a run twice: {', '.join(runs)}"
    for run in dict.fromkeys(runs):
        if not _PLAIN.fullmatch(run):
            yield (
                f"params.yaml: {section}.{key}: {run!r} is not a plain name: use small letters, "
                "digits and _, it becomes a folder's name"
            )
        elif run not in known:
            words = ", ".join(map(str, known)) or "none"
            yield f"params.yaml: {section}.recipes.{run} is missing: known recipes are {words}"


def _weights(tree: Mapping[str, Any], section: str) -> Iterator[str]:
    """Check the weight files that the listed runs name; a recipe may rest while no run needs it."""
    checked = set()
    for run in [run for key in LISTS[section] for run in names(tree, section, key)]:
        recipe, where = recipe_of(tree, section, run), f"params.yaml: {section}.recipes.{run}"
        if section == "search":
            recipe, where = recipe.get("training", {}), f"{where}.training"
        weights = recipe.get("weights") if isinstance(recipe, dict) else None
        if isinstance(weights, dict) and {"file", "sha256"} <= set(weights):
            pair = (str(weights["file"]), str(weights["sha256"]))
            if pair not in checked:
                home = (
                    f"run `make data DATASET=weights FROM=<folder that holds {Path(pair[0]).name}>`"
                )
                again = "fetch it again or correct the recipe"
                yield from bound(f"{where}.weights", weights, missing=home, other=again)
            checked.add(pair)


def bound(where: str, named: Any, *, missing: str, other: str) -> Iterator[str]:
    """Check a file that is named by path and sha256; `missing` and `other` are the cures.

    Nothing is said where nothing is named (null) or not in this form.
    """
    if not isinstance(named, dict) or not {"file", "sha256"} <= set(named):
        return
    path = Path(str(named["file"]))
    if not path.is_file():
        yield f"{where}: {path} is missing: {missing}"
        return
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != named["sha256"]:
        yield f"{where}: {path} has sha256 {found}, not {named['sha256']}: {other}"


def _searched(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check that each run of transfer.searched takes a network that a listed search picks."""
    searches = names(tree, "search", "runs")
    for run in names(tree, "transfer", "searched"):
        where, recipe = f"params.yaml: transfer.recipes.{run}", recipe_of(tree, "transfer", run)
        options = recipe.get("backbone_options")
        if "backbone" not in recipe:
            continue
        if recipe["backbone"] != "searched":
            yield (
                f"{where}.backbone is {recipe['backbone']!r}, though {run} stands in "
                "transfer.searched: write `backbone: searched`, or list it in transfer.runs"
            )
        elif not isinstance(options, dict) or set(options) != {"search", "pick"}:
            yield (
                f"{where}.backbone_options must be {{search: <run of search>, "
                f"pick: {' | '.join(PICKS)}}}, not {options!r}"
            )
        elif options["search"] not in searches:
            yield (
                f"{where}.backbone_options.search: {options['search']!r} is not in search.runs: "
                f"known are {', '.join(searches) or 'none'}"
            )
        elif options["pick"] not in (methods := _methods(tree, options["search"])):
            yield (
                f"{where}.backbone_options.pick must be {' or '.join(methods)}, which the search "
                f"{options['search']} has, not {options['pick']!r}"
            )


def _methods(tree: Mapping[str, Any], search: str) -> list[str]:
    """Return the methods of a search; all there are where it has not its form."""
    found = recipe_of(tree, "search", search).get("methods")
    return [x for x in found if x in PICKS] if isinstance(found, list) else list(PICKS)


def _not_searched(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check that no run of transfer.runs takes up a search, for which DVC would not let it wait.

    A network of the search's families that the recipe writes out waits for none.
    """
    for run in names(tree, "transfer", "runs"):
        where, recipe = f"params.yaml: transfer.recipes.{run}", recipe_of(tree, "transfer", run)
        options = recipe.get("backbone_options")
        if recipe.get("backbone") == "searched":
            if not architectures.written_out(options):
                yield (
                    f"{where}.backbone is searched: list {run} in transfer.searched, not in runs, or "
                    "write the network out in backbone_options, `family` and all"
                )
                continue
            yield from (f"{where}.backbone_options: {x}" for x in _architecture(options))
        if recipe.get("weights") == "searched":
            yield (
                f"{where}.weights: searched weights go with `backbone: searched` and a run of "
                "transfer.searched: write null or {file, sha256}"
            )


def _architecture(options: Mapping[str, Any]) -> list[str]:
    """Return the faults of a network that is written out, a line for each."""
    try:
        architectures.read(options)
    except ValueError as error:
        return str(error).splitlines()
    return []


def _taught(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check that teacher and students are runs of transfer, and that no student is the teacher."""
    students, known = names(tree, "distill", "runs"), transferred(tree)
    content = tree.get("distill")
    teacher = content.get("teacher") if isinstance(content, dict) else None
    words = ", ".join(known) or "none"
    if (students or teacher is not None) and teacher not in known:
        yield f"params.yaml: distill.teacher: {teacher!r} is no run of transfer: known are {words}"
    for run in students:
        recipe = recipe_of(tree, "transfer", run)
        if run not in known:
            yield f"params.yaml: distill.runs: {run!r} is no run of transfer: known are {words}"
        elif run == teacher:
            yield f"params.yaml: distill.runs: {run!r} is the teacher: nobody teaches oneself"
        elif recipe.get("weights") == "searched" or recipe.get("frozen_views"):
            yield (
                f"params.yaml: distill.runs: transfer.recipes.{run} starts from searched weights or "
                "keeps features of frozen layers (frozen_views): a student is trained anew on images"
            )


def _search_val(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check that there are images on which a search or a pruning may rank its networks."""
    ranking = [section for section in ("search", "prune") if names(tree, section, "runs")]
    split = tree.get("split")
    fractions = split.get("fractions") if isinstance(split, dict) else None
    share = fractions.get("search_val") if isinstance(fractions, dict) else None
    if ranking and isinstance(share, int | float) and share <= 0:
        yield (
            f"params.yaml: split.fractions.search_val is {share}, but networks are ranked on these "
            f"images ({', '.join(f'{x}.runs' for x in ranking)}): give it a share, 0.1 say, of train's"
        )


def _models(place: str, listed: list[str], known: list[str], lacking: str) -> Iterator[str]:
    """Check that every listed model is among the `known`, and stands there once."""
    if len(set(listed)) < len(listed):
        yield f"params.yaml: {place} names a model twice: {', '.join(listed)}"
    for name in dict.fromkeys(listed):
        if name not in known:
            words = ", ".join(known) or "none"
            yield f"params.yaml: {place}: {lacking} {name!r}: known are {words}"
