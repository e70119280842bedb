"""phantom: make the embedded data set, synthetic chest radiographs that need nothing from outside.

Writes data/raw/phantom/images.zip and labels.csv, and a contact sheet of examples per class. See
cxr/phantom for how the images are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stages._stage import run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cxr.phantom.cohort import Cohort


@dataclass(frozen=True, kw_only=True)
class Params:
    """How many patients, how large and with which labels."""

    patients: int
    """number of patients, each with 1 to 3 images"""
    image_px: int
    """side of an image, 32 to 1024"""
    task: Literal["multiclass", "multilabel"]
    """multiclass: one of the classes; multilabel: findings combine, normal has none"""
    shuffle_labels: bool
    """control: labels permuted among patients, nothing is left to learn"""

    def __post_init__(self) -> None:
        """Refuse what can't be drawn."""
        if self.patients < 1:
            raise ValueError(f"patients must be 1 or more, not {self.patients}")
        if not 32 <= self.image_px <= 1024:
            raise ValueError(f"image_px must be 32 to 1024, not {self.image_px}")


def phantom(settings: Params, *, seed: int) -> Cohort:
    """Return all patients with their images and labels; seed: the study's."""
    from cxr.phantom import cohort as cohorts

    return cohorts.cohort(
        seed,
        patients=settings.patients,
        image_px=settings.image_px,
        task=settings.task,
        shuffle_labels=settings.shuffle_labels,
    )


def portrait(study: Cohort, *, columns: int = 6) -> Figure:
    """Draw a contact sheet: a row per combination of labels, the first image of the first patients."""
    import numpy as np

    from cxr import artifacts

    rows: dict[str, list[int]] = {}
    for i, labels in enumerate(study.labels):
        title = " + ".join(name for name, present in labels.items() if present) or "normal"
        rows.setdefault(title, []).append(i)
    figure, axes = artifacts.new_figure(1.7 * columns, 1.95 * len(rows), len(rows), columns)
    axes = np.reshape(axes, (len(rows), columns))
    for line, title in zip(axes, sorted(rows), strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, i in zip(line, rows[title], strict=False):
            who, image = study.patients[i], study.radiographs[i][0]
            axis.imshow(image.pixels_HW, cmap="gray", vmin=0, vmax=255)
            axis.set_title(f"{who.sex} {who.age_years}, {image.view}", fontsize=7, pad=2)
        line[0].text(
            -0.06, 0.5, title, rotation=90, va="center", ha="right", fontsize=8,
            transform=line[0].transAxes,
        )  # fmt: skip
    return figure


def main() -> str:
    """Read the parameters, make the data set, write it and its portrait."""
    from cxr import artifacts, params, progress
    from cxr.phantom import cohort as cohorts

    settings, seed = params.load(Params, "phantom"), params.seed()
    progress.say(f"making chest radiographs of {settings.patients} patients by code")
    study = phantom(settings, seed=seed)
    table = cohorts.table(study)
    with artifacts.folder(Path("data/raw/phantom")) as folder:
        artifacts.write_bytes(folder / "images.zip", cohorts.archive(study))
        artifacts.write_csv(folder / "labels.csv", table)
    artifacts.write_figure(Path("reports/phantom/plots/portrait.png"), portrait(study))
    counts = table[list(study.labels[0])].sum()
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{len(table)} images of {settings.patients} patients: {words}"


if __name__ == "__main__":
    run("phantom", main, Params)
