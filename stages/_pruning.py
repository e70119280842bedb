"""What params.yaml says of `prune` and `finish` must fit the runs of transfer, and one another.

Part of the preflight (stages/__main__.py), as stages/_runs.py is: it skips what has not its form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cxr import plugins
from cxr.pruning import methods
from stages import _runs


def faults(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each fault of the pruned runs and of their cuts."""
    yield from _pruned(tree)
    yield from _criteria(tree)
    yield from _latencies(tree)
    yield from _finished(tree)
    yield from _cuts(tree)


def _pruned(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check that each pruned run is a run of transfer whose whole network was trained."""
    parents = _runs.transferred(tree)
    for run in _runs.names(tree, "prune", "runs"):
        trainable = _runs.recipe_of(tree, "transfer", run).get("trainable", ["all"])
        if run not in parents:
            yield (
                f"params.yaml: prune.runs: {run!r} is no run of transfer: "
                f"known are {', '.join(parents) or 'none'}"
            )
        elif trainable != ["all"]:
            yield (
                f"params.yaml: prune.runs: transfer.recipes.{run}.trainable is {trainable!r}: only "
                "a network that was trained whole can be pruned, write [all] or prune another run"
            )


def _criteria(tree: Mapping[str, Any]) -> Iterator[str]:
    for run, recipe in _runs.recipes(tree, "prune").items():
        if isinstance(recipe, dict) and isinstance(recipe.get("criterion"), str):
            try:
                plugins.check("pruning/criteria", recipe["criterion"])
            except ValueError as error:
                yield f"params.yaml: prune.recipes.{run}.criterion: {error}"


def _latencies(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check the tables of latencies that the pruned runs name."""
    for run in dict.fromkeys(_runs.names(tree, "prune", "runs")):
        yield from _runs.bound(
            f"params.yaml: prune.recipes.{run}.latency",
            _runs.recipe_of(tree, "prune", run).get("latency"),
            missing="measure this machine again, or take it back from git; null searches by MACs",
            other="take the one it speaks of, or name this one by its own",
        )


def _finished(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check that each pruned run has a recipe of fine-tuning, if anything is finished."""
    known = _runs.recipes(tree, "finish")
    for run in dict.fromkeys(_runs.names(tree, "prune", "runs")):
        if _runs.names(tree, "finish", "cuts") and run not in known:
            words = ", ".join(map(str, known)) or "none"
            yield (
                f"params.yaml: finish.recipes.{run} is missing, though prune.runs lists {run} and "
                f"finish.cuts names cuts: known recipes are {words}"
            )


def _cuts(tree: Mapping[str, Any]) -> Iterator[str]:
    """Check that each cut is one that every pruned run has, and stands there once."""
    cuts = _runs.names(tree, "finish", "cuts")
    if len(set(cuts)) < len(cuts):
        yield f"params.yaml: finish.cuts names a cut twice: {', '.join(cuts)}"
    for cut in dict.fromkeys(cuts):
        try:
            _, percent = methods.parse(cut)
        except ValueError as error:
            yield f"params.yaml: finish.cuts: {error}"
            continue
        for run in dict.fromkeys(_runs.names(tree, "prune", "runs")):
            shares = _runs.recipe_of(tree, "prune", run).get("shares")
            if not isinstance(shares, list) or not all(isinstance(x, float) for x in shares):
                continue  # a fault of form
            if percent not in [round(share * 100) for share in shares]:
                yield (
                    f"params.yaml: finish.cuts: {cut!r} keeps {percent} % of the MACs, "
                    f"prune.recipes.{run}.shares has {', '.join(f'{x:g}' for x in shares) or 'none'}: "
                    "add the share there, or take the cut out"
                )
