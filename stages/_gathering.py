"""What the study's report shows, gathered from reports/: of what params.yaml names, and no more.

Part of stage compare. What was not made is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from cxr.report import Finished, Model, Pruning, Search, Study
    from cxr.report.explanations import Explanation


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
    return Model(
        name=name, result=result, figures=_read(paths),
        reliability=_rows(plots / "reliability.csv"), subgroups=_rows(plots / "subgroups.csv"),
    )  # fmt: skip


def read_searches(names: list[str], reports: Path) -> list[Search]:
    """Gather the named searches of which a report exists."""
    from cxr.report import Search

    folders = {name: reports / "search" / name for name in names}
    figures = ("front", "progress", "finalists", "winner")
    found = _read_runs(folders, rows=("candidates", "finalists"), figures=figures)
    return [Search(name=name, **parts) for name, parts in found.items()]


def read_prunings(names: list[str], cuts: list[str], reports: Path) -> list[Pruning]:
    """Gather the named prunings of which a report exists, with those of their `cuts` that have one."""
    from cxr.report import Pruning

    folders = {name: reports / "prune" / name for name in names}
    found = _read_runs(folders, rows=("candidates", "channels", "contest"),
                       figures=("front", "channels", "contest"))  # fmt: skip
    return [
        Pruning(name=name, **parts, finished=read_finished(name, cuts, reports))
        for name, parts in found.items()
    ]


def read_finished(run: str, cuts: list[str], reports: Path) -> list[Finished]:
    """Gather the cuts of one run of which a report exists."""
    from cxr.report import Finished

    folders = {cut: reports / "finish" / f"{run}-{cut}" for cut in cuts}
    found = _read_runs(folders, rows=("history",), figures=("history",))
    return [Finished(name=folders[cut].name, cut=cut, **parts) for cut, parts in found.items()]


def read_explanations(names: list[str], reports: Path) -> list[Explanation]:
    """Gather the named models' explanations of which a report exists."""
    from cxr.report.explanations import Explanation

    folders = {name: reports / "explain" / name for name in names}
    found = _read_runs(folders, rows=("sanity",), figures=("sheet", "sanity"))
    return [Explanation(name=name, **parts) for name, parts in found.items()]


def gather(
    params: Mapping[str, Any],
    models: list[Model],
    reports: Path,
    *,
    sort_by: str,
    comparison: bytes,
    differences: pd.DataFrame | None,
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
        differences=[] if differences is None else _records(differences),
        datasets=[_source(name) for name in names],
        split=artifacts.read_json(split) if split.is_file() else {},
        validation=artifacts.read_json(validation) if validation.is_file() else {},
        figures=_read(figure_paths(reports, names)),
        searches=read_searches(origins.runs(params, "search"), reports),
        prunings=read_prunings(origins.runs(params, "prune"), origins.cuts(params), reports),
        exports=_metrics({name: reports / "export" / name for name in exported}),
        explanations=read_explanations((params.get("explain") or {}).get("models") or [], reports),
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


def _read_runs(
    folders: Mapping[str, Path], *, rows: Sequence[str], figures: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Read metrics, tables and figures by name of each folder that has metrics; of the rest what exists."""
    return {
        name: {
            "metrics": metrics,
            "figures": _read({figure: plots / f"{figure}.png" for figure in figures}),
            **{table: _rows(plots / f"{table}.csv") for table in rows},
        }
        for name, metrics in _metrics(folders).items()
        for plots in [folders[name] / "plots"]
    }


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
    return _records(artifacts.read_csv(path))


def _records(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    return table.astype(object).where(table.notna(), None).to_dict("records")  # type: ignore[return-value]


def _read(paths: Mapping[str, Path]) -> dict[str, bytes]:
    return {key: path.read_bytes() for key, path in paths.items() if path.is_file()}


def _source(name: str) -> Any:
    from cxr import plugins

    return plugins.load("datasets", name).SOURCE
