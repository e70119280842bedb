"""Every bad input through the real stages: told by name with its cure, nothing left half done, nothing crashes."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

from cxr import archives, artifacts, manifest
from stages import ingest, merge, validate
from tests.bad_inputs import Bad, catalogue

CURE = re.compile(
    r"\b(get|take|save|put|keep|rename|write|make|download|correct|leave|name|add|give|remove|close|"
    r"divide|pack|convert|move|clone|unpack)\b",
    re.IGNORECASE,
)
LIGHT = [bad for bad in catalogue.ALL if not bad.heavy]


def of(fate: str) -> pytest.MarkDecorator:
    bad = [bad for bad in LIGHT if bad.fate == fate]
    return pytest.mark.parametrize("bad", bad, ids=[x.name for x in bad])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as the working folder; one process, so that nothing hides in a worker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXR_WORKERS", "1")
    artifacts.write_bytes(Path("data/private/patient.key"), b"k" * 32)
    yield tmp_path
    archives.close()


def made(bad: Bad) -> Path:
    root = Path("data/raw") / bad.dataset
    root.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of what the maker does on purpose
        bad.make(root)
    return root


def ingested(bad: Bad) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the manifest and the gaps that ingest writes."""
    made(bad)
    ingest.main(bad.dataset)
    assert not list(Path().rglob("*.partial"))
    where = Path("data/manifests")
    table = manifest.read(where / f"{bad.dataset}.csv").set_index("image", drop=False)
    assert len(manifest.read_thumbnails(where / f"{bad.dataset}.thumbnails.npy", table)) == len(
        table
    )
    gaps = manifest.read_gaps(where / f"{bad.dataset}.gaps.csv")
    assert len(gaps) == bad.gaps, gaps
    return table, gaps


def test_there_are_enough_and_each_has_a_name_of_its_own():
    names = [bad.name for bad in catalogue.ALL]
    assert len(set(names)) == len(names)
    counts = {
        fate: sum(bad.fate == fate for bad in catalogue.ALL)
        for fate in ("refused", "noted", "found", "legal")
    }
    assert counts["refused"] >= 60 and counts["noted"] >= 40, counts


@of("refused")
def test_set_is_refused_with_file_and_cure(bad, project):
    made(bad)
    with pytest.raises(ValueError) as caught:
        ingest.main(bad.dataset)
    words = str(caught.value)
    assert re.search(bad.words, words), words
    assert bad.file in words, words
    assert CURE.search(words), words
    assert "\n" not in words and len(words) < 2000
    assert not Path("data/manifests").exists()
    assert not list(Path().rglob("*.partial"))


@of("noted")
def test_fault_is_noted_and_the_others_are_ingested(bad, project, capfd):
    table, _ = ingested(bad)
    fault = table.loc[f"{bad.dataset}/{bad.file}", "fault"]
    assert re.search(bad.words, fault), fault
    assert fault.startswith(bad.file), fault
    assert CURE.search(fault) and "\n" not in fault and len(fault) < 500
    others = table["fault"][table["image"] != f"{bad.dataset}/{bad.file}"]
    assert len(others) >= 3 and (others == "").all()
    assert capfd.readouterr().err.count("\n") <= 3  # progress, and no library's own words


@of("legal")
def test_what_is_unusual_is_read_to_the_right_values(bad, project):
    table, _ = ingested(bad)
    assert (table["fault"] == "").all(), table["fault"][table["fault"] != ""].tolist()
    row = table.loc[f"{bad.dataset}/{bad.file}"]
    found = {name: row[name] for name in bad.values}
    assert found == pytest.approx(dict(bad.values), nan_ok=True)


@of("found")
def test_validate_finds_it(bad, project):
    table, _ = ingested(bad)
    labels = ", ".join(f"{name}: [{name}]" for name in manifest.labels(table))
    artifacts.write_text(Path("params.yaml"), f"""
seed: 1
ingest: {{datasets: [{bad.dataset}]}}
merge: {{labels: {{{labels}}}, unmapped: leave_out, masks: false, leave_out_sources: [], leave_out_patients: null, sample: null}}
validate: {{accepted: {{}}, near_duplicates: {{correlation: 0.99}}, reference: null, arrival: null}}
""")  # fmt: skip
    merge.main()
    try:
        validate.main()
    except ValueError as error:
        assert bad.words in str(error)  # a warning does not stop it
    findings = artifacts.read_csv(
        Path("reports/validate/plots/findings.csv"), keep_default_na=False
    )
    mine = findings[findings["finding"] == bad.words]
    assert len(mine), findings
    text = " ".join([*mine["image"].astype(str), *mine["detail"].astype(str)])
    assert not bad.file or bad.file in text, text
