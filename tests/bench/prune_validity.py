"""Does the fitness rank what fine-tuning will make of a cut? The step of `prune --validity`.

Random networks of one cost, cut out of one parent: what fitness says before any training and after a
short one, their MACs, and what val says after fine-tuning, under two seeds. Kendall's tau of each with the
final result (signed so that +1 is always right), and whether a fitness says more than MACs do: bootstrap
over the networks of the difference of both taus, within the same draws. tau of the second seed with the
first is what no fitness can be expected to pass.

Run in a project folder after the stage transfer: `python -m tests.bench.prune_validity 50 40`.
Shapes: N networks, B resamples, M measures.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import artifacts, numerics, params, progress, seeding, workers
from cxr.evolution.genes import Genome
from cxr.metrics import intervals, rank
from cxr.pruning import candidates, cuts, draws, fitness, parent
from cxr.pruning.judging import Judge, Network
from stages import finish, prune
from tests.bench import prune_tuning
from tests.bench.prune_data import RUN

MEASURES = {
    "auroc": "AUROC before training",
    "loss": "loss before training",
    "distance": "distance from the parent",
    "brief_auroc": "AUROC, briefly trained",
    "brief_loss": "loss, briefly trained",
    "macs": "MACs",
    "again": "second seed",
}
"""Column → words; `again` is the final result of the other seed."""
LOWER_IS_BETTER = ("loss", "distance", "brief_loss", "final_loss")
FITNESSES = ("auroc", "loss", "distance", "brief_auroc", "brief_loss")
FINALS = ("final_auroc", "final_loss")
RESAMPLES = 2000
_DRAWS = 50  # random networks drawn for each that is wanted


def made(percent: int, networks: int) -> str:
    """Return the file of the rows of so many networks of a share, in the project folder."""
    return f"data/validity-{percent}-{networks}.csv"


def main(percent: int, networks: int) -> None:
    """Write a row for each random network at a share of the parent's MACs."""
    numerics.enter()
    numerics.exact_torch()
    settings, seed = params.load(prune.Params, f"prune.recipes.{RUN}"), params.seed()
    folds = parent.folds(
        prune.MODELS / RUN, prune.PREPARED, artifacts.read_csv(prune.SPLITS),
        recalibration_images=settings.recalibration_images, reconstruct=settings.reconstruct,
        seed=seed,
    )[:1]  # fmt: skip
    judge = prune.open_court(RUN, folds, settings, seed=seed, folder=Path("data/validity"))
    chosen = list(drawn(judge, percent / 100, networks, window=settings.window, seed=seed))
    progress.say(
        f"validity at {percent} %: {len(chosen)} random networks, two fine-tunings of each"
    )
    before = judge.cut(chosen)
    after = judge.trained(chosen, samples=settings.contest.samples)
    first, second = (finals(judge, chosen, seed=seed + again) for again in range(2))
    rows = [
        {
            "share": percent, "number": number, "macs": network.macs, "parameters": said["parameters"],
            **{key: fitness.number(said[key]) for key in ("loss", "distance")}, "auroc": said["auroc"],
            "brief_auroc": brief["auroc"], "brief_loss": fitness.number(brief["loss"]),
            "final_auroc": one[0], "final_loss": one[1], "again_auroc": two[0], "again_loss": two[1],
        }
        for number, (network, said, brief, one, two) in enumerate(
            zip(chosen, before, after, first, second, strict=True)
        )
    ]  # fmt: skip
    artifacts.write_csv(Path(made(percent, networks)), pd.DataFrame(rows))


def drawn(
    judge: Judge, share: float, networks: int, *, window: float, seed: int
) -> Iterator[Network]:
    """Yield so many different random networks whose MACs lie in the window of the share.

    Raises ValueError if there are fewer.
    """
    space = judge.starts[0].space
    macs, found = candidates.limit(space, share), set[Genome]()
    for draw in range(_DRAWS * networks):
        rng = seeding.stream(seed, "validity", round(share * 100), draw)
        genome = draws.within(space.encoding, macs=macs, rng=rng)
        size = space.encoding.macs(genome)
        if genome not in found and size >= window * macs and len(found) < networks:
            found.add(genome)
            yield Network(0, space.encoding.kept(genome), size)
    if len(found) < networks:
        raise ValueError(
            f"{len(found)} different networks at {share:.0%}, not {networks}: ask for fewer"
        )


def finals(judge: Judge, networks: Sequence[Network], *, seed: int) -> list[tuple[float, float]]:
    """Fine-tune each network as `finish` does; return val's AUROC and loss of the epoch that is kept."""
    settings = params.load(finish.Params, f"finish.recipes.{RUN}")
    chosen = [cuts.Cut(kept=x.kept, macs=x.macs, origin="random") for x in networks]
    folds = [judge.starts[0].fold] * len(chosen)
    tasks = finish.plan(folds, chosen, settings, seed=seed, folder=judge.folder / f"seed-{seed}")
    work = [prune_tuning.recorded(task) for task in tasks]
    tuned = workers.run(prune_tuning.train, work, words=f"fine-tuning, seed {seed}")
    lines = [
        next(line for line in one.fitted.history if line.epoch == one.fitted.best_epoch)
        for one in tuned
    ]
    return [(line.val_auroc, line.val_loss) for line in lines]


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Return by share and final result: each measure's tau, and each fitness's less that of MACs."""
    return {
        str(percent): {"networks": len(mine), **{final: _taus(mine, final) for final in FINALS}}
        for percent, mine in table.groupby("share", sort=False)
    }


def signed(table: pd.DataFrame, column: str, *, final: str) -> np.ndarray:
    """Return a measure (N,) so that more is better."""
    if column == "again":
        column = final.replace("final", "again")
        return table[column].to_numpy(float) * (-1 if final in LOWER_IS_BETTER else 1)
    return table[column].to_numpy(float) * (-1 if column in LOWER_IS_BETTER else 1)


def _taus(table: pd.DataFrame, final: str) -> dict[str, Any]:
    result_N = signed(table, final, final=final)
    agreements = [
        rank._Agreement(signed(table, column, final=final), result_N) for column in MEASURES
    ]

    def taus(weights_BN: np.ndarray) -> np.ndarray:
        return np.concatenate([one(weights_BN) for one in agreements], axis=1)

    values_M = taus(np.ones((1, len(table))))[0]
    spread_BM = intervals.bootstrap(
        taus, np.arange(len(table)), samples=RESAMPLES, rng=seeding.stream(0, "validity", final)
    )
    at = {column: place for place, column in enumerate(MEASURES)}
    macs_B, macs = spread_BM[:, at["macs"]], float(values_M[at["macs"]])
    return {
        "tau": {column: _said(float(values_M[i]), spread_BM[:, i]) for column, i in at.items()},
        "less_macs": {
            column: _said(float(values_M[at[column]]) - macs, spread_BM[:, at[column]] - macs_B)
            for column in FITNESSES
        },
    }


def _said(value: float, spread_B: np.ndarray) -> dict[str, Any]:
    found = intervals.percentile(spread_B, confidence=0.95)
    numbers = {"value": value, "low": found.low, "high": found.high}
    known = {key: None if math.isnan(number) else number for key, number in numbers.items()}
    return {**known, "above_zero": bool(found.low > 0)}


def lines(summary: Mapping[str, Any], *, fitness: str) -> Iterator[str]:
    """Yield the validity in words; `fitness` is the one that the search goes by."""
    for percent, found in summary.items():
        yield f"{found['networks']} random networks at {percent} % of the MACs, Kendall's tau with the final AUROC (and loss):"
        by_auroc, by_loss = (found[final] for final in FINALS)
        for column, words in MEASURES.items():
            tau = by_auroc["tau"][column]
            line = f"  {words}: {_interval(tau)} ({_number(by_loss['tau'][column]['value'])})"
            if column in by_auroc["less_macs"]:
                less = by_auroc["less_macs"][column]
                line += f"; less that of MACs {_interval(less)}: {'above zero' if less['above_zero'] else 'not shown above zero'}"
            yield line
        shown = by_auroc["less_macs"][fitness]["above_zero"]
        yield f"  the search goes by {MEASURES[fitness]}: it {'says' if shown else 'IS NOT SHOWN to say'} more than MACs"


def _interval(found: Mapping[str, Any]) -> str:
    return f"{_number(found['value'])} [{_number(found['low'])}, {_number(found['high'])}]"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.2f}"


if __name__ == "__main__":
    from tests.bench import prune_validity

    prune_validity.main(int(sys.argv[1]), int(sys.argv[2]))
