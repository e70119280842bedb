"""Is one model better than another? Differences on the same test images, pair by pair.

The interval is the percentile interval of the paired difference over resamples of patients, all
models on the same ones. Its p-value takes the difference for normal, with the resamples' deviation
(as pROC's roc.test by bootstrap: Robin et al. 2011, BMC Bioinformatics 12:77), since a share of the
resamples could not be small enough to outlive a correction. DeLong's p-value, per label, stands
beside it and takes images for independent (`cxr.metrics.delong`). Holm's correction is over one
family at a time: all pairs for one of METRICS, and all pairs and labels for the AUROC per label.

None of this knows the spread between trainings: models of the same recipe and other seeds differ
too. Shapes: see `cxr.metrics`; M models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from cxr.metrics import delong, holm, intervals
from cxr.metrics.headlines import HEADLINES, Headlines
from cxr.metrics.scored import Scored

METRICS = ("accuracy", "macro_f1", "auroc")
"""Of all labels; the AUROC per label follows."""
LEAST_P = 1e-6
"""What stands for every p-value below it."""
COLUMNS = (
    "first", "second", "metric", "label", "difference", "low", "high", "p", "p_holm", "p_delong",
    "p_delong_holm",
)  # fmt: skip


def differences(
    models: Mapping[str, Scored],
    names: Sequence[str],
    *,
    samples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return COLUMNS, a row for each pair of models and each metric: first minus second.

    Pairs stand in the order of `models`. Raises ValueError unless all models scored the same images.
    """
    _check_same(models)
    statistics = [Headlines(scored) for scored in models.values()]

    def statistic(weights_BN: np.ndarray) -> np.ndarray:
        return np.concatenate([one(weights_BN) for one in statistics], axis=1)

    first = next(iter(models.values()))
    point_MV = statistic(np.ones((1, len(first.labels_NL)))).reshape(len(models), -1)
    spread_BW = intervals.bootstrap(statistic, first.patients_N, samples=samples, rng=rng)
    spread_BMV = spread_BW.reshape(samples, *point_MV.shape)
    areas = _areas(list(models.values()))
    places = [(HEADLINES.index(metric), metric, "") for metric in METRICS]
    places += [(len(HEADLINES) + i, "auroc", name) for i, name in enumerate(names)]
    rows = []
    for (i, one), (j, other) in combinations(enumerate(models), 2):
        for place, metric, label in places:
            found = _difference(point_MV[:, place], spread_BMV[:, :, place], i, j, confidence)
            p_delong = areas[names.index(label)].p_value(i, j) if label else np.nan
            rows.append(
                {"first": one, "second": other, "metric": metric, "label": label} | found
                | {"p_delong": p_delong}
            )  # fmt: skip
    return _corrected(pd.DataFrame(rows, columns=list(COLUMNS)))


def _areas(models: Sequence[Scored]) -> list[delong.Areas]:
    """Return DeLong's covariance of all models, label by label."""
    labels_NL = models[0].labels_NL
    return [
        delong.areas(labels_NL[:, i], np.stack([scored.scores_NL[:, i] for scored in models]))
        for i in range(labels_NL.shape[1])
    ]


def _difference(
    point_M: np.ndarray, spread_BM: np.ndarray, i: int, j: int, confidence: float
) -> dict[str, Any]:
    """Return the difference of two models with its interval and p-value."""
    difference, spread_B = point_M[i] - point_M[j], spread_BM[:, i] - spread_BM[:, j]
    interval = intervals.percentile(spread_B, confidence=confidence)
    known_B = spread_B[~np.isnan(spread_B)]
    deviation = float(known_B.std(ddof=1)) if len(known_B) > 1 else float("nan")
    p = delong.two_sided(float(difference), deviation)
    return {"difference": difference, "low": interval.low, "high": interval.high, "p": p}


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Correct the p-values of each family."""
    family = table["metric"] + np.where(table["label"] == "", "", " per label")
    for column in ("p", "p_delong"):
        for _, rows in table.groupby(family, sort=True).groups.items():
            p_K = table.loc[rows, column].to_numpy(np.float64)
            table.loc[rows, f"{column}_holm"] = holm.adjusted(p_K)
    numbers = [name for name in COLUMNS if name not in ("first", "second", "metric", "label")]
    table = table.astype(dict.fromkeys(numbers, float)).round(dict.fromkeys(numbers, 6))
    p_values = [name for name in numbers if name.startswith("p")]
    table[p_values] = table[p_values].clip(lower=LEAST_P)
    return table


def _check_same(models: Mapping[str, Scored]) -> None:
    """Raise ValueError unless all models were judged by the same images, patients and labels."""
    if len(models) < 2:
        raise ValueError(f"a comparison needs two models or more, not {len(models)}")
    (name, first), *others = models.items()
    for other, scored in others:
        same = np.array_equal(first.patients_N, scored.patients_N) and np.array_equal(
            first.labels_NL, scored.labels_NL, equal_nan=True
        )
        if not same:
            raise ValueError(
                f"{name} and {other} were judged by different images or labels: run `dvc repro` so "
                "that both are evaluated on the same test images"
            )
