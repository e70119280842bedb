"""Bad inputs as a person meets them: `python -m stages.ingest`, its exit code, its one line, its files."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest

from cxr import archives, artifacts
from stages import _stage, ingest, merge, validate
from tests.bad_inputs import catalogue, dicoms, images

NAMED = {bad.name: bad for bad in catalogue.ALL}
REFUSED = (
    "zip with ..",
    "truncated tar.gz",
    "semicolons",
    "path outside",
    "npz of pickled objects",
)


def made(name: str, project: Path) -> str:
    bad = NAMED[name]
    root = project / "data/raw" / bad.dataset
    root.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bad.make(root)
    return bad.dataset


@pytest.mark.parametrize("name", REFUSED)
def test_refused_set_ends_the_process_with_one_line(tmp_path, python, name):
    dataset = made(name, tmp_path)
    done = python("-m", "stages.ingest", dataset, cwd=tmp_path)
    assert done.returncode == 1
    *progress, last = done.stderr.splitlines()
    assert last.startswith(f"ingest@{dataset}: error: ") and NAMED[name].file in last
    assert all(line.startswith("  ") for line in progress), done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert not (tmp_path / "data/manifests").exists()


def test_faulty_images_end_the_process_well_and_quietly_with_several_workers(tmp_path, python):
    """C libraries print of broken files what names no file; manifests don't depend on the workers."""
    root = tmp_path / "data/raw/folder"
    for i, bad in enumerate(bad for bad in images.NOTED):
        bad.make(root)
        (root / bad.file).rename(root / f"normal/bad-{i:02}.png")
    NAMED["zip member larger than any X-ray"].make(
        root / "normal"
    )  # a block, so a worker, of its own
    written = []
    for workers in ("1", "2"):
        shutil.rmtree(tmp_path / "data/.scratch", ignore_errors=True)
        done = python("-m", "stages.ingest", "folder", cwd=tmp_path, env={"CXR_WORKERS": workers})
        assert done.returncode == 0, done.stderr
        assert f"; {len(images.NOTED) + 1} can't be decoded" in done.stdout
        assert all(line.startswith("  ") for line in done.stderr.splitlines()), done.stderr
        written.append((tmp_path / "data/manifests/folder.csv").read_bytes())
    assert written[0] == written[1]
    assert str(tmp_path).encode() not in written[0] and b"data/raw" not in written[0]


def test_no_output_says_who_the_patient_of_a_dicom_file_is(tmp_path, python):
    dataset = made("DICOM: person in private and public elements", tmp_path)
    artifacts.write_bytes(tmp_path / "data/private/patient.key", b"k" * 32)
    done = python("-m", "stages.ingest", dataset, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    files = [
        path
        for path in (tmp_path / "data").rglob("*")
        if path.is_file() and "raw" not in path.parts
    ]
    for secret in dicoms.SECRETS:
        assert secret not in said
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_names_are_no_code_in_the_page_of_findings(tmp_path, monkeypatch):
    """A file may be called like a piece of HTML; the page shows the name and runs nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXR_WORKERS", "1")
    root = Path("data/raw/folder")
    images.good(root)
    (root / "normal/<img src=x onerror=alert(1)>.png").write_bytes(b"no image")
    artifacts.write_text(Path("params.yaml"), """
seed: 1
ingest: {datasets: [folder]}
merge: {labels: {normal: [normal], pneumonia: [pneumonia]}, unmapped: leave_out, masks: false, leave_out_sources: [], leave_out_patients: null, sample: null}
validate: {accepted: {}, near_duplicates: {correlation: 0.99}, reference: null, arrival: null}
""")  # fmt: skip
    ingest.main("folder")
    merge.main()
    with pytest.raises(ValueError, match="unreadable"):
        validate.main()
    page = Path("reports/validate/index.html").read_text()
    assert "onerror=alert(1)" in page and "<img src=x" not in page


@pytest.mark.parametrize("what", ["image", "archive", "folder"])
def test_what_may_not_be_read_is_named_with_its_cure(monkeypatch, what):
    """As root nothing is forbidden, so root becomes nobody for a moment; others take their rights away."""
    project = Path(tempfile.mkdtemp(prefix="bad inputs "))  # pytest's own folder is root's alone
    monkeypatch.setenv("CXR_WORKERS", "1")
    monkeypatch.chdir(project)
    root = Path("data/raw/folder")
    images.good(root)
    shut = {
        "image": root / "normal/0.png",
        "archive": root / "more.zip",
        "folder": root / "normal",
    }[what]
    if what == "archive":
        shut.write_bytes(NAMED["zip64"].make(project) or (project / "set.zip").read_bytes())
    for path in (project, *project.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    shut.chmod(0)
    try:
        if os.getuid() == 0:
            os.seteuid(65534)
        with pytest.raises(OSError) as caught:
            ingest.main("folder")
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        archives.close()
        shut.chmod(0o777)
        shutil.rmtree(project)
    words = _stage._line(caught.value)
    assert str(shut) in words and words.endswith(
        "make it readable and writable for this user and run again"
    )
    assert not Path("data/manifests").exists()
