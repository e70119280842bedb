"""split: assign every image to train, search_val, val, calibration or test, whole patients together.

`train` fits the weights, `search_val` ranks candidates of a search, `val` stops training early,
`calibration` is kept for temperatures, `test` is looked at once. Images that can't be
decoded or have no known label are `excluded`. See cxr/splitting.py for the method.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Fractions:
    """Each part's share of the images; they sum to 1."""

    train: float
    """fits the weights"""
    search_val: float
    """ranks the candidates of a search"""
    val: float
    """stops training early"""
    calibration: float
    """fits thresholds and temperatures"""
    test: float
    """is looked at once; with k folds it is 1/k whatever stands here"""

    def __post_init__(self) -> None:
        shares = dataclasses.astuple(self)
        if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise ValueError(f"must be 0 or more and sum to 1, not {shares} = {sum(shares):.6g}")
        if self.train == 0:
            raise ValueError("train must be above 0")


@dataclass(frozen=True, kw_only=True)
class Params:
    """How many times and into which shares the patients are divided."""

    folds: int
    """1: one held-out test part; k > 1: k folds, every image is test in exactly one"""
    respect_given: bool
    """whether images that the data set itself marks test or val stay test or val"""
    fractions: Fractions
    """shares of the images: train, search_val, val, calibration, test"""

    def __post_init__(self) -> None:
        if self.folds < 1:
            raise ValueError(f"folds must be 1 or more, not {self.folds}")


def split(manifest: pd.DataFrame, settings: Params, *, seed: int) -> pd.DataFrame:
    """Return image, group and one column per fold, sorted by image; seed: the study's."""
    import pandas as pd

    from cxr import seeding, splitting

    table = manifest.sort_values("image", kind="stable").reset_index(drop=True)
    table["group"] = splitting.groups(table)
    chosen = table[splitting.usable(table)]
    shares = dataclasses.asdict(settings.fractions)
    rngs = [seeding.stream(seed, "split", "fold", i) for i in range(settings.folds)]
    if settings.folds == 1:
        respect = settings.respect_given
        columns = [splitting.divide(chosen, shares, rng=rngs[0], respect_given=respect)]
    else:
        _refuse_given(chosen, settings)
        rng = seeding.stream(seed, "split", "folds")
        columns = splitting.folds(chosen, shares, rngs=rngs, rng=rng)
    result = pd.DataFrame({"image": table["image"], "group": table["group"]})
    for i, parts in enumerate(columns):
        result[f"fold_{i}"] = parts.reindex(result.index, fill_value=splitting.EXCLUDED)
        _refuse_empty(result, f"fold_{i}", shares)
    return result


def _refuse_given(manifest: pd.DataFrame, settings: Params) -> None:
    """Raise ValueError where folds would test images that the data set itself gave a part."""
    from cxr import splitting

    given = manifest[manifest["given_split"].isin(splitting.GIVEN_PARTS)]
    if settings.respect_given and len(given):
        raise ValueError(
            f"split.folds is {settings.folds}, but {', '.join(sorted(given['dataset'].unique()))} "
            f"marks {len(given)} images as test or val: set split.folds: 1, or "
            "split.respect_given: false to mix them with the others"
        )


def _refuse_empty(result: pd.DataFrame, fold: str, shares: dict[str, float]) -> None:
    """Raise ValueError where a part that should hold something holds nothing."""
    empty = [part for part, share in shares.items() if share > 0 and part not in set(result[fold])]
    if empty:
        raise ValueError(
            f"{fold}: nothing in {', '.join(empty)}: {result['group'].nunique()} groups of "
            f"patients are too few; set split.fractions.{empty[0]}: 0 or bring more patients"
        )


def measure(manifest: pd.DataFrame, parts: pd.DataFrame) -> dict[str, Any]:
    """Count images, groups and each label's positives in every part of every fold."""
    from cxr import manifest as manifests
    from cxr import splitting

    table = manifest.merge(parts, on="image", validate="one_to_one")
    columns = manifests.label_columns(manifest)
    folds: dict[str, Any] = {}
    for fold in [name for name in parts.columns if name.startswith("fold_")]:
        folds[fold] = {}
        for part in (*_parts(), splitting.EXCLUDED):
            rows = table[table[fold] == part]
            positives = (rows[columns] == 1).sum()
            folds[fold][part] = {
                "images": len(rows),
                "groups": int(rows["group"].nunique()),
                "labels": {
                    name.removeprefix(manifests.LABEL_PREFIX): int(positives[name])
                    for name in columns
                },
            }
    return {
        "protocol": "by_patient",
        "images": len(table),
        "groups": int(table["group"].nunique()),
        "folds": folds,
    }


def _parts() -> list[str]:
    """Return the parts' names in the order in which a study uses them."""
    return [field.name for field in dataclasses.fields(Fractions)]


def draw(metrics: dict[str, Any]) -> Figure:
    """Draw one bar per part and fold: how the labels share it, and behind it its images."""
    import numpy as np

    from cxr import artifacts

    folds = metrics["folds"]
    labels = list(folds["fold_0"]["train"]["labels"])
    figure, axes = artifacts.new_figure(3.4 + 2.6 * len(folds), 3.2, columns=len(folds))
    colours = artifacts.PALETTE
    for axis, (fold, parts) in zip(np.atleast_1d(axes), folds.items(), strict=True):
        shown = [part for part in _parts() if parts[part]["images"]]
        counts = np.array([[parts[part]["labels"][name] for name in labels] for part in shown])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        left = np.cumsum(shares, axis=1) - shares
        for i, name in enumerate(labels):
            axis.barh(shown, shares[:, i], left=left[:, i], label=name, edgecolor="white",
                      color=colours[i % len(colours)], alpha=1.0 if i < len(colours) else 0.5)  # fmt: skip
        for row, part in enumerate(shown):
            axis.text(1.02, row, f"{parts[part]['images']:,}", va="center", fontsize=8)
        axis.set(xlim=(0, 1), xlabel="share of the labels; at the end: images", title=fold)
        axis.set_xticks([0, 0.5, 1])
        axis.grid(visible=False)
        axis.spines["left"].set_visible(False)
        axis.tick_params(left=False, labelleft=axis is np.atleast_1d(axes)[0])
        axis.invert_yaxis()
    handles, words = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside right center", fontsize=8)
    return figure


def main() -> str:
    """Read the manifest, refuse what validate stopped, write splits.csv, metrics and a figure."""
    from cxr import artifacts, params, progress
    from cxr import manifest as manifests

    settings, seed = params.load(Params, "split"), params.seed()
    summary = Path("reports/validate/summary.json")
    if artifacts.read_json(summary)["gate"] != "passed":
        raise ValueError(f"{summary}: validate stopped this data; see reports/validate/plots")
    manifest = manifests.read(Path("data/manifest.csv"))
    folds = "one held-out test part" if settings.folds == 1 else f"{settings.folds} folds"
    progress.say(f"{len(manifest)} images into {folds}, whole patients together")
    parts = split(manifest, settings, seed=seed)
    metrics = measure(manifest, parts)
    artifacts.write_csv(Path("data/splits.csv"), parts)
    artifacts.write_json(Path("reports/split/metrics.json"), metrics)
    artifacts.write_figure(Path("reports/split/plots/parts.png"), draw(metrics))
    counts = metrics["folds"]["fold_0"]
    words = ", ".join(f"{part} {n['images']}" for part, n in counts.items() if n["images"])
    return f"{metrics['groups']} groups of patients; {'fold_0: ' * (settings.folds > 1)}{words}"


if __name__ == "__main__":
    run("split", main, Params)
