"""evaluate: score the test images with the network of their fold and say how good the model is.

Each test image is scored by the network that saw none of its patient's images; the folds are
pooled. Where all folds have one test part (split.test: held_out) an image's score is the mean of
their networks' probabilities, and the costs are those of all networks together. Intervals come from
resampling patients, with the same resamples for every model.

Where an image can have any number of labels (losses bce and asymmetric) a label's threshold is the
one of highest F1 on the fold's val images, never on test images. For a mean of networks it is chosen
on the val images of all folds, each scored by the one network that did not train on it: scores of
single networks, which spread a little more than means do. The operating points of every loss
(cxr.metrics.thresholds: Youden's, and one that finds nearly every image with the label) are chosen on
val in the same way; they decide nothing but what is told of them.

Results: metrics.json holds the headlines with intervals, summary.json the numbers that `dvc metrics`
shows, plots/results.csv every label, metric and decision with its interval, plots/subgroups.csv sex,
age, view and source (all cxr.metrics.tables), plots/predictions.csv what was said of each image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd

    from cxr.metrics.measured import Measured
    from cxr.metrics.scored import Scored


_FEW = 2000  # images: starting a process for them takes longer than scoring them


@dataclass(frozen=True, kw_only=True)
class Params:
    """How sure the figures are."""

    bootstrap_samples: int
    """resamples of patients"""
    confidence: float
    """of the intervals, between 0 and 1"""

    def __post_init__(self) -> None:
        if self.bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples must be above 0, not {self.bootstrap_samples}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not {self.confidence}")


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What is known and said of the test images, and from which score on a label is present."""

    table: pd.DataFrame
    """a row per image and fold that tested it; fold -1 (summary.ENSEMBLE): the mean over all folds"""
    thresholds_FL: np.ndarray | None
    """(folds, labels), (1, labels) for the mean; None: one label per image, the highest score decides"""
    points: Mapping[str, np.ndarray] = field(default_factory=dict)
    """by rule of cxr.metrics.thresholds: as thresholds_FL, NaN where none could be chosen"""


def scored(predicted: Predicted) -> Scored:
    """Decide on the labels of every row."""
    from cxr.metrics import scored as table

    return table.from_table(predicted.table, predicted.thresholds_FL)


def evaluate(
    predicted: Predicted, index: pd.DataFrame, *, settings: Params, rng: np.random.Generator
) -> Measured:
    """Measure predictions; `index` tells sex, age, view and source of the images."""
    from cxr import manifest
    from cxr.metrics import measured, subgroups

    known = index.set_index("image").loc[predicted.table["image"]]
    return measured.measure(
        scored(predicted),
        manifest.labels(predicted.table),
        samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        rng=rng,
        points=predicted.points,
        attributes=subgroups.attributes(known),
    )


def predict(
    model: Path, prepared_folder: Path, index: pd.DataFrame, splits: pd.DataFrame, *, loss: str
) -> tuple[Predicted, Predicted | None]:
    """Score each fold's test images; return what the model says, by itself or as a mean of networks.

    Of a mean, what each network says follows, decided as it would be alone; else None.
    """
    import numpy as np

    from cxr import prepared
    from cxr.metrics import summary

    rows = _rows(index, splits, exclusive=loss == "cross_entropy")
    together = prepared.share_test(index, splits)
    found = _scores(model, prepared_folder, rows)
    vals = list(zip(rows.get("val", []), found.get("val", []), strict=True))
    tested = dict(enumerate(zip(rows["test"], found["test"], strict=True)))
    each = _predicted(index, tested, [[val] for val in vals], loss=loss)
    if not together:
        return each, None
    mean_NL = np.stack(found["test"]).mean(axis=0, dtype=np.float64).astype(np.float32)
    said = {summary.ENSEMBLE: (rows["test"][0], mean_NL)}
    return _predicted(index, said, [vals] if vals else [], loss=loss), each


def _rows(
    index: pd.DataFrame, splits: pd.DataFrame, *, exclusive: bool
) -> dict[str, list[np.ndarray]]:
    """Return each fold's rows of `index`, by part: test, and val unless a fold has none and needs none.

    Raises ValueError for a fold without test images, or without val images where thresholds decide.
    """
    from cxr import prepared

    rows = {part: prepared.rows(index, splits, part) for part in ("test", "val")}
    empty = {part: [i for i, r in enumerate(rows[part]) if not len(r)] for part in rows}
    if exclusive and empty["val"]:
        del rows["val"], empty["val"]
    words = [f"{part} of fold_{i}" for part in rows for i in empty[part]]
    if words:
        raise ValueError(f"no image in {', '.join(words)}: raise split.fractions or add patients")
    return rows


def _scores(
    model: Path, prepared_folder: Path, rows: Mapping[str, Sequence[np.ndarray]]
) -> dict[str, list[np.ndarray]]:
    """Return what the network of each fold says of the fold's rows, (N, L), by part."""
    from cxr import workers
    from cxr.training import models

    work = [(part, fold) for fold in range(len(rows["test"])) for part in rows]
    few = max(len(rows[part][fold]) for part, fold in work) < _FEW
    scores = workers.run(
        models.score_fold,
        [(model, fold, prepared_folder, rows[part][fold]) for part, fold in work],
        words=f"evaluate@{model.name}",
        chunk=len(rows) if few else 1,
    )
    found: dict[str, list[np.ndarray]] = {part: [] for part in rows}
    for (part, _), scores_NL in zip(work, scores, strict=True):
        found[part].append(scores_NL)
    return found


def _predicted(
    index: pd.DataFrame,
    said: Mapping[int, tuple[np.ndarray, np.ndarray]],
    vals: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]],
    *,
    loss: str,
) -> Predicted:
    """Gather what is said of test images by fold, with thresholds from each group of `vals`.

    Both hold rows of `index` and their scores (N, L).
    """
    import numpy as np

    from cxr import manifest
    from cxr.metrics import classification, thresholds

    labels_NL = manifest.label_array(index)
    groups = [[np.concatenate(arrays) for arrays in zip(*group, strict=True)] for group in vals]
    pairs = [(labels_NL[rows_N], scores_NL) for rows_N, scores_NL in groups]
    own = [] if loss == "cross_entropy" else [classification.best_thresholds(*x) for x in pairs]
    points = {
        rule: np.stack([thresholds.choose(*pair, rule=rule) for pair in pairs])
        for rule in thresholds.RULES
        if pairs
    }
    return Predicted(
        table=_table(index, said), thresholds_FL=np.stack(own) if own else None, points=points
    )


def _table(index: pd.DataFrame, folds: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Return a row per image and fold; `folds` holds rows of `index` and their scores (N, L)."""
    import pandas as pd

    from cxr import manifest

    columns = ["image", "patient", "source", *manifest.label_columns(index)]
    tables = []
    for fold, (chosen, scores_NL) in folds.items():
        table = index.iloc[chosen][columns].reset_index(drop=True)
        table.insert(3, "fold", fold)
        for i, label in enumerate(manifest.labels(index)):
            table[f"score:{label}"] = scores_NL[:, i]
        tables.append(table)
    return pd.concat(tables).sort_values(["image", "fold"], kind="stable", ignore_index=True)


def draw(folder: Path, result: dict[str, Any], case: Scored, *, model: str) -> None:
    """Write the figures of one model's results into `folder`, and the reliability as a table."""
    import pandas as pd

    from cxr import artifacts
    from cxr.metrics import calibration, figures

    names = list(result["per_label"])
    aurocs = {name: result["per_label"][name]["auroc"] for name in names}
    curves = figures.roc(
        case.labels_NL, case.scores_NL, names, {**aurocs, "macro": result["auroc"]},
        title=f"{model}: ROC on {result['images']} test images",
    )  # fmt: skip
    artifacts.write_figure(folder / "roc.png", curves, dpi=130)
    matrix = (
        figures.confusion(result["confusion"], names, title=f"{model}: confusion matrix")
        if case.exclusive
        else figures.decisions(result["confusion"], names, title=f"{model}: decisions by label")
    )
    artifacts.write_figure(folder / "confusion.png", matrix, dpi=130)
    claimed_M, true_M = calibration.claims(case.labels_NL, case.scores_NL, exclusive=case.exclusive)
    bins = calibration.reliability(claimed_M, true_M)
    claim = "highest score of an image" if case.exclusive else "score of a label"
    diagram = figures.reliability(bins, title=f"{model}: reliability", claim=claim)
    artifacts.write_figure(folder / "reliability.png", diagram, dpi=130)
    table = {"from": bins.edges[:-1], "to": bins.edges[1:], "count": bins.count}
    table |= {"mean_score": bins.claimed, "came_true": bins.observed}
    artifacts.write_csv(folder / "reliability.csv", pd.DataFrame(table).round(6))


def main(model: str) -> str:
    from cxr import artifacts, manifest, params, prepared, progress, seeding
    from cxr.metrics import summary, tables
    from cxr.training import models

    settings, seed = params.load(Params, "evaluate"), params.seed()
    folder, prepared_folder = Path("data/models") / model, Path("data/prepared")
    about, index = models.config(folder), prepared.read(prepared_folder).index
    names = manifest.labels(index)
    if about["labels"] != names:
        raise ValueError(
            f"{folder} knows the labels {about['labels']}, the prepared images have {names}: "
            "run `dvc repro` so that both come from the same data"
        )
    progress.say(f"evaluate@{model}: score the test images of {about['folds']} fold(s)")
    splits = artifacts.read_csv(Path("data/splits.csv"))
    predicted, members = predict(folder, prepared_folder, index, splits, loss=about["loss"])
    # the stream does not name the model: all models meet the same resamples
    rng = seeding.stream(seed, "evaluate", "bootstrap")
    found = evaluate(predicted, index, settings=settings, rng=rng)
    result = summary.tree(found, members=None if members is None else scored(members))
    thresholds_FL = predicted.thresholds_FL
    result |= {
        "model": model,
        "thresholds": None
        if thresholds_FL is None
        else {name: column.tolist() for name, column in zip(names, thresholds_FL.T, strict=True)},
        **{key: about[key] for key in ("backbone", "labels", "loss", "folds")},
        **costs(folder, about, networks=result.get("ensemble", 1)),
    }
    report = Path("reports/evaluate") / model
    artifacts.write_csv(report / "plots" / "predictions.csv", predicted.table)
    artifacts.write_csv(report / "plots" / "results.csv", tables.results(found))
    artifacts.write_csv(report / "plots" / "subgroups.csv", tables.by_group(found))
    draw(report / "plots", result, found.scored, model=model)
    artifacts.write_json(report / "metrics.json", result)
    artifacts.write_json(report / "summary.json", summary.short(result))
    mean = f", mean of {result['ensemble']} networks" if "ensemble" in result else ""
    return f"{result['images']} images{mean}: {_words(result)}"


def costs(folder: Path, about: Mapping[str, Any], *, networks: int) -> dict[str, int]:
    """Return what scoring an image takes: of the largest fold's network, times as many as score it."""
    largest = max(path.stat().st_size for path in folder.glob("*.safetensors"))
    one = {"parameters": about["parameters"], "macs": about["macs"], "weights_bytes": largest}
    return {key: networks * value for key, value in one.items()}


def _words(result: dict[str, Any]) -> str:
    """Say the headline metrics with their intervals."""
    said = []
    for name, key in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("AUROC", "auroc")):
        value = result[key]
        if value["value"] is None:
            said.append(f"{name} undefined")
        elif value["low"] is None:
            said.append(f"{name} {value['value']:.3f}")
        else:
            said.append(f"{name} {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})")
    return ", ".join(said)


if __name__ == "__main__":
    run("evaluate", main, Params, item="model")
