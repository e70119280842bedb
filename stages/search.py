"""search: find small networks of a space by evolution, and by chance from as many tries, fold by fold.

NSGA-II looks for high AUROC on search_val and few MACs, random search draws as many networks under
the same caps; each network is trained from scratch on small images of train. Val and test are never
seen. Each method's network of highest AUROC is picked and its weights are kept for transfer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr.training.recipe import Recipe
from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd

    from cxr.search.fitness import Task
    from cxr.search.space import Space
    from cxr.training.loop import Tensors

PREPARED, SPLITS = Path("data/prepared"), Path("data/splits.csv")


@dataclass(frozen=True, kw_only=True)
class Params:
    """What is searched, for how long, and how a network is judged."""

    space: dict[str, Any]
    """`{name: <file in cxr/search/spaces>, …its own choices}`"""
    population: int
    """networks of a generation"""
    generations: int
    """the first included; random search draws population x generations networks too"""
    max_parameters: int
    """of the whole network; larger ones are not tried"""
    max_macs: int
    """of the whole network for one image of the prepared size; larger ones are not tried"""
    image_px: int
    """side to which images are shrunk for judging"""
    training: Recipe
    """how a network is judged: trained from scratch, its last epoch scored on search_val"""

    def __post_init__(self) -> None:
        for name, least in (("population", 2), ("generations", 1), ("max_parameters", 1), ("max_macs", 1), ("image_px", 1)):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        training = self.training
        for words, found, wanted in (
            ("backbone", training.backbone, "searched"),
            ("backbone_options", training.backbone_options, {}),
            ("weights", training.weights, None),
            ("trainable", training.trainable, ["all"]),
            ("early_stopping.monitor", training.early_stopping.monitor, "last"),
        ):
            if found != wanted:
                raise ValueError(f"training.{words} must be {wanted!r} in a search, not {found!r}")


def tasks(
    settings: Params, index: pd.DataFrame, splits: pd.DataFrame, *, prepared_folder: Path, seed: int
) -> list[Task]:
    """Return each fold's task, its architecture still to be filled in.

    Raises ValueError if a fold has no images to train on, or none that could rank networks.
    """
    from cxr import manifest, prepared
    from cxr.metrics import auroc
    from cxr.search import fitness

    labels_NL = manifest.label_array(index)
    rows = [prepared.rows(index, splits, part) for part in ("train", "search_val")]
    found = []
    for fold, (train, search_val) in enumerate(zip(*rows, strict=True)):
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
                settings.training, prepared_folder, train, search_val, settings.image_px, fold, seed
            )
        )
    return found


def open_space(settings: Params, *, labels: int, size_px: int, where: str) -> Space:
    """Return the space under its caps; raise ValueError if nothing in it can be searched."""
    from cxr.search import space

    if settings.image_px > size_px:
        raise ValueError(
            f"{where}.image_px is {settings.image_px}, the prepared images have {size_px} px: "
            "searching shrinks images and never enlarges them"
        )
    caps = space.Caps(
        parameters=settings.max_parameters, macs=settings.max_macs, size_px=size_px,
        labels=labels, head=settings.training.head,
    )  # fmt: skip
    found = space.load(settings.space, caps, where=f"{where}.space")
    found.check(image_px=settings.image_px)
    return found


def write_picks(
    name: str, picks: dict[tuple[int, str], str], tensors: dict[tuple[int, str], Tensors]
) -> None:
    """Write data/searched/<run>: the picked architectures of each fold, and their weights."""
    import json

    from cxr import artifacts

    folds: list[dict[str, Any]] = [{} for _ in range(1 + max(fold for fold, _ in picks))]
    with artifacts.folder(Path("data/searched") / name) as folder:
        for (fold, method), network in picks.items():
            folds[fold][method] = json.loads(network)
            about = {"fold": fold, "pick": method, "architecture": folds[fold][method]}
            path = folder / f"fold-{fold}-{method}.safetensors"
            artifacts.write_tensors(path, tensors[fold, network], about)
        artifacts.write_json(folder / "architectures.json", {"folds": folds})


def report(name: str, tried: pd.DataFrame, metrics: dict[str, Any], settings: Params) -> None:
    """Write reports/search/<run>."""
    from cxr import artifacts
    from cxr.search import figures

    folder = Path("reports/search") / name
    artifacts.write_json(folder / "metrics.json", metrics)
    artifacts.write_csv(folder / "plots" / "candidates.csv", tried)
    drawn = {
        "front": figures.front(tried, max_macs=settings.max_macs, title=name),
        "progress": figures.progress(tried, max_macs=settings.max_macs, title=name),
    }
    for key, figure in drawn.items():
        artifacts.write_figure(folder / "plots" / f"{key}.png", figure, dpi=120)


def main(name: str) -> str:
    from cxr import artifacts, manifest, params, prepared, progress, scratch
    from cxr.search import candidates, contest

    settings, seed = params.load(Params, f"search.recipes.{name}"), params.seed()
    images = prepared.read(PREPARED)
    splits = artifacts.read_csv(SPLITS)
    folds = tasks(settings, images.index, splits, prepared_folder=PREPARED, seed=seed)
    space = open_space(
        settings, labels=len(manifest.labels(images.index)), size_px=images.size_px,
        where=f"{params.PARAMS_FILE}: search.recipes.{name}",
    )  # fmt: skip
    progress.say(
        f"search@{name}: {len(folds)} fold(s), each {settings.population} x {settings.generations} "
        f"evolved networks and as many random ones, {settings.training.epochs} epochs each"
    )
    rivals = contest.searches(
        space, folds=len(folds), population=settings.population,
        generations=settings.generations, seed=seed,
    )  # fmt: skip
    folder = scratch.folder(
        "search",
        inputs=[PREPARED, SPLITS],
        settings={"run": name, "params": settings, "seed": seed},
    )
    words = f"search@{name}"
    tried, results = contest.explore(rivals, space, folds, folder=folder, words=words)
    table = candidates.table(tried, results, space.identity)
    picks = candidates.picks(table)
    networks = sorted({(fold, network) for (fold, _), network in picks.items()})
    tensors = contest.retrain(networks, results, folds, folder=folder, words=words)
    write_picks(name, picks, tensors)
    metrics = candidates.summarise(table, results)
    report(name, table, metrics, settings)
    scratch.finish(folder)
    return (
        f"best AUROC on search_val of {metrics['networks']} networks a method: evolved "
        f"{metrics['evolved_auroc']:.3f} at {metrics['evolved_macs'] / 1e6:.1f} M MACs, random "
        f"{metrics['random_auroc']:.3f} at {metrics['random_macs'] / 1e6:.1f} M"
    )


if __name__ == "__main__":
    run("search", main, Params, item="run")
