"""Bones: spine, ribs, clavicles, shoulder blades and the heads of the upper arms."""

from __future__ import annotations

import numpy as np

from cxr.phantom.shapes import Field, ball, bars, bump, chord, smooth, tube
from cxr.phantom.space import Space


def bones(space: Space) -> Field:
    """Return the attenuation of all bones of a patient of middle density."""
    parts = 0.15 * spine(space) + 0.18 * ribs(space)
    for side in (-1, 1):
        parts += 0.30 * clavicle(space, side) + 0.16 * shoulder(space, side)
    return parts


def spine(space: Space) -> Field:
    """Return vertebral bodies, discs between them, pedicles and spinous processes."""
    x = 0.6 * space.middle + 0.4 * space.x
    level = (space.y + 0.3 * space.anatomy["rib_phase"]) / (0.125 + 0.02 * space.y)
    wave = np.cos(2 * np.pi * level)
    disc, body = (0.5 + 0.5 * wave) ** 2, (0.5 - 0.5 * wave) ** 2
    column = chord(0.09 - np.abs(x), 0.06)
    pedicles = bump(np.abs(x) - 0.055, 0.014) * body * body
    spinous = bump(x, 0.018) * body
    return column * (0.85 - 0.40 * disc * disc) + 0.3 * spinous + 0.3 * pedicles


def ribs(space: Space) -> Field:
    """Return posterior arcs (outward, then down) and fainter anterior arcs (inward and down)."""
    anatomy, y = space.anatomy, space.y
    gap, phase = anatomy["rib_gap"], anatomy["rib_phase"]
    wall = space.cage - np.abs(space.x)
    out = np.abs(space.x) / anatomy["cage"]
    jitter = space.stream("ribs").normal(0, 0.045, (2, 2, 32))
    left = (space.x > 0).astype(np.int64)

    drop = anatomy["rib_drop"] * (1.25 - 0.5 * np.clip((y + 0.75) / 0.9, 0, 1))
    arc = anatomy["rib_slope"] * out + drop * out * out * out
    behind = (y - arc + 0.04 * np.sin(np.pi * np.minimum(out, 1))) / gap + phase
    posterior = bars(behind + 32 * left, 0.21, jitter[0].ravel()) * smooth(out - 0.08, 0.04)
    # end-on, where it turns at the chest wall, a rib is densest
    posterior *= 1 + 0.8 * bump(wall, 0.05)

    ahead = (y + 0.55 * out - 0.55 + 0.18 * (1 - out) ** 2) / (1.15 * gap) + 0.4 + phase
    anterior = bars(ahead + 32 * left, 0.25, jitter[1].ravel())
    # inward they become cartilage, which does not show
    anterior *= smooth(out - 0.42, 0.2) * smooth(0.36 - y, 0.25)

    seen = smooth(wall + 0.015, 0.02) * smooth(y - anatomy["apex"] - 0.02, 0.08)
    return (posterior + 0.55 * anterior) * seen * (1 - 0.6 * smooth(y - 0.5, 0.3))


def clavicle(space: Space, side: int) -> Field:
    """Return one collar bone: a slender S that rises outward."""
    out = side * space.middle
    inner_end = space.anatomy["clavicle"] + side * 1.2 * space.pose["turn"]
    line = inner_end - 0.26 * (out - 0.07) + 0.05 * np.sin(7.5 * out - 0.6)
    thick = 0.026 + 0.008 * bump(out - 0.13, 0.05) + 0.006 * np.cos(6 * out)
    # the inner end lies over the breastbone's upper edge and fades into it
    return tube(space.y - line, thick) * smooth(out - 0.11, 0.10) * smooth(0.86 - out, 0.06)


def shoulder(space: Space, side: int) -> Field:
    """Return one shoulder blade, beside the lungs in PA and over them in AP, and the arm's head."""
    out, y = side * space.x, space.y
    edge = space.pose["scapula"] * space.anatomy["cage"] + 0.10 * np.clip(-y - 0.1, -1, 1)
    edge = edge - 0.25 * (y + 0.3) ** 2
    blade = smooth(out - edge, 0.03) * smooth(0.05 - y - 0.55 * (out - edge), 0.05)
    rim = 0.8 * bump(out - edge - 0.014, 0.016) * smooth(0.05 - y, 0.06)
    head = ball(((out - 1.02) ** 2 + (y + 0.62) ** 2) / 0.15**2)
    return (blade + rim) * smooth(y + 0.60, 0.10) + 2.5 * head
