"""The acceptance set: which images count, what is true of them, and what each model says of them.

The list is frozen; patients, sources and (unless the list holds them) labels are those of the
manifest, one truth for both models. A model's table must score every image of the list exactly once
and know it by the same labels. All faults are collected, with the images' names, before anything is
refused. Shapes: see `cxr.gating`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxr import manifest as manifests
from cxr.metrics import classification

LIST, MANIFEST = "the acceptance list", "data/manifest.csv"
COSTS = ("parameters", "macs", "onnx_bytes")
_NAMED = 8  # images that a fault names before it counts the others
_METRICS = ("images", "labels", "thresholds", "parameters", "macs")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was written of one model when it was evaluated and exported."""

    where: str
    """the table's path, for messages"""
    predictions: pd.DataFrame
    """image, fold, label:<name>, score:<name>; images that are not on the list are passed over"""
    metrics: Mapping[str, Any]
    """of its evaluation, metrics.json"""
    export: Mapping[str, Any]
    """of its export, metrics.json"""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The images that count, sorted by name."""

    images: tuple[str, ...]
    names: tuple[str, ...]
    """of the labels"""
    labels_NL: np.ndarray
    patients_N: np.ndarray
    sources_N: np.ndarray
    exclusive: bool
    """both models decide for one label per image; else both are measured label by label"""


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one model says of the accepted images, and what it costs."""

    scores_NL: np.ndarray
    decided_NL: np.ndarray
    """bool: by the model's own thresholds, or by its highest score"""
    exclusive: bool
    """one label per image, the highest score decides"""
    costs: Mapping[str, int]
    """by name of COSTS"""


def gather(
    listed: pd.DataFrame, manifest: pd.DataFrame, challenger: Report, champion: Report | None
) -> tuple[Accepted, Side, Side | None]:
    """Line up list, truth and both models; `listed` has `image`, `sha256` or both, maybe labels.

    Raises one ValueError that lists every fault, a line for each kind of fault.
    """
    faults: list[str] = []
    truth = _truth(listed, manifest, faults)
    sides = [_side(report, truth, faults) for report in (challenger, champion) if report]
    labels_NL = manifests.label_array(truth).astype(np.float64)
    exclusive = None not in sides and all(side.exclusive for side in sides if side)
    if exclusive:  # as evaluate has it: what is not the one label is absent
        odd = (labels_NL == 1).sum(axis=1) != 1
        _note(faults, f"{LIST}: not exactly one label of", truth.index[odd],
              "both models decide for one label per image: leave these out")  # fmt: skip
        labels_NL = np.nan_to_num(labels_NL)
    if faults or None in sides:
        raise ValueError("\n".join(faults))
    accepted = Accepted(
        images=tuple(truth.index),
        names=tuple(manifests.labels(truth)),
        labels_NL=labels_NL,
        patients_N=truth["patient"].to_numpy(str),
        sources_N=truth["source"].fillna("unknown").replace("", "unknown").to_numpy(str),
        exclusive=exclusive,
    )
    first, *others = [side for side in sides if side]
    return accepted, first, others[0] if others else None


def _truth(listed: pd.DataFrame, manifest: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
    """Return patient, source and labels by image, sorted: of those listed images that are known."""
    images = _images(listed, manifest, faults)
    _note(faults, f"{LIST}: more than once", images[images.duplicated()], "name each image once")
    known = manifest.set_index("image")
    _note(faults, f"{LIST}: not in {MANIFEST}", images[~images.isin(known.index)],
          "the list is of other data: bring these images back, or freeze a new list")  # fmt: skip
    places = images[images.isin(known.index)].drop_duplicates().sort_values(kind="stable")
    truth = known.loc[places, ["patient", "source", *manifests.label_columns(manifest)]]
    nameless = truth["patient"].isna() | (truth["patient"] == "")
    _note(faults, f"{MANIFEST}: no patient of", truth.index[nameless],
          "the interval draws patients: let the reader name one")  # fmt: skip
    own = manifests.label_columns(listed)
    if own and sorted(own) != sorted(manifests.label_columns(manifest)):
        faults.append(f"{LIST} has the labels {_labels(listed)}, {MANIFEST} {_labels(manifest)}")
    elif own:
        frozen = listed.assign(image=images).drop_duplicates("image").set_index("image")
        truth[own] = manifests.with_numbers(frozen.loc[truth.index, own])
    return truth


def _images(listed: pd.DataFrame, manifest: pd.DataFrame, faults: list[str]) -> pd.Series:
    """Return the listed images' names, by their files' sha256 where only that is given.

    Raises ValueError if the list has neither column or no line.
    """
    if listed.empty or not {"image", "sha256"} & {*listed.columns}:
        raise ValueError(
            f"{LIST} needs a column image or sha256 and at least one line; it has {len(listed)} "
            f"line(s) of {', '.join(map(str, listed.columns)) or 'no column'}"
        )
    if "image" in listed:
        images = listed["image"].fillna("").astype(str)
        if "sha256" in listed:
            now = images.map(dict(zip(manifest["image"], manifest["sha256"], strict=True)))
            _note(faults, f"{LIST}: another file now, by its sha256",
                  images[now.notna() & (now != listed["sha256"])],
                  "a frozen image must not change: bring the old file back")  # fmt: skip
        return images
    digests = listed["sha256"].fillna("").astype(str)
    copies = manifest[manifest["sha256"].isin(digests)]
    several = copies["sha256"].duplicated(keep=False)
    _note(faults, f"{LIST}: several images of one sha256:", copies["image"][several],
          "name the one that counts in a column image")  # fmt: skip
    names = dict(zip(copies["sha256"], copies["image"], strict=True))
    return digests.map(lambda digest: names.get(digest, f"sha256 {digest}"))


def _side(report: Report, truth: pd.DataFrame, faults: list[str]) -> Side | None:
    """Return what a model says of the images of `truth`; None if its report has faults."""
    before = len(faults)
    _check_metrics(report, faults)
    names = manifests.labels(truth)
    if not _has_columns(report, names, faults):
        return None
    table = report.predictions[report.predictions["image"].isin(truth.index)]
    twice_N = table["image"].duplicated().to_numpy()
    _note(faults, f"{report.where}: scored more than once", table["image"][twice_N],
          "evaluate the model again")  # fmt: skip
    rows = table[~twice_N].set_index("image")
    scored_N = truth.index.isin(rows.index)
    _note(faults, f"{report.where}: no score of", truth.index[~scored_N],
          "evaluate this model on the acceptance set; its networks may not have learned from it")  # fmt: skip
    rows = rows.loc[truth.index[scored_N]]
    _compare_labels(report, rows, truth, faults)
    # as evaluate had them: a float32 comes back bit for bit from its shortest decimals
    scores_NL = rows[[f"score:{x}" for x in names]].to_numpy(np.float32).astype(np.float64)
    good_N = ((scores_NL >= 0) & (scores_NL <= 1)).all(axis=1)
    _note(faults, f"{report.where}: not a probability between 0 and 1",
          rows.index.to_numpy(str)[~good_N], "evaluate the model again")  # fmt: skip
    if len(faults) > before:
        return None
    return _decided(report, scores_NL, rows["fold"].to_numpy(np.int64), names, faults)


def _check_metrics(report: Report, faults: list[str]) -> None:
    """Note numbers that a report lacks, and a table and metrics of different runs."""
    where, table, metrics = report.where, report.predictions, report.metrics
    if lacking := [x for x in _METRICS if x not in metrics]:
        faults.append(f"{where}: its metrics lack {', '.join(lacking)}: evaluate the model again")
    elif len(table) != metrics["images"] or manifests.labels(table) != metrics["labels"]:
        faults.append(
            f"{where}: {len(table)} predictions of {_labels(table)}, but its metrics are of "
            f"{metrics['images']} images and {', '.join(metrics['labels'])}: take both from one run"
        )
    if "onnx_bytes" not in report.export:
        faults.append(f"{where}: its export's metrics lack onnx_bytes: export the model again")


def _has_columns(report: Report, names: list[str], faults: list[str]) -> bool:
    """Tell whether a table has the labels `names`, no other, and a score for each; note what lacks."""
    table, before = report.predictions, len(faults)
    if lacking := [x for x in ("image", "fold", *(f"score:{y}" for y in names)) if x not in table]:
        faults.append(f"{report.where}: the columns {', '.join(lacking)} are missing")
    if sorted(manifests.labels(table)) != sorted(names):
        faults.append(
            f"{report.where}: the labels are {_labels(table)}, those of the accepted images "
            f"{', '.join(names)}: models of different labels can't be compared"
        )
    return len(faults) == before


def _compare_labels(
    report: Report, rows: pd.DataFrame, truth: pd.DataFrame, faults: list[str]
) -> None:
    """Note the images that a model's table knows by another label than `truth` does."""
    for column in manifests.label_columns(truth):
        said_N = rows[column].to_numpy(np.float64)
        true_N = truth.loc[rows.index, column].to_numpy(np.float64)
        other_N = (said_N != true_N) & ~(np.isnan(said_N) & np.isnan(true_N))
        _note(faults, f"{report.where}: another {column}", rows.index[other_N],
              "both models must be judged by one truth: evaluate this one again")  # fmt: skip


def _decided(
    report: Report, scores_NL: np.ndarray, folds_N: np.ndarray, names: list[str], faults: list[str]
) -> Side | None:
    """Decide by the model's thresholds (its fold's; -1: those of the mean of all) or highest score."""
    metrics = report.metrics
    thresholds = metrics["thresholds"]
    if thresholds is None:
        decided_NL = classification.highest(scores_NL)
    else:
        thresholds_FL = np.array([thresholds[name] for name in names], dtype=np.float64).T
        strange = (folds_N >= len(thresholds_FL)) | (folds_N < -1)
        if strange.any():
            faults.append(
                f"{report.where}: fold {folds_N[strange][0]} has no thresholds among the "
                f"{len(thresholds_FL)} of its metrics: take both from one run"
            )
            return None
        decided_NL = scores_NL >= thresholds_FL[folds_N]
    networks = metrics.get("ensemble", 1)  # evaluate counts parameters and MACs of all of them
    found = {**metrics, "onnx_bytes": networks * report.export["onnx_bytes"]}
    costs = {name: int(found[name]) for name in COSTS}
    return Side(
        scores_NL=scores_NL, decided_NL=decided_NL, exclusive=thresholds is None, costs=costs
    )


def _note(faults: list[str], words: str, images: Iterable[str], cure: str) -> None:
    """Note a fault of some images, by their names; none without images."""
    named = sorted(set(images))
    if named:
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        faults.append(f"{words} {', '.join(named[:_NAMED])}{more}: {cure}")


def _labels(table: pd.DataFrame) -> str:
    return ", ".join(manifests.labels(table)) or "none"
