"""What `make bench-train` measured: a row for each training, and what the rows say beside what was promised."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cxr import artifacts
from cxr.metrics import student


@dataclass(frozen=True, kw_only=True)
class Row:
    """One training."""

    part: str
    """loop; decode, tried; decode; frozen; views"""
    way: str
    """the contender"""
    px: int
    """side of the network's images"""
    round: int
    """of the interleaving; of decode and views it is the training's seed too"""
    images: int
    """shown in training, each as often as it was"""
    seconds: float
    cpu_seconds: float
    train_loss: float
    """mean over the last epoch"""
    val_auroc: float | None = None
    val_accuracy: float | None = None
    weights: str = ""
    """stands for every byte of the trained weights"""
    decoding_seconds: float = 0.0
    """of decode, ours: until prepared shards stood on disk; in `seconds` too"""
    about: str = ""
    """what else is to be known of it"""


COLUMNS = ["recipe", *(field.name for field in dataclasses.fields(Row))]
"""recipe: hash of a step's sizes, the benchmark and the code that is measured"""


@dataclass(frozen=True)
class Promise:
    """So many times as many images a second as another way."""

    part: str
    way: str
    than: str
    times: float | None
    """None: nothing was promised"""


PROMISES = (
    Promise("loop", "ours", "bare", 0.95),
    Promise("loop", "ours, augmented", "bare", 0.95),
    Promise("decode", "ours, one core", "usual, one core", 3.0),
    Promise("decode", "ours, two cores", "usual, two cores", 3.0),
    Promise("frozen", "features", "images", 10.0),
    Promise("views", "1 view", "fresh", None),
    Promise("views", "4 views", "fresh", None),
)
TRIED = "decode, tried"
"""The part of the usual ways that were trained for one epoch to choose the fastest."""
SAME_BYTES = {"loop": ("bare", "ours"), "frozen": ("images", "features")}
"""The ways of a part that must end with the same weights."""
QUALITY = {"decode": [("ours, one core", "usual, one core"), ("ours, two cores", "usual, two cores")],
           "views": [("1 view", "fresh"), ("4 views", "fresh"), ("unchanged", "fresh")]}  # fmt: skip
"""Pairs of ways whose val scores are compared, seed by seed."""


class Rows:
    """The table of a folder. `recipes`: of each step the hash that its rows have; other rows don't count."""

    def __init__(self, folder: Path, recipes: Mapping[str, str]) -> None:
        self.path, self.recipes = folder / "rows.csv", recipes

    def read(self) -> pd.DataFrame:
        """Return the rows that count."""
        if not self.path.is_file():
            return pd.DataFrame(columns=COLUMNS)
        words = dict.fromkeys(("recipe", "weights", "about"), str)
        table = artifacts.read_csv(self.path, dtype=words)
        return table[table["recipe"].isin(self.recipes.values())].reset_index(drop=True)

    def has(self, step: str) -> bool:
        """Tell whether a step is done."""
        return bool((self.read()["recipe"] == self.recipes[step]).any())

    def add(self, step: str, found: Sequence[Row]) -> None:
        """Add a step's rows, all or none; those that don't count go."""
        recipe = self.recipes[step]
        new = pd.DataFrame([{"recipe": recipe, **dataclasses.asdict(x)} for x in found])
        known = self.read()
        table = pd.concat([known, new], ignore_index=True) if len(known) else new
        artifacts.write_csv(self.path, table[COLUMNS])

    def forget(self, steps: Sequence[str]) -> None:
        """Remove the rows of these steps."""
        known = self.read()
        gone = known["recipe"].isin([self.recipes[step] for step in steps])
        artifacts.write_csv(self.path, known[~gone])


def summarise(rows: pd.DataFrame) -> dict[str, Any]:
    """Return by part and side: each way's speed, promises, same bytes and paired val scores."""
    found: dict[str, Any] = {}
    for (part, px), mine in rows.groupby(["part", "px"], sort=False):
        found[f"{part}, {px} px"] = {
            "ways": {way: _speed(some) for way, some in mine.groupby("way", sort=False)},
            "promises": [
                _times(mine, promise)
                for promise in PROMISES
                if promise.part == part and {promise.way, promise.than} <= set(mine["way"])
            ],
            "same_bytes": _same_bytes(mine, SAME_BYTES.get(str(part), ())),
            "differences": [
                _difference(mine, way, than)
                for way, than in QUALITY.get(str(part), [])
                if {way, than} <= set(mine["way"])
            ],
        }
    for part, here in found.items():
        if part.startswith(TRIED):
            _beside_ours(
                here["ways"], found.get(part.replace(TRIED, "decode"), {"ways": {}})["ways"]
            )
    return found


def _beside_ours(tried: dict[str, Any], ways: dict[str, Any]) -> None:
    """Note of each way that was tried how many times as fast ours was on as many cores."""
    for way, speed in tried.items():
        if ours := ways.get(f"ours, {way.rpartition(', ')[2]}"):
            times = ours["images_per_second"]["median"] / speed["images_per_second"]["median"]
            speed["times_of_ours"] = times


def _speed(rows: pd.DataFrame) -> dict[str, Any]:
    scores = {key: rows[key].dropna().tolist() for key in ("val_auroc", "val_accuracy")}
    return {
        "rounds": len(rows),
        "images_per_second": _spread((rows["images"] / rows["seconds"]).tolist()),
        "cpu_ms_per_image": _spread((1000 * rows["cpu_seconds"] / rows["images"]).tolist()),
        "decoding_seconds": statistics.median(rows["decoding_seconds"]),
        "about": sorted(set(rows["about"].dropna()) - {""}),
        **{key: statistics.fmean(values) for key, values in scores.items() if values},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def _times(rows: pd.DataFrame, promise: Promise) -> dict[str, Any]:
    """Return how many times as fast a way was, round by round; the median decides."""
    mine, other = (_rounds(rows, way) for way in (promise.way, promise.than))
    times = (mine["images"] / mine["seconds"]) / (other["images"] / other["seconds"])
    cpu = (mine["images"] / mine["cpu_seconds"]) / (other["images"] / other["cpu_seconds"])
    found = _spread(times.tolist())
    return {
        "way": promise.way, "than": promise.than, "times": found, "promised": promise.times,
        "kept": None if promise.times is None else found["median"] >= promise.times,
        "times_by_cpu": _spread(cpu.tolist()),
    }  # fmt: skip


def _same_bytes(rows: pd.DataFrame, ways: Sequence[str]) -> bool | None:
    """Tell whether all trainings of these ways ended with the same weights and the same loss."""
    mine = rows[rows["way"].isin(ways)]
    if set(mine["way"]) != set(ways) or not ways:
        return None
    return bool(mine["weights"].nunique() == 1 and mine["train_loss"].nunique() == 1)


def _difference(rows: pd.DataFrame, way: str, than: str) -> dict[str, Any]:
    """Return the paired differences of val scores, way less than, with Student's interval."""
    mine, other = (_rounds(rows, x) for x in (way, than))
    found: dict[str, Any] = {"way": way, "than": than, "seeds": len(mine)}
    for key in ("val_auroc", "val_accuracy"):
        paired = (mine[key] - other[key]).dropna().astype(float).tolist()
        mean = student.mean(paired) if paired else None
        found[key] = {x: getattr(mean, x, None) for x in ("value", "low", "high")}
    return found


def _rounds(rows: pd.DataFrame, way: str) -> pd.DataFrame:
    return rows[rows["way"] == way].set_index("round").sort_index()


def lines(summary: dict[str, Any]) -> Iterator[str]:
    """Yield the summary in words."""
    for part, found in summary.items():
        yield f"\n{part}"
        for way, speed in found["ways"].items():
            yield f"  {way}: {_said(speed)}"
        for one in found["promises"]:
            yield f"  {one['way']}: {_promised(one)}"
        if found["same_bytes"] is not None:
            yield f"  the same weights and loss to the bit: {'yes' if found['same_bytes'] else 'NO'}"
        for one in found["differences"]:
            scores = ", ".join(f"{key} {_interval(one[key])}" for key in ("val_auroc", "val_accuracy"))  # fmt: skip
            yield f"  {one['way']} less {one['than']}, {one['seeds']} seed(s): {scores}"


def _said(speed: dict[str, Any]) -> str:
    rate, cpu = speed["images_per_second"], speed["cpu_ms_per_image"]["median"]
    return "; ".join(
        [
            f"{rate['median']:.1f} images/s ({rate['low']:.1f} to {rate['high']:.1f})",
            f"{cpu:.2f} ms of processor time an image",
            *([f"decoding {speed['decoding_seconds']:.2f} s"] if speed["decoding_seconds"] else []),
            *(f"{key} {speed[key]:.3f}" for key in ("val_auroc", "val_accuracy") if key in speed),
            *speed["about"],
            *(
                [f"ours is {speed['times_of_ours']:.2f} times as fast"]
                if "times_of_ours" in speed
                else []
            ),
        ]
    )


def _promised(one: dict[str, Any]) -> str:
    times, cpu = one["times"], one["times_by_cpu"]["median"]
    said = (
        f"{times['median']:.3f} x {one['than']} ({times['low']:.3f} to {times['high']:.3f}; "
        f"by processor time {cpu:.3f})"
    )
    if one["kept"] is None:
        return said
    return f"{said}, promised {one['promised']}: {'kept' if one['kept'] else 'NOT KEPT'}"


def _interval(found: dict[str, float | None]) -> str:
    if found["value"] is None:
        return "undefined"
    ends = "" if found["low"] is None else f" [{found['low']:+.4f}, {found['high']:+.4f}]"
    return f"{found['value']:+.4f}{ends}"
