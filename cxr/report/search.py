"""What the search found: evolved against random networks, the fronts, and the networks that were picked.

Everything here was measured on search_val, with which the picks were chosen: the best of many
looks better there than it is. What the picks are worth on test stands under Results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr.evolution.hypervolume import covered
from cxr.report import origins, phrases
from cxr.report.elements import Html, count, details, figures, join, number, scaled, table, tag

if TYPE_CHECKING:
    from cxr.report import Search, Study

METHODS = {"evolved": "Evolved", "random": "Random"}
_SHOWN = 8  # rows of a method's candidates
_FOLD = 0  # the fold that stands for all where a table for each would be a wall

Row = Mapping[str, Any]


def search(study: Study) -> Html:
    """Return one article per search."""
    return join(_search(study, found) for found in study.searches)


def _search(study: Study, found: Search) -> Html:
    return tag(
        "article",
        tag("h3", found.name),
        tag("p", _setting(study, found)),
        _side_by_side(found),
        phrases.note(
            Html(
                "Equal terms: both methods drew from the same space, under the same caps, and their "
                "networks were trained alike on as many images. The AUROC of a pick is that of the best "
                "of many on the very images that chose it, and so too high; what the picks are worth on "
                f"test stands under Results{_models_words(study, found.name)}."
            )
        ),
        tag("div", join(_figures(study, found)), class_="stack"),
        _networks(found),
    )


def _setting(study: Study, found: Search) -> str:
    """Say what was optimised, on which images and under which caps."""
    recipe = origins.recipe_of(study.params, "search", found.name)
    folds = len(found.metrics["folds"])
    each = "For each fold by itself, evolution" if folds > 1 else "Evolution"
    space = (recipe.get("space") or {}).get("name")
    pieces = [
        f"{each} (NSGA-II) looked for networks {f'of the space {space} ' if space else ''}with the "
        "highest AUROC on search_val and the fewest MACs; a network was trained from scratch on "
        "train and judged after its last epoch. Val and test were never seen."
    ]
    training = recipe.get("training") or {}
    if "image_px" in recipe and "epochs" in training:
        pieces.append(
            f"To judge many, each was trained for {training['epochs']} epochs on images shrunk to "
            f"{recipe['image_px']} px; MACs are counted at the full size."
        )
    if "max_parameters" in recipe and "max_macs" in recipe:
        pieces.append(
            f"Caps: {scaled(recipe['max_parameters'])} parameters, {scaled(recipe['max_macs'])} MACs."
        )
    return " ".join(pieces)


def _models_words(study: Study, run: str) -> Html:
    """Point at the models that were made of the picks."""
    made = [model for model in study.models if origins.search_of(study.params, model.name) == run]
    return phrases.links(study, made)


def _side_by_side(found: Search) -> Html:
    """Set the picks of both methods beside each other, over the folds."""
    folds = found.metrics["folds"]
    rows = []
    for method, words in METHODS.items():
        picks = [fold[method] for fold in folds]
        rows.append(
            [
                words,
                phrases.over_folds([pick["auroc"] for pick in picks]),
                phrases.over_folds([pick["macs"] for pick in picks], phrases.scaled),
                phrases.over_folds([pick["parameters"] for pick in picks], phrases.scaled),
                count(found.metrics["networks"]),
                count(found.metrics["samples"]),
            ]
        )
    over = phrases.of_folds(len(folds))
    columns = ["Method", "AUROC on search_val", "MACs", "Parameters"]
    columns += ["Networks a fold", "Images a fold"] if len(folds) > 1 else ["Networks", "Images"]
    caption = f"The pick of each method{over}; Images: training images seen by all its networks"
    return table(caption, columns, rows)


def _figures(study: Study, found: Search) -> list[Html]:
    """Return the search's figures that exist, with the numbers behind them."""
    known = [
        ("front", f"AUROC on search_val against MACs of the networks that search {found.name} tried.",
         "Networks tried: AUROC on search_val against MACs. Of a front no other network of the "
         "same method has both a higher AUROC and fewer MACs.", _front_tables(found)),
        ("progress", f"Best AUROC so far of evolution and of random search {found.name}, by networks tried.",
         "Evolution against random search at as many networks tried, and so as many images seen. "
         "Hypervolume: the share of all AUROCs above 0.5 and MACs below the cap that the front commands.", _progress_table(study, found)),
    ]  # fmt: skip
    return figures(found.figures, known)


def _front_tables(found: Search) -> Html | str:
    """List the best networks and the fronts of both methods, of one fold."""
    here = [row for row in found.candidates if row["fold"] == _FOLD]
    if not here:
        return ""
    where = f" of fold {_FOLD}" if len(found.metrics["folds"]) > 1 else ""
    pieces = []
    for method, words in METHODS.items():
        tried = sorted((row for row in here if row["method"] == method), key=phrases.best_first)
        front = [row for row in tried if row["front"]]
        pieces.append(
            _candidates(f"{words}: the front{where}{phrases.some(_SHOWN, len(front))}", front)
        )
        pieces.append(
            _candidates(
                f"{words}: the top candidates{where}{phrases.some(_SHOWN, len(tried))}", tried
            )
        )
    return join(pieces)


def _candidates(caption: str, rows: Sequence[Row]) -> Html:
    """List networks, best first; the pick is starred."""
    columns = ["Rank", "AUROC", "MACs", "Parameters", "Generation", "Network"]
    lines = [
        [place, number(row["auroc"]), scaled(row["macs"]), scaled(row["parameters"]),
         count(int(row["generation"])), _network(row["architecture"], row["picked"])]
        for place, row in enumerate(rows[:_SHOWN], start=1)
    ]  # fmt: skip
    return table(caption, columns, lines, words=(0, 5))


def _network(words: str, picked: object = 0) -> Html:
    return tag("span", phrases.starred(architecture(words), picked), class_="network")


def _progress_table(study: Study, found: Search) -> Html | str:
    """Set both methods side by side after as many networks, generation by generation."""
    most = origins.recipe_of(study.params, "search", found.name).get("max_macs")
    curves = {method: _curve(found, method, max_macs=most) for method in METHODS}
    each = found.metrics["samples"] / max(found.metrics["networks"], 1)
    rows = []
    for generation in sorted(set(curves["evolved"]) & set(curves["random"])):
        evolved, random = (curves[method][generation] for method in METHODS)
        tried = evolved[0] or 0.0
        pairs = [
            number(value) for pair in zip(evolved[1:], random[1:], strict=True) for value in pair
        ]
        rows.append([count(generation), count(round(tried)), count(round(tried * each)), *pairs])
    if not rows:
        return ""
    mean = ", mean over the folds" if len(found.metrics["folds"]) > 1 else ""
    columns = ["Generation", "Networks", "Images seen"]
    columns += [f"{what}, {word}" for what in ("AUROC", "Hypervolume") for word in METHODS]  # fmt: skip
    return table(f"Best AUROC on search_val, and hypervolume, so far{mean}", columns, rows)


def _curve(
    found: Search, method: str, *, max_macs: float | None
) -> dict[int, tuple[float | None, float | None, float | None]]:
    """Return per generation: networks tried so far, best AUROC and hypervolume; means over the folds."""
    rows = [row for row in found.candidates if row["method"] == method]
    folds = [[row for row in rows if row["fold"] == fold] for fold in sorted({row["fold"] for row in rows})]  # fmt: skip
    curve = {}
    for generation in sorted({int(row["generation"]) for row in rows}):
        states = [
            _state([row for row in fold if row["generation"] <= generation], max_macs) for fold in folds
        ]  # fmt: skip
        tried, best, covered = (phrases.mean(values) for values in zip(*states, strict=True))
        curve[generation] = (tried, best, covered)
    return curve


def _state(rows: Sequence[Row], max_macs: float | None) -> tuple[float, float | None, float | None]:
    """Return how many networks there are, their best AUROC, and what they cover, as the figure has it."""
    known = [row for row in rows if row["auroc"] is not None]
    best = max((row["auroc"] for row in known), default=None)
    if not max_macs or not known:
        return len(rows), best, None
    auroc_N, macs_N = ([row[key] for row in known] for key in ("auroc", "macs"))
    return len(rows), best, covered(auroc_N, macs_N, max_macs=max_macs)


def _networks(found: Search) -> Html | str:
    """Describe the picked networks, fold by fold."""
    picked = {
        (int(row["fold"]), str(row["method"])): row for row in found.candidates if row["picked"]
    }
    rows = []
    for fold, picks in enumerate(found.metrics["folds"]):
        for method, words in METHODS.items():
            row = picked.get((fold, method))
            shown = _network(row["architecture"]) if row else "–"
            pick = picks[method]
            rows.append([fold, words, number(pick["auroc"]), scaled(pick["macs"]), scaled(pick["parameters"]), shown])  # fmt: skip
    caption = "The picked networks. 2 × residual 24 (5×5): two residual blocks of 24 channels with 5×5 kernels"
    columns = ["Fold", "Method", "AUROC", "MACs", "Parameters", "Network"]
    return details("Picks of each fold", table(caption, columns, rows, words=(0, 1, 5)))


def architecture(words: str) -> str:
    """Say an architecture of the family in one line; one of another family as its JSON stands."""
    try:
        tree = json.loads(words)
        stages = [_stage(stage) for stage in tree["stages"]]
        return " → ".join([f"stem {tree['stem']}", *stages])
    except (ValueError, KeyError, TypeError):
        return str(words)


def _stage(stage: Mapping[str, Any]) -> str:
    kernel = f"{stage['kernel']}×{stage['kernel']}"
    wide = f", ×{stage['expansion']} inside" if "expansion" in stage else ""
    return f"{stage['depth']} × {stage['block']} {stage['width']} ({kernel}{wide})"
