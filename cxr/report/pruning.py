"""What pruning found: every method's cut at each share of the MACs, which is handed over, and why.

*Share*: of the parent's MACs or parameters. Networks were judged on search_val as they were cut and
again after a short training. What the fine-tuned models are worth on test stands under Results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr.pruning.methods import METHODS, PICK, WORDS
from cxr.report import cuts, origins, phrases
from cxr.report.elements import Html, count, details, join, number, table, tag, text

if TYPE_CHECKING:
    from cxr.report import Pruning, Study

COLUMNS = ("Cut", "MACs", "Share of MACs", "Parameters", "AUROC, as cut", "AUROC, after", "Worst label", "Its fall")  # fmt: skip
_AIMS = {
    "auroc": "the highest AUROC on search_val",
    "loss": "the lowest loss on search_val",
    "distance": "raw scores nearest to the parent's, on images of train",
}

Row = Mapping[str, Any]


def pruning(study: Study) -> Html:
    """Return one article per pruned model."""
    return join(_pruning(study, found) for found in study.prunings)


def _pruning(study: Study, found: Pruning) -> Html:
    recipe = origins.recipe_of(study.params, "prune", found.name)
    shares = [int(share) for share in found.metrics["shares"]]
    pieces = [
        tag("h3", found.name),
        tag("p", _setting(found, recipe, shares)),
        *(tag("p", _verdict(found, share)) for share in shares),
        *(_side_by_side(found, share) for share in shares),
        phrases.note(_note(study, found)),
        tag(
            "div",
            join(cuts.pictures(found, shares, str(recipe.get("fitness", "auroc")))),
            class_="stack",
        ),
        _folds(found, shares),
        cuts.finished(study, found),
    ]
    return tag("article", *(piece for piece in pieces if piece))


def _setting(found: Pruning, recipe: Row, shares: Sequence[int]) -> str:
    """Say what was optimised, on which images, under which caps."""
    each = "For each fold by itself, evolution" if len(found.folds) > 1 else "Evolution"
    masks = recipe.get("encoding") == "mask"
    genes = "which channels" if masks else "how many channels"
    aim = _AIMS.get(str(recipe.get("fitness")), _AIMS["auroc"])
    fast = " and the least latency by its table" if recipe.get("latency") else ""
    ranked = ""
    if "criterion" in recipe and not masks:
        ranked = f"; within a group the channels worth least by {recipe['criterion']} go first"
    refitted = ""
    if recipe.get("reconstruct"):
        refitted = (
            "the layers that read what went were refitted by least squares to do without it and "
        )
    pieces = [
        f"{each} (NSGA-II) chose {genes} each group of layers keeps, for {aim}{fast}{ranked}. Networks were "
        f"cut and judged without training, after {refitted}their BatchNorm was measured anew, on train.",
        _survivors(recipe),
        _bound(recipe),
        f"At most {' or '.join(phrases.percent(share / 100) for share in shares)} of the parent's MACs "
        "may stay, and every network that was tried is about as large as that, the baselines' too.",
        _contest(recipe),
    ]
    return " ".join(piece for piece in pieces if piece)


def _survivors(recipe: Row) -> str:
    found = recipe.get("survivors")
    if not found:
        return ""
    return (
        f"The best {found['networks']} of each generation were trained on {count(found['samples'])} "
        "images and judged again."
    )


def _bound(recipe: Row) -> str:
    most = recipe.get("worst_label")
    if most is None:
        return ""
    return f"A network whose worst label falls more than {number(most)} below the parent counts as worse than any that keeps within."  # fmt: skip


def _contest(recipe: Row) -> str:
    """Say how it was decided which cut is handed over."""
    found = recipe.get("contest")
    if not found:
        return ""
    best = f"{found['evolved']} evolved cuts" if found["evolved"] > 1 else "evolved cut"
    taught = (recipe.get("distillation") or {}).get("weight", 0) > 0
    return (
        f"The best {best} and that of every baseline were then trained alike on {count(found['samples'])} images of train"
        f"{', taught by their parent too (distillation)' if taught else ''}: whoever has the highest "
        "AUROC on search_val after it, of equals the lowest loss, is handed over. Val and test were never "
        "seen."
    )


def _verdict(found: Pruning, share: int) -> Html:
    """Say which cut is handed over at a share, and what the others reached."""
    winners = [cut["origin"] for cut, _ in found.cuts(f"{PICK}_{share}")]
    folds = len(winners)
    names = [x for x in METHODS if x in winners]
    who = " and ".join(
        f"{WORDS[x]} in {winners.count(x)} of {folds} folds" if len(names) > 1 else WORDS[x]
        for x in names
    )
    reached = {method: _after(found, f"{method}_{share}") for method in (PICK, *METHODS)}
    rivals = [x for x in METHODS if x != "evolved" and reached[x] is not None]
    words = f": AUROC on search_val after the short training {number(reached[PICK])}"
    if names != ["evolved"]:
        words += f"; evolution's best: {number(reached['evolved'])}"
    if rivals:
        best = max(rivals, key=lambda x: reached[x] or 0.0)  # of equal ones the first
        words += (
            ""
            if names == [best]
            else f"; the best baseline, {WORDS[best]}: {number(reached[best])}"
        )
    words += " (means over the folds)." if folds > 1 else "."
    strong = tag("strong", f"{who} {'are' if len(names) > 1 else 'is'} handed over")
    return Html(f"At {phrases.percent(share / 100)} of the MACs {strong}{text(words)}")


def _after(found: Pruning, cut: str) -> float | None:
    """Return a cut's AUROC after the short training, the mean over the folds; None unless all have it."""
    known = [one["contest_auroc"] for one, _ in found.cuts(cut)]
    return phrases.mean(known) if len(known) == len(found.folds) else None


def _note(study: Study, found: Pruning) -> Html:
    """Say what the methods are, and where the models' own results stand."""
    made = [x for x in study.models if _is_cut_of(study, x.name, found.name)]
    return Html(
        "Uniform L1: every group keeps the same share of its channels, those of highest L1 norm. Global "
        "L1, BatchNorm scale, Taylor: one threshold for the channels of all groups, by that criterion; "
        "Reconstruction likewise, by what the layers that read a channel would miss of it. "
        "Random: as many channels as uniform, drawn by chance. Sensitivity: each group is cut as far as "
        "the network bears it by itself. All are filled up to the MACs allowed. As cut: before any "
        "training; after: after the short one. Worst label: the one whose AUROC falls furthest below the "
        "parent's, as cut. Whatever was searched or chosen on search_val looks too good there, what is "
        "handed over most of all; what the models are worth on test stands under "
        f"Results{phrases.links(study, made)}."
    )


def _is_cut_of(study: Study, model: str, parent: str) -> bool:
    made = origins.origin(study.params, model)
    return made.cut is not None and made.parent == parent


def _side_by_side(found: Pruning, share: int) -> Html:
    """Set the cuts of one share beside the parent, over the folds."""
    parents = [fold["parent"] for fold in found.folds]
    rows = [_row("Parent", [(parent, parent) for parent in parents])]
    for method, words in WORDS.items():
        if pairs := found.cuts(f"{method}_{share}"):
            rows.append(_row(words, pairs))
    picked = found.cuts(f"{PICK}_{share}")
    rows.append(_row(tag("strong", _handed(picked)), picked))
    over = phrases.of_folds(len(found.folds))
    caption = f"The parent and its cuts at {phrases.percent(share / 100)} of the MACs{over}"
    return table(caption, COLUMNS, rows, words=(0, 6))


def _handed(pairs: Sequence[tuple[Row, Row]]) -> str:
    """Name what is handed over: its method where all folds agree."""
    winners = [cut["origin"] for cut, _ in pairs]
    return f"Handed over: {WORDS[winners[0]]}" if len(set(winners)) == 1 else "Handed over"


def _row(name: object, pairs: Sequence[tuple[Row, Row]]) -> list[object]:
    """Return a line of `COLUMNS`; the worst label is that of the fold where it falls furthest."""

    def over(key: str, show: Any = number) -> Html:
        return phrases.over_folds([cut.get(key) for cut, _ in pairs], show)

    falls = [cut for cut, _ in pairs if cut.get("worst_loss") is not None]
    worst = max(falls, key=lambda cut: cut["worst_loss"])["worst_label"] if falls else None
    shares = [cut["macs"] / parent["macs"] for cut, parent in pairs]
    return [
        name, over("macs", phrases.scaled), phrases.over_folds(shares, phrases.percent),
        over("parameters", phrases.scaled), over("auroc"), over("contest_auroc"),
        phrases.spaced(worst or "–"), over("worst_loss"),
    ]  # fmt: skip


def _folds(found: Pruning, shares: Sequence[int]) -> Html | str:
    """List each fold's cuts where there are several."""
    if len(found.folds) < 2:
        return ""
    rows: list[list[object]] = []
    for i, fold in enumerate(found.folds):
        for share in shares:
            for method, words in {**WORDS, PICK: ""}.items():
                if (cut := fold["cuts"].get(f"{method}_{share}")) is not None:
                    pairs = [(cut, fold["parent"])]
                    rows.append([i, *_row(words or tag("strong", _handed(pairs)), pairs)])
    whole = table("The cuts of each fold", ["Fold", *COLUMNS], rows, words=(0, 1, 7))
    return details("Cuts of each fold", whole)
