"""split: what the table holds, what is left out, what is refused, the same bytes twice."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cxr import artifacts, params
from cxr import manifest as manifests
from stages import split
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
FRACTIONS = {"train": 0.56, "search_val": 0.08, "val": 0.12, "calibration": 0.04, "test": 0.20}
OUTPUTS = ("data/splits.csv", "reports/split/metrics.json", "reports/split/plots/parts.png")


def settings(*, folds: int = 1, respect_given: bool = True, **fractions: float) -> split.Params:
    shares = split.Fractions(**{**FRACTIONS, **fractions})
    return split.Params(folds=folds, respect_given=respect_given, fractions=shares)


def lay_out(folder: Path, *, gate: str = "passed", folds: int = 1) -> None:
    manifests.write(folder / "data/manifest.csv", factories.manifest(200))
    artifacts.write_json(folder / "reports/validate/summary.json", {"gate": gate})
    shares = ", ".join(f"{part}: {share}" for part, share in FRACTIONS.items())
    text = f"seed: 7\nsplit: {{folds: {folds}, respect_given: true, fractions: {{{shares}}}}}\n"
    artifacts.write_text(folder / "params.yaml", text)


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.split"], cwd=folder, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_table_is_sorted_and_names_group_and_part():
    manifest = factories.manifest(200)
    table = split.split(manifest.iloc[::-1], settings(), seed=1)
    assert table.columns.tolist() == ["image", "group", "fold_0"]
    assert table["image"].tolist() == sorted(manifest["image"])
    assert table["group"].tolist() == manifest["patient"].tolist()
    assert set(table["fold_0"]) == set(FRACTIONS)


def test_no_group_crosses_in_any_fold():
    manifest = factories.manifest(300, labels=("a", "b", "c"))
    manifest.loc[6, "pixels_sha256"] = manifest["pixels_sha256"][290]
    table = split.split(manifest, settings(folds=5), seed=1)
    for fold in (f"fold_{i}" for i in range(5)):
        assert (table.groupby("group")[fold].nunique() == 1).all()
        assert set(table[fold]) == set(FRACTIONS)


def test_unreadable_images_and_images_without_label_are_excluded_but_bind_their_group():
    manifest = factories.manifest(200)
    manifest.loc[0, "fault"] = "is damaged"
    manifest.loc[3, ["label:normal", "label:pneumonia"]] = np.nan
    table = split.split(manifest, settings(folds=2), seed=1)
    for fold in ("fold_0", "fold_1"):
        assert table.index[table[fold] == "excluded"].tolist() == [0, 3]


def test_another_seed_gives_another_split():
    manifest = factories.manifest(200)
    one, same, other = (split.split(manifest, settings(), seed=seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert (one["fold_0"] != other["fold_0"]).mean() > 0.3


def test_folds_of_a_data_set_with_its_own_test_are_refused_unless_mixed():
    manifest = factories.manifest(200)
    manifest.loc[:19, "given_split"] = "test"
    with pytest.raises(ValueError, match=r"toy marks 20 images .* split.respect_given: false"):
        split.split(manifest, settings(folds=5), seed=1)
    mixed = split.split(manifest, settings(folds=5, respect_given=False), seed=1)
    assert (mixed.filter(like="fold_").eq("test").sum(axis=1) == 1).all()


def test_too_few_patients_are_refused_with_the_cure():
    with pytest.raises(ValueError, match=r"fold_0: nothing in .*too few; set split\.fractions\."):
        split.split(factories.manifest(6), settings(), seed=1)


def test_a_study_without_calibration_has_none():
    table = split.split(factories.manifest(200), settings(calibration=0.0, train=0.60), seed=1)
    assert "calibration" not in set(table["fold_0"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 0.5}, "sum to 1"),
        ({"train": 0.80, "val": -0.12}, "0 or more"),
        ({"train": 0.0, "val": 0.68}, "train must be above 0"),
    ],
)
def test_shares_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        settings(**change)


def test_params_of_the_defaults_fit():
    found = params.load(split.Params, "split", path=ROOT / "studies/defaults.yaml")
    shares = dataclasses.asdict(found.fractions)
    assert list(shares) == list(FRACTIONS) and sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0
    with pytest.raises(ValueError, match="folds must be 1 or more, not 0"):
        dataclasses.replace(found, folds=0)


def test_metrics_count_every_image_once():
    manifest = factories.manifest(200)
    manifest.loc[0, "fault"] = "is damaged"
    metrics = split.measure(manifest, split.split(manifest, settings(folds=2), seed=1))
    assert metrics["protocol"] == "by_patient" and metrics["groups"] == 100
    for parts in metrics["folds"].values():
        assert sum(part["images"] for part in parts.values()) == metrics["images"] == 200
        assert sum(part["labels"]["normal"] for part in parts.values()) == 100
        assert parts["excluded"]["images"] == parts["excluded"]["labels"]["normal"] == 1


@pytest.mark.parametrize("folds", [1, 3])
def test_two_runs_write_the_same_bytes(tmp_path, folds):
    contents = []
    for name in ("one", "other place"):
        lay_out(tmp_path / name, folds=folds)
        finished = run(tmp_path / name)
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout.startswith("split: 100 groups of patients; ")
        contents.append([(tmp_path / name / path).read_bytes() for path in OUTPUTS])
    assert contents[0] == contents[1]


def test_a_closed_gate_stops_the_split(tmp_path):
    lay_out(tmp_path, gate="stopped")
    finished = run(tmp_path)
    assert finished.returncode == 1 and "validate stopped this data" in finished.stderr
    assert not (tmp_path / "data/splits.csv").exists()
