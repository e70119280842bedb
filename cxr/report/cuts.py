"""The figures of a pruning with the tables behind them, and what fine-tuning made of its cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr.pruning import methods
from cxr.pruning.methods import PICK, WORDS
from cxr.report import phrases
from cxr.report.elements import Html, count, figures, join, number, scaled, table, tag

if TYPE_CHECKING:
    from cxr.report import Finished, Pruning, Study

DRAWN = {"child": "evolution", "random": "chance"}
"""Where a network of the search comes from; else it is the baseline of that name."""
LISTED = {PICK: "Handed over", "evolved": WORDS["evolved"], "uniform": WORDS["uniform"]}
"""The cuts whose channels are listed."""
_SHOWN = 12  # networks of a search
_FOLD = 0  # the fold whose networks and channels stand for all

Row = Mapping[str, Any]


def pictures(found: Pruning, shares: Sequence[int], fitness: str) -> list[Html]:
    """Return the pruning's figures that exist, with the numbers behind them."""
    name = found.name
    known = [
        ("front", f"AUROC on search_val of the networks cut out of {name}, at each share of its MACs.",
         "Networks as they were cut, before any training: AUROC on search_val at each share of the parent's "
         "MACs. Those of the search stand from the first to the last, baselines beside them.",
         _tried(found, shares, fitness)),
        ("contest", f"AUROC on search_val of the cuts of {name}, as cut and after a short training.",
         "What the same short training makes of the cuts: the best is handed over.", _contest(found, shares)),
        ("channels", f"Share of its channels that each group of {name} keeps.",
         "Channels kept in each group of layers.", _channels(found, shares)),
    ]  # fmt: skip
    return figures(found.figures, known)


def _tried(found: Pruning, shares: Sequence[int], fitness: str) -> Html | str:
    """List the best networks of one fold's search at each share, as it ranked them at its top rung."""
    whole = found.folds[_FOLD]["parent"]["macs"]
    where = f" of fold {_FOLD}" if len(found.folds) > 1 else ""
    columns = ["Share of MACs", "MACs", "Parameters", "AUROC", "Loss", "Comes from", "Generation"]
    tables = []
    for share in shares:
        own = [row for row in found.candidates if row["fold"] == _FOLD and row["share"] == share]
        top = max((row["rung"] for row in own), default=0)
        ranked = sorted((row for row in own if row["rung"] == top), key=lambda x: _rank(x, fitness))
        rows = [
            [phrases.percent(row["macs"] / whole), scaled(row["macs"]), scaled(row["parameters"]),
             number(row["auroc"]), number(row["loss"]), phrases.starred(_from(row["origin"]), row["picked"]),
             count(int(row["generation"]))]
            for row in ranked[:_SHOWN]
        ]  # fmt: skip
        caption = f"The search{where} at {phrases.percent(share / 100)} of the MACs{phrases.some(_SHOWN, len(ranked))}"
        tables += [table(caption, columns, rows, words=(0, 5))] if rows else []
    return join(tables) if tables else ""


def _rank(row: Row, fitness: str) -> tuple[bool, float, float]:
    """Sort networks by what the search went by, the best first, then by MACs; unknown ones last."""
    value = row[fitness]
    known = 0.0 if value is None else float(value)
    return value is None, -known if fitness == "auroc" else known, row["macs"]


def _from(origin: str) -> str:
    """Say where a network of the search comes from."""
    return DRAWN.get(origin) or WORDS.get(origin, origin)


def _contest(found: Pruning, shares: Sequence[int]) -> Html | str:
    """List the entrants of each contest: as cut, and after the short training."""
    entrants: dict[tuple[int, str, int], list[Row]] = {}
    for row in found.contest:
        key = (int(row["share"]), str(row["method"]), int(row["number"]))
        entrants.setdefault(key, []).append(row)
    several = {method for _, method, place in entrants if place > 1}
    columns = ["Entrant", "MACs", "AUROC, as cut", "AUROC, after", "Loss, after", "Handed over"]
    tables = []
    for share in shares:
        lines: list[list[object]] = []
        for (own, method, place), rows in entrants.items():
            if own != share:
                continue
            words = WORDS.get(method, method) + (f" {place}" if method in several else "")
            chosen = sum(int(row["chosen"]) for row in rows)
            keys = ("auroc", "contest_auroc", "contest_loss")
            lines.append([
                words, phrases.over_folds([row["macs"] for row in rows], phrases.scaled),
                *(phrases.over_folds([row[key] for row in rows]) for key in keys),
                _times(chosen, len(found.folds)),
            ])  # fmt: skip
        over = phrases.of_folds(len(found.folds))
        caption = f"The contest at {phrases.percent(share / 100)} of the MACs, on search_val{over}"
        tables += [table(caption, columns, lines, words=(0, 5))] if lines else []
    return join(tables) if tables else ""


def _times(chosen: int, folds: int) -> str:
    """Say in how many folds an entrant won."""
    if folds == 1 or not chosen:
        return "yes" if chosen else "no"
    return f"in {chosen} of {folds} folds"


def _channels(found: Pruning, shares: Sequence[int]) -> Html | str:
    """List the channels of each group before and after: one fold's, and the range where folds are alike."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in found.channels:
        groups.setdefault((str(row["group"]), int(row["parent"])), []).append(row)
    folds = len(found.folds)
    # searched parents differ from fold to fold: layers of one name are then not the same layer
    alike = folds > 1 and all(len(rows) == folds for rows in groups.values())
    named = {
        f"{cut}_{share}": f"{words}{f', {phrases.percent(share / 100)}' if len(shares) > 1 else ''}"
        for share in shares
        for cut, words in LISTED.items()
    }
    lines = []
    for (name, whole), rows in groups.items():
        own = next((row for row in rows if row["fold"] == _FOLD), None)
        if own is None:
            continue
        cells = [count(whole), *(_kept(own.get(cut)) for cut in named)]
        for share in shares if alike else ():
            cells.append(phrases.spread([int(row[f"{PICK}_{share}"]) for row in rows]))
        lines.append([tag("code", name.removeprefix("backbone.")), *cells])
    if not lines:
        return ""
    ranges = [f"{named[f'{PICK}_{share}']}, all folds" for share in shares] if alike else []
    where = f", fold {_FOLD} as an example" if folds > 1 else ""
    columns = ["Group", "Parent", *named.values(), *ranges]
    return table(f"Channels of each group before and after{where}", columns, lines)


def _kept(value: float | None) -> str:
    return count(None if value is None else int(value))


def finished(study: Study, found: Pruning) -> Html | str:
    """Say what fine-tuning made of the cuts, with its learning curves."""
    if not found.finished:
        return ""
    recipe = ((study.params.get("finish") or {}).get("recipes") or {}).get(found.name) or {}
    taught = (recipe.get("distillation") or {}).get("weight", 0) > 0
    most = f" for at most {recipe['epochs']} epochs" if "epochs" in recipe else ""
    words = (
        f"These cuts were then fine-tuned on train{most}"
        f"{', taught by their parent too (distillation)' if taught else ''}; val chose the epoch. "
        "Test was never seen."
    )
    shown = [picture for one in found.finished for picture in _curves(one)]
    return join([
        tag("p", words),
        _finals(found),
        *([tag("div", join(shown), class_="stack")] if shown else []),
    ])  # fmt: skip


def _finals(found: Pruning) -> Html:
    """Set the fine-tuned cuts side by side."""
    rows = []
    for one in found.finished:
        folds = one.metrics["folds"]
        method, _ = methods.parse(one.cut)
        rows.append([
            tag("code", one.name), LISTED[PICK] if method == PICK else WORDS[method],
            phrases.over_folds([fold["macs"] for fold in folds], phrases.scaled),
            phrases.percent(found.share(one.cut)),
            phrases.over_folds([fold["parameters"] for fold in folds], phrases.scaled),
            phrases.spread([fold["best_epoch"] for fold in folds]),
            *(phrases.over_folds([fold[key] for fold in folds]) for key in ("val_loss", "val_auroc", "val_accuracy")),
        ])  # fmt: skip
    columns = ["Model", "Cut", "MACs", "Share of MACs", "Parameters", "Epoch kept, from 0", "Loss", "AUROC", "Accuracy"]  # fmt: skip
    caption = f"Fine-tuned, judged on val{phrases.of_folds(len(found.folds))}"
    return table(caption, columns, rows, words=(0, 1))


def _curves(one: Finished) -> list[Html]:
    """Return the learning curves of one fine-tuned cut with their numbers, if there is a figure."""
    epochs: dict[int, list[Row]] = {}
    for row in one.history:
        epochs.setdefault(int(row["epoch"]), []).append(row)
    keys = {"train_loss": "Loss on train", "val_loss": "Loss", "val_auroc": "AUROC", "val_accuracy": "Accuracy"}  # fmt: skip
    rows = [
        [count(epoch), *(number(phrases.mean([row[key] for row in epochs[epoch]])) for key in keys)]
        for epoch in sorted(epochs)
    ]  # fmt: skip
    mean = ", mean over the folds still training" if len(one.metrics["folds"]) > 1 else ""
    data = table(f"On val{mean}", ["Epoch, from 0", *keys.values()], rows) if rows else ""
    alt = f"Loss and validation metrics of {one.name} over the epochs of fine-tuning."
    caption = f"Fine-tuning of {one.name}, one line per fold; val chooses the epoch that is kept."
    return figures(one.figures, [("history", alt, caption, data)])
