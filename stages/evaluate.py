"""evaluate: score the test images with the network of their fold and say how good the model is.

Each test image is scored by the network that saw none of its patient's images; the folds are
pooled. Intervals come from resampling patients, with the same resamples for every model. With loss
bce a label's threshold is the one of highest F1 on the fold's val images, never on test images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cxr.metrics.summary import Scored


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


def scored(predictions: pd.DataFrame, thresholds_FL: np.ndarray | None) -> Scored:
    """Decide on a table of predictions, a row per image and the fold that tested it.

    `thresholds_FL` (folds, labels) decides on labels that combine; None: the highest score decides.
    """
    import numpy as np

    from cxr import manifest
    from cxr.metrics import classification
    from cxr.metrics.summary import Scored

    labels_NL = manifest.label_array(predictions)
    names = [f"score:{label}" for label in manifest.labels(predictions)]
    scores_NL, folds_N = predictions[names].to_numpy(np.float64), predictions["fold"].to_numpy()
    if thresholds_FL is None:
        classification.class_of(labels_NL)  # complains unless each image has exactly one label
        labels_NL, decided_NL = np.nan_to_num(labels_NL), classification.highest(scores_NL)
    else:
        decided_NL = scores_NL >= thresholds_FL[folds_N]
    patients_N, sources_N = (
        predictions[column].fillna("unknown").replace("", "unknown").to_numpy(str)
        for column in ("patient", "source")
    )
    return Scored(
        labels_NL=labels_NL, scores_NL=scores_NL, decided_NL=decided_NL, patients_N=patients_N,
        folds_N=folds_N, sources_N=sources_N, exclusive=thresholds_FL is None,
    )  # fmt: skip


def evaluate(
    predictions: pd.DataFrame,
    thresholds_FL: np.ndarray | None,
    *,
    settings: Params,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the results of a table of predictions as plain numbers (see `scored`)."""
    from cxr import manifest
    from cxr.metrics import summary

    return summary.summarise(
        scored(predictions, thresholds_FL),
        manifest.labels(predictions),
        samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        rng=rng,
    )


def predict(
    model: Path, prepared_folder: Path, index: pd.DataFrame, splits: pd.DataFrame, *, loss: str
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Score each fold's test images; return the table of predictions and thresholds (folds, labels).

    Thresholds are None unless the loss is bce; they come from the fold's val images.
    """
    import numpy as np
    import pandas as pd

    from cxr import manifest, prepared, workers
    from cxr.metrics import classification
    from cxr.training import models

    parts = ["test"] if loss == "cross_entropy" else ["test", "val"]
    rows = {part: prepared.rows(index, splits, part) for part in parts}
    empty = [f"{part} of fold_{i}" for part in rows for i, r in enumerate(rows[part]) if not len(r)]
    if empty:
        raise ValueError(f"no image in {', '.join(empty)}: raise split.fractions or add patients")
    work = [(part, fold) for part in rows for fold in range(len(rows["test"]))]
    scores = workers.run(
        models.score_fold,
        [(model, fold, prepared_folder, rows[part][fold]) for part, fold in work],
        words=f"evaluate@{model.name}",
    )
    found = dict(zip(work, scores, strict=True))
    columns = ["image", "patient", "source", *manifest.label_columns(index)]
    tables = []
    for fold, chosen in enumerate(rows["test"]):
        table = index.iloc[chosen][columns].reset_index(drop=True)
        table.insert(3, "fold", fold)
        for i, label in enumerate(manifest.labels(index)):
            table[f"score:{label}"] = found["test", fold][:, i]
        tables.append(table)
    predictions = pd.concat(tables).sort_values(["image", "fold"], kind="stable", ignore_index=True)
    if loss == "cross_entropy":
        return predictions, None
    labels_NL = manifest.label_array(index)
    return predictions, np.stack(
        [
            classification.best_thresholds(labels_NL[chosen], found["val", fold])
            for fold, chosen in enumerate(rows["val"])
        ]
    )


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
    if result["confusion"] is not None:
        matrix = figures.confusion(result["confusion"], names, title=f"{model}: confusion matrix")
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
    predictions, thresholds_FL = predict(folder, prepared_folder, index, splits, loss=about["loss"])
    # the stream does not name the model: all models meet the same resamples
    rng = seeding.stream(seed, "evaluate", "bootstrap")
    result = {
        **evaluate(predictions, thresholds_FL, settings=settings, rng=rng),
        "model": model,
        "thresholds": None
        if thresholds_FL is None
        else {name: column.tolist() for name, column in zip(names, thresholds_FL.T, strict=True)},
        "weights_bytes": max(path.stat().st_size for path in folder.glob("*.safetensors")),
        **{
            key: about[key] for key in ("backbone", "labels", "loss", "folds", "parameters", "macs")
        },
    }
    report = Path("reports/evaluate") / model
    artifacts.write_csv(report / "plots" / "predictions.csv", predictions)
    draw(report / "plots", result, scored(predictions, thresholds_FL), model=model)
    artifacts.write_json(report / "metrics.json", result)
    return f"{result['images']} images: {_words(result)}"


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
