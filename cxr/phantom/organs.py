"""Organs: the body around, the air in the lungs, heart, great vessels, airways, breasts and belly."""

from __future__ import annotations

import numpy as np

from cxr.phantom.shapes import Field, ball, chord, smooth
from cxr.phantom.space import Space


def body(space: Space) -> Field:
    """Return 0..1, the depth of the body: torso, shoulders and neck; 0 beside it."""
    x, y = np.abs(space.x), space.y
    half = space.anatomy["cage"] + space.anatomy["fat"] + 0.5 * smooth(-0.35 - y, 0.75)
    shoulder_line = -0.93 + 0.36 * np.clip(x - 0.24, 0, 1) ** 1.3
    neck = 0.8 * chord(0.27 + 0.1 * np.clip(y + 0.9, 0, 1) - np.abs(space.middle), 0.2)
    above = np.where(y < -0.5, neck, 0.0)
    return chord(half - x, 0.40) * np.maximum(chord(y - shoulder_line, 0.30), above)


def air(space: Space, side: int) -> Field:
    """Return 0..1, the depth of air in one healthy lung, within chest wall and diaphragm."""
    out = side * space.x
    depth = space.y - space.anatomy["apex"]
    inner = 0.29 - 0.24 * np.sqrt(np.clip(depth / 0.30, 0, 1))
    sides = chord(space.cage - out, 0.22) * chord(out - inner, 0.10)
    return sides * chord(depth, 0.16) * chord(space.dome(side) - space.y, 0.10)


def heart(space: Space) -> Field:
    """Return 0..1, the depth of the heart; in AP it is magnified."""
    half = space.anatomy["heart"] * space.pose["magnified"] * space.anatomy["cage"]
    lift = 0.7 * space.pose["breath"] + space.anatomy["dome"] - 0.47
    cos, sin = np.cos(space.anatomy["heart_tilt"]), np.sin(space.anatomy["heart_tilt"])
    dx, dy = space.middle - 0.34 * half, space.y - 0.27 - lift
    along, across = (
        (cos * dx + sin * dy) / (1.06 * half),
        (cos * dy - sin * dx) / (0.70 * half + 0.02),
    )
    left = ball(along * along + across * across)
    dx, dy = (space.middle + 0.12 * half) / (0.58 * half), (space.y - 0.24 - lift) / 0.30
    right = ball(dx * dx + dy * dy)
    return np.maximum(left, right) * smooth(space.dome(1) + 0.10 - space.y, 0.16)


def mediastinum(space: Space) -> Field:
    """Return 0..1: what lies between the lungs, with aortic knob, pulmonary trunk and vena cava."""
    x, y = space.middle, space.y
    width = space.anatomy["mediastinum"] + 0.07 * np.clip(-0.5 - y, 0, 1) + 0.04 * np.clip(y, 0, 1)
    width = width - 0.03 * smooth(0.05 - np.abs(y + 0.12), 0.3)  # its waist
    band = 0.95 * smooth(width - np.abs(x - 0.01), 0.055)
    knob = 0.9 * ball(((x - 0.095) ** 2 + (y + 0.32) ** 2) / space.anatomy["knob"] ** 2)
    trunk = 0.8 * ball(((x - 0.05 - 0.25 * y) / 0.10) ** 2 + ((y + 0.12) / 0.17) ** 2)
    cava = 0.7 * smooth(width + 0.03 - np.abs(x + 0.02), 0.05) * smooth(-x, 0.05) * smooth(-y, 0.5)
    return np.maximum.reduce([band, knob, trunk, cava])


def airways(space: Space) -> Field:
    """Return 0..1: trachea and main bronchi, the left one flatter."""
    x, below = space.middle + 0.008, space.y + 0.20
    trachea = chord(0.042 - np.abs(x), 0.042) * smooth(0.02 - below, 0.04)
    right, left = np.abs(x + 0.6 * below), np.abs(x - 0.95 * below)
    bronchi = chord(0.03 - np.minimum(right, left), 0.03)
    return np.maximum(trachea, 0.8 * bronchi * smooth(below, 0.03) * smooth(0.14 - below, 0.06))


def soft_tissue(space: Space) -> Field:
    """Return what adds to or lacks in the even body: muscle, breasts, liver, gas in the stomach."""
    total = 0.05 * space.noise("muscle", waves=5) + 0.02 * space.noise("muscle", waves=15)
    if space.anatomy["breast"]:
        for side in (-1, 1):
            dx, dy = (side * space.x - 0.44) / 0.36, (space.y - 0.34) / 0.34
            distance = np.sqrt(dx * dx + dy * dy)
            total += 0.42 * space.anatomy["breast"] * smooth(1 - distance, 0.35)
    size = max(space.anatomy["stomach"], 0.0) ** 0.5
    top = space.anatomy["dome"] + space.anatomy["dome_step"] + space.pose["breath"]
    dx, dy = space.x - 0.34, space.y - top - 0.05 - 0.09 * size
    gas = ball((dx / (0.13 * size + 0.02)) ** 2 + (dy / (0.08 * size + 0.02)) ** 2)
    return total - 0.75 * size * gas + 0.12 * smooth(space.y - 0.6, 0.3)
