"""The pointing game: hits, blind players, Wilson's interval against published examples."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cxr.explaining import pointing

BOX = np.array([[10.0, 20.0, 20.0, 30.0]])


def peak(row, column, places=4):
    found = np.full((places, places), -1.0, np.float32)
    found[row, column] = -0.5  # what speaks least against a label is still its strongest place
    return found


@pytest.mark.parametrize(("place", "hit"), [((2, 1), 1.0), ((1, 2), 0.0), ((2, 2), 0.0)])
def test_the_middle_of_the_strongest_place_hits_or_not(place, hit):
    """40 px, 4 places a side: place (2, 1) has its middle at row 25, column 15."""
    found = pointing.play(peak(*place), BOX, size_px=40)
    assert found == {"hit": hit, "chance": 100 / 1600, "centre": 0.0}


def test_any_of_several_boxes_counts_and_their_pixels_once():
    both = np.array([[10.0, 20.0, 20.0, 30.0], [15.0, 15.0, 25.0, 25.0]])
    found = pointing.play(peak(2, 1), both, size_px=40)
    assert found == {"hit": 1.0, "chance": 175 / 1600, "centre": 1.0}


def test_a_flat_map_misses_even_where_all_is_box():
    assert pointing.play(np.zeros((3, 3)), np.array([[0.0, 0.0, 9.0, 9.0]]), size_px=9)["hit"] == 0


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_agrees_with_newcombes_examples_and_scipy(hits, trials, low, high):
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3."""
    found = pointing.wilson(hits / trials, trials)
    assert found == pytest.approx((low, high), abs=5e-5)
    wanted = stats.binomtest(hits, trials).proportion_ci(pointing.CONFIDENCE, method="wilson")
    assert found == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_networks_that_played_the_same_image_count_once():
    rows = [
        ("one", "mass", 1.0, 0.1, 0.0), ("one", "mass", 0.0, 0.1, 0.0), ("two", "mass", 1.0, 0.3, 1.0),
        ("one", "fluid", 0.0, 0.5, 1.0),
    ]  # fmt: skip
    found = pointing.summarise(pd.DataFrame(rows, columns=["image", "label", *pointing.PLAYERS]))
    assert found["plays"] == 3 and found["accuracy"]["value"] == 0.5
    mass = found["per_label"]["mass"]
    assert (mass["plays"], mass["accuracy"]["value"], mass["chance"]) == (2, 0.75, 0.2)
    assert found["macro"] == {"accuracy": 0.375, "chance": 0.35, "centre": 0.75}
    low, high = pointing.wilson(0.5, 3)
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == (round(low, 6), round(high, 6))


def test_without_boxes_there_is_no_game():
    assert pointing.summarise(pd.DataFrame(columns=["image", "label", *pointing.PLAYERS])) is None
