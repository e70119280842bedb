"""Synchronous successive halving: all are judged cheaply, the best again at more expense.

Sources: Karnin, Koren & Somekh (2013), "Almost optimal exploration in multi-armed bandits", ICML;
Jamieson & Talwalkar (2016), "Non-stochastic best arm identification and hyperparameter
optimization", AISTATS; Li et al. (2018), "Hyperband: a novel bandit-based approach to
hyperparameter optimization", JMLR 18(185):1-52. They rank by one objective; with several, who goes
on is who would survive in NSGA-II: by front, then by what a point adds to its front (see `survival`).
"""

from __future__ import annotations

from collections.abc import Sequence

from cxr.evolution.genes import Asked, Evaluated, Genome, Search, evaluated, objectives_NM
from cxr.evolution.survival import Reference, survivors


def climb(
    generation: int,
    genomes: Sequence[Genome],
    rungs: Sequence[int],
    reference: Reference | None = None,
) -> Search:
    """Judge `genomes` at rung 0, the best rungs[1] of them at rung 1, and so on; a search of one generation.

    rungs[0] is not looked at: all are judged there. Returns all evaluations, rung by rung.
    """
    everyone: list[Evaluated] = []
    judged: list[Evaluated] = []
    for rung in range(len(rungs)):
        if rung > 0:
            best = survivors(objectives_NM(judged), rungs[rung], reference)
            genomes = [genomes[index] for index in best]
        asked = [Asked(genome, rung) for genome in genomes]
        judged = evaluated(generation, asked, (yield asked))
        everyone += judged
    return everyone


def at_top(members: Sequence[Evaluated], rungs: Sequence[int]) -> list[Evaluated]:
    """Return those that were judged at the top rung: only they can be compared in earnest."""
    return [member for member in members if member.rung == len(rungs) - 1]
