"""Small problems whose best trade-offs are known, and an evaluation that counts its runs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from cxr.evolution.genes import Asked, Evaluated, Gene, Genome, Search

ZDT1_GENES = [
    Gene(name="place", size=64, ordered=True),
    *(Gene(name=f"distance {i}", size=8, ordered=True) for i in range(9)),
]
"""8.6 billion genomes."""

LOTZ_GENES = [Gene(name=f"bit {i}", size=2, ordered=False) for i in range(12)]
"""4096 genomes."""


def zdt1(genome: Genome) -> tuple[float, float]:
    """Minimise place and height; the best have no distance left: height = 1 - sqrt(place).

    Zitzler, Deb & Thiele (2000), "Comparison of multiobjective evolutionary algorithms: empirical
    results", Evolutionary Computation 8(2):173-195, function T1, on a grid.
    """
    place, *distances = genome
    x = place / 63
    g = 1 + 9 * sum(distances) / (7 * len(distances))
    return x, g * (1 - float(np.sqrt(x / g)))


def lotz(genome: Genome) -> tuple[float, float]:
    """Many leading ones, many trailing zeros; the best are the 13 genomes 1…10…0.

    Laumanns et al. (2002), "Running time analysis of multi-objective evolutionary algorithms on a
    simple discrete optimization problem", PPSN VII:44-53.
    """
    bits = "".join(map(str, genome))
    return -float(len(bits) - len(bits.lstrip("1"))), -float(len(bits) - len(bits.rstrip("0")))


def run(search: Search, objectives: Callable[[Genome], tuple[float, ...]]) -> list[Evaluated]:
    """Run a search in this process."""
    return climb(search, lambda asked: objectives(asked.genome))


def climb(search: Search, objectives: Callable[[Asked], tuple[float, ...]]) -> list[Evaluated]:
    """Run a search whose objectives depend on the rung in this process; each call is of one rung."""
    asked = next(search)
    while True:
        assert len({one.rung for one in asked}) == 1
        try:
            asked = search.send([objectives(one) for one in asked])
        except StopIteration as end:
            return list(end.value)


def sha256(found: Any) -> str:
    """Return what a long list of plain values is known by."""
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


class Task(TypedDict):
    """What a worker gets."""

    genome: Genome
    rung: int
    log: str
    """Folder where every run leaves a file."""
    seconds: float
    """How long the evaluation pretends to work."""


def evaluate(task: Task) -> dict[str, Any]:
    """Work for a while, leave a trace of the run, and return numbers with all their bits."""
    time.sleep(task["seconds"])
    name = "-".join(map(str, [*task["genome"], task["rung"]]))
    runs = len(list(Path(task["log"]).glob(f"{name}.*")))
    (Path(task["log"]) / f"{name}.{runs}").touch()
    x, y = zdt1(task["genome"])
    return {"objectives": [x, y], "third": 1 / 3, "genome": task["genome"]}


def diverge(task: Task) -> dict[str, Any]:
    """Return what is no number."""
    return {"loss": float("nan")}


def search(folder: Path, *, seconds: float) -> str:
    """Run two searches side by side with records in `folder`; return all they evaluated as JSON."""
    from cxr.evolution import nsga2, random_search, records, together

    settings: Any = {"rungs": [6, 2], "generations": 5, "seed": 3, "allowed": lambda _: True}
    searches = {
        "evolved": nsga2.nsga2(ZDT1_GENES, stream=("test",), **settings),
        "random": random_search.random_search(ZDT1_GENES, stream=("test",), **settings),
    }
    (folder / "log").mkdir(parents=True, exist_ok=True)

    def ask(wanted: list[tuple[str, Asked]]) -> list[tuple[float, ...]]:
        tasks = {
            json.dumps([key, genome, rung]): Task(
                genome=genome, rung=rung, log=str(folder / "log"), seconds=seconds
            )
            for key, (genome, rung) in wanted
        }
        found = records.evaluate(evaluate, tasks, folder / "records", words="evaluating")
        return [tuple(result["objectives"]) for result in found.values()]

    everyone = together.run_together(searches, ask)
    return json.dumps(
        {
            key: [[x.generation, x.rung, x.genome, x.objectives] for x in everyone[key]]
            for key in everyone
        }
    )
