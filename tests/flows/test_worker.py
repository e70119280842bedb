"""A worker's name, which no other has while it works, and what it needs to be let in; real ones run in test_postgres.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import serve, worker
from tests.flows import toy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / ".serve"
    found.mkdir()
    (found / "address").write_text("http://127.0.0.1:4207/api")
    (found / "credentials").write_text("a:b")
    return found


def test_a_name_is_of_the_queue_and_nobody_elses(folder: Path):
    with worker.named(folder, "cpu") as first, worker.named(folder, "cpu") as second:
        assert first.startswith("cpu-1.") and second.startswith("cpu-2.")
        with worker.named(folder, "gpu") as other:
            assert other == first.replace("cpu", "gpu")
    with worker.named(folder, "cpu") as again:
        assert again == first


def test_two_checkouts_of_a_machine_have_names_of_their_own(folder: Path, tmp_path: Path):
    (tmp_path / "other").mkdir()
    with worker.named(folder, "cpu") as one, worker.named(tmp_path / "other", "cpu") as two:
        assert one != two


def test_who_is_gone_is_told_from_who_is_at_work_and_no_name_is_taken_meanwhile(folder: Path):
    with worker.gone(folder) as found:
        assert found == (set(), set())
    with worker.named(folder, "cpu") as first:
        with worker.named(folder, "cpu") as second:
            pass
        with worker.gone(folder) as (ended, at_work):
            assert (ended, at_work) == ({second}, {first})
            with worker.named(folder, "cpu") as third:
                assert third not in (first, second)


def test_a_worker_is_let_in_by_the_servers_files(folder: Path):
    env = worker.environment(folder)
    assert env["PREFECT_API_URL"] == "http://127.0.0.1:4207/api"
    assert env["PREFECT_API_AUTH_STRING"] == "a:b"
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in env
    (folder / "credentials").unlink()
    with pytest.raises(
        ValueError, match=r"\.serve/credentials is missing: start `make serve` here"
    ):
        worker.environment(folder)


def test_it_asks_for_its_queue_alone(folder: Path):
    words = worker.words("a name", "gpu", 1)
    assert words[words.index("--work-queue") :] == ["--work-queue", "gpu", "--limit", "1"]
    assert worker.words("a name", "cpu", None).count("--work-queue") == 2
    assert serve.POOL in words


def test_without_a_server_the_command_says_what_is_missing(tmp_path: Path):
    clone = toy.make(tmp_path / "toy")
    said = toy.python(clone, "-m", "flows.worker")
    assert said.returncode == 1
    assert said.stderr.startswith("error: .serve/address is missing: start `make serve` here")
