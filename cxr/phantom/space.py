"""The coordinates of one patient in one pose: where in the body each pixel looks.

x points to the right of the image, which is the patient's left, y down; the film spans -1 to 1
before scaling and the midline lies near x = 0. `side` is -1 for the patient's right, 1 for the left.
"""

from __future__ import annotations

import numpy as np

from cxr import seeding
from cxr.phantom.patient import Patient
from cxr.phantom.shapes import Field, add_segment, between


class Space:
    """Fields that every organ needs, and the streams of the patient whose body this is."""

    def __init__(self, seed: int, who: Patient, pose: dict[str, float], image_px: int) -> None:
        self.seed, self.who, self.pose, self.image_px = seed, who, pose, image_px
        self.anatomy = who.anatomy
        axis = (np.arange(image_px) + 0.5) / image_px * 2 - 1
        u, v = np.meshgrid(axis - pose["shift_x"], axis - pose["shift_y"])
        cos, sin = np.cos(pose["tilt"]), np.sin(pose["tilt"])
        x, y = (cos * u + sin * v) / pose["scale"], (cos * v - sin * u) / pose["scale"]
        # nobody is symmetric: slow waves that belong to the patient bend her space
        a, b, c, d = self.stream("bend").uniform(0, 2 * np.pi, 4)
        self.x = x + 0.012 * np.sin(3.1 * y + a) + 0.006 * np.sin(7.3 * y + 2 * x + b)
        self.y = y + 0.012 * np.sin(2.7 * x + c) + 0.006 * np.sin(6.1 * x + 3 * y + d)
        # a turned patient's front moves against her back; least so at the diaphragm
        self.middle = self.x - pose["turn"] * np.clip(0.6 - 0.6 * self.y, 0.2, 1.0)
        self.cage = self._cage()

    def stream(self, *names: str) -> np.random.Generator:
        """Return a stream of the patient: it draws the same in all her images."""
        return seeding.stream(self.seed, "phantom", "anatomy", self.who.index, *names)

    def noise(self, name: str, *, waves: int) -> Field:
        """Return a smooth random field of the patient, mean about 0, standard deviation about 0.6."""
        rng = self.stream("noise", name, str(waves))
        angle = rng.uniform(0, np.pi)  # the grid must not show as upright and level edges
        cos, sin = np.cos(angle), np.sin(angle)
        grid = rng.standard_normal((waves + 1, waves + 1))
        return between(grid, cos * self.y - sin * self.x, cos * self.x + sin * self.y)

    def dome(self, side: int) -> Field:
        """Return y of one diaphragm at every x: highest in its middle, lowest at the chest wall."""
        top = self.anatomy["dome"] + self.pose["breath"] + self.anatomy["dome_step"] * (side > 0)
        away = (np.abs(self.x) - 0.48 * self.anatomy["cage"]) / 0.40
        return top + self.anatomy["dome_height"] * np.where(away > 0, 1.0, 0.35) * away * away

    def add_line(
        self, total: Field, line: tuple[float, float, float, float], *, width: float, peak: float
    ) -> None:
        """Raise `total` to at least `peak` along a line, working only on the pixels near it."""
        width = max(width, 0.5 / self.image_px)  # a thinner one would fall between the pixels
        (u0, v0), (u1, v1) = self._pixel(*line[:2]), self._pixel(*line[2:])
        margin = (2.5 * width + 0.02) * self.pose["scale"] * self.image_px / 2 + 1
        rows = slice(max(0, int(min(v0, v1) - margin)), max(0, int(max(v0, v1) + margin)))
        columns = slice(max(0, int(min(u0, u1) - margin)), max(0, int(max(u0, u1) + margin)))
        part = (rows, columns)
        if total[part].size:
            add_segment(total[part], self.x[part], self.y[part], line, width=width, peak=peak)

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        """Return the column and row that look at (x, y), but for the bends."""
        cos, sin = np.cos(self.pose["tilt"]), np.sin(self.pose["tilt"])
        u = self.pose["scale"] * (cos * x - sin * y) + self.pose["shift_x"]
        v = self.pose["scale"] * (sin * x + cos * y) + self.pose["shift_y"]
        return (u + 1) / 2 * self.image_px, (v + 1) / 2 * self.image_px

    def _cage(self) -> Field:
        """Return the half width of the thorax inside at every y: a dome, drawn in at the flanks."""
        depth = (self.y - self.anatomy["apex"]) / (0.75 - self.anatomy["apex"])
        falling = np.clip(1 - depth, 0, 1) ** 2.3
        flank = np.clip(depth - 0.85, 0, 1)
        top = 0.30
        widening = (self.anatomy["cage"] - top) * np.sqrt(1 - falling)
        return top + widening - 0.25 * flank * flank
