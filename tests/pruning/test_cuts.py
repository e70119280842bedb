"""Cuts on disk: what is written comes back, and nothing else is taken for it."""

import dataclasses
import json
import re

import pytest

from cxr import artifacts
from cxr.pruning import cuts

EVOLVED = cuts.Cut(kept={"a": [0, 2], "b.c": [1]}, macs=10, origin="evolved")
UNIFORM = cuts.Cut(kept={"a": [1]}, macs=9, origin="uniform")
FOLDS = [
    {"evolved_50": EVOLVED, "uniform_50": UNIFORM, "pruned_50": EVOLVED},
    {"evolved_50": UNIFORM, "uniform_50": UNIFORM, "pruned_50": UNIFORM},
]


@pytest.fixture
def written(tmp_path):
    """The folder of cuts and the folder of their parent."""
    artifacts.write_json(tmp_path / "parent" / "config.json", {"files": {"fold-0": "1"}})
    cuts.write(tmp_path / "toy", tmp_path / "parent", FOLDS)
    return tmp_path / "toy", tmp_path / "parent"


def test_what_is_written_comes_back_fold_by_fold(written):
    assert cuts.read(*written, "evolved_50") == [EVOLVED, UNIFORM]
    assert [cut.origin for cut in cuts.read(*written, "pruned_50")] == ["evolved", "uniform"]
    assert sorted(path.name for path in written[0].iterdir()) == [
        "cuts.json", "fold-0.json", "fold-1.json",
    ]  # fmt: skip


def test_a_digest_stands_for_the_channels_whatever_the_order_of_groups():
    one = cuts.digest({"a": [0, 2], "b.c": [1]})
    assert one == cuts.digest({"b.c": [1], "a": [0, 2]}) and len(one) == 32
    assert len({one, cuts.digest({"a": [0, 2]}), cuts.digest({"a": [0, 1], "b.c": [1]})}) == 3


def test_the_same_cuts_are_the_same_bytes(written, tmp_path):
    cuts.write(tmp_path / "again", written[1], FOLDS)
    for path in sorted(written[0].iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_cut_that_is_not_there_is_told_with_those_that_are(written):
    with pytest.raises(ValueError, match=r"toy/fold-0\.json has no cut 'taylor_50'") as told:
        cuts.read(*written, "taylor_50")
    assert str(told.value).endswith("it has evolved_50, pruned_50, uniform_50")


@pytest.mark.parametrize("name", ["toy/cuts.json", "toy/fold-1.json", "parent/config.json"])
def test_a_missing_file_is_told(written, tmp_path, name):
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=rf"{re.escape(name)} is missing: run `dvc repro`"):
        cuts.read(*written, "evolved_50")


def test_another_format_is_told(written):
    path = written[0] / "cuts.json"
    artifacts.write_json(path, {**json.loads(path.read_text()), "format": 99})
    with pytest.raises(ValueError, match=r"cuts\.json has format 99, this code reads 1"):
        cuts.read(*written, "evolved_50")


def test_cuts_of_another_parent_are_refused(written):
    artifacts.write_json(written[1] / "config.json", {"files": {"fold-0": "2"}})
    with pytest.raises(
        ValueError, match=r"cuts of a model whose config\.json has sha256 .* made anew"
    ):
        cuts.read(*written, "evolved_50")


def test_a_changed_cut_is_refused_by_name(written):
    path = written[0] / "fold-1.json"
    tree = json.loads(path.read_text())
    tree["uniform_50"]["kept"]["a"] = [0]
    artifacts.write_json(path, tree)
    with pytest.raises(ValueError, match=r"toy/fold-1\.json has sha256 .* it was changed"):
        cuts.read(*written, "evolved_50")


def test_folds_of_other_cuts_and_an_unknown_origin_are_our_own_faults(tmp_path, written):
    with pytest.raises(AssertionError, match="fold 1"):
        cuts.write(tmp_path / "x", written[1], [FOLDS[0], {"evolved_50": EVOLVED}])
    with pytest.raises(AssertionError, match="pruned"):
        dataclasses.replace(EVOLVED, origin="pruned")
