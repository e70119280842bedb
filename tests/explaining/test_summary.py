"""What folds say together: tables, means, the verdict and one line of words."""

import math

import numpy as np
import pandas as pd
import pytest

from cxr.explaining import folds, places, pointing, sanity, summary

INDEX = pd.DataFrame({"image": ["a", "b", "c"], "label:mass": [1.0, 0.0, 1.0], "label:fluid": [0.0, 0.0, 1.0]})  # fmt: skip


class Images:
    """Prepared images as the sheet asks for them."""

    index, size_px = INDEX, 8

    def gather(self, rows):
        return np.full((len(rows), 8, 8), 50, np.uint8)


def explained(ranks, *, plays=(), shown=(0, 2), places_=3, other=0.4):
    ranks = np.array([ranks, ranks])
    cascade = sanity.Cascade(
        layers=["head", "stem"], shares_T=np.array([0.25, 1.0]), rank_DT=ranks, ssim_DT=np.array([[0.5, 0.1]] * 2),
    )  # fmt: skip
    return folds.Explained(
        shown=np.array(shown), said_N=np.array([1, 0]), probabilities_NL=np.array([[0.2, 0.8], [0.7, 0.3]]),
        maps_Nhw=np.ones((2, places_, places_), np.float32), cascade=cascade, another_image=other,
        plays=pd.DataFrame(list(plays), columns=["row", "label", *pointing.PLAYERS]),
    )  # fmt: skip


FOUND = [
    explained([0.6, 0.1], plays=[(0, 0, 1.0, 0.2, 0.0)]),
    explained([0.2, 0.3], plays=[(0, 0, 0.0, 0.2, 0.0), (2, 1, 0.0, 0.4, 1.0)], places_=5, other=0.2),
]  # fmt: skip


def test_likeness_has_a_row_per_fold_draw_and_step():
    found = summary.likeness(FOUND)
    assert len(found) == 8 and found["layer"].tolist()[:2] == ["head", "stem"]
    assert found.iloc[6].to_dict() == {
        "fold": 1, "draw": 1, "step": 0, "layer": "head", "parameters_share": 0.25,
        "rank_correlation": 0.2, "ssim": 0.5,
    }  # fmt: skip


def test_plays_are_told_by_name():
    found = summary.plays(FOUND, INDEX)
    assert found[["fold", "image", "label", "hit"]].to_numpy().tolist() == [
        [0, "a", "mass", 1.0], [1, "a", "mass", 0.0], [1, "c", "fluid", 0.0],
    ]  # fmt: skip


def test_figures_are_means_over_folds_and_draws():
    found = summary.summarise(FOUND, INDEX, part="val")
    assert found["folds"] == 2 and found["map_places"] == ["3 x 3", "5 x 5"]
    check = found["sanity"]
    assert check["images"] == 4 and check["draws"] == sanity.DRAWS
    assert check["output_layer"] == {"rank_correlation": 0.4, "ssim": 0.5}
    assert check["all_layers"] == {"rank_correlation": 0.2, "ssim": 0.1}
    assert check["another_image"] == 0.3 and check["changed"] is True
    assert found["part"] == "val" and found["pointing"]["plays"] == 2
    assert found["pointing"]["accuracy"]["value"] == 0.25


@pytest.mark.parametrize(("last", "value"), [(0.7, 0.7), (math.nan, None)])
def test_maps_that_stay_or_are_flat_are_not_said_to_change(last, value):
    found = summary.summarise([explained([0.9, last])], INDEX, part="val")
    assert found["sanity"]["all_layers"]["rank_correlation"] == value
    assert found["sanity"]["changed"] is False and found["pointing"] is None
    said = summary.words(found)
    assert "they do NOT show what was learned; no boxes in val, no pointing game" in said


def test_words_tell_the_game_beside_those_who_never_look():
    said = summary.words(summary.summarise(FOUND, INDEX, part="test"))
    assert said.startswith(
        "rank correlation of maps with those of new weights 0.20; pointing game on 2 of test: 0.250 ("
    )
    assert said.endswith("), by chance 0.300, the middle 0.500")


def test_a_sheet_says_what_is_there_and_what_the_network_says():
    boxes = pd.DataFrame([(2, 0, 1.0, 1.0, 4.0, 4.0)], columns=["row", "label", *places.EDGES])
    figure = summary.sheet("toy", 1, FOUND[0], Images(), boxes)
    titles = [x for axis in figure.axes if (x := axis.get_title("left"))]
    assert titles == ["mass | fluid 0.80", "mass + fluid | mass 0.70"]
    drawn = [len(axis.patches) for axis in figure.axes if axis.images]
    assert drawn == [0, 0, 1, 1] and figure.get_suptitle().startswith("toy, fold 1: what is there")
    with_none = summary.sheet("toy", 0, explained([0.1, 0.1], shown=(1, 0)), Images(), boxes)
    assert with_none.axes[0].get_title("left") == "none | fluid 0.80"
