"""validate: look for faults in the data before anything learns from them, and stop at grave ones.

Every rule in cxr/checks is run over the manifest. A critical finding stops the pipeline, unless
`validate.accepted` in the study names it and says why; what is accepted stands in every report.
The reports are written either way: reports/validate/index.html is the page to read,
reports/validate/plots/findings.csv has each image, data/near_pairs.csv the near-duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._bound import Bound, bound
from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cxr.checks._arrival import Arrival

MANIFEST = Path("data/manifest.csv")
REPORTS = Path("reports/validate")


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """When two images count as the same X-ray."""

    correlation: float
    """of their 32 px thumbnails (Pearson) that must be exceeded, 0.9 to 1; 1 looks for none"""

    def __post_init__(self) -> None:
        if not 0.9 <= self.correlation <= 1:
            raise ValueError(f"correlation must be 0.9 to 1, not {self.correlation}")


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the study knows of, what is alike, and what the data should resemble."""

    accepted: dict[str, str]
    """critical finding: why the study may run all the same"""
    near_duplicates: NearDuplicates
    """when two images count as the same X-ray"""
    reference: Bound | None
    """null, or the manifest of the data that a model was made for: drift from it is a finding"""
    arrival: str | None
    """null, or data set and folder of the newest arrival (table/2027-03), held against all other images"""

    def __post_init__(self) -> None:
        dataset, _, folder = (self.arrival or "").partition("/")
        if self.arrival is not None and (not dataset or not folder or folder.endswith("/")):
            raise ValueError(
                f"arrival must be a data set and a folder in it, as table/2027-03, not {self.arrival!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that the checks found."""

    table: pd.DataFrame
    """finding, severity, image, detail; the gravest first"""
    pairs: pd.DataFrame
    """near-duplicates: image_a, image_b, correlation"""
    rules: list[dict[str, Any]]
    """Great Expectations' results, see cxr/checks/table_rule.py"""
    summary: dict[str, Any]
    """the gate and the counts"""


def validate(
    manifest: pd.DataFrame,
    settings: Params,
    evidence: Mapping[str, Any],
    rules: Callable[[], list[dict[str, Any]]] | None = None,
) -> Found:
    """Run all checks; `evidence`: thumbnails, aligned with the rows, gaps, reference, arrival, seed.

    `rules` gives what `results` of cxr/checks/table_rule.py does, where that is worked elsewhere.
    Raises ValueError if `accepted` names no critical check or gives no reason.
    """
    from cxr import control, plugins, progress
    from cxr.report import findings

    names = plugins.names("checks")
    checks = {name: plugins.load("checks", name) for name in names}
    _check_accepted(settings, [name for name in names if checks[name].SEVERITY == "critical"])
    pairs, near = near_duplicates(manifest, evidence["thumbnails"], settings.near_duplicates)
    known = {**evidence, "pairs": pairs}
    measured = control.measure(manifest, evidence["thumbnails"], seed=evidence["seed"])
    found = {"label_from_borders": checks["label_from_borders"].findings(measured)}
    for name in progress.track(names, total=len(names), words="checks"):
        if name not in (*found, "table_rule"):
            needs = {need: known[need] for need in getattr(checks[name], "NEEDS", ())}
            found[name] = checks[name].find(manifest, **needs)
    results = rules() if rules else checks["table_rule"].results(manifest)
    found["table_rule"] = checks["table_rule"].findings(results)
    table = findings.ordered(found, checks)
    summary = findings.summary(
        manifest, table, checks, results, accepted=settings.accepted, gaps=evidence["gaps"]
    )
    summary |= {"near_duplicates": near, "control": measured}
    return Found(table=table, pairs=pairs, rules=results, summary=summary)


def _check_accepted(settings: Params, critical: list[str]) -> None:
    """Raise ValueError for a name that stops nothing, or a reason left empty."""
    for name, reason in settings.accepted.items():
        if name not in critical:
            raise ValueError(
                f"validate.accepted: {name!r} is no critical finding: known are {', '.join(critical)}"
            )
        if not reason.strip():
            raise ValueError(f"validate.accepted.{name}: say why the study may run all the same")


def near_duplicates(
    manifest: pd.DataFrame, thumbnails: np.ndarray, settings: NearDuplicates
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the pairs (image_a, image_b, correlation) and their counts; masks are not compared."""
    import numpy as np
    import pandas as pd

    from cxr import duplicates

    seen = np.flatnonzero((manifest["kind"] == "image") & (manifest["fault"] == ""))
    names = manifest["image"].to_numpy(dtype=object)[seen]
    whole = len(seen) == len(manifest)
    near = duplicates.near_pairs(
        thumbnails if whole else thumbnails[seen], correlation=settings.correlation
    )
    ends = np.sort(np.stack([names[near.first_P], names[near.second_P]]), axis=0)
    pairs = pd.DataFrame(
        {"image_a": ends[0], "image_b": ends[1], "correlation": near.correlation_P.round(6)}
    ).sort_values(["image_a", "image_b"], kind="stable", ignore_index=True)
    images = int(np.unique(np.concatenate([near.first_P, near.second_P])).size)
    counts = {"correlation": settings.correlation, "pairs": near.total, "images": images}
    return pairs, counts


def main() -> str:
    """Run the checks over data/manifest.csv, write the reports, then open or close the gate."""
    from cxr import artifacts, params, progress, workers
    from cxr import manifest as manifests
    from cxr.report import findings, validation

    settings, seed = params.load(Params, "validate"), params.seed()
    with workers.beside(_rules, MANIFEST) as rules_found:  # half of the work, for a second core
        manifest = manifests.read(MANIFEST)
        evidence = _evidence(len(manifest), settings, seed=seed)
        progress.say(f"checking {len(manifest)} images (Great Expectations loads for some seconds)")
        figure = findings.draw(manifest)
        found = validate(manifest, settings, evidence, rules_found)
    summary, rules = found.summary, findings.expectations(found.rules)
    artifacts.write_csv(Path("data/near_pairs.csv"), found.pairs)
    with artifacts.folder(REPORTS / "plots") as plots:
        artifacts.write_csv(plots / "findings.csv", findings.bounded(found.table))
        artifacts.write_figure(plots / "labels.png", figure)
    artifacts.write_json(REPORTS / "summary.json", summary)
    artifacts.write_json(REPORTS / "expectations.json", rules)
    labels = (REPORTS / "plots/labels.png").read_bytes()
    page = validation.page(summary, found.table, rules, labels=labels)
    artifacts.write_text(REPORTS / "index.html", page)
    for row in summary["findings"]:
        why = f" (accepted: {row['accepted']})" if row["accepted"] else ""
        progress.say(f"{row['severity']:<8} {row['finding']}: {row['count']}{why}")
    for name in summary["accepted_but_absent"]:
        progress.say(f"accepted, but not found: {name}; take it out of validate.accepted")
    if summary["stopping"]:
        where = f"{REPORTS / 'index.html'} and {REPORTS / 'plots/findings.csv'}"
        raise ValueError(findings.complaint(found.table, summary, where=where))
    counts = ", ".join(f"{sum(n.values())} {name}" for name, n in summary["counts"].items())
    return f"gate passed: {counts} findings in {summary['images']} images of {summary['patients']} patients"


def _rules(path: Path) -> list[dict[str, Any]]:
    """Return what Great Expectations says of the manifest at `path`."""
    from cxr import manifest as manifests
    from cxr import plugins

    return plugins.load("checks", "table_rule").results(manifests.read(path))


def _evidence(images: int, settings: Params, *, seed: int) -> dict[str, Any]:
    """Read what checks need beside the manifest of so many images."""
    import numpy as np

    from cxr import artifacts
    from cxr import manifest as manifests

    path = Path("data/thumbnails.npy")
    thumbnails = np.load(path, mmap_mode="r", allow_pickle=False)
    if thumbnails.dtype != np.uint8 or thumbnails.shape != (images, 32, 32):
        raise ValueError(
            f"{path} is {thumbnails.dtype} {thumbnails.shape}, expected uint8 ({images}, 32, 32), "
            "a row per image of data/manifest.csv: run `dvc repro merge`"
        )
    reference = None
    if settings.reference is not None:
        reference = manifests.read(bound(settings.reference, "validate.reference"))
    arrival = None if settings.arrival is None else _arrival(settings.arrival)
    gaps = artifacts.read_csv(Path("data/gaps.csv"), dtype=str, keep_default_na=False)
    return {"thumbnails": thumbnails, "gaps": gaps, "reference": reference, "arrival": arrival,
            "seed": seed}  # fmt: skip


def _arrival(folder: str) -> Arrival:
    """Return the newest arrival, with what split will keep it apart from."""
    from cxr import artifacts, params
    from cxr.checks._arrival import Arrival

    key, frozen = "split.assignments", frozenset[str]()
    if (named := params.value("split.assignments")) is not None:
        file = bound(params.build(Bound, named, where=key), key)
        parts = artifacts.read_csv(file, dtype=str, keep_default_na=False)
        is_frozen = parts.filter(regex="^fold_").isin(params.value("split.frozen")).any(axis=1)
        frozen = frozenset(parts["image"][is_frozen])
    return Arrival(
        folder=folder, frozen=frozen, by_patient=params.value("split.protocol") == "by_patient",
        near_duplicates=params.value("split.near_duplicates"),
    )  # fmt: skip


if __name__ == "__main__":
    run("validate", main, Params)
