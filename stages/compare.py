"""compare: put the models that params name side by side and write the study's report.

Only reports of the models in `transfer.runs` are read, whatever else lies in reports/evaluate.
reports/index.html is one file that shows everything and loads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd

    from cxr.report import Model, Study

REPORTS = Path("reports")
COLUMNS = ("accuracy", "macro_f1", "auroc", "parameters", "macs", "weights_bytes")


@dataclass(frozen=True, kw_only=True)
class Params:
    """How the models are ranked."""

    sort_by: Literal["auroc", "accuracy", "macro_f1"]
    """metric of the test images, highest first"""


def compare(results: Mapping[str, Mapping[str, Any]], *, sort_by: str) -> pd.DataFrame:
    """Return one row per model, best first: values, intervals and costs; equal ones by name.

    `results` holds each model's reports/evaluate/<model>/metrics.json.
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
        rows.append(row)
    table = pd.DataFrame(rows)
    table[sort_by] = pd.to_numeric(table[sort_by])
    return table.sort_values(sort_by, ascending=False, kind="stable", ignore_index=True)


def read_results(names: list[str], folder: Path) -> dict[str, dict[str, Any]]:
    """Read the named models' metrics; raise ValueError that lists those missing."""
    from cxr import artifacts

    missing = [name for name in names if not (folder / name / "metrics.json").is_file()]
    if missing or not names:
        raise ValueError(
            f"{folder}: no report of {', '.join(missing)}; run `dvc repro evaluate`, or take the "
            "name out of transfer.runs"
            if names
            else "transfer.runs is empty: name at least one recipe to compare"
        )
    return {name: artifacts.read_json(folder / name / "metrics.json") for name in names}


def read_model(name: str, result: Mapping[str, Any], reports: Path) -> Model:
    """Gather one model's results and those of its figures that exist."""
    from cxr import artifacts
    from cxr.report import Model

    plots = reports / "evaluate" / name / "plots"
    paths = {key: plots / f"{key}.png" for key in ("roc", "confusion", "reliability")}
    paths["history"] = reports / "transfer" / name / "plots" / "history.png"
    bins = plots / "reliability.csv"
    rows = artifacts.read_csv(bins).to_dict("records") if bins.is_file() else []
    return Model(name=name, result=result, figures=_read(paths), reliability=rows)  # type: ignore[arg-type]


def gather(
    params: Mapping[str, Any],
    models: list[Model],
    reports: Path,
    *,
    sort_by: str,
    comparison: bytes,
) -> Study:
    """Gather what the report shows beside the models; what was not made is left out."""
    from cxr import artifacts
    from cxr.report import Study

    names = params.get("ingest", {}).get("datasets", [])
    split, validation = reports / "split/metrics.json", reports / "validate/summary.json"
    return Study(
        name=str(params.get("study", "study")),
        params=params,
        models=models,
        sort_by=sort_by,
        comparison=comparison,
        datasets=[_source(name) for name in names],
        split=artifacts.read_json(split) if split.is_file() else {},
        validation=artifacts.read_json(validation) if validation.is_file() else {},
        figures=_read(figure_paths(reports, names)),
    )


def figure_paths(reports: Path, datasets: list[str]) -> dict[str, Path]:
    """Name the figures of the data; the portrait shows the phantom and nothing else."""
    paths = {
        "labels": reports / "validate/plots/labels.png",
        "split": reports / "split/plots/parts.png",
    }
    if "phantom" in datasets:
        paths["portrait"] = reports / "phantom/plots/portrait.png"
    return paths


def _read(paths: Mapping[str, Path]) -> dict[str, bytes]:
    return {key: path.read_bytes() for key, path in paths.items() if path.is_file()}


def _source(name: str) -> Any:
    from cxr import plugins

    return plugins.load("datasets", name).SOURCE


def draw(table: pd.DataFrame, results: Mapping[str, Mapping[str, Any]]) -> Any:
    """Draw accuracy and AUROC with their intervals against parameters and MACs."""
    from cxr.metrics import figures

    names = list(table["model"])
    metrics = {"AUROC": "auroc", "accuracy": "accuracy"}
    return figures.tradeoff(
        names,
        {"parameters": list(table["parameters"]), "MACs per image": list(table["macs"])},
        {word: [results[name][key] for name in names] for word, key in metrics.items()},
        {word: results[names[0]]["chance"][key] for word, key in metrics.items()},
    )


def main() -> str:
    from cxr import artifacts, params, progress, report

    settings = params.load(Params, "compare")
    names = list(params.value("transfer.runs"))
    progress.say(f"compare {len(names)} model(s) and write {REPORTS}/index.html")
    results = read_results(names, REPORTS / "evaluate")
    table = compare(results, sort_by=settings.sort_by)
    plots = REPORTS / "compare" / "plots"
    artifacts.write_csv(plots / "table.csv", table)
    artifacts.write_figure(plots / "cost.png", draw(table, results), dpi=120)
    models = [read_model(name, results[name], REPORTS) for name in table["model"]]
    study = gather(
        params.read_yaml(params.PARAMS_FILE), models, REPORTS,
        sort_by=settings.sort_by, comparison=(plots / "cost.png").read_bytes(),
    )  # fmt: skip
    artifacts.write_text(REPORTS / "index.html", report.page(study))
    artifacts.write_json(REPORTS / "compare" / "metrics.json", summary(results))
    best = table.iloc[0]
    return f"{len(table)} model(s), best {best['model']}: {settings.sort_by} {best[settings.sort_by]:.3f}"


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
