"""All patients of a study: their images, the table of their labels, the archive."""

from __future__ import annotations

import functools
import io
import zipfile
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from cxr import seeding, workers
from cxr.phantom.patient import FINDINGS, Patient, patient
from cxr.phantom.radiograph import Radiograph, radiographs


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """The lists run in parallel, one entry per patient."""

    patients: list[Patient]
    radiographs: list[list[Radiograph]]
    labels: list[dict[str, int]]
    """1 present, 0 absent for every class (multiclass) or every finding (multilabel)."""


def cohort(seed: int, *, patients: int, image_px: int, task: str, shuffle_labels: bool) -> Cohort:
    """Make `patients` patients and their images, square of `image_px`.

    With `shuffle_labels` the labels are permuted among the patients after the images are made.
    """
    make = functools.partial(_examine, seed, image_px, task)
    made = workers.run(make, range(patients), words="patients", chunk=8)
    people = [who for who, _ in made]
    order = np.arange(patients)
    if shuffle_labels:
        order = seeding.stream(seed, "phantom", "shuffle").permutation(patients)
    return Cohort(
        patients=people,
        radiographs=[images for _, images in made],
        labels=[_labels(people[i].findings, task) for i in order],
    )


def table(study: Cohort) -> pd.DataFrame:
    """Return a row per image: image, patient, view, age_years, sex and a column per label."""
    people = zip(study.patients, study.radiographs, study.labels, strict=True)
    return pd.DataFrame(
        {
            "image": _member(who, image),
            "patient": f"p{who.index:05d}",
            "view": image.view,
            "age_years": who.age_years,
            "sex": who.sex,
            **labels,
        }
        for who, images, labels in people
        for image in images
    )


def archive(study: Cohort) -> bytes:
    """Return a zip of the images as PNG; its bytes hold no clock time and no system's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for who, images in zip(study.patients, study.radiographs, strict=True):
            for image in images:
                entry = zipfile.ZipInfo(_member(who, image), date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system = 3  # Unix; zipfile would write the machine's own
                entry.external_attr = 0o100644 << 16
                content = io.BytesIO()
                Image.fromarray(image.pixels_HW).save(content, format="png")
                file.writestr(entry, content.getvalue())
    return buffer.getvalue()


def _examine(seed: int, image_px: int, task: str, index: int) -> tuple[Patient, list[Radiograph]]:
    who = patient(seed, index, task=task)
    return who, radiographs(seed, who, image_px=image_px)


def _labels(findings: tuple[str, ...], task: str) -> dict[str, int]:
    present = {name: int(name in findings) for name in FINDINGS}
    return {"normal": int(not findings), **present} if task == "multiclass" else present


def _member(who: Patient, image: Radiograph) -> str:
    """Name an image by patient and number, never by what it shows."""
    return f"images/p{who.index:05d}_{image.number}.png"
