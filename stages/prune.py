"""prune: cut channels out of a transferred network until it keeps the wanted share of its MACs.

For each fold by itself, NSGA-II chooses how many channels every group of layers keeps, judged on
search_val without training; the best one and a uniform cut are then fine-tuned on train, taught by
their parent, and val chooses the epoch. Each gets a temperature of its own if the parent has one. Test
images are left to evaluate.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr.training.recipe import Distillation, Optimizer
from stages._stage import run

if TYPE_CHECKING:
    from cxr.evolution.genes import Evaluated, Genome
    from cxr.pruning import tables
    from cxr.pruning.candidates import Plan
    from cxr.pruning.parent import Fold
    from cxr.training import loop

MODELS, PREPARED, SPLITS = Path("data/models"), Path("data/prepared"), Path("data/splits.csv")
TUNED = ("pruned", "uniform")
"""The cuts that are fine-tuned: the pick of the search, and the uniform one at the wanted MACs."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """How a model is pruned."""

    criterion: str
    """which channels of a group go first: a file in cxr/pruning/criteria"""
    macs: float
    """share of the parent's MACs to keep at most, above 0 and below 1"""
    population: int
    """pruned networks of a generation"""
    generations: int
    """of the search, the first included"""
    recalibration_images: int
    """of train, at most: for BatchNorm's statistics before a network is judged"""
    epochs: int
    """of fine-tuning, at most"""
    optimizer: Optimizer
    """of fine-tuning"""
    distillation: Distillation
    """how much the parent teaches"""

    def __post_init__(self) -> None:
        if not 0 < self.macs < 1:
            raise ValueError(f"macs must be above 0 and below 1, not {self.macs}")
        least = {"population": 2, "generations": 1, "recalibration_images": 2, "epochs": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} must be at least {value}, not {getattr(self, name)}")


def main(name: str) -> str:
    from cxr import artifacts, numerics, params, prepared, progress, scratch
    from cxr.pruning import candidates, parent, tables
    from cxr.training import models

    settings, seed = params.load(Params, f"prune.recipes.{name}"), params.seed()
    numerics.exact_torch()
    images = prepared.read(PREPARED)
    folds = parent.folds(
        MODELS / name, PREPARED, artifacts.read_csv(SPLITS),
        recalibration_images=settings.recalibration_images, seed=seed,
    )  # fmt: skip
    plans = [
        candidates.plan(
            models.load(fold.model, fold.number).network,
            criterion=settings.criterion, share=settings.macs, size_px=images.size_px,
        )
        for fold in folds
    ]  # fmt: skip
    progress.say(
        f"prune@{name}: {len(folds)} fold(s), {len(plans[0].encoding.genes)} of "
        f"{len(plans[0].groups)} groups of channels have a choice, at most {plans[0].macs:,} MACs"
    )
    work = scratch.folder(
        "prune", inputs=[MODELS / name, PREPARED, SPLITS], settings=[name, seed, settings]
    )
    evaluated, results = search(
        plans, folds, settings, seed=seed, folder=work / "candidates", words=f"prune@{name}"
    )
    cuts = [
        {
            "pruned": candidates.best(tried, macs=plan.macs),
            **{x: plan.cuts[x][0] for x in ("uniform", "global")},
        }
        for plan, tried in zip(plans, evaluated, strict=True)
    ]
    fitted = tune(name, plans, folds, cuts, settings, seed=seed, folder=work)
    outcomes = [
        tables.Outcome(plan=plan, evaluated=tried, results=found, cuts=cut, fitted=own)
        for plan, tried, found, cut, own in zip(
            plans, evaluated, results, cuts, fitted, strict=True
        )
    ]
    metrics = report(name, outcomes, settings)
    scratch.finish(work)
    return (
        f"{metrics['macs_share']:.0%} of the MACs kept, val AUROC {metrics['val_auroc_pruned']:.3f} "
        f"({metrics['val_auroc_uniform']:.3f} of a uniform cut)"
    )


def search(
    plans: list[Plan], folds: list[Fold], settings: Params, *, seed: int, folder: Path, words: str
) -> tuple[list[list[Evaluated]], list[dict[Genome, dict[str, Any]]]]:
    """Return, by fold, the candidates in their order, and what was found of each and of the parent."""
    from cxr.evolution import records
    from cxr.pruning import candidates, fitness

    results: list[dict[Genome, dict[str, Any]]] = [{} for _ in folds]

    def evaluate(waiting: list[tuple[int, Genome]]) -> list[dict[str, Any]]:
        tasks = {
            f"fold {fold}, genome {genome}": fitness.Task(
                folds[fold], plans[fold].encoding.kept(genome)
            )
            for fold, genome in waiting
        }
        found = list(records.evaluate(fitness.evaluate, tasks, folder, words=words).values())
        for (fold, genome), result in zip(waiting, found, strict=True):
            counted = plans[fold].encoding.macs(genome)
            assert result["macs"] == counted, f"{genome}: {result['macs']} MACs, not {counted}"
            results[fold][genome] = result
        return found

    evaluate([(fold, plan.encoding.whole) for fold, plan in enumerate(plans)])
    evaluated = candidates.explore(
        plans, evaluate,
        population=settings.population, generations=settings.generations, seed=seed,
    )  # fmt: skip
    return evaluated, results


def tune(
    name: str, plans: list[Plan], folds: list[Fold], cuts: list[dict[str, Genome]],
    settings: Params, *, seed: int, folder: Path,
) -> list[dict[str, loop.Fitted]]:  # fmt: skip
    """Fine-tune each fold's cuts and write them as models; return them by fold."""
    from cxr import artifacts, workers
    from cxr.pruning import tuning
    from cxr.training import calibrating, models

    about, shared = models.config(MODELS / name), models.shared_recipe(MODELS / name)
    recipes = [
        dataclasses.replace(
            models.recipe(fold.model, fold.number),
            epochs=settings.epochs, optimizer=settings.optimizer,
        )
        for fold in folds
    ]  # fmt: skip
    kept = {
        (fold, cut): plan.encoding.kept(cuts[fold][cut])
        for cut in TUNED for fold, plan in enumerate(plans)
    }  # fmt: skip
    tasks = [
        tuning.Task(
            folds[fold], channels, recipes[fold], settings.distillation, seed,
            folder / f"fold-{fold}-{cut}.safetensors",
        )
        for (fold, cut), channels in kept.items()
    ]  # fmt: skip
    tuned = dict(
        zip(kept, workers.run(tuning.fine_tune, tasks, words=f"prune@{name}"), strict=True)
    )
    for cut in TUNED:
        own = [tuned[fold, cut] for fold in range(len(folds))]
        temperatures = [one.temperature for one in own]
        calibrating.tell_bounds(temperatures, words=f"prune@{name}, {cut}")
        with artifacts.folder(MODELS / f"{name}-{cut}") as model:
            models.save(
                model,
                dataclasses.replace(recipes[0], backbone_options=shared.backbone_options),
                own,
                labels=about["labels"],
                size_px=about["size_px"],
            )
    return [{cut: tuned[fold, cut].fitted for cut in TUNED} for fold in range(len(folds))]


def report(name: str, outcomes: list[tables.Outcome], settings: Params) -> dict[str, Any]:
    """Write reports/prune/<name>; return its metrics."""
    from cxr import artifacts
    from cxr.pruning import figures, tables

    folder = Path("reports/prune") / name
    metrics = tables.metrics(outcomes)
    found = {key: getattr(tables, key)(outcomes) for key in ("candidates", "channels", "history")}
    parents = [(outcome.parent["macs"], outcome.parent["auroc"]) for outcome in outcomes]
    drawn = {
        "front": figures.front(found["candidates"], parents=parents, wanted=settings.macs, title=name),
        "channels": figures.channels(found["channels"], title=name),
        "history": figures.history(found["history"], title=name),
    }  # fmt: skip
    artifacts.write_json(folder / "metrics.json", metrics)
    for key, table in found.items():
        artifacts.write_csv(folder / "plots" / f"{key}.csv", table)
    for key, figure in drawn.items():
        artifacts.write_figure(folder / "plots" / f"{key}.png", figure, dpi=120)
    return metrics


if __name__ == "__main__":
    run("prune", main, Params, item="run")
