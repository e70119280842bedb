"""Figures and learning curves that both sides committed: which differ, ready to stand side by side.

Files come out of a branch that nobody has approved yet, so a picture is looked at before it is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cxr import artifacts, png
from cxr.report.elements import compact

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = ("transfer", "distill", "finish")
_ORDER = ("compare", "evaluate", *CURVES, "search", "prune", "split", "validate", "phantom")
_MOST_BYTES = 1_400_000  # of all figures on a page: a third more as text, below 2 MB
_MOST_PIXELS = 20_000_000
_MOST_FILE_BYTES = 5_000_000


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A figure on both sides; None where a side lacks it."""

    folder: str
    """below reports/, without plots/: evaluate/searched"""
    name: str
    """of the file, without its ending"""
    before: bytes | None
    now: bytes | None


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The figures that differ."""

    shown: list[Pair]
    left_out: list[str]
    """paths of those that would make the page too large, or are no picture that can be shown"""
    same: int


def figures(base: Path, head: Path) -> Pairs:
    """Pair the PNGs below two folders of reports, compacted, results first."""
    paths = {side: _pngs(folder) for side, folder in (("base", base), ("head", head))}
    names = sorted({*paths["base"], *paths["head"]}, key=_place)
    shown, left_out, same, total = [], [], 0, 0
    for name in names:
        before, now = (paths[side].get(name) for side in ("base", "head"))
        if before and now and before.read_bytes() == now.read_bytes():
            same += 1
            continue
        pictures = [picture(path) if path else None for path in (before, now)]
        size = sum(len(found) for found in pictures if found)
        unreadable = any(path and not found for path, found in zip((before, now), pictures, strict=True))  # fmt: skip
        if unreadable or total + size > _MOST_BYTES:
            left_out.append(name)
            continue
        total += size
        folder = Path(name).parent.as_posix().replace("/plots", "")
        shown.append(Pair(folder=folder, name=Path(name).stem, before=pictures[0], now=pictures[1]))
    return Pairs(shown=shown, left_out=left_out, same=same)


def picture(path: Path) -> bytes | None:
    """Return a PNG in few colours; None if it is none, or too large to be a figure."""
    if path.stat().st_size > _MOST_FILE_BYTES:
        return None
    content = path.read_bytes()
    try:
        width, height = (
            png.size(png.header(content)) if content.startswith(png.SIGNATURE) else (0, 0)
        )
        return compact(content) if 0 < width * height <= _MOST_PIXELS else None
    except (png.Animated, OSError, SyntaxError, ValueError):
        return None


def histories(reports: Path) -> dict[str, pd.DataFrame]:
    """Return the learning curves below a folder of reports by run: finish/searched-pruned_50."""
    found = {}
    for stage in CURVES:
        for path in sorted((reports / stage).glob("*/plots/history.csv")):
            table = artifacts.read_csv(path)
            if {"fold", "epoch"} <= {*table.columns}:
                found[f"{stage}/{path.parent.parent.name}"] = table
    return found


def moved(
    before: Mapping[str, pd.DataFrame], now: Mapping[str, pd.DataFrame]
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return both sides' curves of those runs that both have and that differ."""
    names = [name for name in now if name in before and not now[name].equals(before[name])]
    return {name: before[name] for name in names}, {name: now[name] for name in names}


def drawn(figure: Figure, folder: Path) -> bytes:
    """Return a drawn figure as PNG; it passes through a file in `folder`."""
    path = folder / "drawn.png"
    artifacts.write_figure(path, figure, dpi=120)
    return path.read_bytes()


def _pngs(reports: Path) -> dict[str, Path]:
    return {
        path.relative_to(reports).as_posix(): path
        for path in sorted(reports.rglob("*.png"))
        if path.relative_to(reports).parts[0] in _ORDER
    }


def _place(name: str) -> tuple[int, str]:
    return _ORDER.index(Path(name).parts[0]), name
