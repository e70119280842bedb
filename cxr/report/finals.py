"""Finalists and baselines of a search beside each other, on what terms, and whether evolution beat chance.

Finalists were trained anew with several seeds: search_val chose the picks, val chose nothing, so
that val compares fairly. Intervals are Student's t over seeds (one fold) or over folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cxr.metrics import student
from cxr.report import phrases
from cxr.report.elements import Html, count, details, join, number, table, tag

if TYPE_CHECKING:
    from cxr.report import Search

METHODS = {"evolved": "Evolved", "random": "Random", "grid": "Grid"}
SCORES = {"auroc": "AUROC", "accuracy": "accuracy"}
_LEAST = 3  # folds that can tell

Row = Mapping[str, Any]


def methods(found: Search) -> list[str]:
    """Return the methods of a search in the order of tables."""
    there = {row["method"] for row in found.candidates}
    return [method for method in METHODS if method in there]


def verdict(found: Search) -> Html:
    """Say whether evolution beat random search, where both were run: in hypervolume, and in score on val."""
    if not {"evolved", "random"} <= set(methods(found)):
        return Html("")
    score, folds = found.score, found.metrics["folds"]
    measures = {"hypervolume": "hypervolume", f"val_{score}": f"{SCORES[score]} on val"}
    known = {
        words: [x["evolved"][key] - x["random"][key] for x in folds if _both(x, key)]
        for key, words in measures.items()
    }
    found_by = {words: student.mean(values) for words, values in known.items() if values}
    shown = "; ".join(f"{words} {_difference(mean)}" for words, mean in found_by.items())
    if not found_by or min(mean.repeats for mean in found_by.values()) < _LEAST:
        folds_words = "One fold" if len(folds) == 1 else f"{len(folds)} folds"
        headline = f"{folds_words}: can't tell whether evolution beats random search."
        basis = (
            f"Evolved minus random: {shown}. At least {_LEAST} folds are needed for an interval."
        )
    else:
        headline = _headline(found_by)
        basis = (
            f"Evolved minus random, paired: mean and 95 % t-interval over {len(folds)} folds: {shown}. "
            "Folds share training images, so that these intervals are rather too narrow."
        )
    return tag("p", tag("strong", headline), " ", basis)


def _both(fold: Mapping[str, Row], key: str) -> bool:
    return all(fold[method].get(key) is not None for method in ("evolved", "random"))


def _difference(mean: student.Mean) -> str:
    if mean.low is None or mean.high is None or mean.repeats < _LEAST:
        return phrases.signed(mean.value)
    return f"{phrases.signed(mean.value)} [{phrases.signed(mean.low)}, {phrases.signed(mean.high)}]"


def _headline(found: Mapping[str, student.Mean]) -> str:
    """Say who won in what; an interval that holds zero is no win."""
    up = [words for words, mean in found.items() if (mean.low or 0.0) > 0]
    down = [words for words, mean in found.items() if (mean.high or 0.0) < 0]
    rest = [words for words in found if words not in up]
    if up and down:
        return f"Evolution beat random search in {' and '.join(up)}, random search evolution in {' and '.join(down)}."
    if down:
        return f"Random search beat evolution in {' and '.join(down)}."
    if up:
        but = f", but not in {' and '.join(rest)}" if rest else ""
        return f"Evolution beat random search in {' and '.join(up)}{but}."
    return f"Evolution did not beat random search: zero lies within the interval of {' and of '.join(found)}."


def finalists(found: Search) -> Html | str:
    """List the finalists and baselines with mean and interval, and each fold's where there are several."""
    if not found.finalists:
        return ""
    folds, score = len(found.metrics["folds"]), found.score
    seeds = len({row["seed"] for row in found.finalists})
    other = "accuracy" if score == "auroc" else "auroc"
    columns = ["Network", f"{SCORES[score]} on search_val", f"{SCORES[score]} on val", f"{SCORES[other]} on val"]  # fmt: skip
    keys = [f"search_val_{score}", f"val_{score}", f"val_{other}"]
    over = "folds" if folds > 1 else "seeds"
    spread = f"; mean ± half of the 95 % t-interval over {over}" if max(folds, seeds) > 1 else ""
    which = "picks of each method" if folds > 1 else "finalists"
    which += (
        " and the baselines" if {row["method"] for row in found.finalists} - set(METHODS) else ""
    )
    caption = (
        f"The {which}, each trained anew on {count(max(row['samples'] for row in found.finalists))} "
        f"images with {seeds} seed{'s' * (seeds > 1)}{spread}"
    )
    lines = [
        [words, *(phrases.plus_minus(_repeats(rows, key, folds=folds)) for key in keys), *_costs(rows)]
        for words, rows in _lines(found, folds=folds)
    ]  # fmt: skip
    whole = table(caption, [*columns, "MACs", "Parameters", "Activations"], lines)
    return join([whole, _each_fold(found, [*columns, "MACs"], keys)]) if folds > 1 else whole


def _lines(found: Search, *, folds: int) -> Iterator[tuple[object, list[Row]]]:
    """Yield names and rows: a line per network, or per method's picks where there are several folds."""
    for method in dict.fromkeys(str(row["method"]) for row in found.finalists):
        mine = [row for row in found.finalists if row["method"] == method]
        if method not in METHODS:
            yield method, mine
        elif folds > 1:
            yield METHODS[method], [row for row in mine if row["picked"]]
        else:
            for place, network in enumerate(dict.fromkeys(row["network"] for row in mine), start=1):
                rows = [row for row in mine if row["network"] == network]
                yield phrases.starred(f"{METHODS[method]} {place}", rows[0]["picked"]), rows


def _repeats(rows: list[Row], key: str, *, folds: int) -> list[float]:
    """Return the known values of seeds, or the means over seeds of folds."""
    if folds == 1:
        return [row[key] for row in rows if row[key] is not None]
    each = dict.fromkeys(row["fold"] for row in rows)
    means = [phrases.mean([row[key] for row in rows if row["fold"] == fold]) for fold in each]
    return [value for value in means if value is not None]


def _costs(rows: list[Row]) -> list[str]:
    """Return MACs, parameters and activation memory; of several networks their means."""
    macs, parameters, memory = (
        phrases.mean([row[key] for row in rows]) for key in ("macs", "parameters", "activation_bytes")
    )  # fmt: skip
    return [phrases.scaled(macs), phrases.scaled(parameters), phrases.file_size(round(memory or 0))]


def _each_fold(found: Search, columns: list[str], keys: list[str]) -> Html:
    """List every fold's finalists, means over seeds."""
    lines = []
    for fold in sorted({row["fold"] for row in found.finalists}):
        here = [row for row in found.finalists if row["fold"] == fold]
        for method, network in dict.fromkeys((row["method"], row["network"]) for row in here):
            rows = [row for row in here if (row["method"], row["network"]) == (method, network)]
            name = phrases.starred(
                METHODS.get(method, method), method in METHODS and rows[0]["picked"]
            )
            values = [number(phrases.mean([row[key] for row in rows])) for key in keys]
            lines.append([fold, name, *values, phrases.scaled(rows[0]["macs"])])
    whole = table("Means over seeds", ["Fold", *columns], lines, words=(0, 1))
    return details("Finalists of each fold", whole)


def terms(found: Search) -> Html:
    """Set what each method was allowed beside what it found before its best were trained anew."""
    folds, score = found.metrics["folds"], found.score
    top = max(row["rung"] for row in found.candidates)
    rows = []
    for method in methods(found):
        mine = [row for row in found.candidates if row["method"] == method]
        judged = [sum(row["rung"] == rung for row in mine) / len(folds) for rung in range(int(top) + 1)]  # fmt: skip
        best = [
            max((row[score] for row in mine if row["fold"] == fold and row["rung"] == top), default=None)
            for fold in range(len(folds))
        ]  # fmt: skip
        rows.append(
            [
                METHODS[method], " / ".join(count(round(networks)) for networks in judged),
                phrases.over_folds([fold[method]["samples"] for fold in folds], _images),
                phrases.over_folds(best),
                phrases.over_folds([fold[method].get("hypervolume") for fold in folds]),
            ]
        )  # fmt: skip
    each = ", a fold" if len(folds) > 1 else ""
    columns = ["Method", "Networks at each rung" if top else "Networks", "Images seen", f"Best {SCORES[score]}, top rung", "Hypervolume"]  # fmt: skip
    return table(f"What the methods had and found{each}{phrases.of_folds(len(folds))}", columns, rows)  # fmt: skip


def equal(found: Search) -> bool:
    """Tell whether all methods were shown as many images in every fold."""
    there = methods(found)
    return all(
        len({fold[method]["samples"] for method in there}) == 1 for fold in found.metrics["folds"]
    )


def _images(value: float | None) -> str:
    return count(None if value is None else round(value))
