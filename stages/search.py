"""search: find small networks of a space by evolution, and by chance on equal terms, fold by fold.

Each method's networks are trained from scratch on small images of train and ranked on search_val, the
best of a generation again on more images; the best of all are trained anew over several seeds beside
baselines. Val is looked at and chooses nothing, test is never seen. Each method's pick and its
weights are kept for transfer. `--show` prints what was picked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cxr.search.settings import Finalists, Method, Prefilter, Rung, Terms, Training
from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd

    from cxr.search.fitness import Task
    from cxr.search.space import Space
    from cxr.search.tournament import Outcome

PREPARED, SPLITS = Path("data/prepared"), Path("data/splits.csv")
SEARCHED, REPORTS = Path("data/searched"), Path("reports/search")


@dataclass(frozen=True, kw_only=True)
class Params:
    """What is searched, at which expense, and how a network is judged."""

    space: dict[str, Any]
    """`{name: <file in cxr/search/spaces>, caps: {…}, …its own choices}`"""
    methods: list[Method]
    """evolved and random side by side, one of them, or grid alone"""
    score: Literal["auroc", "accuracy"]
    """what ranks networks on search_val; auroc is macro"""
    generations: int
    """the first included"""
    rungs: list[Rung]
    """of every generation, the cheapest first: successive halving; one rung: none"""
    image_px: int
    """side to which images are shrunk for judging"""
    finalists: Finalists
    """of each method: how many, how often and how long they are trained anew"""
    baselines: list[str]
    """trained as the finalists are: largest (the most MACs under the caps), timm names"""
    guide: int
    """children for each place, of which evolution trains the most promising by what it found so far; 1: any"""
    prefilter: Prefilter | None
    """a proxy chooses among children in the guide's place; null: none does"""
    training: Training
    """how a network is trained"""

    def __post_init__(self) -> None:
        self.terms()  # its faults are ours
        if self.image_px < 1:
            raise ValueError(f"image_px must be at least 1, not {self.image_px}")
        if self.prefilter and "evolved" not in self.methods:
            raise ValueError("prefilter chooses among children: it goes with method evolved")
        if self.prefilter and self.guide > 1:
            raise ValueError(
                "both guide and prefilter would choose among children: write guide: 1 or prefilter: null"
            )

    def terms(self) -> Terms:
        """Return the equal terms of all methods."""
        return Terms(
            methods=self.methods, score=self.score, generations=self.generations,
            rungs=self.rungs, guide=self.guide,
        )  # fmt: skip


def tasks(
    settings: Params, index: pd.DataFrame, splits: pd.DataFrame, *, prepared_folder: Path, seed: int
) -> list[Task]:
    """Return each fold's task, its network still to be filled in.

    Raises ValueError if a fold has no images to train on, or none that could rank networks.
    """
    from cxr import manifest, prepared
    from cxr.metrics import auroc
    from cxr.search import fitness

    labels_NL = manifest.label_array(index)
    rows = [prepared.rows(index, splits, part) for part in ("train", "search_val", "val")]
    found = []
    for fold, (train, search_val, val) in enumerate(zip(*rows, strict=True)):
        if not len(train):
            raise ValueError(f"train of fold {fold} is empty: give split.fractions.train a share")
        if not auroc.defined(labels_NL[search_val]).any():
            raise ValueError(
                f"search_val of fold {fold} has {len(search_val)} images and no label that is both "
                "present and absent among them, so it can't rank networks: give "
                "split.fractions.search_val a larger share"
            )
        found.append(
            fitness.Task(
                recipe=settings.training.recipe(), prepared_folder=prepared_folder,
                train_rows=train, search_rows=search_val, val_rows=val,
                image_px=settings.image_px, fold=fold, seed=seed, samples=0, draws="",
            )
        )  # fmt: skip
    return found


def open_space(settings: Params, *, labels: int, size_px: int, where: str) -> tuple[Space, int]:
    """Return the space and its cap of MACs; raise ValueError if nothing in it can be searched."""
    from cxr.search import space

    if settings.image_px > size_px:
        raise ValueError(
            f"{where}.image_px is {settings.image_px}, the prepared images have {size_px} px: "
            "searching shrinks images and never enlarges them"
        )
    found = space.load(
        settings.space, size_px=size_px, labels=labels, head=settings.training.head,
        where=f"{where}.space",
    )  # fmt: skip
    found.check(image_px=settings.image_px)
    if found.caps.macs is None:
        raise ValueError(
            f"{where}.space.caps.macs must be a number: fronts are compared by what they cover up to it"
        )
    if settings.training.weights and not found.plugin.PRETRAINED:
        raise ValueError(
            f"{where}.training.weights: networks of the space {found.name} can't take up weights: "
            "write null"
        )
    return found, found.caps.macs


def records(settings: Params, seed: int) -> Path:
    """Return the folder of records, which stays: named by all that a training depends on.

    The space, the rungs and the number of generations are not among it, so a search that is
    extended, or another of the same training, trains only what is new.
    """
    from cxr import scratch

    return scratch.folder("search", inputs=[PREPARED, SPLITS], settings=deciding(settings, seed))


def deciding(settings: Params, seed: int) -> dict[str, Any]:
    """Return what decides the result of a network's training, beside the data and the code."""
    return {"training": settings.training, "image_px": settings.image_px, "seed": seed}


def write_picks(name: str, found: Outcome, *, size_px: int) -> None:
    """Write data/searched/<run>: the picked architectures of each fold, and their weights."""
    import json

    from cxr import artifacts

    folds: list[dict[str, Any]] = [{} for _ in range(1 + max(fold for fold, _ in found.picks))]
    with artifacts.folder(SEARCHED / name) as folder:
        for (fold, method), network in found.picks.items():
            folds[fold][method] = json.loads(network)
            about = {"fold": fold, "pick": method, "architecture": folds[fold][method]}
            path = folder / f"fold-{fold}-{method}.safetensors"
            artifacts.write_tensors(path, found.tensors[fold, method], about)
        artifacts.write_json(folder / "architectures.json", {"folds": folds, "size_px": size_px})


def report(name: str, found: Outcome, settings: Params, *, max_macs: int, size_px: int) -> None:
    """Write reports/search/<run>."""
    from cxr import artifacts
    from cxr.search import figures

    folder, score = REPORTS / name, settings.score
    artifacts.write_json(folder / "metrics.json", found.metrics)
    tables = {
        "candidates": found.candidates,
        "finalists": found.finalists,
        "correlations": found.correlations,
    }
    for key, table in tables.items():
        artifacts.write_csv(folder / "plots" / f"{key}.csv", table)
    limits: dict[str, Any] = {"score": score, "max_macs": max_macs, "title": name}
    drawn = {
        "front": figures.front(found.candidates, found.finalists, **limits),
        "progress": figures.progress(found.candidates, **limits),
        "winner": figures.winner(found.candidates, size_px=size_px, title=name),
        "finalists": figures.finalists(found.finalists, score=score, title=name),
    }
    for key, figure in drawn.items():
        artifacts.write_figure(folder / "plots" / f"{key}.png", figure, dpi=120)


def show(name: str) -> str:
    """Say what the last run picked; raise ValueError if there was none."""
    from cxr import artifacts
    from cxr.search import show

    picked, table = SEARCHED / name / "architectures.json", REPORTS / name / "plots/finalists.csv"
    for path in (picked, table):
        if not path.is_file():
            raise ValueError(
                f"{path} is missing: search first, `dvc repro search@{name}` (or `dvc pull`)"
            )
    found = artifacts.read_json(picked)
    return show.text(found["folds"], artifacts.read_csv(table), size_px=found["size_px"])


def main(name: str) -> str:
    from cxr import artifacts, manifest, params, prepared, scratch
    from cxr.search import tournament
    from cxr.search.judging import Judge

    settings, seed = params.load(Params, f"search.recipes.{name}"), params.seed()
    images = prepared.read(PREPARED)
    splits = artifacts.read_csv(SPLITS)
    folds = tasks(settings, images.index, splits, prepared_folder=PREPARED, seed=seed)
    space, max_macs = open_space(
        settings, labels=len(manifest.labels(images.index)), size_px=images.size_px,
        where=f"{params.PARAMS_FILE}: search.recipes.{name}",
    )  # fmt: skip
    field = tournament.draw_up(
        space, folds, settings.terms(), baselines=settings.baselines,
        prefilter=settings.prefilter, seed=seed,
    )  # fmt: skip
    judge = Judge(folds, records(settings, seed), f"search@{name}")
    found = tournament.hold(
        field, judge, settings.finalists, max_macs=max_macs, run=name, seed=seed
    )
    write_picks(name, found, size_px=images.size_px)
    report(name, found, settings, max_macs=max_macs, size_px=images.size_px)
    scratch.finish(judge.kept(name))  # last, so that no training is lost to a late kill
    said = [
        f"{method} {found.metrics[f'{method}_{settings.score}']:.3f} at "
        f"{found.metrics[f'{method}_macs'] / 1e6:.1f} M MACs"
        for method in [*found.metrics["methods"], *found.metrics["baselines"]]
    ]
    return f"{settings.score} on search_val, mean of {settings.finalists.seeds} seed(s): {', '.join(said)}"


if __name__ == "__main__":
    run("search", main, Params, item="run", show=show)
