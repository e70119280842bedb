"""transfer: train one recipe's network on the prepared images, one network per fold of the split.

The network is a timm backbone, the one that a search found for the fold, or one of the search's families
that the recipe writes out, with a head of our own; from scratch or from a weight file, which may be
that of another study's model (`make keep`). Only train and val are seen, val chooses the epoch; a recipe
with `calibration: temperature` then looks at the calibration images. Test images are left to evaluate.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cxr.training.recipe import Recipe as Params
from stages._stage import run

if TYPE_CHECKING:
    from cxr.training import folds

PREPARED, SEARCHED, MODELS = Path("data/prepared"), Path("data/searched"), Path("data/models")
SPLITS = Path("data/splits.csv")


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What `backbone_options` says where `backbone` is searched and the network isn't written out."""

    search: str
    """a run of search"""
    pick: Literal["evolved", "random", "grid"]
    """which method's network, of those that the search has"""


def names_search(recipe: Params) -> bool:
    """Tell whether the recipe's network is one that a search finds.

    Raises ValueError where it is none and is to start from the weights of a search all the same.
    """
    from cxr import architectures

    written_out = architectures.written_out(recipe.backbone_options)
    found = recipe.backbone == "searched" and not written_out
    if recipe.weights == "searched" and not found:
        raise ValueError(
            "weights: searched goes with backbone_options {search, pick}, not with a network that is "
            "written out: give null, or {file, sha256} as `make keep` prints it"
        )
    return found


def with_searched(work: list[folds.Task], *, root: Path = SEARCHED) -> list[folds.Task]:
    """Give each fold's task the architecture that the search found for that fold.

    With `weights: searched` training starts from the weights that the search left. Raises
    ValueError if the search has another number of folds.
    """
    from cxr import artifacts, params

    recipe = work[0].recipe
    wanted = params.build(Searched, recipe.backbone_options, where="backbone_options")
    folder = root / wanted.search
    found = artifacts.read_json(folder / "architectures.json")["folds"]
    if len(found) != len(work):
        raise ValueError(
            f"{folder} holds {len(found)} fold(s), data/splits.csv has {len(work)}: run `dvc repro`"
        )
    return [
        dataclasses.replace(
            task,
            recipe=dataclasses.replace(recipe, backbone_options=found[task.fold][wanted.pick]),
            start=folder / f"fold-{task.fold}-{wanted.pick}.safetensors"
            if recipe.weights == "searched"
            else None,
        )
        for task in work
    ]


def main(name: str) -> str:
    from cxr import artifacts, manifest, numerics, params, prepared, progress, scratch
    from cxr.training import folds, outcome
    from cxr.training.sharded import parallel

    recipe = params.load(Params, f"transfer.recipes.{name}")
    numerics.exact_torch()
    images, seed = prepared.read(PREPARED), params.seed()
    work = folds.tasks(
        recipe, images.index, artifacts.read_csv(SPLITS), prepared_folder=PREPARED, seed=seed
    )
    if names_search(recipe):
        work = with_searched(work)
    progress.say(
        f"transfer@{name}: {recipe.backbone} {'from its weights' if recipe.weights else 'from scratch'}, "
        f"{len(work)} fold(s) of {len(work[0].train_rows)} images, at most {recipe.epochs} epochs"
    )
    records = scratch.folder(
        "transfer", inputs=[PREPARED, SPLITS, *(x.start for x in work if x.start)],
        settings=[name, seed, recipe, [x.recipe.backbone_options for x in work]],
    )  # fmt: skip
    trained = parallel.run(work, words=f"transfer@{name}", folder=records)
    line = outcome.keep(
        trained, recipe, labels=manifest.labels(images.index), size_px=images.size_px,
        model=MODELS / name, report=Path("reports/transfer") / name, words=f"transfer@{name}",
    )  # fmt: skip
    scratch.finish(records)
    return line


if __name__ == "__main__":
    run("transfer", main, Params, item="run")
