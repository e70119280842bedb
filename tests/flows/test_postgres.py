"""A server on PostgreSQL with two workers: no queued run is lost or doubled, whatever is restarted on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from flows import serve
from tests.flows import postgres, served, toy

pytestmark = pytest.mark.slow
FEW, RUNS = 12, 50
"""Queued with nothing in their way, and while all that they need is restarted."""
FLOW = """\
from __future__ import annotations

import os
import time

from prefect import flow


@flow(name="tally", persist_result=False)
def tally(number: int, path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{number}\\n".encode())
    os.close(file)
    time.sleep(1)
"""
CREATE = """\
import asyncio, sys
from prefect.deployments import run_deployment

async def main(number, path):
    for n in range(1, number + 1):
        await run_deployment("tally/toy", parameters={"number": n, "path": path}, timeout=0, as_subflow=False)

asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


class Team(served.Served):
    """A server that runs nothing itself, and two workers, each started alone as systemd would."""

    def __init__(self, folder: Path, database: postgres.Cluster) -> None:
        super().__init__(folder, "")
        self.env.pop("CXREPRO_WEBHOOK")
        self.database = database
        self.port = served.free_port()
        self.workers: list[subprocess.Popen[str]] = []
        (self.root / "flows/tally.py").write_text(FLOW)
        path = self.root / "prefect.yaml"
        found = yaml.safe_load(path.read_text())
        pool = found["deployments"][0]["work_pool"]
        found["deployments"] = [
            {"name": name, "entrypoint": "flows.tally.tally", "work_pool": {**pool, "work_queue_name": queue}}
            for name, queue in (("toy", "cpu"), ("gpu", "gpu"))
        ]  # fmt: skip
        path.write_text(yaml.safe_dump(found))
        (self.root / ".serve").mkdir(mode=0o700)
        told = self.root / ".serve/database"
        told.touch(mode=0o600)
        told.write_text(database.address + "\n")

    def program(self, *words: str) -> subprocess.Popen[str]:
        with self.log.open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words], cwd=self.root, env=self.env, text=True,
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def start(self) -> float:
        before = self.said().count("ready after") if self.log.exists() else 0
        self.process = server = self.program("flows.serve", "--workers", "0", "--port", str(self.port))  # fmt: skip
        served.until(lambda: self.said().count("ready after") > before or server.poll() is not None, seconds=300)  # fmt: skip
        assert self.said().count("ready after") > before, self.said()
        return 0.0

    def kill_server(self) -> None:
        """Kill Prefect's server and wait until it is there again."""
        before = self.said().count("ready after")
        for number in self.programs("\0server\0start"):
            with contextlib.suppress(ProcessLookupError):  # its leash ends when it has
                os.kill(number, signal.SIGKILL)
        served.until(lambda: self.said().count("ready after") > before, seconds=300)

    def hire(self, queue: str) -> None:
        self.workers.append(self.program("flows.worker", "--queue", queue, "--at-once", "2"))

    def end(self) -> None:
        for each in [*self.workers, self.process]:
            if each is not None and each.poll() is None:
                each.send_signal(signal.SIGTERM)
                each.wait(60)
        served.until(lambda: not self.programs(), seconds=60)

    def create(self, path: Path, runs: int) -> None:
        """Queue the runs."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CREATE, str(runs), str(path)],
            env={**self.env, "PREFECT_HOME": str(self.root / ".serve")} | {"PREFECT_API_URL": self.api},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    @property
    def api(self) -> str:
        return (self.root / ".serve/address").read_text()

    def states(self, path: Path) -> dict[str, int]:
        """Return how many runs that write to a file are in each state."""
        names = [x["state"]["name"] for x in self.runs("tally/toy") if x["parameters"]["path"] == str(path)]  # fmt: skip
        return {name: names.count(name) for name in sorted(set(names))}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory):
    with postgres.cluster() as database:
        found = Team(tmp_path_factory.mktemp("team"), database)
        try:
            found.start()
            found.hire("cpu")
            found.hire("cpu")
            yield found
        finally:
            found.end()


def lines(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def finish(team: Team, path: Path, runs: int) -> None:
    """Wait until all runs have ended; fail unless each has completed and written its line once."""
    served.until(lambda: team.states(path) == {"Completed": runs}, seconds=700)
    assert sorted(lines(path)) == list(range(1, runs + 1))
    assert sum(lines(path)) == runs * (runs + 1) // 2


def test_no_run_is_lost_or_doubled_by_two_workers(team: Team, tmp_path: Path):
    path = tmp_path / "lines"
    team.create(path, FEW)
    finish(team, path, FEW)
    workers = {x["labels"]["prefect.worker.name"] for x in team.runs("tally/toy")}
    assert len(workers) == 2 and all(name.startswith("cpu-") for name in workers)


def test_none_is_lost_or_doubled_when_server_and_database_are_restarted(team: Team, tmp_path: Path):
    """As `systemctl restart` does it, by the server's sudden death, and by the database's restart."""
    path = tmp_path / "lines"
    team.create(path, RUNS)
    served.until(lambda: len(lines(path)) >= RUNS // 5, seconds=300)
    assert team.process is not None
    team.process.send_signal(signal.SIGTERM)
    team.process.wait(60)
    team.start()
    served.until(lambda: len(lines(path)) >= RUNS // 2, seconds=300)
    time.sleep(serve.SHORT_S)  # what ends sooner is not started again
    team.kill_server()
    served.until(lambda: len(lines(path)) >= RUNS * 4 // 5, seconds=300)
    team.database.stop()
    team.database.start()
    finish(team, path, RUNS)


def test_a_run_of_the_gpu_queue_waits_for_its_worker(team: Team, tmp_path: Path):
    path = tmp_path / "lines"
    waiting = team.run("tally/gpu", number=1, path=str(path))
    passing = team.run("tally/toy", number=2, path=str(path))
    team.reaches(passing, "Completed")
    assert team.state(waiting) in ("Scheduled", "Late")
    team.hire("gpu")
    team.reaches(waiting, "Completed")
    assert lines(path) == [2, 1]


def test_the_password_is_nowhere_and_the_database_holds_the_runs(team: Team):
    assert team.database.password not in team.said()
    for number in team.programs("\0worker\0start"):
        there = (Path("/proc") / str(number) / "environ").read_bytes()
        assert team.database.password.encode() not in there
    assert "database: PostgreSQL at cxrepro@127.0.0.1:" in team.said()
    assert not (team.root / ".serve/prefect.db").exists()
    run = team.run("tally/gpu", hours_ago=-1, number=1, path="nowhere")
    assert team.database.ask(f"select count(*) from flow_run where id = '{run}'") == "1"


def test_a_database_that_is_not_there_is_said_without_its_password(tmp_path: Path):
    clone = served.clone(tmp_path)
    address = f"postgresql+asyncpg://cxrepro:hush-hush@127.0.0.1:{served.free_port()}/cxrepro"
    words = ["-m", "flows.serve", "--workers", "0", "--port", str(served.free_port())]
    said = toy.python(clone, *words, PREFECT_SERVER_DATABASE_CONNECTION_URL=address)
    assert said.returncode == 1
    assert "error: the server ended soon after its start" in said.stderr
    assert "hush-hush" not in said.stdout + said.stderr


def test_a_dump_brings_the_runs_back_and_an_upgrade_leaves_them(team: Team):
    """The commands of README: pg_dump while the server works, pg_restore into a fresh database, upgrade."""
    database = team.database
    dump = str(database.folder / "cxrepro.dump")
    database.run("pg_dump", *database.place, "--format=custom", f"--file={dump}", postgres.NAME)
    database.run("createdb", *database.place, "again")
    database.run("pg_restore", *database.place, "--no-owner", "--exit-on-error", "--dbname=again", dump)  # fmt: skip
    count = "select state_name, count(*) from flow_run group by 1 order by 1"
    assert database.ask(count, "again") == database.ask(count)
    address = database.address.removesuffix(postgres.NAME) + "again"
    for step in (["downgrade", "-r", "-1"], ["upgrade"]):
        words = [sys.executable, "-W", "ignore", "-m", "prefect", "server", "database", *step, "-y"]
        env = {**team.env, "PREFECT_SERVER_DATABASE_CONNECTION_URL": address}
        done = subprocess.run(words, env=env, cwd=team.root, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert database.password not in done.stdout + done.stderr
        assert database.ask(count, "again") == database.ask(count)
    head = "select version_num from alembic_version"
    assert database.ask(head, "again") == database.ask(head)
