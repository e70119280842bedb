"""Made-up outcomes of a small parent's pruning: real encodings and cuts, scores that a reader can check."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from cxr.evolution.genes import Evaluated
from cxr.pruning import baselines, candidates, draws, evidence, sensitivity
from cxr.pruning.candidates import Space
from cxr.pruning.contest import Entrant, Entry
from cxr.pruning.tournament import Outcome
from cxr.training.loop import Part
from tests.pruning.parents import SIZE, network, wide

WHOLE = {
    "auroc": 0.9, "loss": 0.25, "distance": 0.01, "macs": 1000, "parameters": 100,
    "labels": {"a": 0.875, "b": 0.9375},
}  # fmt: skip
"""What was found of the whole parent."""
SCORES = {"evolved": 0.875, "uniform": 0.5, "global": 0.625, "bn_scale": 0.75, "taylor": 0.8125, "reconstruction": 0.84375, "random": 0.5625, "sensitivity": 0.6875}  # fmt: skip
"""AUROC of each method's cut before any training."""


@functools.cache
def space() -> Space:
    """Return the small parent's, ranked by every criterion."""
    recipe = wide()
    parent = network(recipe)
    images = np.arange(8 * SIZE * SIZE).reshape(8, SIZE, SIZE) * 31 % 251
    part = Part(images.astype(np.uint8), np.eye(2, dtype=np.float32)[np.arange(8) % 2])
    found = evidence.gather(parent, recipe, part, seed=1, fold=0, criteria=list(candidates.RANKED))
    return candidates.space(
        parent, criterion="l1_norm", encoding="counts", evidence=found, size_px=SIZE
    )


def said(auroc: float, *, macs: int = 0) -> dict[str, Any]:
    """Return a result with this AUROC; the labels fall below WHOLE's by an eighth and by less."""
    return {
        "auroc": auroc, "loss": 1 - auroc, "distance": (1 - auroc) / 2, "macs": macs,
        "parameters": macs // 10, "labels": {"a": 0.75, "b": 0.875},
    }  # fmt: skip


def outcome(
    *, fold: int = 0, share: float = 0.5, shift: float = 0.0, survivors: bool = False
) -> Outcome:
    """Two generations of two networks; `shift` is added to every AUROC, taylor wins the contest."""
    own = space()
    limit, code = candidates.limit(own, share), own.encoding
    losses = dict.fromkeys([code.whole, *sensitivity.asked(code)], 0.0)
    cuts = baselines.cuts(own, macs=limit, losses=losses)
    rng = np.random.Generator(np.random.Philox(1))
    drawn = [draws.within(code, macs=limit, rng=rng) for _ in range(60)]
    tried = [cuts["uniform"][1], *dict.fromkeys(x for x in drawn if x != cuts["uniform"][1])][:4]
    scores = [0.5, 0.75, 0.625, 0.875]
    evaluated, found = [], {}
    for place, (genome, score) in enumerate(zip(tried, scores, strict=True)):
        macs = code.macs(genome)
        found[genome, 0] = said(score + shift, macs=macs)
        evaluated.append(Evaluated(place // 2, 0, genome, (1 - score, float(macs))))
        if survivors and place % 2:
            trained = said(score + shift + 0.0625)
            found[genome, 1] = {**trained, "samples": 8, "diverged": False}
            evaluated.append(Evaluated(place // 2, 1, genome, (0.9375 - score, float(macs))))
    entries = [
        Entry(method="evolved", number=1, encoding=code, genome=tried[3], tried=tried[3]),
        Entry(method="evolved", number=2, encoding=code, genome=tried[1], tried=tried[1]),
        *(
            Entry(method=method, number=1, encoding=encoding, genome=genome, tried=None)
            for method, (encoding, genome) in cuts.items()
        ),
    ]
    return Outcome(
        fold=fold, share=share, space=own, evaluated=evaluated, found=found,
        origins={tried[0]: "uniform"}, entrants=[_entrant(one, fold, shift) for one in entries],
    )  # fmt: skip


def _entrant(entry: Entry, fold: int, shift: float) -> Entrant:
    network, score = entry.network(fold), SCORES[entry.method] - (entry.number - 1) / 8 + shift
    gain = 0.09375 if entry.method == "taylor" else 0.0
    return Entrant(
        entry=entry, network=network, before=said(score, macs=network.macs),
        after={**said(score + gain), "samples": 8, "diverged": False},
    )  # fmt: skip
