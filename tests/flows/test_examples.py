"""The examples for teams: what they name is there, versions are pinned, and no file holds a secret."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import worker
from tests.flows import toy

FOLDER = toy.ROOT / "flows/examples"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
YAML = [path for path in FILES if path.suffix in (".yaml", ".yml")]
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
TARGETS = set(re.findall(r"^([a-z-]+):", (toy.ROOT / "Makefile").read_text(), re.MULTILINE))
SECRET = re.compile(r"(password|token|secret|key)\w*\s*[:=]\s*['\"]?([^\s'\"]+)", re.IGNORECASE)
# names of places where a secret stands, or of what is no secret: a file, a variable, a key of a cache
NO_SECRET = re.compile(r"[\[|$]|/run/secrets/|\$\(openssl|file")


def names(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def code(path: Path) -> str:
    """Return a file's text, comments too: what people are told to type must be there as well."""
    return path.read_text(encoding="utf-8")


def load(name: str) -> Any:
    return yaml.safe_load(code(FOLDER / name))


def test_each_example_is_there():
    assert [names(path) for path in FILES] == [
        "compose.yaml",
        "github.yml",
        "gitlab.yml",
        "systemd/cxrepro-server.service",
        "systemd/cxrepro-worker@.service",
    ]


@pytest.mark.parametrize("path", FILES, ids=names)
def test_each_target_and_each_module_exists(path: Path):
    text = code(path)
    asked = set(re.findall(r"(?:run: |- |RUN |`)make ([a-z-]+)", text))
    modules = set(re.findall(r"-m[ ,]+(flows\.\w+)", text))
    assert asked or modules
    assert asked <= TARGETS, asked - TARGETS
    for module in modules:
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("path", FILES, ids=names)
def test_no_file_holds_a_secret(path: Path):
    found = [line for line in code(path).splitlines() if (match := SECRET.search(line))
             and not NO_SECRET.search(match[2])]  # fmt: skip
    assert not found
    assert "PRIVATE KEY" not in code(path)
    assert not re.search(r"://[^/\s:@]+:(?!%s@)[^/\s@]+@", code(path))


def test_a_secret_would_be_seen():
    for line in ("POSTGRES_PASSWORD: hunter2", "token=abc", 'secret_key: "x1"'):
        match = SECRET.search(line)
        assert match and not NO_SECRET.search(match[2])


def images(node: Any) -> list[str]:
    """Return the images and actions that a YAML tree names."""
    if isinstance(node, dict):
        here = [node[key] for key in ("image", "uses") if isinstance(node.get(key), str)]
        return here + [name for each in node.values() for name in images(each)]
    return [name for each in node for name in images(each)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", YAML, ids=names)
def test_images_and_actions_are_pinned(path: Path):
    found = set(images(yaml.safe_load(code(path)))) | set(re.findall(r"FROM (\S+)", code(path)))
    assert found
    for name in found - {"cxrepro:local"}:  # a tag of an action can be moved, a commit can't
        assert re.search(r":\d+\.\d+(\.\d+)?\b|@[0-9a-f]{40}$", name), name


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_ci_tests_proves_brings_the_cache_and_posts_the_page(name: str):
    text = code(FOLDER / name)
    for words in ("make check", "make verify", "make doctor", "-m flows.pull", "make review BASE="):
        assert words in text
    assert text.count("reports/host/review/review.md") == 1


def test_a_pull_request_of_a_fork_gets_no_secret():
    jobs = load("github.yml")["jobs"]
    assert load("github.yml")["permissions"] == {"contents": "read"}
    for name, job in jobs.items():
        if "secrets." in yaml.safe_dump(job) or "permissions" in job:
            assert "head.repo.full_name == github.repository" in job["if"], name
    # what others may choose reaches a shell by a variable alone
    assert not [
        step for job in jobs.values() for step in job["steps"] if "${{" in step.get("run", "")
    ]


def test_containers_publish_nothing_and_serve_each_queue():
    services = load("compose.yaml")["services"]
    assert all("ports" not in each for each in services.values())
    assert "listen_addresses=127.0.0.1" in services["database"]["command"]
    queues = {each["command"][each["command"].index("--queue") + 1]
              for name, each in services.items() if name.startswith("worker")}  # fmt: skip
    assert queues == set(worker.QUEUES)
    named = set(load("compose.yaml")["volumes"]) | set(load("compose.yaml")["secrets"])
    assert named == {"database", "database_password"}


def test_compose_takes_the_file():
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("no docker compose here")
    words = [docker, "compose", "-f", str(FOLDER / "compose.yaml"), "--profile", "gpu", "config"]
    said = subprocess.run(words, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_ends_as_we_end_and_comes_back(path: Path):
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(code(path))
    service = unit["Service"]
    assert service["User"] == "cxrepro" and service["UMask"] == "0077"
    assert service["Restart"] == "on-failure" and unit["Unit"]["StartLimitIntervalSec"] == "0"
    # Ctrl-C and SIGTERM: flows/command.py
    assert service["SuccessExitStatus"] == "130" and service["KillMode"] == "mixed"
    assert (
        "Requires" not in unit["Unit"] and "PartOf" not in unit["Unit"]
    )  # workers outlast the server


def test_systemd_takes_the_units(tmp_path: Path):
    """With our own Python in the place of that of /srv, since it looks whether programs are there."""
    verify = shutil.which("systemd-analyze")
    if not verify:
        pytest.skip("no systemd here: apt-get install systemd")
    for path in UNITS:
        told = code(path).replace("/srv/cxrepro/.venv/bin/python", "/usr/bin/env")
        (tmp_path / path.name).write_text(told.replace("/srv/cxrepro", "/"))
    units = [tmp_path / "cxrepro-server.service", tmp_path / "cxrepro-worker@cpu.service"]
    shutil.copy(tmp_path / "cxrepro-worker@.service", units[1])
    said = subprocess.run([verify, "verify", *map(str, units)], capture_output=True, text=True)
    ours = [line for line in (said.stdout + said.stderr).splitlines() if "cxrepro" in line]
    assert said.returncode == 0 and not ours, ours
