"""What held-out images say of a parent and of all its fine-tuned cuts, pooled over the folds.

Each image is scored by its fold's network, as `evaluate` does, and all networks of a seed are scored in one
go. A label's threshold, for accuracy where labels combine, is the one of highest F1 on the fold's val;
where val itself judges (development), on its search_val.
Shapes: N images, L labels, B resamples.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cxr import artifacts, manifest, prepared, seeding, workers
from cxr.metrics import auroc, classification, intervals, summary
from cxr.metrics.summary import Scored
from cxr.pruning import fitness, methods
from cxr.pruning.contest import EVOLVED
from cxr.training import models
from tests.bench import prune_rows, prune_tuning
from tests.bench.prune_data import RUN, SHOWN
from tests.bench.prune_rows import PARENT, UNCUT, WHOLE

Part = Literal["val", "test"]
_BESIDE = {"test": "val", "val": "search_val"}
"""The part on which thresholds are chosen where another one judges."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """What the images say of one model."""

    auroc: float
    accuracy: float
    labels: dict[str, float | None]
    """AUROC by label; None where it is undefined"""
    resampled_B: np.ndarray
    """macro AUROC with other patients"""


@dataclass(frozen=True)
class Bench:
    """A project whose networks are all trained."""

    project: Path
    part: Part
    data: str
    """the data set's name: its resamples are those of every seed, where the images are the same"""


def judge(bench: Bench) -> tuple[list[Row], list[np.ndarray]]:
    """Score everything; return a row for the parent and for each cut, and their resampled AUROC."""
    found = _names(bench.project)
    told = scored(bench, [_model(name) for name in found])
    images, rng_key = digest(bench), ("bench-prune", bench.data)
    judged = {}
    for name, one in zip(found, told, strict=True):
        rng = seeding.stream(0, *rng_key, images)  # the same patients for every network
        judged[name] = weigh(one, _labels(bench.project), rng=rng)
    rows = [
        {
            "images": images, "share": share, "method": method,
            **_cost(bench.project, name, share), **_beside_parent(judged[name], judged[PARENT]),
        }
        for name, (share, method) in found.items()
    ]  # fmt: skip
    return rows, [judged[name].resampled_B for name in found]


def _names(project: Path) -> dict[str, tuple[int, str]]:
    """Return share and method of the parent and of all cuts, by name, in the order of the tables."""
    found = {PARENT: (WHOLE, PARENT)}
    tuned = artifacts.read_json(project / prune_tuning.MADE)
    pairs = {name: name.rpartition("_")[::2] for name in tuned}
    places = (*UNCUT, *SHOWN)
    order = sorted(pairs, key=lambda name: (-int(pairs[name][1]), places.index(pairs[name][0])))
    return found | {name: (int(pairs[name][1]), pairs[name][0]) for name in order}


def _model(name: str) -> str:
    return RUN if name == PARENT else f"{RUN}-{name}"


def _index(project: Path) -> Any:
    return prepared.read(project / "data/prepared").index


def _labels(project: Path) -> list[str]:
    return manifest.labels(_index(project))


def _rows(project: Path, part: str) -> list[np.ndarray]:
    """Return by fold the places of the part's images."""
    splits = artifacts.read_csv(project / "data/splits.csv")
    return prepared.rows(_index(project), splits, part)


def digest(bench: Bench) -> str:
    """Return 12 digits that stand for the judging images, their patients, and nothing else."""
    rows = np.sort(np.concatenate(_rows(bench.project, bench.part)))
    pairs = _index(bench.project).iloc[rows][["image", "patient"]].sort_values("image")
    return hashlib.sha256(artifacts.canonical_json(pairs.to_numpy().tolist()).encode()).hexdigest()[:12]  # fmt: skip


def scored(bench: Bench, names: Sequence[str]) -> list[Scored]:
    """Return what each model says of the judging images, its folds one after the other."""
    folder, every = bench.project / "data/prepared", bench.project / "data/models"
    exclusive = models.config(every / RUN)["loss"] == "cross_entropy"  # no threshold is needed
    parts = (bench.part,) if exclusive else (bench.part, _BESIDE[bench.part])
    rows = {part: _rows(bench.project, part) for part in parts}
    work = [
        (every / name, fold, folder, chosen)
        for name in names
        for part in parts
        for fold, chosen in enumerate(rows[part])
    ]
    words = f"{bench.data}, judged on {bench.part}"
    scores = iter(workers.run(models.score_fold, work, words=words))
    found = []
    for _ in names:
        said = {part: [next(scores) for _ in rows[part]] for part in parts}
        found.append(_pooled(bench, rows, said, exclusive=exclusive))
    return found


def _pooled(
    bench: Bench, rows: Mapping[str, Sequence[np.ndarray]],
    said: Mapping[str, Sequence[np.ndarray]], *, exclusive: bool,
) -> Scored:  # fmt: skip
    index = _index(bench.project)
    labels_NL = manifest.label_array(index)
    chosen, scores_NL = np.concatenate(rows[bench.part]), np.concatenate(said[bench.part])
    if exclusive:
        decided_NL = classification.highest(scores_NL)
    else:
        beside = _BESIDE[bench.part]
        pairs = zip(rows[beside], said[beside], said[bench.part], strict=True)
        decided_NL = np.concatenate(
            [
                own_NL >= classification.best_thresholds(labels_NL[there], other_NL)
                for there, other_NL, own_NL in pairs
            ]
        )
    folds_N = np.repeat(np.arange(len(rows[bench.part])), [len(x) for x in rows[bench.part]])
    return Scored(
        labels_NL=labels_NL[chosen], scores_NL=scores_NL, decided_NL=decided_NL,
        patients_N=index["patient"].iloc[chosen].to_numpy(str), folds_N=folds_N,
        sources_N=index["source"].iloc[chosen].to_numpy(str), exclusive=exclusive,
    )  # fmt: skip


def weigh(
    one: Scored, labels: Sequence[str], *, rng: np.random.Generator, draws: int = prune_rows.DRAWS
) -> Judged:
    """Return the metrics, and the macro AUROC of `draws` resamples of the patients."""
    values = summary.values(one)
    found = dict(zip((*summary.HEADLINES, *labels), map(_number, values), strict=True))
    resampled = intervals.bootstrap(
        lambda weights_BN: auroc.macro(one.labels_NL, one.scores_NL, weights_BN)[:, None],
        one.patients_N, samples=draws, rng=rng,
    )  # fmt: skip
    assert found["auroc"] is not None and found["accuracy"] is not None
    each = {label: found[label] for label in labels}
    return Judged(found["auroc"], found["accuracy"], each, resampled[:, 0])


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _cost(project: Path, name: str, share: int) -> Row:
    """Return what the networks of all folds cost, and what val said of them."""
    about = models.config(project / "data/models" / RUN)
    if name == PARENT:
        said = artifacts.read_json(project / "reports/transfer" / RUN / "metrics.json")
        costs = {key: about[key] for key in ("macs", "parameters")}
        return {**costs, "filled": 1.0, "val_auroc": said["val_auroc"], "origin": ""}
    said = artifacts.read_json(project / "reports/finish" / _model(name) / "metrics.json")
    macs = [fold["macs"] for fold in said["folds"]]
    return {
        "macs": prune_rows.mean_macs(macs),
        "parameters": said["parameters"],
        "filled": min(macs) / (share * about["macs"] // 100),
        "val_auroc": said["val_auroc"],
        "origin": _origin(project, name),
    }


def _origin(project: Path, name: str) -> str:
    """Say whose cuts are handed over, in how many folds, and which baselines' cuts are evolution's too.

    A search begins with baselines, so what it ends with may be one of them. Nothing of a baseline's cut.
    """
    chosen = prune_tuning.all_cuts(project / "data/pruned" / RUN, project / "data/models" / RUN)
    method, _, percent = name.rpartition("_")
    if method == methods.PICK:
        counted = Counter(one.origin for one in chosen[name])
    elif method == EVOLVED:
        counted = Counter(
            other
            for other in methods.METHODS[1:]
            for own, one in zip(chosen[name], chosen.get(f"{other}_{percent}", ()), strict=False)
            if own.kept == one.kept
        )
    else:
        return ""
    return " ".join(f"{x} {counted[x]}" for x in methods.METHODS if counted[x])


def _beside_parent(own: Judged, parent: Judged) -> Row:
    """Return the scores, and the label that fell furthest below the parent's."""
    worst, fall = fitness.worst({"labels": own.labels}, {"labels": parent.labels})
    return {
        "auroc": own.auroc, "accuracy": own.accuracy, "worst_label": worst, "worst_fall": fall,
        "labels": artifacts.canonical_json(own.labels),
    }  # fmt: skip


def missing(rows: Sequence[Row], shares: Sequence[float]) -> list[str]:
    """Say which methods have no cut at a share, so that they are not compared."""
    there = {(row["share"], row["method"]) for row in rows}
    return [
        f"{method} at {methods.percent(share)} %"
        for share in shares
        for method in SHOWN
        if (methods.percent(share), method) not in there
    ]
