"""compare: put the models that params name side by side and write the study's report.

Only reports of what params.yaml lists (`models`, `search.runs`, `prune.runs`, `finish.cuts`,
`export.models`) are read, whatever else lies in reports/. reports/index.html is one file that shows everything and
loads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd

    from cxr.report import Finished, Model, Pruning, Search, Study

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


def read_model(
    name: str, result: Mapping[str, Any], reports: Path, *, params: Mapping[str, Any]
) -> Model:
    """Gather one model's results and those of its figures that exist."""
    from cxr.report import Model, origins

    plots = reports / "evaluate" / name / "plots"
    paths = {key: plots / f"{key}.png" for key in ("roc", "confusion", "reliability")}
    made = origins.origin(params, name)
    trained = f"distill/{made.parent}" if made.kind == "taught" else f"transfer/{name}"
    paths["history"] = reports / trained / "plots" / "history.png"
    rows = _rows(plots / "reliability.csv")
    return Model(name=name, result=result, figures=_read(paths), reliability=rows)


def read_searches(names: list[str], reports: Path) -> list[Search]:
    """Gather the named searches of which a report exists."""
    from cxr.report import Search

    folders = {name: reports / "search" / name for name in names}
    return [
        Search(
            name=name,
            metrics=metrics,
            candidates=_rows(folders[name] / "plots/candidates.csv"),
            finalists=_rows(folders[name] / "plots/finalists.csv"),
            figures=_plots(folders[name], "front", "progress", "finalists", "winner"),
        )
        for name, metrics in _metrics(folders).items()
    ]


def read_prunings(names: list[str], cuts: list[str], reports: Path) -> list[Pruning]:
    """Gather the named prunings of which a report exists, with those of their `cuts` that have one."""
    from cxr.report import Pruning

    folders = {name: reports / "prune" / name for name in names}
    return [
        Pruning(
            name=name,
            metrics=metrics,
            candidates=_rows(folders[name] / "plots/candidates.csv"),
            channels=_rows(folders[name] / "plots/channels.csv"),
            contest=_rows(folders[name] / "plots/contest.csv"),
            figures=_plots(folders[name], "front", "channels", "contest"),
            finished=read_finished(name, cuts, reports),
        )
        for name, metrics in _metrics(folders).items()
    ]


def read_finished(run: str, cuts: list[str], reports: Path) -> list[Finished]:
    """Gather the cuts of one run of which a report exists."""
    from cxr.report import Finished

    folders = {cut: reports / "finish" / f"{run}-{cut}" for cut in cuts}
    return [
        Finished(
            name=folders[cut].name,
            cut=cut,
            metrics=metrics,
            history=_rows(folders[cut] / "plots/history.csv"),
            figures=_plots(folders[cut], "history"),
        )
        for cut, metrics in _metrics(folders).items()
    ]


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
    from cxr.report import Study, origins

    names = params.get("ingest", {}).get("datasets", [])
    exported = (params.get("export") or {}).get("models") or []
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
        searches=read_searches(origins.runs(params, "search"), reports),
        prunings=read_prunings(origins.runs(params, "prune"), origins.cuts(params), reports),
        exports=_metrics({name: reports / "export" / name for name in exported}),
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


def _metrics(folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Read metrics.json of each folder that has one."""
    from cxr import artifacts

    paths = {name: folder / "metrics.json" for name, folder in folders.items()}
    return {name: artifacts.read_json(path) for name, path in paths.items() if path.is_file()}


def _rows(path: Path) -> list[Mapping[str, Any]]:
    """Read a table's rows, None for an empty cell; none if there is no table."""
    from cxr import artifacts

    if not path.is_file():
        return []
    table = artifacts.read_csv(path)
    return table.astype(object).where(table.notna(), None).to_dict("records")  # type: ignore[return-value]


def _plots(folder: Path, *names: str) -> dict[str, bytes]:
    return _read({name: folder / "plots" / f"{name}.png" for name in names})


def _read(paths: Mapping[str, Path]) -> dict[str, bytes]:
    return {key: path.read_bytes() for key, path in paths.items() if path.is_file()}


def _source(name: str) -> Any:
    from cxr import plugins

    return plugins.load("datasets", name).SOURCE


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
    from cxr.report import origins

    settings, tree = params.load(Params, "compare"), params.read_yaml(params.PARAMS_FILE)
    names = list(params.value("models"))
    parents = origins.parents(tree, names)
    progress.say(f"compare {len(names)} model(s) and write {REPORTS}/index.html")
    results = read_results(names, REPORTS / "evaluate")
    table = compare(results, sort_by=settings.sort_by, parents=parents)
    plots = REPORTS / "compare" / "plots"
    artifacts.write_csv(plots / "table.csv", table)
    artifacts.write_figure(plots / "cost.png", draw(table, results, parents), dpi=120)
    models = [read_model(name, results[name], REPORTS, params=tree) for name in table["model"]]
    study = gather(
        tree, models, REPORTS,
        sort_by=settings.sort_by, comparison=(plots / "cost.png").read_bytes(),
    )  # fmt: skip
    artifacts.write_text(REPORTS / "index.html", report.page(study))
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
