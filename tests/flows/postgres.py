"""A PostgreSQL of a test's own: on loopback, with a password, run by somebody without rights, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows import served

NAME = "cxrepro"


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs, Debian's or that on the path; skip without them."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_dump").exists():
            return folder
    pytest.skip("no PostgreSQL here: apt-get install postgresql")


class Cluster:
    """A cluster, running; `address` is what Prefect is told."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.folder = binaries(), folder
        self.port, self.password = served.free_port(), secrets.token_urlsafe(16)
        self.user = _unprivileged()
        if self.user:
            shutil.chown(folder, self.user)
        known = folder / "password"
        known.write_text(self.password)
        known.chmod(0o644)  # in a folder that only its owner enters
        self.run("initdb", "--username", NAME, "--pwfile", str(known), "--auth", "scram-sha-256",
                 "--encoding", "UTF8", "--no-sync", "--pgdata", str(folder / "data"))  # fmt: skip
        self.start()
        self.run("createdb", *self.place, NAME)

    @property
    def place(self) -> list[str]:
        return ["--host", "127.0.0.1", "--port", str(self.port), "--username", NAME]

    @property
    def address(self) -> str:
        return f"postgresql+asyncpg://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    def run(self, program: str, *words: str) -> str:
        """Run one of PostgreSQL's programs as the cluster's owner; return its words."""
        owner = ["runuser", "-u", self.user, "--"] if self.user else []
        done = subprocess.run(
            [*owner, str(self.programs / program), *words],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, env={**os.environ, "PGPASSWORD": self.password},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self.run("pg_ctl", "start", "--wait", "--timeout", "120", "--pgdata", str(self.folder / "data"),
                 "--log", str(self.folder / "log"), "--options", options)  # fmt: skip

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "--wait", "--mode", "fast", "--pgdata", str(self.folder / "data"))  # fmt: skip

    def ask(self, words: str, name: str = NAME) -> str:
        """Return what psql answers, without its frame."""
        return self.run("psql", *self.place, "--dbname", name, "-AtX", "-c", words).strip()


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a cluster in a folder that its owner can enter, as pytest's own can't be; end it afterwards."""
    binaries()
    with tempfile.TemporaryDirectory(prefix="cxrepro-postgres-") as name:
        found = Cluster(Path(name))
        try:
            yield found
        finally:
            found.stop()


def _unprivileged() -> str:
    """Return whom to become: PostgreSQL refuses root; empty for one who is not."""
    if os.geteuid() != 0:
        return ""
    known = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
