"""The section Search: what was optimised, on which terms, who won, finalists, the picks of every fold."""

import dataclasses
import json

import pytest

from cxr import report
from cxr.report import search
from tests.report import cases


def _text(**changes):
    folds = changes.pop("folds", 1)
    return cases.Reader(search.search(cases.whole(folds, **changes))).text


def _grid(folds=1):
    recipe = {
        **cases.SEARCH, "space": {"name": "basalamah_grid", "caps": {"macs": 2_000_000_000}},
        "methods": ["grid"], "generations": 1, "rungs": [{"networks": 27, "samples": 1440}],
    }  # fmt: skip
    study = cases.whole(folds, searches=[cases.grid(folds)])
    study.params["search"] = {"recipes": {"grid": recipe}}
    return cases.Reader(search.search(study))


def test_it_says_what_was_optimised_on_which_images_and_at_what_expense():
    text = _text()
    assert text.startswith("small Evolution (NSGA-II) looked for networks of the space cxr_cells")
    assert (
        "with the highest AUROC on search_val and the fewest MACs. Random search had the same"
        in text
    )
    assert (
        "Each of 3 generations trained 4 networks on 480 images, the best 2 of them anew on 1,440"
        in text
    )
    assert "Images had 40 px while searching; costs are those at the full size." in text
    assert "Caps: 1 M parameters, 40 M MACs." in text
    assert "The best of each method were then trained anew with 3 other seeds" in text
    assert "Val chose nothing, and test was never seen." in text
    assert "For each fold by itself, evolution" in _text(folds=5)


def test_methods_stand_side_by_side_on_equal_terms():
    text = _text()
    assert "Evolved 12 / 6 14,400 0.970 0.600" in text and "Random 12 / 6 14,400 0.870" in text
    assert "Equal terms: the methods drew from the same space" in text
    assert "Unequal" not in text
    found = cases.search()
    found.metrics["folds"][0]["random"]["samples"] += 1
    assert "Unequal terms: one method's networks saw more images" in _text(searches=[found])


def test_the_best_so_far_is_set_against_as_many_images_seen():
    text = _text()
    assert "0 4,800 0.850 0.750 0.262 0.188" in text
    assert "2 14,400 0.970 0.870 0.634 0.499" in text
    assert "mean over the folds" not in text and "so far, mean over the folds" in _text(folds=5)


def test_candidates_of_the_top_rung_are_listed_best_first_and_the_pick_is_starred():
    text = _text()
    network = "→ 2 × residual 24 (5×5) → 1 × inverted 48 (3×3, ×4 inside) → GAP"
    first = f"Network 1 0.970 13 M 37 k 2 ★ picked: stem 152 {network} 2 0.960 14 M 36 k 2 stem 144"
    assert f"Evolved: the top candidates Rank AUROC MACs Parameters Generation {first}" in text
    assert f"Evolved: the front Rank AUROC MACs Parameters Generation {first}" in text
    assert "0.830" not in text[: text.index("Random: the front")]  # lower rungs are not comparable


def test_a_network_that_diverged_says_so():
    found = cases.search()
    for row in found.candidates:
        if row["rung"] == 1 and row["generation"] == 1:
            row.update(auroc=0.0, loss=None)
    assert "5 diverged" in _text(searches=[found])


def test_finalists_are_listed_with_mean_and_interval_over_seeds():
    text = _text()
    # seeds .01 apart: sd .01, t(2) = 4.303, over the root of three
    assert "★ picked: Evolved 1 0.910 ± 0.025 0.890 ± 0.025 0.890 ± 0.025 13 M 37 k 1.5 MB" in text
    assert "Evolved 2 0.890 ± 0.025 0.870" in text and "resnet18 0.860 ± 0.025 0.840" in text
    assert "each trained anew on 2,880 images with 3 seeds; mean ± half of the 95 %" in text
    assert "Baselines were trained as the finalists" in text


def test_one_seed_has_no_interval():
    found = cases.search()
    once = [row for row in found.finalists if row["seed"] == 0]
    text = _text(searches=[dataclasses.replace(found, finalists=once)])
    assert "Evolved 1 0.900 0.880 0.880 13 M" in text and "±" not in text
    assert "with 1 seed Network" in text


def test_two_repeats_far_apart_show_no_digits_that_mean_nothing():
    found = cases.search()
    two = [
        {**row, "val_auroc": 0.7 + row["seed"] / 5} for row in found.finalists if row["seed"] < 2
    ]
    text = _text(searches=[dataclasses.replace(found, finalists=two)])
    assert "0.800 ± more than 0.5" in text


def test_several_folds_show_each_methods_picks_and_their_folds_on_demand():
    text = _text(folds=5)
    # folds .001 apart: sd .00158, t(4) = 2.776, over the root of five
    assert "Evolved 0.912 ± 0.002 0.892 ± 0.002" in text
    folds = text[text.index("Finalists of each fold") :]
    assert "0 ★ picked: Evolved 0.910 0.890 0.890 13 M 0 Evolved 0.890" in folds
    assert "4 resnet18 0.864" in folds


def test_one_fold_cannot_tell_who_won():
    text = _text()
    assert "One fold: can't tell whether evolution beats random search." in text
    assert "Evolved minus random: hypervolume +0.100; AUROC on val +0.100." in text
    assert "2 folds: can't tell" in _text(folds=2)


def test_evolution_won_where_both_intervals_lie_above_zero():
    text = _text(folds=5)
    assert "Evolution beat random search in hypervolume and AUROC on val." in text
    # .10 … .14 by fold: mean .12, sd .0158, t(4) = 2.776
    assert "hypervolume +0.120 [+0.100, +0.140]; AUROC on val +0.120 [+0.100, +0.140]" in text


@pytest.mark.parametrize(
    ("hypervolumes", "scores", "words"),
    [
        ([0.1, -0.05, 0.02], [-0.01, 0.02, 0.01], "Evolution did not beat random search: zero lies within"),
        ([0.1, 0.11, 0.12], [0.01, -0.02, 0.0], "Evolution beat random search in hypervolume, but not in AUROC on val."),
        ([-0.1, 0.05, -0.02], [0.01, -0.02, -0.01], "Evolution did not beat random search: zero lies within"),
        ([-0.1, -0.11, -0.12], [0.01, -0.02, 0.0], "Random search beat evolution in hypervolume."),
        ([-0.1, -0.11, -0.12], [0.1, 0.11, 0.12], "Evolution beat random search in AUROC on val, random search evolution in hypervolume."),
        ([0.1, 0.11, 0.12], [None, 0.1, 0.1], "3 folds: can't tell"),
    ],
)  # fmt: skip
def test_the_verdict_is_honest(hypervolumes, scores, words):
    found = cases.search(3)
    for fold, hypervolume, score in zip(found.metrics["folds"], hypervolumes, scores, strict=True):
        fold["random"].update(hypervolume=0.5, val_auroc=0.8)
        fold["evolved"].update(
            hypervolume=0.5 + hypervolume, val_auroc=None if score is None else 0.8 + score
        )
    assert words in _text(folds=3, searches=[found])


def test_accuracy_may_rank_in_the_place_of_auroc():
    found = cases.search()
    metrics = {**found.metrics, "score": "accuracy"}
    text = _text(searches=[dataclasses.replace(found, metrics=metrics)])
    assert "with the highest accuracy on search_val" in text
    assert "Network accuracy on search_val accuracy on val AUROC on val" in text
    assert "Best accuracy, top rung Hypervolume Evolved 12 / 6 14,400 0.770" in text


def test_correlations_are_listed_and_the_prefilter_is_reported():
    text = _text()
    assert "Score at rung 0 (480 images) 0.600 [0.400, 0.800] 11 MACs 0.200 [-0.100, 0.500]" in text
    order = [text.index(words) for words in ("Score at rung 0 (", "MACs 0.200", "Proxy naswot")]
    assert order == sorted(order)
    assert "Proxy naswot, before training 0.100" in text and "grad_norm" not in text
    assert (
        "Only networks that the lower rungs let pass are ranked here. Nothing chose among" in text
    )
    found = cases.search(2)
    found.metrics["choosers"] = [{"acted": True, "tau": 0.5}, {"acted": False, "tau": 0.1}]
    study = cases.whole(2, searches=[found])
    study.params["search"] = {
        "recipes": {"small": {**cases.SEARCH, "prefilter": {"proxy": "naswot", "draws": 4}}}
    }
    text = cases.Reader(search.search(study)).text
    assert "Pre-filter naswot: proven on generation 0, and so used, in 1 of 2 folds." in text
    found.metrics["choosers"] = [{"tau": 0.5}, {"tau": 0.1}, {"tau": None}]
    text = cases.Reader(search.search(cases.whole(2, searches=[found]))).text
    assert "Of 4 children the guide chose the one to train" in text
    assert "as the first rung did with tau 0.30." in text


def test_five_folds_show_one_of_them_and_the_picks_of_all():
    text = _text(folds=5)
    assert text.count("the top candidates of fold 0") == 2 and "of fold 1" not in text
    picks = text[text.index("Picks of each fold") :]
    assert all(f"{fold} Evolved 13 M 37 k stem 152" in picks for fold in range(5))


def test_a_grid_shows_its_ten_best_by_what_they_differ_in_and_no_contest():
    text = _grid().text
    assert "Every network of the space basalamah_grid was trained and ranked by AUROC" in text
    assert "Each saw 1,440 training images." in text and "Caps: 2 G MACs." in text
    best = "The best 10 of 27 networks, by AUROC on search_val"
    columns = "Rank Conv layers Dense layers Layer size AUROC MACs Parameters Activations"
    assert f"{best} {columns} ★ picked: 1 3 0 " in text
    assert "volution" not in text.replace("convolution", "") and "Random" not in text
    assert "Small and faint" not in text and "Small and faint: lower rungs." in _text()
    assert "★ picked: Grid 1" in text and "resnet18" in text


def test_a_grid_over_folds_is_ranked_by_its_means():
    text = _grid(5).text
    table = text[text.index("The best 10 of 27") : text.index("Baselines")]
    assert "mean ± half of the 95 % t-interval over folds" in table and table.count(" ± 0.0") == 10
    assert "picked in 2 of 5" in table


def test_a_grid_of_nested_architectures_is_told_in_words():
    found = cases.grid()
    for i, row in enumerate(found.candidates):
        row["architecture"] = json.dumps({**cases.NETWORK, "hidden": [8 * i + 8]})
    text = cases.Reader(search.search(cases.whole(searches=[found]))).text
    assert "Rank Network AUROC MACs" in text and "GAP → dense 216" in text


def test_the_models_made_of_the_picks_are_linked():
    study = cases.whole()
    links = cases.Reader(search.search(study)).all("a")
    assert [link["href"] for link in links] == ["#model-2", "#model-3"]


def test_figures_that_exist_are_shown_with_their_data():
    assert len(cases.Reader(search.search(cases.whole())).all("img")) == 4
    assert "Data of this figure" not in _text(searches=[cases.search(figures=())])
    assert len(_grid().all("img")) == 2


def test_a_report_without_finalists_and_parameters_is_shown():
    found = dataclasses.replace(cases.search(), finalists=[], figures={})
    study = cases.whole(searches=[found])
    study.params["search"] = {}
    text = cases.Reader(search.search(study)).text
    assert "Evolution (NSGA-II) looked for networks with the highest AUROC" in text
    assert "trained anew" not in text and "Caps" not in text


def test_hostile_names_are_text():
    hostile = "<script>alert(1)</script>"
    found = cases.search(name=hostile)
    for row in found.candidates:
        row["architecture"] = hostile
    for row in found.finalists:
        row["network"] = hostile
        row["method"] = hostile if row["method"] == "resnet18" else row["method"]
    found.metrics["correlations"][hostile] = found.metrics["correlations"]["macs"]
    study = cases.whole(searches=[found])
    recipe = {**cases.SEARCH, "space": {"name": hostile}, "prefilter": {"proxy": hostile}}
    study.params["search"] = {"recipes": {hostile: recipe}}
    assert "<script" not in report.page(study)
