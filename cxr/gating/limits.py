"""What a challenger has to keep: floors, margins to the champion, and how much dearer it may be.

A *floor* (or *ceiling*) is absolute; a *margin* is how much worse than the champion's a value may be.
Both are held against the bound of an interval, never against the point. `None`: no such rule.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Group:
    """Limits of every class, or of every source."""

    floor_auroc: float | None
    """lowest AUROC; of a source the macro one; null: none"""
    floor_sensitivity: float | None
    """lowest share of the present found; of a source the mean over classes; null: none"""
    margin_auroc: float | None
    """AUROC that may be lost to the champion; null: any"""
    margin_sensitivity: float | None
    """sensitivity that may be lost to the champion; null: any"""

    def __post_init__(self) -> None:
        _shares(self)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Limits of what scores mean: expected calibration error and Brier score, both best at 0."""

    ceiling_ece: float | None
    """highest ECE; null: none"""
    ceiling_brier: float | None
    """highest Brier score, 0 to 2 with one label per image, else 0 to 1; null: none"""
    margin_ece: float | None
    """ECE above the champion's; null: any"""
    margin_brier: float | None
    """Brier score above the champion's; null: any"""

    def __post_init__(self) -> None:
        _shares(self, highest=2.0)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """How many times the champion's cost the challenger's may be."""

    parameters: float | None
    """of all networks that score an image; null: any"""
    macs: float | None
    """multiply-accumulates for an image; null: any"""
    onnx_bytes: float | None
    """of the exported files that score an image; null: any"""

    def __post_init__(self) -> None:
        for name, times in dataclasses.asdict(self).items():
            if times is not None and times <= 0:
                raise ValueError(f"{name} must be above 0 times the champion's, not {times}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All that is asked of a challenger."""

    require_better: bool
    """whether the macro AUROC must be shown to be above the champion's; else not below by the margin"""
    margin_auroc: float
    """macro AUROC that may be lost to the champion"""
    floor_auroc: float
    """lowest macro AUROC"""
    min_patients: int
    """with a class present, for AUROC also with it absent: what has fewer is not judged"""
    classes: Group
    """of every class by itself"""
    sources: Group
    """of every source by itself"""
    calibration: Calibration
    """of the scores"""
    cost: Cost
    """at most so many times the champion's"""

    def __post_init__(self) -> None:
        _shares(self, only=("margin_auroc", "floor_auroc"))
        if self.min_patients < 1:
            raise ValueError(f"min_patients must be at least 1, not {self.min_patients}")


def _shares(record: Any, *, only: tuple[str, ...] = (), highest: float = 1.0) -> None:
    """Raise ValueError unless the numbers of `record` lie between 0 and `highest`."""
    for name in only or [field.name for field in dataclasses.fields(record)]:
        number = getattr(record, name)
        if number is not None and not 0 <= number <= highest:
            raise ValueError(f"{name} must lie between 0 and {highest:g}, not {number}")
