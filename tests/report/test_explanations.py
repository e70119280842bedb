"""explanations: the verdict on the maps, the game beside those who never look, figures with their data."""

import copy

from cxr.report import explanations
from cxr.report.explanations import Explanation
from tests.report import cases

GAME = {
    "plays": 30, "accuracy": cases.interval(0.4), "chance": 0.125, "centre": 0.05,
    "macro": {"accuracy": 0.45, "chance": 0.15, "centre": 0.06},
    "per_label": {
        "ground_glass": {"plays": 10, "accuracy": cases.interval(0.6), "chance": 0.3, "centre": 0.0},
        "effusion": {"plays": 20, "accuracy": cases.interval(0.3), "chance": 0.04, "centre": 0.1},
    },
}  # fmt: skip
METRICS = {
    "folds": 1, "map_places": ["3 x 3"], "part": "val", "pointing": GAME,
    "sanity": {
        "images": 12, "draws": 3, "changed": True, "another_image": 0.35,
        "output_layer": {"rank_correlation": -0.26, "ssim": 0.1},
        "all_layers": {"rank_correlation": 0.11, "ssim": 0.1},
    },
}  # fmt: skip
LAYERS = [
    {"fold": 0, "draw": draw, "step": step, "layer": layer, "parameters_share": share,
     "rank_correlation": None if step else 0.1 * draw, "ssim": 0.5}
    for draw in range(3) for step, (layer, share) in enumerate((("head.1", 0.01), ("stem", 1.0)))
]  # fmt: skip


def read(metrics=METRICS, figures=("sheet", "sanity")):
    pictures = {name: cases.png() for name in figures}
    one = Explanation(name="small", metrics=metrics, sanity=LAYERS, figures=pictures)
    return cases.Reader(explanations.explanations([one]))


def test_maps_that_change_are_said_to_be_of_what_was_learned():
    said = read().text
    assert "and not where a disease is. Nothing was chosen by these figures." in said
    assert "Its maps have 3 x 3 places; what they say of smaller ones is interpolation." in said
    assert "The maps are of what was learned: with new weights in all layers their rank correlation with the trained network's is 0.11 (-0.26 with new weights in the output layer alone; means of 12 val images and 3 draws)" in said  # fmt: skip
    assert "different images correlate by 0.35" in said


def test_maps_that_stay_are_not():
    found = copy.deepcopy(METRICS)
    found["sanity"]["changed"] = False
    found["sanity"]["all_layers"]["rank_correlation"] = None
    said = read(found).text
    assert "The maps do not show what was learned, and nothing should be read from them" in said
    assert "the trained network's is –" in said and "are of what was learned" not in said


def test_the_game_is_told_by_finding_beside_those_who_never_look():
    said = read().text
    assert "effusion 20 0.300 [0.280, 0.320] 0.040 0.100" in said
    assert said.index("effusion 20") < said.index("ground glass 10") < said.index("all 30 0.400")
    assert "mean of labels – 0.450 0.150 0.060" in said
    assert read({**METRICS, "pointing": None}).text.count("no pointing game") == 1


def test_figures_have_words_and_the_cascade_its_table():
    page = read()
    assert len(page.all("img")) == 2 and all(image["alt"] for image in page.all("img"))
    assert "head.1 0.010 0.100 0.000 to 0.200 0.500" in page.text
    assert "stem 1.000 – 0.500" in page.text
    assert len(read(figures=["sanity"]).all("img")) == 1


def test_folds_are_told_and_nothing_is_said_of_nothing():
    said = read({**METRICS, "folds": 5, "map_places": ["3 x 3", "5 x 5"]}).text
    assert "Its maps have 3 x 3 or 5 x 5 places, a network for each of 5 folds;" in said
    assert explanations.explanations([]) == ""
