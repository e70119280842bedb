"""split: what the table holds, what is left out, what is refused, the same bytes twice."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, params
from cxr import manifest as manifests
from stages import split
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
FRACTIONS = {"train": 0.56, "search_val": 0.08, "val": 0.12, "calibration": 0.04, "test": 0.20}
OUTPUTS = (
    "data/splits.csv", "reports/split/metrics.json", "reports/split/plots/parts.png",
    "reports/split/plots/bridging.csv",
)  # fmt: skip
NO_PAIRS = "image_a,image_b,correlation\n"


def settings(**changes: Any) -> split.Params:
    plain: dict[str, Any] = {
        "protocol": "by_patient", "near_duplicates": True, "folds": 1, "test": "in_turn",
        "respect_given": True, "assignments": None, "frozen": ["test"],
    }  # fmt: skip
    shares = {part: changes.pop(part) for part in FRACTIONS if part != "test" and part in changes}
    fractions = split.Fractions(**(FRACTIONS | shares))
    return split.Params(**(plain | changes), fractions=fractions)


def lay_out(folder: Path, *, gate: str = "passed", pairs: str = NO_PAIRS, **changes: str) -> None:
    """Write what the stage reads; `changes` are values in params.yaml's words."""
    manifests.write(folder / "data/manifest.csv", factories.manifest(200))
    artifacts.write_text(folder / "data/near_pairs.csv", pairs)
    artifacts.write_json(folder / "reports/validate/summary.json", {"gate": gate})
    shares = ", ".join(f"{part}: {share}" for part, share in FRACTIONS.items())
    plain = {
        "protocol": "by_patient", "near_duplicates": "true", "folds": "1", "test": "in_turn",
        "respect_given": "true", "assignments": "null", "frozen": "[test]", "fractions": f"{{{shares}}}",
    }  # fmt: skip
    section = ", ".join(f"{name}: {value}" for name, value in (plain | changes).items())
    artifacts.write_text(folder / "params.yaml", f"seed: 7\nsplit: {{{section}}}\n")


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.split"], cwd=folder, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_table_is_sorted_and_names_group_and_part():
    manifest = factories.manifest(200)
    table, _ = split.split(manifest.iloc[::-1], settings(), seed=1)
    assert table.columns.tolist() == ["image", "group", "fold_0"]
    assert table["image"].tolist() == sorted(manifest["image"])
    assert table["group"].tolist() == manifest["patient"].tolist()
    assert set(table["fold_0"]) == set(FRACTIONS)


def test_no_group_crosses_in_any_fold():
    manifest = factories.manifest(300, labels=("a", "b", "c"))
    manifest.loc[6, "pixels_sha256"] = manifest["pixels_sha256"][290]
    table, _ = split.split(manifest, settings(folds=5), seed=1)
    for fold in (f"fold_{i}" for i in range(5)):
        assert (table.groupby("group")[fold].nunique() == 1).all()
        assert set(table[fold]) == set(FRACTIONS)


def test_unreadable_images_and_images_without_label_are_excluded_but_bind_their_group():
    manifest = factories.manifest(200)
    manifest.loc[0, "fault"] = "is damaged"
    manifest.loc[3, ["label:normal", "label:pneumonia"]] = np.nan
    table, _ = split.split(manifest, settings(folds=2), seed=1)
    for fold in ("fold_0", "fold_1"):
        assert table.index[table[fold] == "excluded"].tolist() == [0, 3]


def test_another_seed_gives_another_split():
    manifest = factories.manifest(200)
    one, same, other = (split.split(manifest, settings(), seed=seed)[0] for seed in (1, 1, 2))
    assert one.equals(same)
    assert (one["fold_0"] != other["fold_0"]).mean() > 0.3


def test_folds_of_a_data_set_with_its_own_test_are_refused_unless_mixed():
    manifest = factories.manifest(200)
    manifest.loc[:19, "given_split"] = "test"
    with pytest.raises(ValueError, match=r"toy marks 20 images .* split.respect_given: false"):
        split.split(manifest, settings(folds=5), seed=1)
    apart, _ = split.split(manifest, settings(folds=5, test="held_out"), seed=1)
    assert apart.filter(like="fold_").eq("test").to_numpy().tolist() == [
        [i < 20] * 5 for i in range(200)
    ]
    mixed, _ = split.split(manifest, settings(folds=5, respect_given=False), seed=1)
    assert (mixed.filter(like="fold_").eq("test").sum(axis=1) == 1).all()


def test_too_few_patients_are_refused_with_the_cure():
    with pytest.raises(ValueError, match=r"fold_0: nothing in .*too few; set split\.fractions\."):
        split.split(factories.manifest(6), settings(), seed=1)


def test_a_study_without_calibration_has_none():
    table, _ = split.split(factories.manifest(200), settings(calibration=0.0, train=0.60), seed=1)
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": 0}, "folds must be 1 or more, not 0"),
        ({"frozen": ["test", "dev"]}, "frozen: 'dev' is unknown: known are train, search_val"),
        ({"frozen": list(FRACTIONS)}, "frozen names every part"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        settings(**change)


def test_params_of_the_defaults_fit():
    found = params.load(split.Params, "split", path=ROOT / "studies/defaults.yaml")
    assert list(found.shares) == list(FRACTIONS)
    assert sum(found.shares.values()) == pytest.approx(1) and min(found.shares.values()) > 0
    assert found.protocol == "by_patient" and found.near_duplicates
    assert found.assignments is None
    tree = dataclasses.asdict(found) | {"assignments": {"file": "a.csv", "sha256": "0"}}
    assert params.build(split.Params, tree, where="split").assignments == split.Assignments(
        file="a.csv", sha256="0"
    )
    assert found.test == "in_turn" and not found.held_out
    with pytest.raises(ValueError, match="test must be one of 'in_turn', 'held_out'"):
        params.build(split.Params, tree | {"test": "turning"}, where="split")
    with pytest.raises(ValueError, match="protocol must be one of 'by_patient', 'by_image'"):
        params.build(split.Params, tree | {"protocol": "by_hand"}, where="split")


def test_near_duplicates_stay_together_only_if_the_study_says_so():
    manifest = factories.manifest(200)
    image = manifest["image"]
    pairs = pd.DataFrame({"image_a": image[0:80:2], "image_b": image[100:180:2].to_numpy()})
    together, _ = split.split(manifest, settings(), seed=1, near_pairs=pairs)
    apart, _ = split.split(manifest, settings(near_duplicates=False), seed=1, near_pairs=pairs)
    assert together["group"].nunique() == 60 and apart["group"].nunique() == 100
    part = together["fold_0"]
    assert part[0:80].tolist() == part[100:180].tolist()
    assert apart["fold_0"][0:80].tolist() != apart["fold_0"][100:180].tolist()


@pytest.mark.parametrize(("folds", "test"), [(1, "in_turn"), (3, "in_turn"), (3, "held_out")])
def test_two_runs_write_the_same_bytes(tmp_path, folds, test):
    contents = []
    for name in ("one", "other place"):
        lay_out(tmp_path / name, folds=str(folds), test=test)
        finished = run(tmp_path / name)
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout.startswith("split: 100 groups of patients; ")
        contents.append([(tmp_path / name / path).read_bytes() for path in OUTPUTS])
    assert contents[0] == contents[1]


def test_with_one_fold_both_words_mean_the_same():
    manifest = factories.manifest(200)
    one, other = (
        split.split(manifest, settings(test=x), seed=1)[0] for x in ("in_turn", "held_out")
    )
    assert one.equals(other) and not settings(test="held_out").held_out
    assert settings(test="held_out").shares_of_a_fold == settings().shares == FRACTIONS


def test_folds_around_one_test_part_are_said_and_counted(tmp_path):
    lay_out(tmp_path, folds="4", test="held_out")
    finished = run(tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "200 images into 4 folds around one test part, by patient" in finished.stderr
    folds = artifacts.read_json(tmp_path / "reports/split/metrics.json")["folds"]
    for part in ("test", "search_val", "calibration"):
        assert len({str(fold[part]) for fold in folds.values()}) == 1, part
    assert [fold["val"]["images"] for fold in folds.values()] == [34] * 4  # a quarter of 136
    assert settings(folds=4, test="held_out").shares_of_a_fold == pytest.approx(
        FRACTIONS | {"train": 0.51, "val": 0.17}
    )


def test_folds_around_one_test_part_are_taken_up_again(tmp_path):
    lay_out(tmp_path, folds="3", test="held_out")
    assert run(tmp_path).returncode == 0
    first = artifacts.read_csv(tmp_path / "data/splits.csv")
    artifacts.write_csv(tmp_path / "old.csv", first.drop(columns="group")[10:])
    sha256 = hashlib.sha256((tmp_path / "old.csv").read_bytes()).hexdigest()
    assignments = f"{{file: old.csv, sha256: {sha256}}}"
    lay_out(tmp_path, folds="3", test="held_out", assignments=assignments)
    finished = run(tmp_path)
    assert finished.returncode == 0, finished.stderr
    second = artifacts.read_csv(tmp_path / "data/splits.csv")
    pd.testing.assert_frame_equal(second[10:], first[10:])
    assert not second[:10].eq("test").any(axis=None)  # test is frozen
    lay_out(tmp_path, folds="3", test="in_turn", assignments=assignments)
    finished = run(tmp_path)
    assert finished.returncode == 1 and "old.csv: " in finished.stderr
    assert "images are test in several folds" in finished.stderr


def test_a_closed_gate_stops_the_split(tmp_path):
    lay_out(tmp_path, gate="stopped")
    finished = run(tmp_path)
    assert finished.returncode == 1 and "validate stopped this data" in finished.stderr
    assert not (tmp_path / "data/splits.csv").exists()


def test_by_image_is_said_in_the_metrics(tmp_path):
    lay_out(tmp_path, protocol="by_image")
    finished = run(tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("split: 200 groups of one image each; ")
    metrics = artifacts.read_json(tmp_path / "reports/split/metrics.json")
    assert metrics["protocol"] == "by_image"
    assert metrics["warnings"][0].startswith("split by image: images of one patient stand on both")


def test_an_earlier_division_is_taken_up_and_what_bridges_is_listed(tmp_path):
    """A bridge is new and near an image of another part: here of patients 0 and 1, if they differ."""
    lay_out(tmp_path)
    assert run(tmp_path).returncode == 0
    first = artifacts.read_csv(tmp_path / "data/splits.csv")
    part = first["fold_0"]
    train, val = (part.index[part == name][0] for name in ("train", "val"))
    old = first.drop(index=train)[["image", "fold_0"]]
    artifacts.write_csv(tmp_path / "old.csv", old)
    sha256 = hashlib.sha256((tmp_path / "old.csv").read_bytes()).hexdigest()
    near = f"{NO_PAIRS}{','.join(sorted(first['image'][[train, val]]))},0.995\n"
    lay_out(tmp_path, pairs=near, assignments=f"{{file: old.csv, sha256: {sha256}}}")
    finished = run(tmp_path)
    assert finished.returncode == 0, finished.stderr
    second = artifacts.read_csv(tmp_path / "data/splits.csv")
    assert second["fold_0"][train] == "excluded"
    assert second["fold_0"].drop(index=train).equals(part.drop(index=train))
    bridging = artifacts.read_csv(tmp_path / "reports/split/plots/bridging.csv")
    image = first["image"][train]
    assert bridging.to_dict("records") == [
        {"image": image, "group": image, "fold": "fold_0", "why": "links train and val"}
    ]
    metrics = artifacts.read_json(tmp_path / "reports/split/metrics.json")
    assert metrics["assignments"] == {"kept": 199, "gone": 0, "gone_from_frozen": 0, "new": 1}
    assert metrics["bridging"] == {"images": 1, "groups": 1, "why": {"links train and val": 1}}
    assert metrics["near_duplicates"] == {"pairs": 1, "images": 2, "joins": 1}


@pytest.mark.parametrize(
    ("sha256", "words"),
    [("a" * 64, "old.csv has sha256 "), (None, "old.csv of split.assignments is missing")],
)
def test_another_file_of_assignments_is_refused(tmp_path, sha256, words):
    lay_out(tmp_path, assignments=f"{{file: old.csv, sha256: {sha256 or 'x'}}}")
    if sha256:
        artifacts.write_text(tmp_path / "old.csv", "image,fold_0\n")
    finished = run(tmp_path)
    assert finished.returncode == 1 and words in finished.stderr
    assert not (tmp_path / "data/splits.csv").exists()
