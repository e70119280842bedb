"""Evolution against chance on equal terms: the same space and caps, as many networks, trained alike.

Random search is the baseline that a search has to beat: see `cxr.evolution.random_search`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cxr import workers
from cxr.evolution import nsga2, random_search, records
from cxr.evolution.genes import Genome, Search
from cxr.evolution.together import run_together
from cxr.search import candidates, fitness
from cxr.search.space import Space
from cxr.training.loop import Tensors

Which = tuple[int, str]
"""Of a search: fold and method; of a network: fold and canonical architecture."""

_METHODS: Mapping[str, Callable[..., Search]] = {
    "evolved": nsga2.nsga2,
    "random": random_search.random_search,
}


def searches(
    space: Space, *, folds: int, population: int, generations: int, seed: int
) -> dict[Which, Search]:
    """Return both methods' searches for every fold.

    Raises ValueError if the space is too small for what is asked: the methods might differ in how
    much they try. Random search does not look at what it found, so it can be run ahead.
    """

    def make(fold: int, method: str) -> Search:
        return _METHODS[method](
            space.genes, population=population, generations=generations, seed=seed,
            stream=("search", fold), allowed=space.allowed, identity=space.identity,
        )  # fmt: skip

    for fold in range(folds):
        ahead = run_together({0: make(fold, "random")}, lambda asked: [(0.0, 0.0)] * len(asked))
        if len(ahead[0]) < population * generations:
            raise ValueError(
                f"population {population} x generations {generations} asks for "
                f"{population * generations} networks, but only {len(ahead[0])} different ones were "
                "found under the caps: lower one of the two, raise the caps or widen the space"
            )
    return {(fold, method): make(fold, method) for fold in range(folds) for method in _METHODS}


def explore(
    rivals: Mapping[Which, Search],
    space: Space,
    folds: Sequence[fitness.Task],
    *,
    folder: Path,
    words: str,
) -> tuple[candidates.Tried, candidates.Results]:
    """Run all searches to their end; return what each tried, and what was found of every network.

    `folds` are the tasks of each fold, to which an architecture is given. A network that both
    methods try in a fold is trained once; records in `folder` are not trained again.
    """
    results: dict[Which, dict[str, Any]] = {}

    def evaluate(waiting: list[tuple[Which, Genome]]) -> list[tuple[float, ...]]:
        asked = [(fold, space.identity(genome)) for (fold, _), genome in waiting]
        keys = {f"fold {fold}, network {name}": (fold, name) for fold, name in asked}
        work = {key: _given(folds[fold], name) for key, (fold, name) in keys.items()}
        found = records.evaluate(fitness.evaluate, work, folder, words=words)
        results.update({keys[key]: result for key, result in found.items()})
        return [candidates.objectives(results[which]) for which in asked]

    return run_together(rivals, evaluate), results


def retrain(
    networks: Sequence[Which],
    results: candidates.Results,
    folds: Sequence[fitness.Task],
    *,
    folder: Path,
    words: str,
) -> dict[Which, Tensors]:
    """Train networks once more and return the tensors of their backbones.

    Raises ValueError unless each scores what its record says, to the bit.
    """
    work = [
        (_given(folds[fold], name), folder / f"fold-{fold}-{_short(name)}.safetensors")
        for fold, name in networks
    ]
    found = {}
    again = workers.run(fitness.retrain, work, words=f"{words}, picks")
    for (fold, name), (tensors, result) in zip(networks, again, strict=True):
        if result != results[fold, name]:
            raise ValueError(
                f"network {name} of fold {fold}, trained once more, gave {result} and not what is "
                f"on record, {results[fold, name]}: this machine does not repeat itself; run "
                "`make doctor`"
            )
        found[fold, name] = tensors
    return found


def _given(task: fitness.Task, architecture: str) -> fitness.Task:
    """Return the task of training `architecture`, given as canonical JSON."""
    recipe = dataclasses.replace(task.recipe, backbone_options=json.loads(architecture))
    return dataclasses.replace(task, recipe=recipe)


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
