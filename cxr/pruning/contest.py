"""Who is handed over: the best evolved cuts and every baseline, trained briefly and judged again.

What a cut scores before any training is a weak word on what it scores after it, so the last word has
search_val after a short training that all get alike. Evolution is one of those who compete: where a
baseline does better, the baseline is handed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxr.evolution.genes import Evaluated, Genome
from cxr.pruning import candidates, draws, fitness, methods
from cxr.pruning.candidates import Key, Space
from cxr.pruning.encoding import Encoding
from cxr.pruning.judging import Judge, Network
from cxr.pruning.methods import METHODS, PICK

EVOLVED = METHODS[0]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cut that competes in one fold at one share."""

    method: str
    number: int
    """from 1 on among those of its method, the best before the training first"""
    encoding: Encoding
    genome: Genome
    tried: Genome | None
    """of an evolved one: the candidate of the search that was filled up to it"""

    def network(self, fold: int) -> Network:
        """Return the network it stands for."""
        genome = self.genome
        return Network(fold, self.encoding.kept(genome), self.encoding.macs(genome))


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """An entry and what was found of it."""

    entry: Entry
    network: Network
    before: Mapping[str, Any]
    """what `fitness.evaluate` says"""
    after: Mapping[str, Any]
    """what `brief.train` says"""


def enter(
    space: Space,
    evaluated: Sequence[Evaluated],
    cuts: Mapping[str, tuple[Encoding, Genome]],
    *,
    macs: int,
    window: float,
    evolved: int,
) -> list[Entry]:
    """Return who competes in a fold at a share: the best `evolved` of the search's networks, and `cuts`.

    Evolved networks are filled up to the `macs`, as every baseline is; of those that then are the same
    the best competes.
    """
    ranked = candidates.best(evaluated, space, macs=macs, window=window, count=len(evaluated))
    filled: dict[Genome, Genome] = {}
    for genome in ranked:
        if len(filled) < evolved:
            filled.setdefault(draws.fill(space.encoding, genome, macs=macs), genome)
    own = [
        Entry(method=EVOLVED, number=place, encoding=space.encoding, genome=full, tried=genome)
        for place, (full, genome) in enumerate(filled.items(), start=1)
    ]
    return own + [
        Entry(method=method, number=1, encoding=encoding, genome=genome, tried=None)
        for method, (encoding, genome) in cuts.items()
    ]


def hold(
    judge: Judge, entries: Mapping[Key, Sequence[Entry]], *, samples: int
) -> dict[Key, list[Entrant]]:
    """Judge all entries (by fold and share) as they are cut and after so many images of training.

    Raises ValueError if every training of a fold at a share diverged.
    """
    everyone = [(which, entry) for which, own in entries.items() for entry in own]
    networks = [entry.network(fold) for (fold, _), entry in everyone]
    before, after = judge.cut(networks), judge.trained(networks, samples=samples)
    found: dict[Key, list[Entrant]] = {which: [] for which in entries}
    for (which, entry), network, cut, trained in zip(
        everyone, networks, before, after, strict=True
    ):
        one = Entrant(entry=entry, network=network, before=cut, after=trained)
        found[which].append(one)
    for (fold, share), entrants in found.items():
        if all(one.after["diverged"] for one in entrants):
            raise ValueError(
                f"every short training of fold {fold} at {methods.percent(share)} % of the MACs "
                "diverged: lower prune's optimizer.learning_rate"
            )
    return found


def winner(entrants: Sequence[Entrant]) -> Entrant:
    """Return who did best after the training: highest AUROC, then lowest loss, then the methods' order."""
    return min(entrants, key=_standing)


def _standing(one: Entrant) -> tuple[float, float, int, int]:
    loss = fitness.number(one.after["loss"])
    return (-one.after["auroc"], loss, METHODS.index(one.entry.method), one.entry.number)


def picks(entrants: Sequence[Entrant]) -> dict[str, Entrant]:
    """Return who stands for the pick and for each method: of several evolved ones their winner."""
    found = {PICK: winner(entrants)}
    for method in METHODS:
        own = [one for one in entrants if one.entry.method == method]
        if own:
            found[method] = winner(own)
    return found
