"""split: assign every image to train, search_val, val, calibration or test, whole patients together.

`train` fits the weights, `search_val` ranks candidates of a search, `val` stops training early,
`calibration` is kept for temperatures, `test` is looked at once. Images that can't be decoded or
have no known label are `excluded`, and so is what would leak: reports/split/plots/bridging.csv
lists it. See cxr/splitting for the method.

Of k folds each makes a network. Either test goes round (`test: in_turn`): every image is tested
once, by the network that saw none of its patient. Or test stays (`held_out`), the data set's own
where it has one, and the mean of the k networks is judged by it: search_val and calibration stay
too, all other images make k equal pieces, fold i stops early on piece i and trains on the rest.
Images that the data set marks val are then among them, and `fractions.val` does not count.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Fractions:
    """Each part's share of the images; they sum to 1."""

    train: float
    """fits the weights"""
    search_val: float
    """ranks the candidates of a search"""
    val: float
    """stops training early; with k folds around one test part it is 1/k of train and val"""
    calibration: float
    """fits thresholds and temperatures"""
    test: float
    """is looked at once; with k folds in turn it is 1/k whatever stands here"""

    def __post_init__(self) -> None:
        shares = dataclasses.astuple(self)
        if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise ValueError(f"must be 0 or more and sum to 1, not {shares} = {sum(shares):.6g}")
        if self.train == 0:
            raise ValueError("train must be above 0")


@dataclass(frozen=True, kw_only=True)
class Assignments:
    """A division made before, which stays."""

    file: str
    """a CSV with image and fold_0, fold_1, …, as data/splits.csv has them"""
    sha256: str
    """of that file, 64 hexadecimal digits"""


@dataclass(frozen=True, kw_only=True)
class Params:
    """What stays together, and how many times and into which shares it is divided."""

    protocol: Literal["by_patient", "by_image"]
    """by_image: as many older works did; a patient's images stand on both sides, reports warn"""
    near_duplicates: bool
    """whether near duplicates (data/near_pairs.csv) stay together as one patient's images do"""
    folds: int
    """1: one held-out test part and one network; k > 1: k folds and k networks"""
    test: Literal["in_turn", "held_out"]
    """of k > 1 folds. in_turn: every image is test in exactly one; held_out: all have one test part"""
    respect_given: bool
    """whether images that the data set itself marks test or val stay test or val"""
    assignments: Assignments | None
    """null: divide anew; else old images stay, new groups are placed by keyed hash"""
    frozen: list[str]
    """parts of `assignments` that nothing new enters"""
    fractions: Fractions
    """shares of the images: train, search_val, val, calibration, test"""

    def __post_init__(self) -> None:
        if self.folds < 1:
            raise ValueError(f"folds must be 1 or more, not {self.folds}")
        shares = self.shares
        if strange := sorted(set(self.frozen) - set(shares)):
            raise ValueError(f"frozen: {strange[0]!r} is unknown: known are {', '.join(shares)}")
        if not any(shares[part] for part in set(shares) - set(self.frozen)):
            raise ValueError("frozen names every part: new images would have nowhere to go")

    @property
    def shares(self) -> dict[str, float]:
        """Return the parts in the order in which a study uses them, each with its share."""
        return dataclasses.asdict(self.fractions)

    @property
    def held_out(self) -> bool:
        """Tell whether several folds have one test part."""
        return self.test == "held_out" and self.folds > 1

    @property
    def shares_of_a_fold(self) -> dict[str, float]:
        """Return `shares` as they come out where val goes round."""
        from cxr.splitting import rotation

        return rotation.in_each_fold(self.shares, self.folds, held_out=self.held_out)


def split(
    manifest: pd.DataFrame,
    settings: Params,
    *,
    seed: int,
    near_pairs: pd.DataFrame | None = None,
    old: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of parts and what is left out, as parts.split does; seed: the study's."""
    from cxr.splitting import parts

    return parts.split(
        manifest, settings.shares, protocol=settings.protocol, folds=settings.folds, old=old,
        near_pairs=near_pairs if settings.near_duplicates else None, frozen=settings.frozen,
        respect_given=settings.respect_given, held_out=settings.held_out, seed=seed,
    )  # fmt: skip


def read_old(settings: Params) -> pd.DataFrame | None:
    """Return the division that split.assignments names; raise ValueError if it is another or unfit."""
    from cxr.splitting import assignments

    if settings.assignments is None:
        return None
    path = Path(settings.assignments.file)
    if not path.is_file():
        raise ValueError(f"{path} of split.assignments is missing: take it back from git")
    return assignments.parse(path.read_bytes(), sha256=settings.assignments.sha256,
                             folds=settings.folds, held_out=settings.held_out,
                             shares=settings.shares_of_a_fold, where=str(path))  # fmt: skip


def main() -> str:
    """Read manifest and near pairs, refuse what validate stopped, write parts, metrics and a figure."""
    from cxr import artifacts, params, progress
    from cxr import manifest as manifests
    from cxr.splitting import account, picture

    settings, seed = params.load(Params, "split"), params.seed()
    summary, report = Path("reports/validate/summary.json"), Path("reports/split")
    if artifacts.read_json(summary)["gate"] != "passed":
        raise ValueError(f"{summary}: validate stopped this data; see reports/validate/plots")
    manifest, old = manifests.read(Path("data/manifest.csv")), read_old(settings)
    pairs = artifacts.read_csv(Path("data/near_pairs.csv"), keep_default_na=False)
    folds = "one held-out test part" if settings.folds == 1 else f"{settings.folds} folds"
    folds += " around one test part" if settings.held_out else ""
    progress.say(f"{len(manifest)} images into {folds}, {settings.protocol.replace('_', ' ')}")
    parts, left_out = split(manifest, settings, seed=seed, near_pairs=pairs, old=old)
    metrics = account.measure(manifest, parts, pairs, left_out, old, shares=settings.shares_of_a_fold,
                              protocol=settings.protocol, frozen=settings.frozen)  # fmt: skip
    artifacts.write_csv(Path("data/splits.csv"), parts)
    artifacts.write_json(report / "metrics.json", metrics)
    artifacts.write_csv(report / "plots/bridging.csv", left_out)
    artifacts.write_figure(report / "plots/parts.png", picture.draw(metrics["folds"]))
    counts = metrics["folds"]["fold_0"]
    words = ", ".join(f"{part} {n['images']}" for part, n in counts.items() if n["images"])
    of_what = "of patients" if settings.protocol == "by_patient" else "of one image each"
    return f"{metrics['groups']} groups {of_what}; {'fold_0: ' * (settings.folds > 1)}{words}"


if __name__ == "__main__":
    run("split", main, Params)
