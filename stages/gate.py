"""gate: may the challenger, a model of this study, take the champion's place in the registry?

Both are compared on the frozen acceptance set in data/champion, which whoever runs the gate puts
there before:

- acceptance.csv: the images that count, by `image`, `sha256` or both; label:<name> where they are frozen too
- about.json: {"version": <the champion's tag, null: there is none yet>, "openings": <how often the
  acceptance set was opened, this time included>}
- predictions.csv, metrics.json, export.json: the champion's reports/evaluate/<model>/plots/predictions.csv
  and metrics.json, and reports/export/<model>/metrics.json; none of them while there is no champion

Every rule is judged by an interval over resamples of patients and all are told. A rejection is a
result and no failure: whoever promotes reads `promote` in reports/gate/verdict.json. cxr/gating says
what the intervals know and what they do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr.gating.limits import Calibration, Cost, Group, Limits
from stages._stage import run

if TYPE_CHECKING:
    import numpy as np

    from cxr.gating.acceptance import Accepted, Report, Side
    from cxr.gating.rules import Rule

CHAMPION, MANIFEST, REPORTS = Path("data/champion"), Path("data/manifest.csv"), Path("reports")
GATE = REPORTS / "gate"
BROUGHT = ("predictions.csv", "metrics.json", "export.json")
"""What of the champion lies in CHAMPION."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """Who is held against the champion, and what is asked."""

    models: list[str]
    """the challenger, one of models and of export.models; none: no gate"""
    require_better: bool
    """true: the macro AUROC must be shown to be above the champion's; false: not below it by more than the margin"""
    margin_auroc: float
    """macro AUROC that may be lost to the champion"""
    floor_auroc: float
    """lowest macro AUROC"""
    min_patients: int
    """with a class present, for AUROC also with it absent: what has fewer is not judged, and the verdict says so"""
    classes: Group
    """limits of every class by itself"""
    sources: Group
    """limits of every source by itself"""
    calibration: Calibration
    """limits of what scores mean"""
    cost: Cost
    """at most so many times the champion's"""
    bootstrap_samples: int
    """resamples of patients"""
    confidence: float
    """of the two-sided intervals: each bound errs with (1 - confidence) / 2"""

    def __post_init__(self) -> None:
        self.limits()  # its faults are ours
        if len(self.models) > 1:
            raise ValueError(
                f"models names {len(self.models)} challengers: the best of several is too good by "
                "chance, so keep one; choose it on val"
            )
        if self.bootstrap_samples < 100:
            raise ValueError(
                f"bootstrap_samples must be at least 100, not {self.bootstrap_samples}"
            )
        if not 0.5 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0.5 and 1, not {self.confidence}")

    def limits(self) -> Limits:
        """Return what is asked of the challenger."""
        return Limits(
            require_better=self.require_better, margin_auroc=self.margin_auroc,
            floor_auroc=self.floor_auroc, min_patients=self.min_patients, classes=self.classes,
            sources=self.sources, calibration=self.calibration, cost=self.cost,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class About:
    """data/champion/about.json."""

    version: str | None
    """the champion's tag in the registry; null: there is no champion yet"""
    openings: int
    """how often the acceptance set was opened, this time included"""

    def __post_init__(self) -> None:
        if self.openings < 1:
            raise ValueError(f"openings counts this time too: at least 1, not {self.openings}")


def gate(
    accepted: Accepted, challenger: Side, champion: Side | None,
    *, settings: Params, rng: np.random.Generator,
) -> list[Rule]:  # fmt: skip
    """Return every rule, judged; without a champion the absolute ones alone."""
    from cxr.gating import measures, rules

    limits = settings.limits()
    measured = measures.measure(
        accepted, challenger, champion,
        min_patients=limits.min_patients, samples=settings.bootstrap_samples, rng=rng,
    )  # fmt: skip
    return rules.judge(
        measured, challenger, champion, limits=limits, confidence=settings.confidence
    )


def read_champion(version: str | None) -> Report | None:
    """Read what was brought of the champion; None without a version.

    Raises ValueError if something lacks, or lies there though there is no champion: a file that was
    lost must not look like a first day.
    """
    there = [name for name in BROUGHT if (CHAMPION / name).is_file()]
    if version is None and there:
        raise ValueError(
            f"{CHAMPION}/about.json says that there is no champion, but {', '.join(there)} lie there: "
            "name its version, or take them away"
        )
    if lacking := [name for name in BROUGHT if name not in there and version is not None]:
        raise ValueError(
            f"{CHAMPION} lacks {', '.join(lacking)} of the champion {version}: bring them from its tag"
        )
    predictions, metrics, export = (CHAMPION / name for name in BROUGHT)
    return None if version is None else _report(predictions, metrics, export)


def _report(predictions: Path, metrics: Path, export: Path) -> Report:
    from cxr import artifacts
    from cxr.gating.acceptance import Report

    return Report(
        where=str(predictions), predictions=artifacts.read_csv(predictions, dtype={"image": str}),
        metrics=artifacts.read_json(metrics), export=artifacts.read_json(export),
    )  # fmt: skip


def main(model: str) -> str:
    from cxr import artifacts, manifest, params, progress, seeding
    from cxr.gating import acceptance, figures, verdict

    settings, seed = params.load(Params, "gate"), params.seed()
    path = CHAMPION / "about.json"
    about = params.build(About, artifacts.read_json(path), where=str(path))
    evaluated = REPORTS / "evaluate" / model
    challenger = _report(
        evaluated / "plots/predictions.csv", evaluated / "metrics.json",
        REPORTS / "export" / model / "metrics.json",
    )  # fmt: skip
    texts: Any = {"image": str, "sha256": str}
    listed = artifacts.read_csv(CHAMPION / "acceptance.csv", dtype=texts)
    accepted, ours, theirs = acceptance.gather(
        listed, manifest.read(MANIFEST), challenger, read_champion(about.version)
    )
    progress.say(f"gate@{model}: {len(accepted.images)} accepted images")
    rng = seeding.stream(seed, "gate", "bootstrap")
    judged = gate(accepted, ours, theirs, settings=settings, rng=rng)
    found = verdict.tree(
        judged, accepted, challenger=model, champion=about.version, openings=about.openings,
        samples=settings.bootstrap_samples, confidence=settings.confidence,
    )  # fmt: skip
    artifacts.write_csv(GATE / "plots" / "rules.csv", verdict.table(judged))
    title = f"{model} against {about.version or 'its floors'}: {found['verdict']}"
    drawn = figures.difference(judged, compared=about.version is not None, title=title)
    artifacts.write_figure(GATE / "plots" / "difference.png", drawn, dpi=120)
    artifacts.write_json(GATE / "verdict.json", found)
    for line in verdict.lines(found):
        progress.say(line)
    return verdict.sentence(found)


if __name__ == "__main__":
    run("gate", main, Params, item="model")
