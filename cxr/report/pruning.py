"""What pruning left: evolved against uniform and global cuts at equal MACs, channels, fine-tuning.

*Share*: of the parent's MACs or parameters. Networks were judged on search_val before fine-tuning
and on val after it; what the models are worth on test stands under Results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxr.report import origins, phrases
from cxr.report.elements import Html, count, details, figures, join, number, scaled, table, tag

if TYPE_CHECKING:
    from cxr.report import Pruning, Study

CUTS = {"pruned": "Evolved", "uniform": "Uniform", "global": "Global L1"}
SCORES = {
    "fitness_auroc": "search_val AUROC",
    "val_auroc": "val AUROC",
    "val_accuracy": "val accuracy",
}
DRAWN = {"child": "evolution", "random": "chance", "uniform": "uniform cut", "global": "global cut"}
_SHOWN = 12  # rows of a front
_FOLD = 0  # the fold whose channels stand for all

Row = Mapping[str, Any]


def pruning(study: Study) -> Html:
    """Return one article per pruned model."""
    return join(_pruning(study, found) for found in study.prunings)


def _pruning(study: Study, found: Pruning) -> Html:
    return tag(
        "article",
        tag("h3", found.name),
        tag("p", _setting(study, found)),
        _side_by_side(found),
        phrases.note(_note(study, found)),
        tag("div", join(_figures(found)), class_="stack"),
        _folds(found),
    )


def _setting(study: Study, found: Pruning) -> str:
    """Say what was optimised, on which images, and what followed."""
    recipe = origins.recipe_of(study.params, "prune", found.name)
    folds = len(found.folds)
    each = "For each fold by itself, evolution" if folds > 1 else "Evolution"
    ranked = (
        f"; within a group the filters of lowest {recipe['criterion']} go first"
        if "criterion" in recipe
        else ""
    )
    most = (
        f" Cap: {phrases.percent(recipe['macs'])} of the parent's MACs." if "macs" in recipe else ""
    )
    pieces = [
        f"{each} (NSGA-II) chose how many channels each group of layers keeps, for the highest AUROC "
        f"on search_val and the fewest MACs{ranked}. Cut networks were judged without training, after "
        f"their BatchNorm was measured anew on train.{most}"
    ]  # fmt: skip
    taught = (recipe.get("distillation") or {}).get("weight", 0) > 0
    if "epochs" in recipe:
        pieces.append(
            "The pick, the best of those near the cap, and the uniform cut were then fine-tuned on "
            f"train for at most {recipe['epochs']} "
            f"epochs{', taught by their parent too (distillation)' if taught else ''}; val chose the "
            "epoch. Test was never seen."
        )
    return " ".join(pieces)


def _note(study: Study, found: Pruning) -> Html:
    """Say what is compared with what, and where the models' own results stand."""
    cut = [x for x in study.models if origins.origin(study.params, x.name).parent == found.name]
    where = phrases.links(study, cut)
    return Html(
        "Uniform: every group keeps the same share of its channels. Global L1: one threshold for all "
        "groups; cut and judged, never fine-tuned. Both keep at most the wanted MACs. The evolved cut "
        "was chosen on search_val, so that its AUROC there is too high; what the models are worth on "
        f"test stands under Results{where}."
    )


def _side_by_side(found: Pruning) -> Html:
    """Set the cuts beside the parent, over the folds."""
    rows = []
    for cut, words in {"parent": "Parent", **CUTS}.items():
        pairs = [(fold[cut], fold["parent"]) for fold in found.folds if cut in fold]
        if not pairs:
            continue
        shares = [one["macs"] / parent["macs"] for one, parent in pairs]
        rows.append(
            [
                words,
                phrases.over_folds([one["macs"] for one, _ in pairs], phrases.scaled),
                phrases.over_folds(shares, phrases.percent),
                phrases.over_folds([one.get("parameters") for one, _ in pairs], phrases.scaled),
                *(phrases.over_folds([one.get(key) for one, _ in pairs]) for key in SCORES),
            ]
        )
    over = phrases.of_folds(len(found.folds))
    columns = ["Cut", "MACs", "Share of MACs", "Parameters", *SCORES.values()]
    caption = f"The parent and its cuts{over}; search_val: before fine-tuning, val: after it"
    return table(caption, columns, rows)


def _figures(found: Pruning) -> list[Html]:
    """Return the pruning's figures that exist, with the numbers behind them."""
    name = found.name
    known = [
        ("front", f"AUROC on search_val against the share of MACs that networks cut out of {name} keep.",
         "Cut networks before fine-tuning: AUROC on search_val against the share of the parent's MACs.",
         _front(found)),
        ("channels", f"Share of its channels that each group of {name} keeps, evolved and uniform.",
         "Channels kept in each group of layers.", _channels(found)),
        ("history", f"Loss and validation metrics while networks cut out of {name} were fine-tuned.",
         "Fine-tuning, one line per fold; val chooses the epoch that is kept.", _history(found)),
    ]  # fmt: skip
    return figures(found.figures, known)


def _front(found: Pruning) -> Html | str:
    """List the front of one fold: no other network has a higher AUROC and fewer MACs."""
    whole = found.folds[_FOLD]["parent"]["macs"]
    front = [row for row in found.candidates if row["fold"] == _FOLD and row["front"]]
    front.sort(key=phrases.best_first)
    rows = [
        [phrases.percent(row["macs"] / whole), scaled(row["macs"]), scaled(row["parameters"]),
         number(row["auroc"]), phrases.starred(DRAWN.get(row["origin"], row["origin"]), row["picked"]), count(int(row["generation"]))]
        for row in front[:_SHOWN]
    ]  # fmt: skip
    if not rows:
        return ""
    where = f" of fold {_FOLD}" if len(found.folds) > 1 else ""
    some = phrases.some(_SHOWN, len(front))
    columns = ["Share of MACs", "MACs", "Parameters", "AUROC", "Comes from", "Generation"]
    return table(f"The front{where}{some}", columns, rows, words=(0, 4))


def _channels(found: Pruning) -> Html | str:
    """List the channels of each group before and after: one fold's, and the range where folds are alike."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in found.channels:
        groups.setdefault((str(row["group"]), int(row["parent"])), []).append(row)
    folds = len(found.folds)
    # searched parents differ from fold to fold: layers of one name are then not the same layer
    alike = folds > 1 and all(len(rows) == folds for rows in groups.values())
    lines = []
    for (name, whole), rows in groups.items():
        if rows[0]["fold"] != _FOLD:
            continue
        cells = [count(whole), *(count(int(rows[0][cut])) for cut in ("pruned", "uniform"))]
        cells += [phrases.spread([int(row["pruned"]) for row in rows])] if alike else []
        lines.append([tag("code", name.removeprefix("backbone.")), *cells])
    if not lines:
        return ""
    columns = ["Group", "Parent", "Evolved", "Uniform", *(["Evolved, all folds"] if alike else [])]  # fmt: skip
    where = f", fold {_FOLD} as an example" if folds > 1 else ""
    return table(f"Channels of each group before and after{where}", columns, lines)


def _history(found: Pruning) -> Html | str:
    """List the fine-tuning curves of both cuts, epoch by epoch, as means over the folds."""
    curves: dict[tuple[int, str], list[Row]] = {}
    for row in found.history:
        curves.setdefault((int(row["epoch"]), str(row["model"])), []).append(row)
    rows = []
    for epoch in sorted({epoch for epoch, _ in curves}):
        cells = []
        for key in ("val_loss", "val_auroc"):
            for cut in ("pruned", "uniform"):
                cells.append(
                    number(phrases.mean([row[key] for row in curves.get((epoch, cut), [])]))
                )
        rows.append([count(epoch + 1), *cells])
    if not rows:
        return ""
    mean = ", mean over the folds still training" if len(found.folds) > 1 else ""
    columns = ["Epoch", "Loss, evolved", "Loss, uniform", "AUROC, evolved", "AUROC, uniform"]
    return table(f"On val{mean}", columns, rows)


def _folds(found: Pruning) -> Html | str:
    """List each fold's cuts where there are several."""
    if len(found.folds) < 2:
        return ""
    rows = [
        [
            i, words, phrases.percent(fold[cut]["macs"] / fold["parent"]["macs"]),
            *(number(fold[cut].get(key)) for key in SCORES),
        ]
        for i, fold in enumerate(found.folds)
        for cut, words in CUTS.items()
        if cut in fold
    ]  # fmt: skip
    columns = ["Fold", "Cut", "Share of MACs", *SCORES.values()]
    return details("Cuts of each fold", table("The cuts of each fold", columns, rows, words=(0, 1)))
