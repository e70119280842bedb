"""Brushes: fields with borders as sharp as they are in a body, from numpy only.

OpenCV's float blur and warp differ between processors, so blurs are matrices and shapes are
functions of coordinates. Suffix HW: an array over the image; `Field` is any such array.
"""

from __future__ import annotations

import numpy as np

Field = np.ndarray


def smooth(distance: Field, width: float) -> Field:
    """Return 0 where `distance` < -width/2, 1 where > width/2, an S-curve between (smoothstep)."""
    t = np.clip(distance / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def chord(distance: Field, radius: float) -> Field:
    """Return how deep a round edge is at `distance` inside it: 0 outside, 1 from `radius` inward."""
    t = np.clip(distance / radius, 0, 1)
    return np.sqrt(t * (2 - t))


def ball(squared: Field) -> Field:
    """Return the depth of a ball where `squared` is the squared distance in radii; 1 in the middle."""
    return np.sqrt(np.clip(1 - squared, 0, 1))


def bump(distance: Field, width: float) -> Field:
    """Return a bell curve: 1 at distance 0, 1/e at `width`."""
    t = distance / width
    return np.exp(-t * t)


def tube(distance: Field, half_width: Field | float) -> Field:
    """Return a bone in profile: dense cortex at the borders, less between."""
    t = np.abs(distance) / half_width
    cube = t * t * t  # not `**`: the library's pow is several times slower
    return np.exp(-1.36 * cube * cube) * (0.72 + 0.40 * np.minimum(cube, 1))


def bars(level: Field, half_width: float, jitter: np.ndarray) -> Field:
    """Return tubes where `level` is near a whole number, each moved by its own jitter (periodic)."""
    number = np.round(level)
    move = jitter[number.astype(np.int64) % len(jitter)]
    return tube(level - number - move, half_width)


def add_segment(
    total: Field,
    x: Field,
    y: Field,
    line: tuple[float, float, float, float],
    *,
    width: float,
    peak: float,
) -> None:
    """Raise `total` to at least `peak` along a line (x0, y0, x1, y1), a bell curve across it.

    All three fields are the same part of an image; `width` must be about half a pixel to be seen.
    """
    x0, y0, x1, y1 = line
    px, py, dx, dy = x - x0, y - y0, x1 - x0, y1 - y0
    along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0, 1)
    px -= along * dx
    py -= along * dy
    np.maximum(total, peak * np.exp(-(px * px + py * py) / width**2), out=total)


def between(grid: np.ndarray, rows: Field, columns: Field) -> Field:
    """Read a square grid of values, laid over -1.5 to 1.5, smoothly between its points."""
    cells = len(grid) - 1
    rows, columns = (np.clip((p + 1.5) / 3, 0, 0.9999) * cells for p in (rows, columns))
    i, j = rows.astype(np.int64), columns.astype(np.int64)
    s, t = rows - i, columns - j
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    upper = grid[i, j] * (1 - t) + grid[i, j + 1] * t
    lower = grid[i + 1, j] * (1 - t) + grid[i + 1, j + 1] * t
    return upper * (1 - s) + lower * s


def blurred(field_HW: Field, sigma_px: float) -> Field:
    """Blur by a Gaussian, written out as a matrix; weights at the border are renormalised."""
    axis = np.arange(field_HW.shape[0])
    weights = np.exp(-((axis[:, None] - axis[None, :]) ** 2) / (2 * sigma_px**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ field_HW @ weights.T
