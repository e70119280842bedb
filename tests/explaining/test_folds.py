"""One fold explained: what the network says, its maps, and a play for each image and label with boxes."""

import numpy as np
import pandas as pd
import pytest

from cxr import numerics, prepared
from cxr.explaining import folds, maps, places, pointing
from cxr.training import models
from tests.exporting import toys
from tests.exporting.toys import SIZE_PX, SMALL

numerics.exact_torch()
BOXES = pd.DataFrame(
    [(5, 1, 0.0, 0.0, 32.0, 32.0), (2, 0, 0.0, 0.0, 8.0, 8.0), (2, 0, 8.0, 8.0, 16.0, 16.0), (2, 2, 0.0, 0.0, 4.0, 4.0)],
    columns=["row", "label", *places.EDGES],
)  # fmt: skip


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    toys.save(folder / "toy", temperature=2.0, **SMALL)
    index = pd.DataFrame({"image": [f"toy/{i}" for i in range(6)], "patient": "", "source": "", "view": "",
                          "age_years": np.nan, "sex": "", "label:a": 1, "label:b": 0, "label:c": 0})  # fmt: skip
    prepared.write(folder / "prepared", toys.images(6).__getitem__, index)
    return folds.Task(
        model=folder / "toy", fold=0, prepared_folder=folder / "prepared",
        shown=np.array([1, 2, 4]), boxes=BOXES, seed=3,
    )  # fmt: skip


def test_maps_are_of_what_the_network_says_and_all_repeats_to_the_bit(task):
    found, again = folds.explain_fold(task), folds.explain_fold(task)
    member = models.load(task.model, 0)
    images = toys.images(6)[[1, 2, 4]]
    probabilities = models.predict_once(member, images)
    assert np.array_equal(found.said_N, probabilities.argmax(axis=1))
    assert np.array_equal(found.maps_Nhw, maps.explain(member, images, found.said_N))
    assert found.shown.tolist() == [1, 2, 4] and -1 <= found.another_image <= 1
    assert found.maps_Nhw.tobytes() == again.maps_Nhw.tobytes()
    assert found.cascade.rank_DT.tobytes() == again.cascade.rank_DT.tobytes()
    pd.testing.assert_frame_equal(found.plays, again.plays, check_exact=True)


def test_each_image_and_label_with_boxes_is_played_once(task):
    plays = folds.explain_fold(task).plays
    assert plays[["row", "label"]].to_numpy().tolist() == [[2, 0], [2, 2], [5, 1]]
    assert plays["chance"].tolist() == [128 / SIZE_PX**2, 16 / SIZE_PX**2, 1.0]
    assert plays["centre"].tolist() == [0, 0, 1] and plays["hit"].iloc[2] == 1
    member = models.load(task.model, 0)
    (own,) = maps.explain(member, toys.images(6)[2:3], np.array([2]))
    corner = float(own.argmax() == 0 and SIZE_PX // own.shape[0] // 2 < 4)
    assert plays["hit"].iloc[1] == corner


def test_without_boxes_nothing_is_played(task):
    member, images = models.load(task.model, 0), prepared.read(task.prepared_folder)
    plays = folds._play(member, images, BOXES[:0])
    assert plays.empty and list(plays.columns) == ["row", "label", *pointing.PLAYERS]
