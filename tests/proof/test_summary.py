"""The table of all proofs counts what was tried and what held."""

from __future__ import annotations

import pandas as pd

from cxr import artifacts
from tests.proof import summary


def test_each_proof_is_counted_in_its_own_way(tmp_path):
    lines = {
        "doubles": {"lock": ["0001"] * 3, "outcome": ["equal", "differs: a.csv", "not set: no cgroup"]},
        "kills": {"lock": ["0001"] * 2, "kills": [5, 3], "outcome": ["equal", "failed: oh"]},
        "opened": {
            "lock": ["0001"] * 2, "stage": ["a", "b"], "undeclared": ["", "x.py"],
            "written_elsewhere": ["", ""],
        },
        "processors": {"golden": ["0002"] * 2, "in_class": ["yes", "no"]},
    }  # fmt: skip
    for name, columns in lines.items():
        artifacts.write_csv(tmp_path / f"{name}.csv", pd.DataFrame(columns))
    found = summary.summary(tmp_path)
    assert found[["tried", "held"]].to_numpy().tolist() == [[2, 1], [8, 5], [2, 1], [0, 0], [2, 1]]
    assert found["of"].tolist() == ["0001", "0001", "0001", "", "0002"]
    assert found["command"].str.startswith("python -m tests.proof.").all()
