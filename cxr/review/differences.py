"""Is the difference of two models' test metrics more than noise?

Where both sides scored the same images of the same patients, each resample of patients gives one
difference (paired). Else each side is resampled by itself, and the difference also holds that of the
images. Where a side committed no predictions, the reported intervals must do, taken for normal.

p of a resampled difference: twice the smaller share of resamples on one side of 0, counted with the
observed one, so that it is never 0 (Davison & Hinkley 1997, section 4.2). Shapes: see `cxr.review`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from cxr import manifest, seeding
from cxr.metrics import auroc, classification, holm, intervals
from cxr.metrics.scored import Scored
from cxr.review import evidence
from cxr.review.evidence import Model

METRICS = {"auroc": "AUROC", "accuracy": "accuracy"}
ALPHA = 0.05
CONFIDENCE = 0.95
_DRAWS = 2000
_SEED = 20260101  # of the resamples alone: they are the same whatever the study's seed
How = Literal["paired", "apart", "reported", "alone"]
Verdict = Literal["better", "worse", "noise", "same", "chance", "alone"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric of one model on both sides; None where there is no such number."""

    model: str
    metric: str
    """a key of METRICS"""
    base: dict[str, float | None] | None
    """value, low and high as reported"""
    head: dict[str, float | None] | None
    how: How
    """paired; each side resampled apart; reported intervals; alone: one side has the model"""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted: float | None = None
    """p with Holm's correction over all that differ"""
    verdict: Verdict = "alone"
    note: str = ""

    @property
    def alone_significant(self) -> bool:
        """Tell whether p would count if this were the only comparison."""
        return self.p is not None and self.p < ALPHA


def compare(
    base: Mapping[str, Model], head: Mapping[str, Model], *, seed_only: bool
) -> list[Difference]:
    """Return AUROC and accuracy of every model of either side, in the order of the newer.

    With `seed_only` every verdict is "chance", whatever the intervals say.
    """
    names = [*head, *(name for name in base if name not in head)]
    both = [name for name in names if name in base and name in head]
    # Holm's smallest level is ALPHA / comparisons: enough draws for a p well below it
    draws = max(_DRAWS, round(4 / ALPHA) * len(both) * len(METRICS))
    found: list[Difference] = []
    for name in names:
        if name in both:
            found += _of_both(base[name], head[name], draws)
        else:
            found += _of_one(base.get(name), head.get(name))
    return _judge(found, seed_only=seed_only)


def same_images(base: Model, head: Model) -> bool:
    """Tell whether both scored the same images of the same patients with the same labels."""
    if base.predictions is None or head.predictions is None:
        return False
    one, other = (manifest.with_numbers(side) for side in (base.predictions, head.predictions))
    columns = ["image", "patient", *manifest.label_columns(one)]
    return {*columns} <= {*other.columns} and one[columns].equals(other[columns])


def values(scored: Scored, weights_BN: np.ndarray) -> np.ndarray:
    """Return (B, 2): macro AUROC and accuracy in each resample, in the order of METRICS."""
    counts = classification.count(scored.labels_NL, scored.decided_NL, weights_BN)
    supported_L = (scored.labels_NL == 1).any(axis=0)
    right_B = classification.overall(counts, supported_L=supported_L, exclusive=scored.exclusive)[0]
    area_B = auroc.macro(scored.labels_NL, scored.scores_NL, weights_BN)
    return np.stack([area_B, right_B], axis=-1)


def _of_both(base: Model, head: Model, draws: int) -> list[Difference]:
    """Compare a model that both sides have."""
    sides = [_scored(model) for model in (base, head)]
    one, other = sides
    note = _unlike(base, sides[0], head, sides[1])
    if one is None or other is None:
        return [_reported(base, head, metric, note) for metric in METRICS]
    paired = same_images(base, head)
    drawn_2BV = _draw(one, other, draws, paired=paired)
    point_V = np.subtract(*(values(x, np.ones((1, len(x.labels_NL))))[0] for x in (other, one)))
    return [
        _resampled(base, head, metric, float(point_V[i]), drawn_2BV[1][:, i] - drawn_2BV[0][:, i],
                   how="paired" if paired else "apart")
        for i, metric in enumerate(METRICS)
    ]  # fmt: skip


def _scored(model: Model) -> Scored | None:
    """Return a model's predictions if they give the reported numbers; else they are of another run."""
    found = evidence.scored(model)
    if found is None:
        return None
    again_V = values(found, np.ones((1, len(found.labels_NL))))[0]
    said = [(model.metrics.get(metric) or {}).get("value") for metric in METRICS]
    fits = all(
        (np.isnan(x) and y is None) or (y is not None and abs(x - y) < 1e-5)
        for x, y in zip(again_V, said, strict=True)
    )
    return found if fits else None


def _unlike(base: Model, one: Scored | None, head: Model, other: Scored | None) -> str:
    """Say where committed predictions don't give the reported numbers."""
    names = [
        side
        for side, model, found in (("before", base, one), ("now", head, other))
        if found is None and model.predictions is not None
    ]
    return f"predictions and reported metrics disagree ({' and '.join(names)})" if names else ""


def _draw(one: Scored, other: Scored, draws: int, *, paired: bool) -> list[np.ndarray]:
    """Return both sides' values in each resample, each (B, V): one resample of patients for both if paired."""

    def statistic(weights_BN: np.ndarray) -> np.ndarray:
        return np.concatenate([values(one, weights_BN), values(other, weights_BN)], axis=1)

    if paired:
        rng = seeding.stream(_SEED, "review", "paired")
        drawn_BW = intervals.bootstrap(statistic, one.patients_N, samples=draws, rng=rng)
        return np.split(drawn_BW, 2, axis=1)
    return [
        intervals.bootstrap(
            functools.partial(values, side), side.patients_N, samples=draws,
            rng=seeding.stream(_SEED, "review", name),
        )
        for name, side in (("base", one), ("head", other))
    ]  # fmt: skip


def _resampled(
    base: Model, head: Model, metric: str, value: float, drawn_B: np.ndarray, *, how: How
) -> Difference:
    """Return a difference with interval and p from its resamples."""
    drawn_B = drawn_B[~np.isnan(drawn_B)]
    plain = Difference(model=head.name, metric=metric, base=_interval(base, metric),
                       head=_interval(head, metric), how=how)  # fmt: skip
    if not len(drawn_B) or math.isnan(value):
        return replace(plain, note="undefined: a label is absent")
    found = intervals.percentile(drawn_B, confidence=CONFIDENCE)
    below, above = (1 + int((drawn_B <= 0).sum())), (1 + int((drawn_B >= 0).sum()))
    p = min(1.0, 2 * min(below, above) / (len(drawn_B) + 1))
    return replace(plain, value=value, low=found.low, high=found.high, p=p)


def _reported(base: Model, head: Model, metric: str, note: str) -> Difference:
    """Return a difference from both reported intervals, as if they were normal and independent."""
    old, new = _interval(base, metric), _interval(head, metric)
    plain = Difference(
        model=head.name, metric=metric, base=old, head=new, how="reported", note=note
    )
    if old is None or new is None:
        return plain
    numbers = [side[key] for side in (old, new) for key in ("value", "low", "high")]
    if any(number is None for number in numbers):
        return plain
    normal = NormalDist()
    wide = [normal.inv_cdf((1 + model.metrics.get("confidence", CONFIDENCE)) / 2) for model in (base, head)]  # fmt: skip
    errors = [(side["high"] - side["low"]) / (2 * z) for side, z in zip((old, new), wide, strict=True)]  # fmt: skip
    value, error = new["value"] - old["value"], math.hypot(*errors)
    half = error * normal.inv_cdf((1 + CONFIDENCE) / 2)
    p = 2 * (1 - normal.cdf(abs(value) / error)) if error else float(value == 0)
    return replace(plain, value=value, low=value - half, high=value + half, p=p)


def _of_one(base: Model | None, head: Model | None) -> list[Difference]:
    """Return what stands by itself, since the other side has no such model."""
    (model,) = [side for side in (base, head) if side]
    return [
        Difference(
            model=model.name, metric=metric, how="alone",
            base=_interval(base, metric) if base else None,
            head=_interval(head, metric) if head else None,
        )
        for metric in METRICS
        if _interval(model, metric)
    ]  # fmt: skip


def _interval(model: Model, metric: str) -> dict[str, Any] | None:
    """Return a metric's value, low and high as reported; None if it was not."""
    found = model.metrics.get(metric)
    return {key: found.get(key) for key in ("value", "low", "high")} if isinstance(found, dict) else None  # fmt: skip


def _judge(found: list[Difference], *, seed_only: bool) -> list[Difference]:
    """Put Holm's correction and a verdict to each difference.

    What is the same in every resample can't be taken for a difference by mistake, so it is no comparison
    that others have to be corrected for.
    """
    tested = [i for i, one in enumerate(found) if one.p is not None and not _same(one)]
    adjusted = dict(
        zip(tested, holm.adjusted(np.array([found[i].p for i in tested])).tolist(), strict=True)
    )
    judged = []
    for i, one in enumerate(found):
        verdict: Verdict = "same" if _same(one) else "alone"
        if i in adjusted and one.value is not None:
            verdict = "better" if one.value > 0 else "worse"
            if adjusted[i] >= ALPHA:
                verdict = "noise"
            if seed_only:
                verdict = "chance"
        judged.append(replace(one, adjusted=adjusted.get(i), verdict=verdict))
    return judged


def _same(one: Difference) -> bool:
    return one.value == one.low == one.high == 0
