"""The phantom: same bytes, same patients, and nothing but the lungs that tells a class."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest

from cxr.phantom import cohort as cohorts
from cxr.phantom import organs, radiograph
from cxr.phantom.cohort import Cohort, cohort
from cxr.phantom.patient import CLASSES, FINDINGS, patient
from cxr.phantom.radiograph import radiographs
from cxr.phantom.shapes import blurred
from cxr.phantom.space import Space

OPTIONS = {"image_px": 32, "task": "multiclass", "shuffle_labels": False}


@pytest.fixture(scope="module")
def study() -> Cohort:
    return cohort(11, patients=120, **OPTIONS)


def auroc(scores: np.ndarray, present: np.ndarray) -> float:
    ranks = pd.Series(scores).rank().to_numpy()
    positive, negative = present.sum(), (1 - present).sum()
    return float(
        (ranks[present == 1].sum() - positive * (positive + 1) / 2) / (positive * negative)
    )


def statistics(study: Cohort) -> dict[str, np.ndarray]:
    pixels = np.stack([image.pixels_HW for images in study.radiographs for image in images])
    return {
        "mean": pixels.mean((1, 2)),
        "median": np.median(pixels, (1, 2)),
        "deviation": pixels.std((1, 2)),
        "brightest": pixels.max((1, 2)),
        "black": (pixels == 0).mean((1, 2)),
    }


def test_two_runs_and_two_workers_make_the_same_bytes(monkeypatch):
    hashes = set()
    for workers in ("1", "2", "1"):
        monkeypatch.setenv("CXR_WORKERS", workers)
        made = cohort(3, patients=12, **OPTIONS)
        text = cohorts.table(made).to_csv()
        hashes.add(hashlib.sha256(cohorts.archive(made) + text.encode()).hexdigest())
    assert len(hashes) == 1


def test_another_seed_makes_another_patient():
    first, second = (radiographs(s, patient(s, 0, task="multiclass"), image_px=32) for s in (1, 2))
    assert not np.array_equal(first[0].pixels_HW, second[0].pixels_HW)


def test_a_patient_does_not_depend_on_how_many_there_are(study):
    few = cohort(11, patients=8, **OPTIONS)
    assert few.patients == study.patients[:8]
    for images, again in zip(few.radiographs, study.radiographs, strict=False):
        assert [image.view for image in images] == [image.view for image in again]
        for image, other in zip(images, again, strict=True):
            assert np.array_equal(image.pixels_HW, other.pixels_HW)


def test_images_are_grey_squares_with_contrast(study):
    for images in study.radiographs:
        for image in images:
            assert image.pixels_HW.shape == (32, 32) and image.pixels_HW.dtype == np.uint8
            assert image.pixels_HW.std() > 25


def test_patients_have_one_to_three_images_of_both_views(study):
    assert {len(images) for images in study.radiographs} == {1, 2, 3}
    views = [image.view for images in study.radiographs for image in images]
    assert 0.25 < views.count("AP") / len(views) < 0.45 and set(views) == {"AP", "PA"}


def test_classes_come_in_their_shares_in_every_twenty_patients(study):
    counts = pd.DataFrame(study.labels[20:40])[list(CLASSES)].sum().tolist()
    assert counts == [8, 4, 4, 4]


def test_multilabel_findings_combine_and_normal_has_none():
    people = [patient(5, index, task="multilabel") for index in range(200)]
    assert {len(who.findings) for who in people} == {0, 1, 2, 3}
    few = cohort(5, patients=4, **(OPTIONS | {"task": "multilabel"}))
    assert [tuple(labels) for labels in few.labels] == [FINDINGS] * 4
    for who, labels in zip(few.patients, few.labels, strict=True):
        assert who.findings == tuple(name for name in FINDINGS if labels[name])


def test_the_task_changes_what_a_patient_has_not_who_she_is():
    one, other = (patient(5, 3, task=task) for task in ("multiclass", "multilabel"))
    assert dataclasses.replace(one, findings=()) == dataclasses.replace(other, findings=())


def test_unknown_task_is_named():
    with pytest.raises(ValueError, match="must be multiclass or multilabel, not 'regression'"):
        patient(1, 0, task="regression")


def test_no_statistic_of_the_pixels_gives_a_class_away(study):
    table = cohorts.table(study)
    for name in CLASSES:
        for statistic, scores in statistics(study).items():
            area = auroc(scores, table[name].to_numpy())
            assert 0.25 < area < 0.75, f"{statistic} tells {name}: AUROC {area:.2f}"


def test_view_sex_and_age_do_not_depend_on_the_class():
    people = [patient(2, index, task="multiclass") for index in range(800)]
    normal = np.array([int(not who.findings) for who in people])
    assert abs(auroc(np.array([who.age_years for who in people]), normal) - 0.5) < 0.06
    assert abs(auroc(np.array([who.sex == "F" for who in people]), normal) - 0.5) < 0.06
    assert abs(auroc(np.array([who.severity for who in people]), normal) - 0.5) < 0.06


def test_no_draw_of_an_image_knows_the_findings(monkeypatch):
    """With the lungs' filling switched off, ill and well patients give the same bytes."""
    ill = dataclasses.replace(patient(8, 1, task="multiclass"), severity=0.9, findings=FINDINGS)
    well = dataclasses.replace(ill, findings=())
    shown, plain = (radiographs(8, who, image_px=64)[0].pixels_HW for who in (ill, well))
    assert np.abs(shown.astype(int) - plain).max() > 40
    monkeypatch.setattr(radiograph, "filled", lambda space, side: 0.0)
    hidden, plain = (radiographs(8, who, image_px=64)[0].pixels_HW for who in (ill, well))
    assert np.array_equal(hidden, plain)


def test_shuffled_labels_say_nothing_about_the_findings():
    plain = cohort(4, patients=80, **OPTIONS)
    mixed = cohort(4, patients=80, **(OPTIONS | {"shuffle_labels": True}))
    assert cohorts.archive(plain) == cohorts.archive(mixed)
    before, after = (pd.DataFrame(study.labels) for study in (plain, mixed))
    assert before.sum().equals(after.sum())
    same = (before.to_numpy().argmax(1) == after.to_numpy().argmax(1)).mean()
    assert 0.18 < same < 0.38  # by chance: .4² + 3 · .2² = .28


def test_names_tell_patient_and_number_only(study):
    table = cohorts.table(study)
    assert table["image"].is_unique and table["image"].is_monotonic_increasing
    assert table["image"].str.fullmatch(r"images/p\d{5}_[0-2]\.png").all()


def space(**changes: float) -> Space:
    """The first patient, straight before the film."""
    pose = {"scale": 1.0, "tilt": 0.0, "turn": 0.0, "shift_x": 0.0, "shift_y": 0.0}
    pose |= {"breath": 0.0, "scapula": 1.0, "magnified": 1.0}
    return Space(1, patient(1, 0, task="multiclass"), pose | changes, 64)


def test_heart_lies_to_the_image_right_and_grows_with_magnification():
    heart = organs.heart(space())
    assert heart[:, 32:].sum() > 1.5 * heart[:, :32].sum()
    assert (organs.heart(space(magnified=1.15)) > 0).sum() > 1.1 * (heart > 0).sum()


def test_right_diaphragm_is_higher_and_sinks_with_breath():
    standing = space()
    assert standing.dome(-1).min() < standing.dome(1).min()
    assert np.allclose(space(breath=0.04).dome(-1), standing.dome(-1) + 0.04)


def test_the_patients_anatomy_moves_with_the_pose():
    there, here = organs.air(space(shift_x=0.125), 1), organs.air(space(), 1)
    assert np.allclose(there[:, 4:], here[:, :-4])  # 0.125 of the field: 4 of 64 pixels


def test_blur_keeps_an_even_field_and_spreads_a_point():
    assert np.allclose(blurred(np.full((16, 16), 3.0), 2.0), 3.0)
    point = np.zeros((16, 16))
    point[8, 8] = 1.0
    spread = blurred(point, 1.0)
    assert spread[8, 8] == spread.max() < 0.2 and spread[8, 9] > 0.05
