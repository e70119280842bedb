"""What is imported is required, what is required is locked, and numerics.lock follows requirements.lock."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.house import source

DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "great_expectations": "great-expectations",
    "ruamel": "ruamel-yaml",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
NOT_IMPORTED = {
    "onnxscript": "torch.onnx.export translates with it",
    "sqlalchemy": "Prefect's server needs it, and a newer one lets no schedule fire",
    "tensorboard": "torch.utils.tensorboard writes with it, make tensorboard shows with it",
    "dvc-s3": "DVC reaches a remote in S3 with it",
    "dvc-ssh": "DVC reaches a remote over SSH with it",
    "torchvision": "timm imports it, and its version belongs to torch's",
    "pyyaml": "DVC and Prefect read YAML with it",
    "scikit-learn": "the users name it; the tests hold every metric against it",
}


def _names(file: str) -> dict[str, str]:
    """The requirements of a .in file by name, each with its line."""
    lines = [line.split("#")[0].strip() for line in (source.ROOT / file).read_text().splitlines()]
    return {_normal(re.split(r"[=<>!~\[; ]", line)[0]): line for line in lines if line}


def _normal(name: str) -> str:
    """A distribution's name as the lock file writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _imports(*folders: str) -> dict[str, str]:
    """The distributions that the code imports, each with a file that does."""
    found = {}
    for file in source.modules(*folders):
        for name in source.imported(file):
            top = name.split(".")[0]
            if top and top not in (*sys.stdlib_module_names, *source.PACKAGES, "tests"):
                found[_normal(DISTRIBUTIONS.get(top, top))] = file
    return found


def _locked() -> dict[str, str]:
    text = (source.ROOT / "requirements.lock").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, flags=re.MULTILINE))


def test_every_import_of_the_product_is_required() -> None:
    lacking = {
        x: file
        for x, file in _imports(*source.PACKAGES).items()
        if x not in _names("requirements.in")
    }
    assert not lacking, f"requirements.in lacks {lacking}"


def test_every_import_of_the_tests_is_required() -> None:
    known = _names("requirements.in") | _names("requirements-dev.in")
    bench = _names("requirements-bench.in")  # installed for the benchmark only, beside the product
    lacking = {
        x: file
        for x, file in _imports("tests").items()
        if x not in known and not (x in bench and file.startswith("tests/bench/"))
    }
    assert not lacking, f"requirements-dev.in lacks {lacking}"


def test_nothing_is_required_that_nothing_imports() -> None:
    needless = set(_names("requirements.in")) - set(_imports(*source.PACKAGES)) - set(NOT_IMPORTED)
    assert not needless, f"requirements.in: no file imports {sorted(needless)}"


@pytest.mark.parametrize("file", ["requirements.in", "requirements-dev.in"])
def test_what_is_required_is_locked(file: str) -> None:
    locked = _locked()
    for name, line in _names(file).items():
        assert name in locked, f"{name} is not in requirements.lock: run `make lock`"
        if "==" in line:
            assert line.split("==")[1] == locked[name], f"{line}: run `make lock`"


def test_every_locked_package_has_hashes() -> None:
    text = (source.ROOT / "requirements.lock").read_text()
    packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(packages) > 50
    assert [x.split()[0] for x in packages if "--hash=sha256:" not in x] == []


def test_the_list_of_what_is_installed_is_what_is_locked() -> None:
    subprocess.run(["make", "--silent", "sbom"], cwd=source.ROOT, check=True, capture_output=True)
    listed = json.loads((source.ROOT / "reports/host/sbom.json").read_text())["components"]
    found = {_normal(one["name"]): one["version"].partition("+")[0] for one in listed}
    assert found.keys() <= _locked().keys() and len(found) > 200
    assert found == {name: _locked()[name] for name in found}
    assert all(one["purl"].startswith("pkg:pypi/") for one in listed)
    assert sum("licenses" in one for one in listed) > 0.9 * len(listed)


def test_numerics_lock_is_in_step_with_requirements_lock() -> None:
    locked = _locked()
    lines = (source.ROOT / "numerics.lock").read_text().splitlines()
    assert lines == sorted(lines)
    for line in lines:
        name, version = line.split("==")
        assert locked[name] == version, f"numerics.lock says {line}: run `make lock`"


def test_numerics_lock_names_what_computes() -> None:
    """Whatever cxr imports can change a byte, save what reads words, shows a bar, checks or carries work."""
    words_only = {
        *("ruamel-yaml", "tqdm", "onnxruntime", "distributed", "huggingface-hub"),
        *("fastapi", "uvicorn", "python-multipart", "pydantic"),
    }
    named = {
        line.split("==")[0] for line in (source.ROOT / "numerics.lock").read_text().splitlines()
    }
    lacking = set(_imports("cxr", "stages")) - words_only - named
    assert not lacking, f"flows/lock.py, PACKAGES lacks {sorted(lacking)}"
