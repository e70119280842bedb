"""explain: show what a model's answers rest on, and whether such maps are to be believed.

For some val images of each fold, drawn evenly over what they show, the map of the label that the
network says (HiResCAM, cxr/explaining/maps.py). The sanity check draws the network's layers anew, from
the output to the input: maps that stay as they were are not of what it learned. The pointing game asks
on the images of `part` that have boxes whether the strongest place of a label's map lies in the
label's box; those of the phantom are where its findings were drawn. Nothing is chosen by any of it.

Maps laid over images go to data/explained/<model>, a sheet per fold; to the reports too where code
made all images and nobody is shown. It waits for evaluate: boxes may be of test images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stages._bound import Bound, bound
from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cxr.explaining.folds import Explained
    from cxr.prepared import Prepared

MODELS, PREPARED, SPLITS = Path("data/models"), Path("data/prepared"), Path("data/splits.csv")
RAW, MANIFEST = Path("data/raw"), Path("data/manifest.csv")
EXPLAINED, REPORTS = Path("data/explained"), Path("reports/explain")


@dataclass(frozen=True, kw_only=True)
class Params:
    """Knobs of explain."""

    models: list[str]
    """models to explain, some of those that evaluate takes up"""
    images: int
    """val images of each fold that are shown and whose maps must change with the weights, 2 to 64"""
    part: Literal["val", "test"]
    """images with boxes on which the pointing game is played"""
    boxes: Bound | None
    """null, or a data set's own table of boxes under data/raw; the phantom's are known without one"""

    def __post_init__(self) -> None:
        if not 2 <= self.images <= 64:
            raise ValueError(f"images must lie in 2..64, not {self.images}")


def shown(
    rows: np.ndarray, labels_NL: np.ndarray, *, images: int, rng: np.random.Generator
) -> np.ndarray:
    """Return at most `images` of `rows`, ascending: by chance, in turn of what the images show."""
    import numpy as np

    rows = rng.permutation(rows)
    seen: dict[bytes, int] = {}
    turns = []
    for row in rows.tolist():
        shows = labels_NL[row].tobytes()
        turns.append(seen.get(shows, 0))
        seen[shows] = turns[-1] + 1
    return np.sort(rows[np.argsort(turns, kind="stable")][:images])


def boxes_of(images: list[str], settings: Params, *, seed: int) -> pd.DataFrame:
    """Return the boxes known of `images` in shares of the stored ones: image, label, places.EDGES."""
    import pandas as pd

    from cxr import params
    from cxr.explaining import phantoms

    found = [pd.DataFrame(columns=list(phantoms.COLUMNS))]
    if settings.boxes:
        found.append(published(settings.boxes))
    if names := [name for name in images if name.startswith("phantom/")]:
        made = params.value("phantom")
        found.append(phantoms.boxes(names, seed=seed, task=made["task"], image_px=made["image_px"]))
    return pd.concat([table for table in found if len(table)] or found)


def published(named: Bound) -> pd.DataFrame:
    """Return all boxes of the data set whose table is named, as its reader in cxr/datasets reads it.

    Raises ValueError for a table that is missing, another than meant, or of no such data set.
    """
    from cxr import plugins

    parts = Path(named.file).parts
    if parts[:2] != RAW.parts or len(parts) < 4 or ".." in parts:
        raise ValueError(
            f"explain.boxes.file must lie in {RAW}/<data set>, not {named.file}: put it there"
        )
    reader = plugins.load("datasets", parts[2])
    own = getattr(reader, "BOXES", "")
    if not own or Path(named.file).name.removesuffix(".gz") != own:
        raise ValueError(
            f"explain.boxes: {parts[2]} has no boxes in {parts[-1]}: name {own or 'no file (null)'}"
        )
    bound(named, "explain.boxes")
    table = reader.boxes(RAW / parts[2])
    x, y, width, height = (
        table[f"{name}_px"] / reader.FRAME_PX for name in ("x", "y", "width", "height")
    )
    image = f"{parts[2]}/" + table["image"]
    edges = {"left": x, "top": y, "right": x + width, "bottom": y + height}
    return table[["image", "label"]].assign(image=image, **edges)


def chosen(
    index: pd.DataFrame, splits: pd.DataFrame, *, images: int, seed: int
) -> list[np.ndarray]:
    """Return the positions of each fold's val images that are shown, a keyed draw.

    Raises ValueError for a fold with fewer than two val images.
    """
    from cxr import manifest, prepared, seeding

    vals, labels_NL = prepared.rows(index, splits, "val"), manifest.label_array(index)
    if lacking := [str(fold) for fold, rows in enumerate(vals) if len(rows) < 2]:
        raise ValueError(f"fold {', '.join(lacking)} has not two val images: raise split.fractions")
    streams = (seeding.stream(seed, "explain", "shown", fold) for fold in range(len(vals)))
    return [
        shown(rows, labels_NL, images=images, rng=rng)
        for rows, rng in zip(vals, streams, strict=True)
    ]


def made_by_code(datasets: Sequence[str]) -> bool:
    """Tell whether nobody is shown: a set that may be passed on and was published nowhere is code's."""
    from cxr import plugins

    sources = [plugins.load("datasets", name).SOURCE for name in datasets]
    return all(source.redistributable and not source.url for source in sources)


def main(model: str) -> str:
    """Explain one model."""
    import numpy as np

    from cxr import artifacts, params, prepared, progress, workers
    from cxr.explaining import folds, places, summary
    from cxr.training import models

    settings, seed = params.load(Params, "explain"), params.seed()
    opened = Path("reports/evaluate") / model / "metrics.json"
    if settings.part == "test" and not opened.is_file():
        raise ValueError(
            f"{opened} is missing: explain.part is test, which evaluate opens; run it first"
        )
    labels = params.value("merge.labels")
    config, images = models.config(MODELS / model), prepared.read(PREPARED)
    if (config["size_px"], config["labels"]) != (images.size_px, list(labels)):
        raise ValueError(
            f"{MODELS / model} is of other images or labels than {PREPARED}: run `dvc repro` so that "
            "both come from the same data"
        )
    index, splits = images.index, artifacts.read_csv(SPLITS)
    views = chosen(index, splits, images=settings.images, seed=seed)
    played = prepared.rows(index, splits, settings.part)
    boxes = places.placed(
        boxes_of(index["image"].iloc[np.unique(np.concatenate([*views, *played]))].tolist(), settings, seed=seed),
        index, artifacts.read_csv(MANIFEST, usecols=["image", "width_px", "height_px"]),
        labels=labels, steps=params.value("preprocess.steps"),
    )  # fmt: skip
    work = [
        folds.Task(
            model=MODELS / model, fold=fold, prepared_folder=PREPARED, shown=view,
            boxes=boxes[boxes["row"].isin(rows)], seed=seed,
        )
        for fold, (view, rows) in enumerate(zip(views, played, strict=True))
    ]  # fmt: skip
    progress.say(f"explain@{model}: maps of {sum(len(task.shown) for task in work)} val images")
    found = workers.run(folds.explain_fold, work, words=f"explain@{model}")
    write(model, images, found, boxes, public=made_by_code(params.value("ingest.datasets")))
    result = summary.summarise(found, index, part=settings.part)
    artifacts.write_json(REPORTS / model / "metrics.json", {"model": model, **result})
    return summary.words(result)


def write(
    model: str, images: Prepared, found: Sequence[Explained], boxes: pd.DataFrame, *, public: bool
) -> None:
    """Write the sheets of maps, the tables and the figure of the sanity check."""
    from cxr import artifacts
    from cxr.explaining import overlay, summary

    plots = REPORTS / model / "plots"
    with artifacts.folder(EXPLAINED / model) as folder:
        for fold, one in enumerate(found):
            figure = summary.sheet(model, fold, one, images, boxes)
            artifacts.write_figure(folder / f"fold-{fold}.png", figure, dpi=110)
    with artifacts.folder(plots) as folder:
        artifacts.write_csv(folder / "sanity.csv", summary.likeness(found))
        artifacts.write_csv(folder / "pointing.csv", summary.plays(found, images.index))
        figure = overlay.sanity(
            [one.cascade for one in found], summary.another_image(found),
            title=f"{model}: maps while layers are drawn anew",
        )  # fmt: skip
        artifacts.write_figure(folder / "sanity.png", figure, dpi=110)
        if public:  # a second drawing of the same figure is laid out anew, and a little otherwise
            sheet = (EXPLAINED / model / "fold-0.png").read_bytes()
            artifacts.write_bytes(folder / "sheet.png", sheet)


if __name__ == "__main__":
    run("explain", main, Params, item="model")
