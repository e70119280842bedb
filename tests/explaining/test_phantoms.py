"""Boxes of drawn findings lie where the generator drew them, found again from its seed."""

import dataclasses

import numpy as np
import pytest

from cxr.explaining import geometry, phantoms
from cxr.phantom import radiograph
from cxr.phantom.patient import patient
from cxr.phantom.space import Space

PX, SEED = 96, 7


def of_finding(name, count=4):
    """Return the first patients who have this finding alone."""
    people = (patient(SEED, index, task="multiclass") for index in range(200))
    return [who for who in people if who.findings == (name,)][:count]


def names(people):
    return [f"phantom/images.zip/images/p{who.index:05d}_0.png" for who in people]


def boxes(people):
    return phantoms.boxes(names(people), seed=SEED, task="multiclass", image_px=PX)


def test_the_pose_is_that_of_the_image(monkeypatch):
    """Boxes are sought in the pose, noted as the generator draws, of images of both views."""
    noted = []

    class Noting(Space):
        def __init__(self, seed, who, pose, image_px):
            noted.append((who, dict(pose)))
            super().__init__(seed, who, pose, image_px)

    monkeypatch.setattr(radiograph, "Space", Noting)
    monkeypatch.setattr(phantoms, "Space", Noting)
    views = set()
    for index in range(6):
        who = patient(SEED, index, task="multiclass")
        noted.clear()
        made = radiograph.radiographs(SEED, who, image_px=32)
        drawn = list(noted)
        noted.clear()
        for image in made:
            phantoms.boxes([f"x/p{index:05d}_{image.number}.png"], seed=SEED, task="multiclass", image_px=32)  # fmt: skip
        assert noted == drawn
        views |= {image.view for image in made}
    assert views == {"PA", "AP"}


@pytest.mark.parametrize("name", ["opacity", "effusion"])
def test_inside_its_boxes_a_finding_changes_the_image_most(name):
    """The same patient drawn again without the finding: only the finding and the window differ."""
    for who in of_finding(name):
        ill, well = (
            radiograph.radiographs(SEED, one, image_px=PX)[0].pixels_HW.astype(float)
            for one in (who, dataclasses.replace(who, findings=()))
        )
        found = boxes([who])
        assert len(found) and (found["label"] == name).all()
        covered = geometry.mask(found[["left", "top", "right", "bottom"]].to_numpy() * PX, PX)
        brighter = ill - well - np.median(ill - well)
        assert brighter[covered].mean() > 5 + brighter[~covered].mean()
        assert covered[np.unravel_index(brighter.argmax(), brighter.shape)]


def test_ground_glass_has_a_box_in_each_lung():
    for who in of_finding("ground_glass"):
        found = boxes([who])
        assert found["left"].min() < 0.4 < 0.6 < found["right"].max()
        assert found[["left", "top", "right", "bottom"]].stack().between(0, 1).all()


def test_several_findings_have_boxes_of_their_own_and_none_has_none():
    people = [patient(SEED, index, task="multilabel") for index in range(30)]
    found = phantoms.boxes(names(people), seed=SEED, task="multilabel", image_px=PX)
    for who, name in zip(people, names(people), strict=True):
        assert set(found["label"][found["image"] == name]) == set(who.findings)
    assert list(found.columns) == ["image", "label", "left", "top", "right", "bottom"]
    nobody = phantoms.boxes([], seed=SEED, task="multilabel", image_px=PX)
    assert nobody.empty and list(nobody.columns) == list(found.columns)


def test_an_image_of_another_name_is_told():
    with pytest.raises(ValueError, match=r"scan\.png is no image of the phantom: run `dvc repro"):
        phantoms.boxes(["phantom/scan.png"], seed=1, task="multiclass", image_px=PX)
