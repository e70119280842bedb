"""Findings: how much of a lung's air has given way, and where."""

from __future__ import annotations

import numpy as np

from cxr.phantom.shapes import Field, smooth
from cxr.phantom.space import Space


def filled(space: Space, side: int) -> Field:
    """Return 0..1, how much of one lung's air has given way to what the patient has."""
    severity = space.who.severity
    rest = np.ones_like(space.x)
    if "opacity" in space.who.findings:
        rest *= 1 - (0.32 + 0.50 * severity) * opacity(space, side)
    if "ground_glass" in space.who.findings:
        rest *= 1 - (0.16 + 0.42 * severity) * ground_glass(space, side)
    if "effusion" in space.who.findings:
        rest *= 1 - effusion(space, side)
    return 1 - rest


def opacity(space: Space, side: int) -> Field:
    """Return one or two consolidations, as of a pneumonia, with soft and irregular edges."""
    rng = space.stream("opacity")
    total = np.zeros_like(space.x)
    ragged = 0.22 * space.noise("ragged", waves=24)
    for _ in range(2 if rng.random() < 0.35 else 1):
        where = -1 if rng.random() < 0.55 else 1
        y = rng.uniform(-0.45, 0.38)
        x = rng.uniform(0.28, 0.45 + 0.26 * y)  # the lung is wider below
        radius = rng.uniform(0.11, 0.17) + 0.08 * space.who.severity
        flat, at_fissure = rng.uniform(0.7, 1.25), rng.random() < 0.2
        phases = rng.uniform(0, 2 * np.pi, 5)
        if where != side:
            continue
        dx, dy = side * space.x - x, space.y - y
        edge, distance = _outline(dx / flat, dy * flat, phases)
        blob = smooth(edge + ragged - distance / radius, 1.1)
        if at_fissure:  # a lobe's border cuts the shadow off in a nearly straight line
            blob *= smooth(0.45 * radius - dy - 0.15 * dx, 0.03)
        total = np.maximum(total, blob)
    return np.clip(total * (0.92 + 0.08 * space.noise("mottled", waves=30)), 0, 1)


def _outline(dx: Field, dy: Field, phases: np.ndarray) -> tuple[Field, Field]:
    """Return the radius of a lobed shape in each pixel's direction, about 1, and the distance."""
    distance = np.sqrt(dx * dx + dy * dy)
    direction = (dx + 1j * dy) / np.maximum(distance, 1e-9)
    edge, power = np.ones_like(dx), direction
    for lobes, phase in enumerate(phases, start=2):
        power = power * direction
        edge += 0.45 / lobes * (np.cos(phase) * power.real - np.sin(phase) * power.imag)
    return edge, distance


def ground_glass(space: Space, side: int) -> Field:
    """Return a haze in both lungs, more outward and below, with patches and fine lines."""
    thinner = space.stream("ground_glass", str(side)).uniform(0.75, 1.0)
    out = np.clip(side * space.x / space.anatomy["cage"], 0, 1)
    where = 0.45 + 0.35 * out * out + 0.35 * smooth(space.y - 0.05, 0.7)
    patches = 0.28 * space.noise("patches", waves=7) + 0.14 * space.noise("patches", waves=15)
    lines = 0.10 * space.noise("lines", waves=38)
    return np.clip(thinner * where * (1 + patches) * (1 + lines), 0, 1)


def effusion(space: Space, side: int) -> Field:
    """Return fluid that blunts the angle, climbs the chest wall and whitens the base."""
    rng = space.stream("effusion")
    first = -1 if rng.random() < 0.5 else 1
    both = rng.random() < 0.3
    if side != first and not both:
        return np.zeros_like(space.x)
    height = 0.13 + 0.42 * space.who.severity**1.5
    if side != first:
        height *= 0.6
    out = np.clip(side * space.x / space.anatomy["cage"], 0, 1.1)
    angle = space.anatomy["dome"] + space.anatomy["dome_height"] + space.pose["breath"]
    climb = (0.05 + 0.16 * height) * (out * out * out) ** 2
    level = angle + 0.02 - height - climb + 0.10 * (1 - out) ** 2
    return 0.92 * smooth(space.y - level, 0.05 + 0.10 * height)
