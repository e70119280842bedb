"""What is shown of the maps: images with them laid over, and how far they change with the weights.

Orange speaks for the label that the network said, blue against it; the fuller the colour, the more,
each map in units of its own largest value. Dashed lines are the boxes of findings that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from cxr import artifacts
from cxr.explaining.sanity import Cascade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAIRS = 4
"""Images in a row, each with its map beside it."""
_OPAQUE = 0.65
_FOR, _AGAINST = (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)
_BOX = "#FFE14D"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One image of the sheet."""

    image_SS: np.ndarray
    """uint8"""
    map_SS: np.ndarray
    boxes_K4: np.ndarray
    """in pixels: left, top, right, bottom; may be none"""
    title: str


def sheet(shown: Sequence[Shown], *, title: str) -> Figure:
    """Draw every image beside itself with its map."""
    rows = -(-len(shown) // PAIRS)
    figure, axes = artifacts.new_figure(2.7 * PAIRS, 1.5 * rows + 0.3, rows, 2 * PAIRS)
    axes = np.reshape(axes, (rows * PAIRS, 2))
    for axis in axes.ravel():
        axis.set_axis_off()
    for pair, one in zip(axes, shown, strict=False):
        for axis, pixels in zip(
            pair, (one.image_SS, blended(one.image_SS, one.map_SS)), strict=True
        ):
            axis.imshow(pixels, cmap="gray", vmin=0, vmax=255)
            _outline(axis, one.boxes_K4)
        pair[0].set_title(one.title, fontsize=7, fontweight="normal", pad=2)
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def _outline(axis: Axes, boxes_K4: np.ndarray) -> None:
    for left, top, right, bottom in (boxes_K4 - 0.5).tolist():  # a pixel's middle is a whole number
        corner, size = (left, top), (right - left, bottom - top)
        style = {"edgecolor": _BOX, "linewidth": 0.9, "linestyle": (0, (3, 2))}
        axis.add_patch(Rectangle(corner, *size, fill=False, **style))  # type: ignore[arg-type]


def blended(image_SS: np.ndarray, map_SS: np.ndarray) -> np.ndarray:
    """Return uint8 (S, S, 3): the grey image with the map's colours over it; a flat 0 leaves it grey."""
    largest = np.abs(map_SS).max()
    signed_SS = map_SS.astype(np.float64) / (largest if largest > 0 else 1.0)
    colour_SS3 = np.where(signed_SS[..., None] > 0, _FOR, _AGAINST)
    opacity_SS1 = _OPAQUE * np.abs(signed_SS)[..., None]
    grey_SS1 = image_SS[..., None].astype(np.float64)
    return np.round((1 - opacity_SS1) * grey_SS1 + opacity_SS1 * colour_SS3).astype(np.uint8)


def sanity(cascades: Sequence[Cascade], another_image: float, *, title: str) -> Figure:
    """Draw how alike maps stay to the trained network's while its layers lose what they learned.

    A line per measure: the mean over folds and draws, between the lowest and the highest; where all
    maps are flat it is 0. Folds whose networks take another number of steps than the first are left
    out, and the steps are named by the first one's layers.
    """
    names = cascades[0].layers
    alike = [one for one in cascades if len(one.layers) == len(names)]
    figure, axis = artifacts.new_figure(6.4, 3.9)
    steps = np.arange(len(names) + 1)
    measures = {
        "rank correlation": [one.rank_DT for one in alike],
        "SSIM": [one.ssim_DT for one in alike],
    }
    for (word, found), colour, mark in zip(measures.items(), artifacts.PALETTE, "os", strict=False):
        values = np.nan_to_num(np.concatenate(found))
        values = np.c_[np.ones(len(values)), values]
        low, high = values.min(axis=0), values.max(axis=0)
        axis.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(steps, values.mean(axis=0), color=colour, marker=mark, markersize=4, label=word)
    axis.axhline(0, color="#888888", linewidth=0.8)
    if not np.isnan(another_image):
        words = "rank correlation with another image's map"
        axis.axhline(
            another_image, color="#666666", linewidth=1, linestyle=(0, (4, 3)), label=words
        )
    axis.set_xticks(steps, ["trained", *names], rotation=35, ha="right", fontsize=7)
    axis.set(title=title, ylabel="likeness to the trained network's maps", ylim=(-1.02, 1.02))
    axis.legend(fontsize=8, loc="lower left")
    return figure
