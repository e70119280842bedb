"""prune: search which channels of a transferred network can go, and hand over the best cut of each share.

For each fold and each share of the MACs by itself, NSGA-II chooses how many channels every group of
layers keeps; baselines are cut to the same MACs. Networks are judged on search_val, as they are cut.
The best evolved ones and all baselines are then trained briefly, taught by their parent, and judged
again: the best of them is handed over, whoever made it. Nothing is trained for good (finish does
that); val and test are never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cxr.pruning.settings import Contest, Fitness, Latency, Survivors, Terms
from cxr.training.recipe import Distillation, Optimizer
from stages._stage import run

if TYPE_CHECKING:
    from cxr.pruning.judging import Judge
    from cxr.pruning.parent import Fold
    from cxr.pruning.tournament import Outcome

MODELS, PREPARED, SPLITS = Path("data/models"), Path("data/prepared"), Path("data/splits.csv")
PRUNED, REPORTS = Path("data/pruned"), Path("reports/prune")


@dataclass(frozen=True, kw_only=True)
class Params:
    """How the cuts of a model are searched and judged."""

    criterion: str
    """which channels of a group the evolved cut loses first: a file in cxr/pruning/criteria"""
    encoding: Literal["counts", "mask"]
    """counts: channels kept per group; mask: one bit per filter, for small networks"""
    multiple: int
    """kept channels are multiples of it, in the baselines' cuts too"""
    shares: list[float]
    """of the parent's MACs that may stay, whole per cents, falling; each is searched for itself"""
    window: float
    """a cut has at least this part of the MACs allowed, so that cuts of one share cost the same"""
    fitness: Fitness
    """the first objective, before any training: auroc or loss on search_val, distance from the parent"""
    worst_label: float | None
    """the most that any label's AUROC on search_val may fall below the parent's; null: no bound"""
    latency: Latency | None
    """a latency table, whose microseconds are the second objective; null: none, as all of a share cost the same"""
    population: int
    """networks of a generation"""
    generations: int
    """of each search, the first included"""
    survivors: Survivors | None
    """the best of a generation are trained briefly and judged again; null: none are"""
    contest: Contest
    """who is trained briefly at the end; search_val says which is handed over"""
    recalibration_images: int
    """of train, at most: for BatchNorm's statistics before a network is judged, and for reconstruction"""
    reconstruct: bool
    """whether what stays of a network is refitted to do the work of what goes, before it is judged or trained"""
    optimizer: Optimizer
    """of the short trainings"""
    distillation: Distillation
    """how much the parent teaches in them"""

    def __post_init__(self) -> None:
        self.terms()  # its faults are ours
        if self.multiple < 1:
            raise ValueError(f"multiple must be at least 1, not {self.multiple}")
        if self.recalibration_images < 2:
            raise ValueError(
                f"recalibration_images must be at least 2, not {self.recalibration_images}"
            )

    def terms(self) -> Terms:
        """Return the terms on which the cuts compete."""
        return Terms(
            shares=self.shares, window=self.window, fitness=self.fitness,
            worst_label=self.worst_label, population=self.population,
            generations=self.generations, survivors=self.survivors, contest=self.contest,
        )  # fmt: skip


def main(name: str) -> str:
    from cxr import artifacts, numerics, params, plugins, scratch
    from cxr.pruning import parent, tables, tournament

    settings, seed = params.load(Params, f"prune.recipes.{name}"), params.seed()
    plugins.check("pruning/criteria", settings.criterion)
    numerics.exact_torch()
    folds = parent.folds(
        MODELS / name, PREPARED, artifacts.read_csv(SPLITS),
        recalibration_images=settings.recalibration_images, reconstruct=settings.reconstruct,
        seed=seed,
    )  # fmt: skip
    inputs = [MODELS / name, PREPARED, SPLITS]
    work = scratch.folder("prune", inputs=inputs, settings=[name, seed, settings])
    judge = open_court(name, folds, settings, seed=seed, folder=work)
    wholes, outcomes = tournament.hold(judge, settings.terms(), seed=seed)
    write_cuts(name, outcomes, folds=len(folds))
    metrics = tables.metrics(wholes, outcomes, evaluations=judge.evaluations)
    report(name, metrics, outcomes)
    scratch.finish(work)
    said = [
        f"{metrics[f'pruned_auroc_{share}']:.3f} at {share} % "
        f"(evolved {metrics[f'evolved_auroc_{share}']:.3f})"
        for share in metrics["shares"]
    ]
    return f"AUROC on search_val after a short training {', '.join(said)} of the MACs"


def open_court(name: str, folds: list[Fold], settings: Params, *, seed: int, folder: Path) -> Judge:
    """Rank each fold's channels, and return who judges what is cut out of them."""
    from cxr import workers
    from cxr.pruning import latency, start
    from cxr.pruning.judging import Judge

    table, told = None, settings.latency
    if told is not None:
        table = latency.Table.read(Path(told.file), told.sha256)
    work = [
        start.Task(
            fold=fold, criterion=settings.criterion, encoding=settings.encoding,
            multiple=settings.multiple, table=table, seed=seed,
        )
        for fold in folds
    ]  # fmt: skip
    return Judge(
        starts=workers.run(start.make, work, words=f"prune@{name}, channels ranked"),
        optimizer=settings.optimizer, distillation=settings.distillation, seed=seed,
        folder=folder, words=f"prune@{name}",
    )  # fmt: skip


def write_cuts(name: str, outcomes: list[Outcome], *, folds: int) -> None:
    """Write data/pruned/<run>: what each cut of each fold keeps, of those that all folds have."""
    from cxr import artifacts
    from cxr.pruning import contest, cuts, methods

    by_fold: list[dict[str, cuts.Cut]] = [{} for _ in range(folds)]
    for outcome in outcomes:
        for method, one in contest.picks(outcome.entrants).items():
            by_fold[outcome.fold][methods.cut(method, outcome.share)] = cuts.Cut(
                kept=one.network.kept, macs=one.network.macs, origin=one.entry.method
            )
    common = [cut for cut in by_fold[0] if all(cut in own for own in by_fold)]
    with artifacts.folder(PRUNED / name) as folder:
        cuts.write(folder, MODELS / name, [{x: own[x] for x in common} for own in by_fold])


def report(name: str, metrics: dict[str, Any], outcomes: list[Outcome]) -> None:
    """Write reports/prune/<run>."""
    from cxr import artifacts
    from cxr.pruning import figures, tables

    folder = REPORTS / name
    tried, held = tables.candidates(outcomes), tables.contests(outcomes)
    kept = tables.channels(outcomes)
    parents = [(fold["parent"]["macs"], fold["parent"]["auroc"]) for fold in metrics["folds"]]
    drawn = {
        "front": figures.front(tried, held, parents=parents, title=name),
        "channels": figures.channels(kept, title=name),
        "contest": figures.contest(held, parents=parents, title=name),
    }
    artifacts.write_json(folder / "metrics.json", metrics)
    for key, table in {"candidates": tried, "channels": kept, "contest": held}.items():
        artifacts.write_csv(folder / "plots" / f"{key}.csv", table)
    for key, figure in drawn.items():
        artifacts.write_figure(folder / "plots" / f"{key}.png", figure, dpi=120)


if __name__ == "__main__":
    run("prune", main, Params, item="run")
