"""compare: put the models that params name side by side and write the study's report.

Only reports of what params.yaml lists (models, runs, cuts, exports) are read, whatever else lies in reports/.
plots/differences.csv says how sure each pair's difference is (cxr.metrics.paired); index.html loads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages import _gathering, _predictions
from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd

    from cxr.report import Study

REPORTS = Path("reports")
METRICS = ("accuracy", "macro_f1", "auroc")
COLUMNS = (*METRICS, "parameters", "macs", "weights_bytes")


@dataclass(frozen=True, kw_only=True)
class Params:
    """How the models are ranked."""

    sort_by: Literal["auroc", "accuracy", "macro_f1"]
    """metric of the test images, highest first"""


def compare(
    results: Mapping[str, Mapping[str, Any]], *, sort_by: str, parents: Mapping[str, str]
) -> pd.DataFrame:
    """Return one row per model, best first: values, intervals and costs; equal ones by name.

    `results` holds each model's reports/evaluate/<model>/metrics.json, `parents` by model the one it
    was made of; the differences to it stand at the end, empty without it.
    """
    import pandas as pd

    rows = []
    for name in sorted(results):
        row: dict[str, Any] = {"model": name}
        for column in COLUMNS:
            found = results[name][column]
            row |= (
                {column: found["value"], f"{column}_low": found["low"], f"{column}_high": found["high"]}
                if isinstance(found, Mapping)
                else {column: found}
            )  # fmt: skip
        rows.append(row | _to_parent(name, results, parents.get(name)))
    table = pd.DataFrame(rows)
    table[sort_by] = pd.to_numeric(table[sort_by])
    return table.sort_values(sort_by, ascending=False, kind="stable", ignore_index=True)


def _to_parent(
    name: str, results: Mapping[str, Mapping[str, Any]], parent: str | None
) -> dict[str, Any]:
    """Return a model's parent and its differences to it; None for what is unknown."""
    row: dict[str, Any] = {"parent": parent}
    whole = results.get(parent or "", {})
    for metric in METRICS:
        pair: list[Any] = [
            found[metric]["value"] if metric in found else None for found in (results[name], whole)
        ]
        row[f"{metric}_to_parent"] = None if None in pair else round(pair[0] - pair[1], 6)
    return row


def read_results(names: list[str], folder: Path) -> dict[str, dict[str, Any]]:
    """Read the named models' metrics; raise ValueError that lists those missing."""
    from cxr import artifacts

    missing = [name for name in names if not (folder / name / "metrics.json").is_file()]
    if missing or not names:
        raise ValueError(
            f"{folder}: no report of {', '.join(missing)}; run `dvc repro evaluate`, or take the "
            "name out of models"
            if names
            else "models is empty: name at least one model to compare"
        )
    return {name: artifacts.read_json(folder / name / "metrics.json") for name in names}


def draw(
    table: pd.DataFrame, results: Mapping[str, Mapping[str, Any]], parents: Mapping[str, str]
) -> Any:
    """Draw accuracy and AUROC with their intervals against parameters and MACs."""
    from cxr.metrics import figures

    names = list(table["model"])
    metrics = {"AUROC": "auroc", "accuracy": "accuracy"}
    return figures.tradeoff(
        names,
        {"parameters": list(table["parameters"]), "MACs per image": list(table["macs"])},
        {word: [results[name][key] for name in names] for word, key in metrics.items()},
        {word: results[names[0]]["chance"][key] for word, key in metrics.items()},
        parents=parents,
    )


def main() -> str:
    from cxr import artifacts, params, progress, report
    from cxr.report import cards, origins

    settings, tree = params.load(Params, "compare"), params.read_yaml(params.PARAMS_FILE)
    names = list(params.value("models"))
    parents = origins.parents(tree, names)
    progress.say(f"compare {len(names)} model(s) and write {REPORTS}/index.html")
    results = read_results(names, REPORTS / "evaluate")
    table = compare(results, sort_by=settings.sort_by, parents=parents)
    plots = REPORTS / "compare" / "plots"
    artifacts.write_csv(plots / "table.csv", table)
    artifacts.write_figure(plots / "cost.png", draw(table, results, parents), dpi=120)
    results = {name: results[name] for name in table["model"]}  # best first
    differences = _predictions.differences(results, REPORTS / "evaluate", seed=params.seed())
    if differences is not None:
        artifacts.write_csv(plots / "differences.csv", differences)
    models = [
        _gathering.read_model(name, one, REPORTS, params=tree) for name, one in results.items()
    ]
    study = _gathering.gather(
        tree, models, REPORTS,
        sort_by=settings.sort_by, comparison=(plots / "cost.png").read_bytes(),
        differences=differences,
    )  # fmt: skip
    artifacts.write_text(REPORTS / "index.html", report.page(study))
    for model in models:
        card = cards.card(study, model)
        artifacts.write_json(REPORTS / "compare" / "cards" / f"{model.name}.json", card)
    artifacts.write_json(REPORTS / "compare" / "metrics.json", summary(results))
    for words in report.results.split_warnings(study.split):
        progress.say(words)
    best = table.iloc[0]
    line = f"{len(table)} model(s), best {best['model']}: {settings.sort_by} {best[settings.sort_by]:.3f}"
    return line + control_words(study)


def control_words(study: Study) -> str:
    """Return what borders and file statistics alone reach; nothing if it was not measured."""
    control = (study.validation.get("control") or {}).get("auroc") or {}
    if control.get("value") is None:
        return ""
    return f"; borders and file statistics alone: auroc {control['value']:.3f}"


def summary(results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each model's values without intervals, as `dvc metrics diff` compares them."""
    return {
        name: {
            column: found[column]["value"] if isinstance(found[column], Mapping) else found[column]
            for column in COLUMNS[:-1]
        }
        for name, found in results.items()
    }


if __name__ == "__main__":
    run("compare", main, Params)
