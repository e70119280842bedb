"""A stage that somebody adds to dvc.yaml is in every flow at once: nobody touches flows/ for it."""

from __future__ import annotations

import ast
import sqlite3
from pathlib import Path

import pytest

from cxr import params
from flows import draw, pipeline
from tests.flows import arriving, deployed, toy
from tests.flows.test_audit import one_by_one
from tests.house import source

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

STAGE = """\
  extra:
    cmd: python -m stages.extra
    deps:
      - stages/extra.py
      - data/models/{model}
    outs:
      - data/extra
"""
CODE = """\
import pathlib
pathlib.Path("data/extra").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/extra/count.txt").write_text("1")
"""
RANDOM = CODE.replace("import pathlib", "import os, pathlib").replace('"1"', "os.urandom(8).hex()")


def extend(root: Path, model: str, code: str = CODE) -> Path:
    """Add the stage to a toy, as a person does: in dvc.yaml and stages/ alone."""
    with (root / "dvc.yaml").open("a") as file:
        file.write(STAGE.format(model=model))
    (root / "stages/extra.py").write_text(code)
    return root


def test_it_waits_for_what_it_reads(repository: Path):
    from flows import reproduce

    current = pipeline.graph(extend(repository, "left"))
    (extra,) = [stage for stage in current if stage.name == "extra"]
    assert extra == pipeline.Stage(name="extra", outs=("data/extra",), needs=("fit@left",))
    begun = {"source", "fit@left", "fit@right"}
    assert "extra" in {stage.name for stage in reproduce.ready(current, begun, begun)}
    assert "extra" not in {stage.name for stage in reproduce.ready(current, begun, {"source"})}


def test_verify_makes_it_again_and_compares_it(repository: Path, tmp_path: Path):
    toy.run(extend(repository, "left", RANDOM))
    toy.commit(repository)
    said = toy.python(repository, "-m", "flows.verify", TMPDIR=str(tmp_path))
    assert said.returncode == 1
    assert "verify: extra: data/extra/count.txt differs" in said.stderr


@pytest.mark.slow
def test_an_audit_makes_it_again_and_compares_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from flows import audit

    toy.run(extend(repository, "left", RANDOM))
    toy.commit(repository)
    (head,) = draw.combinations(root=repository)
    found = audit.examine(head, run=one_by_one, root=repository)
    assert found.outcome == "differs" and found.difference is not None
    assert (found.difference.stage, found.difference.file) == ("extra", "data/extra/count.txt")


@pytest.mark.slow
def test_reproduce_gives_it_a_task_and_a_line(repository: Path, tmp_path: Path):
    toy.commit(extend(repository, "left"))
    said = toy.python(repository, "-m", "flows.reproduce", PREFECT_HOME=str(tmp_path / "prefect"))
    assert said.returncode == 0, said.stderr[-3000:]
    outcomes = dict(line.split(": ") for line in said.stdout.splitlines()[:-1])
    unchanged = dict.fromkeys(("source", "fit@left", "fit@right", "compare"), "unchanged")
    assert outcomes == {**unchanged, "extra": "ran"}
    assert "Running stage 'fit@left'" not in said.stderr
    with sqlite3.connect(tmp_path / "prefect/prefect.db") as database:
        tasks = database.execute("select name from task_run").fetchall()
        runs = database.execute("select name from flow_run").fetchall()
        (table,) = database.execute("select data from artifact where key = 'stages'").fetchone()
    database.close()
    assert {name for (name,) in tasks} == set(outcomes) and "| extra | ran |" in table
    assert runs == [("this checkout",)]


@pytest.mark.slow
def test_retraining_runs_it_and_delivers_what_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clone = extend(arriving.make(tmp_path / "hospital"), "net")
    toy.commit(clone, "one stage more")
    toy.git(clone, "push", "-q", "origin", "main")
    arriving.arrive(clone, "day1", range(10, 22))
    assert arriving.outcomes(arriving.retrain(clone)) == [("day1", "promoted", "v1.0.0")]
    toy.git(clone, "fetch", "-q", "origin")
    lock = pipeline.parse_lock(toy.git(clone, "show", "origin/main:dvc.lock"))
    assert lock["extra"]["outs"][0]["md5"] in deployed.stored(clone)
    arriving.check_tags_have_data(clone)


# What speaks of single stages all the same, each with its reason; none decides what runs, or in what order.
SPEAKS_OF_STAGES = {
    "flows/pipeline.py": "folders of runs that a killed stage may have left, to be cleared",
    "flows/checkouts.py": "prune is git's word too",
    "flows/record.py": "whose numbers a record keeps",
    "flows/tune.py": "in whose reports val speaks; they are found by what stages write",
    "flows/study.py": "the sections of params.yaml that lend one another their runs",
}


def test_no_flow_decides_by_the_name_of_a_stage():
    """A name as a key, as in `params["gate"]`, is a section of params.yaml."""
    names = set(params.read_yaml(source.ROOT / "dvc.yaml")["stages"])
    found = set()
    for file in source.modules("flows"):
        nodes = list(ast.walk(source.tree(file)))
        keys = {id(each) for node in nodes for each in _keys(node)}
        words = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in keys]
        if any(str(word.value).partition("@")[0] in names for word in words):
            found.add(file)
    assert found <= set(SPEAKS_OF_STAGES), sorted(found - set(SPEAKS_OF_STAGES))
    assert set(SPEAKS_OF_STAGES) <= found, "a reason that nothing needs any more"


def _keys(node: ast.AST) -> list[ast.AST]:
    """Return the expressions that a node looks up or writes as keys of a mapping."""
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key is not None]
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return list(node.args[:1]) if called and node.func.attr == "get" else []  # type: ignore[attr-defined]
