"""Boxes come under the study's labels and images, in pixels of the prepared ones."""

import pandas as pd

from cxr.explaining import places

INDEX = pd.DataFrame({"image": ["a/1", "a/2", "b/1"]})
SIZES = pd.DataFrame({"image": ["a/1", "a/2", "b/1", "b/2"], "width_px": [100, 50, 200, 10], "height_px": [100, 100, 100, 10]})  # fmt: skip
BOXES = pd.DataFrame(
    [("b/1", "fluid", 0.5, 0.5, 1.0, 1.0), ("a/2", "effusion", 0.0, 0.0, 0.5, 0.5),
     ("b/2", "fluid", 0.1, 0.1, 0.2, 0.2), ("a/1", "hernia", 0.1, 0.1, 0.2, 0.2),
     ("a/1", "mass", 0.25, 0.5, 0.75, 1.0)],
    columns=["image", "label", *places.EDGES],
)  # fmt: skip
LABELS = {"tumour": ["mass", "nodule"], "effusion": ["effusion", "fluid"]}


def found(fit):
    steps = [{"name": "resize", "size_px": 40, "fit": fit}]
    table = places.placed(BOXES, INDEX, SIZES, labels=LABELS, steps=steps)
    assert list(table.columns) == ["row", "label", *places.EDGES]
    return table.to_numpy().tolist()


def test_labels_are_the_studys_and_other_images_and_labels_are_left_out():
    assert found("stretch") == [
        [0, 0, 10, 20, 30, 40],
        [1, 1, 0, 0, 20, 20],
        [2, 1, 20, 20, 40, 40],
    ]


def test_padding_depends_on_each_images_own_sides():
    assert found("pad") == [[0, 0, 10, 20, 30, 40], [1, 1, 10, 0, 20, 20], [2, 1, 20, 20, 40, 30]]
