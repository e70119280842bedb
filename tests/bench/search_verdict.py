"""What the rows of `make bench-search` say: paired differences with t-intervals, as numbers and a figure.

A difference is evolved - random of one seed: both searched the same space, saw as many images, began
with the same networks and were judged on the same held-out images. Its mean has Student's interval
over the seeds (`cxr.metrics.student`); evolution is said to win only where that lies above zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from cxr import artifacts
from cxr.metrics import student

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = {
    "hypervolume": "hypervolume of the front",
    "auroc": "AUROC at the cost cap",
    "accuracy": "accuracy at the cost cap",
}
_DRAWN = ("hypervolume", "auroc")
_RIVALS = ("evolved", "random")


def summarise(rows: pd.DataFrame) -> dict[str, Any]:
    """Return by data set: differences by measure, and what each method and baseline came to."""
    return {
        str(data): {
            "judged_on": str(mine["part"].iloc[0]),
            "differences": {measure: _paired(mine, measure) for measure in MEASURES},
            "methods": {str(name): _method(of) for name, of in mine.groupby("method", sort=False)},
        }
        for data, mine in rows.groupby("data", sort=False)
    }


def differences(rows: pd.DataFrame, measure: str) -> pd.Series:
    """Return evolved - random by seed, ascending, of the seeds that have both."""
    table = rows.pivot(index="seed", columns="method", values=measure)
    if not set(_RIVALS) <= set(table.columns):
        return pd.Series(dtype=float)
    return (table["evolved"] - table["random"]).dropna().sort_index().astype(float)


def _paired(rows: pd.DataFrame, measure: str) -> dict[str, Any]:
    found = differences(rows, measure)
    if not len(found):
        return {"seeds": {}, "mean": None, "low": None, "high": None, "verdict": "no seeds"}
    mean = student.mean(found.tolist())
    verdict = "can't tell"
    if mean.low is not None and mean.high is not None:
        verdict = "evolved wins" if mean.low > 0 else "random wins" if mean.high < 0 else verdict
    seeds = {str(seed): value for seed, value in found.items()}
    return {"seeds": seeds, "mean": mean.value, "low": mean.low, "high": mean.high, "verdict": verdict}  # fmt: skip


def _method(rows: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"seeds": len(rows)}
    for key in ("hypervolume", "auroc", "accuracy", "macs", "parameters"):
        known = rows[key].dropna().astype(float).tolist()
        if known:
            mean = student.mean(known)
            found[key] = {"mean": mean.value, "low": mean.low, "high": mean.high}
    return found


def lines(summary: dict[str, Any]) -> Iterator[str]:
    """Yield the verdict in words."""
    for data, found in summary.items():
        yield f"{data}, judged on {found['judged_on']}:"
        for measure, words in MEASURES.items():
            paired = found["differences"][measure]
            if paired["mean"] is None:
                continue
            half = "" if paired["low"] is None else f" ({paired['low']:+.4f} to {paired['high']:+.4f})"  # fmt: skip
            yield (
                f"  {words}: evolved - random {paired['mean']:+.4f}{half}, "
                f"{len(paired['seeds'])} seed(s): {paired['verdict']}"
            )
        for name, method in found["methods"].items():
            yield (
                f"  {name}: AUROC {method['auroc']['mean']:.4f}, accuracy "
                f"{method['accuracy']['mean']:.4f}, {method['macs']['mean'] / 1e6:.1f} M MACs, "
                f"{method['parameters']['mean'] / 1e6:.2f} M parameters, {method['seeds']} seed(s)"
            )


def figure(rows: pd.DataFrame) -> Figure:
    """Draw every paired difference and the mean with its interval, and the AUROC of all methods."""
    sets = list(dict.fromkeys(rows["data"]))
    drawn, axes = artifacts.new_figure(10.0, 0.6 + 2.3 * len(sets), len(sets), 3)
    for data, (left, middle, right) in zip(sets, axes.reshape(-1, 3), strict=True):
        mine = rows[rows["data"] == data]
        for axis, measure in zip((left, middle), _DRAWN, strict=True):
            _differences(axis, differences(mine, measure))
            axis.set_title(f"{data}\n{MEASURES[measure]}")
        _methods(right, mine)
        right.set_title(f"{data}\nAUROC on {mine['part'].iloc[0]}")
    return drawn


def _differences(axis: Axes, found: pd.Series) -> None:
    axis.axvline(0.0, color="#222222", linewidth=1.0)
    for place, value in enumerate(found):
        axis.plot(value, place + 1, marker="o", markersize=5, linestyle="",
                  color=artifacts.PALETTE[0 if value > 0 else 1], fillstyle="full" if value > 0 else "none")  # fmt: skip
    if len(found):
        mean = student.mean(found.tolist())
        axis.errorbar(mean.value, 0, xerr=mean.half, marker="D", markersize=6, color="#222222", capsize=4)  # fmt: skip
    axis.set_yticks(range(len(found) + 1), ["mean", *[f"seed {seed}" for seed in found.index]])
    axis.set_xlabel("evolved - random")
    axis.xaxis.set_major_locator(_ticks())
    axis.grid(axis="y", visible=False)


def _methods(axis: Axes, rows: pd.DataFrame) -> None:
    names = list(dict.fromkeys(rows["method"]))
    for place, name in enumerate(reversed(names)):
        found = rows.loc[rows["method"] == name, "auroc"].astype(float)
        axis.plot(found, [place] * len(found), marker="o", markersize=4, linestyle="", alpha=0.5,
                  color=artifacts.PALETTE[names.index(name)])  # fmt: skip
        axis.plot(found.mean(), place, marker="D", markersize=6, color="#222222")
    axis.set_yticks(range(len(names)), list(reversed(names)))
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.xaxis.set_major_locator(_ticks())
    axis.grid(axis="y", visible=False)


def _ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)
