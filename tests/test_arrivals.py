"""Arrivals made by code: repeatable, read with their names and labels, and judged as they deserve."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr import archives, intake
from cxr.checks._arrival import Arrival
from cxr.datasets import table
from flows import study
from stages import __main__ as preflight
from stages import validate
from stages.ingest import ingest
from tests import arrivals, factories


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def test_a_patient_is_the_same_in_whatever_company(tmp_path):
    three = arrivals.write(tmp_path / "a", seed=1, patients=3)
    third = arrivals.write(tmp_path / "b", seed=1, patients=1, first=2)
    others = arrivals.write(tmp_path / "c", seed=2, patients=3)
    assert set(third) == {path for path in three if "s1p00002" in path}
    assert not set(three) & set(others)
    for path in third:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_noise_changes_the_labels_of_some_patients_and_no_image(tmp_path):
    wrong = []
    for noise in (0.0, 0.5):
        folder = tmp_path / str(noise)
        arrivals.write(folder, seed=1, patients=20, noise=noise, image_px=32)
        rows = table.read(folder).drop_duplicates("patient")
        wrong.append(rows.filter(like="label:").to_numpy())
    assert 5 <= (wrong[0] != wrong[1]).any(axis=1).sum() <= 15
    images = [sorted((tmp_path / name / "images").iterdir()) for name in ("0.0", "0.5")]
    assert [x.read_bytes() for x in images[0]] == [x.read_bytes() for x in images[1]]


def test_archives_hold_the_same(tmp_path):
    for name, zipped in (("loose", False), ("zip", True)):
        arrivals.write(tmp_path / name, seed=1, patients=2, zipped=zipped)
    result = table.read(tmp_path)
    inside = result["image"].str.removeprefix("loose/").str.removeprefix("zip/images.zip/")
    assert set(result["image"]) <= set(archives.members(tmp_path))
    assert sorted(inside) == sorted([*set(inside)] * 2)


def findings(root: Path, *, frozen: str | None = None) -> dict[str, list[str]]:
    """Return what validate says of the arrival `new` in `root`, by finding; `frozen`: a folder's images."""
    manifest, thumbnails, gaps = ingest(root, "table", intake.Keep(root.parent / "scratch"))
    held = manifest["image"][manifest["image"].str.startswith(f"table/{frozen}/")]
    arrival = Arrival(
        folder="table/new", frozen=frozenset(held), by_patient=True, near_duplicates=True
    )
    near = validate.NearDuplicates(correlation=0.99)
    settings = validate.Params(accepted={}, near_duplicates=near, reference=None, arrival=None)
    evidence = {"thumbnails": thumbnails, "gaps": gaps, "arrival": arrival}
    evidence = factories.evidence(manifest) | evidence
    found = validate.validate(manifest, settings, evidence, lambda: []).table
    mine = found[found["finding"].str.startswith("arrival")]
    return {str(name): rows["detail"].tolist() for name, rows in mine.groupby("finding")}


def test_an_arrival_like_the_others_passes(tmp_path):
    arrivals.write(tmp_path / "table/old", seed=1, patients=60)
    arrivals.write(tmp_path / "table/new", seed=2, patients=30)
    assert findings(tmp_path / "table", frozen="old") == {}


def test_another_display_is_grave(tmp_path):
    arrivals.write(tmp_path / "table/old", seed=1, patients=60)
    arrivals.write(tmp_path / "table/new", seed=2, patients=30, gamma=2.0)
    found = findings(tmp_path / "table")
    assert list(found) == ["arrival_drift_grave"]
    assert found["arrival_drift_grave"][0].startswith("grey_mean: median ")


def test_test_patients_who_come_again_are_told_image_by_image(tmp_path):
    arrivals.write(tmp_path / "table/old", seed=1, patients=4)
    images = arrivals.write(tmp_path / "table/new", seed=1, patients=6, first=2, zipped=True)
    known = [path for path in images if path < "images.zip/images/s1p00004"]
    found = findings(tmp_path / "table", frozen="old")
    assert list(found) == ["arrival_in_frozen_part"]
    assert found["arrival_in_frozen_part"] == [
        f"the pixels of table/old/{path.removeprefix('images.zip/')}" for path in known
    ]


def test_the_study_hospital_passes_the_preflight_with_an_arrival(tmp_path, monkeypatch):
    tree = study.compose("hospital")
    monkeypatch.chdir(tmp_path)
    assert len(preflight.faults(tree)) == 2  # no data, and nothing brought of a champion
    arrivals.write(Path("data/raw/table/2027-01"), seed=1, patients=1, image_px=32)
    Path("data/champion").mkdir()
    Path("data/champion/about.json").write_text('{"version": null, "openings": 1}')
    assert preflight.faults(tree) == []
    labels = table.read(Path("data/raw/table")).filter(like="label:").columns
    assert {name.removeprefix("label:") for name in labels} <= set(tree["merge"]["labels"])
