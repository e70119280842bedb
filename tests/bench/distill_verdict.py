"""The rows of `make bench-distill` and what they say: the taught student beside itself and its teacher.

Intervals of 95 %: over seeds Student's, of the seeds' paired differences; over patients the paired
bootstrap, averaged over the seeds within each draw, as prune_verdict has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cxr import artifacts
from tests.bench import prune_rows
from tests.bench.distill import ALONE, BRIEF, DATA, STUDENTS, TAUGHT, TEACHER
from tests.bench.prune_rows import WHOLE
from tests.bench.prune_verdict import Resamples, Share, Tree, bootstrap, paired

CHEAPER = 0.25
"""The most of its teacher's MACs that a student may have."""
WITHIN = 0.01
"""How far below its teacher's AUROC it may stay."""


class Rows(prune_rows.Rows):
    """rows.csv, openings.csv and resamples.csv: a row per seed and network, columns as of bench-prune."""

    columns = (
        "data", "seed", "share", "method", "part", "images", "openings", "recipe", "code",
        "macs", "parameters", "auroc", "accuracy", "labels",
    )  # fmt: skip


def summarise(rows: pd.DataFrame, resamples: Resamples) -> Tree:
    """Return means, differences with both intervals, and the goals."""
    share = Share(DATA, WHOLE, rows, resamples)
    of = rows.set_index("method")
    found: Tree = {
        "judged_on": ", ".join(sorted(set(rows["part"]))),
        "seeds": sorted(int(seed) for seed in set(rows["seed"])),
        "models": {
            name: {
                "auroc": float(of.loc[[name], "auroc"].mean()),
                "accuracy": float(of.loc[[name], "accuracy"].mean()),
                "macs": int(of.loc[[name], "macs"].iloc[0]),
                "parameters": int(of.loc[[name], "parameters"].iloc[0]),
            }
            for name in (TEACHER, *STUDENTS)
        },
        "gains": {name: _difference(share, TAUGHT, name) for name in (ALONE, BRIEF)},
        "distance": _difference(share, TEACHER, TAUGHT),
    }
    return {**found, "goals": list(_goals(found))}


def _difference(share: Share, one: str, other: str) -> Tree:
    return {"seeds": paired(share, one, other), "patients": bootstrap(share, one, other)}


def _goals(found: Tree) -> Iterator[Tree]:
    """Yield what was to be reached and whether it is."""
    models = found["models"]
    part = models[TAUGHT]["macs"] / models[TEACHER]["macs"]
    yield {"goal": f"at most {CHEAPER:g} of the teacher's MACs", "value": part, "met": part <= CHEAPER}  # fmt: skip
    for name, gain in found["gains"].items():
        low = gain["patients"]["together"]["low"]
        words = f"gain over {name}: the interval over patients above zero, all seeds together"
        yield {"goal": words, "value": low, "met": low > 0}
        low = gain["seeds"]["low"]
        words = f"gain over {name}: the interval over seeds above zero"
        yield {"goal": words, "value": low, "met": low is not None and low > 0}
    far = found["distance"]["seeds"]["mean"]
    yield {"goal": f"AUROC within {WITHIN:g} of the teacher's", "value": far, "met": far <= WITHIN}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the verdict in words."""
    seeds = ", ".join(map(str, found["seeds"]))
    yield f"{DATA}, judged on {found['judged_on']}, seeds {seeds}:"
    for name, said in found["models"].items():
        yield (
            f"  {name}: AUROC {said['auroc']:.4f}, accuracy {said['accuracy']:.4f}, "
            f"{said['macs'] / 1e6:.1f} M MACs, {said['parameters'] / 1e6:.2f} M parameters"
        )
    for name, gain in found["gains"].items():
        together = gain["patients"]["together"]
        yield f"  taught less {name}: {together['value']:+.4f} [{together['low']:+.4f}, {together['high']:+.4f}]"
    for goal in found["goals"]:
        value = "none" if goal["value"] is None else f"{goal['value']:+.4f}"
        yield f"  {'met' if goal['met'] else 'NOT MET'}: {goal['goal']} ({value})"


def report(folder: Path, rows: Rows, *, complete: bool) -> None:
    """Write the verdict of all rows there are, and print it."""
    found = summarise(rows.read(), rows.resamples())
    artifacts.write_json(folder / "verdict.json", {"complete": complete, **found})
    print("\n".join(lines(found)), flush=True)
