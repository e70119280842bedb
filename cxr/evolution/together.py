"""Several searches in lock step: one call evaluates a rung of all of them, so no worker waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cxr.evolution.genes import Asked, Evaluated, Search

K = TypeVar("K")


def run_together(
    searches: Mapping[K, Search],
    evaluate: Callable[[list[tuple[K, Asked]]], list[tuple[float, ...]]],
) -> dict[K, list[Evaluated]]:
    """Run every search to its end and return what each evaluated, in the mapping's order.

    `evaluate` gets what all searches ask for with their keys, (key, Asked), and returns the
    objectives in the same order; a search that ends early leaves the others running.
    """
    ended: dict[K, list[Evaluated]] = {}
    running = list(searches)
    answers: dict[K, Any] = dict.fromkeys(searches)  # None starts a generator
    while running:
        asked: dict[K, list[Asked]] = {}
        for key in running:
            try:
                asked[key] = searches[key].send(answers[key])
            except StopIteration as end:
                ended[key] = end.value
        running = list(asked)
        waiting = [(key, one) for key in running for one in asked[key]]
        objectives = evaluate(waiting) if waiting else []
        answers = {key: [] for key in running}
        for (key, _), values in zip(waiting, objectives, strict=True):
            answers[key].append(values)
    return {key: ended[key] for key in searches}
