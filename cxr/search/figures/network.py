"""The networks that were picked, drawn: a box per stage, as high as its maps, above its share of the cost."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import EngFormatter, PercentFormatter

from cxr import architectures, artifacts
from cxr.architectures import Line
from cxr.search.figures.style import FAINT, INK, METHODS, methods

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE = 13  # letters of a line beneath a box
_COSTS = {"macs": ("MACs", ""), "parameters": ("parameters", "////")}  # words and hatching


def winner(candidates: pd.DataFrame, *, size_px: int, title: str) -> Figure:
    """Draw each method's pick of the first fold at images of `size_px`, from input to output.

    A box is as high as its maps' side (in steps of halving) and names its channels (ch) and that side; bars beneath
    say which shares of the network's MACs and parameters it takes (the classifier is not counted).
    """
    fold = candidates["fold"].min()
    picked = candidates[(candidates["fold"] == fold) & (candidates["picked"] == 1)]
    there = methods(picked)
    networks = {
        method: json.loads(picked[picked["method"] == method]["architecture"].iloc[0])
        for method in there
    }
    drawn = {x: architectures.outline(networks[x], size_px=size_px) for x in there}
    longest = max(map(len, drawn.values()))
    width = max(9.6, 1.0 + 0.98 * longest)
    # flat enough for the report to show it in its full width
    height = min(3.4, width / 1.8 / len(there)) * len(there)
    figure, axes = artifacts.new_figure(width, height, 2 * len(there))
    several = candidates["fold"].nunique() > 1
    for place, (method, lines) in enumerate(drawn.items()):
        boxes, bars = axes[2 * place], axes[2 * place + 1]
        _boxes(boxes, lines, method, size_px=size_px)
        shared = architectures.words(networks[method]).partition("; ")[2]
        named = [f"{title}: {method}", *[f"fold {fold}"] * several, *[shared] * bool(shared)]
        boxes.set_title(", ".join(named))
        _bars(bars, lines, method)
        for axis in (boxes, bars):
            axis.set_xlim(-0.6, longest - 0.4)
    return figure


def _boxes(axis: Axes, lines: Sequence[Line], method: str, *, size_px: int) -> None:
    """Draw the layers' boxes, linked from left to right."""
    color, deepest = METHODS[method].color, 0
    for x, line in enumerate(lines):
        height = _height(line.side_px, size_px)
        box: dict[str, Any] = {"facecolor": "white", "edgecolor": INK, "linewidth": 1.0}
        if line.parameters:  # what is trained
            box |= {"facecolor": f"{color}26", "edgecolor": color, "linewidth": 1.4}
        axis.add_patch(
            FancyBboxPatch((x - 0.36, -height / 2), 0.72, height, boxstyle="round,pad=0,rounding_size=0.06", **box)
        )  # fmt: skip
        if x:
            axis.annotate(
                "", (x - 0.37, 0), (x - 0.63, 0),
                arrowprops={"arrowstyle": "-|>", "color": FAINT, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7},
            )  # fmt: skip
        size = f" ch\n{line.side_px} px" if line.side_px else ""
        axis.text(x, 0, f"{line.channels:,}{size}", ha="center", va="center", fontsize=8, color=INK)
        words = textwrap.wrap(
            line.words.replace(" × ", "\u00a0×\u00a0"), _WIDE, break_long_words=False, break_on_hyphens=False
        )  # fmt: skip
        deepest = max(deepest, len(words))
        axis.text(x, -0.58, "\n".join(words), ha="center", va="top", fontsize=7.5, color=INK)
    axis.set(ylim=(-0.62 - 0.15 * deepest, 0.55), xticks=[], yticks=[])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def _height(side_px: int, size_px: int) -> float:
    """Return a box's height: 1 for maps as large as the image, less for each halving, .3 for flat ones."""
    halvings = 0.0 if side_px >= size_px else size_px.bit_length() - max(side_px, 1).bit_length()
    return max(1.0 - 0.11 * halvings, 0.34) if side_px else 0.3


def _bars(axis: Axes, lines: Sequence[Line], method: str) -> None:
    """Draw each layer's shares of MACs and parameters side by side, with their numbers."""
    color, scaled = METHODS[method].color, EngFormatter(places=1, sep="\u202f")
    highest = 0.1
    for offset, (cost, (words, hatch)) in zip((-0.19, 0.19), _COSTS.items(), strict=True):
        whole = sum(getattr(line, cost) for line in lines)
        shares = [getattr(line, cost) / max(whole, 1) for line in lines]
        highest = max(highest, *shares)
        found = {x + offset: share for x, share in enumerate(shares) if share}
        axis.bar(
            list(found), list(found.values()), width=0.36, color=color if not hatch else "white", edgecolor=color,
            hatch=hatch, linewidth=0.9, label=f"{words} ({scaled(whole)})",
        )  # fmt: skip
        for x, share in found.items():
            shown = f"{100 * share:.0f}" if share >= 0.01 else "<1"
            axis.text(x, share, shown, ha="center", va="bottom", fontsize=7, color=INK)
    axis.set(ylim=(0, 1.12 * highest), xticks=[], ylabel="share")
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol="\u202f%"))
    axis.legend(loc="best", fontsize=8)
