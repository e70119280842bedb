"""rollback: make an older version of a model prod again; the history of all that was prod stays.

The version's model and export are read first, file by file: a version that could not be fetched is
refused. What changes is one new tag on the git remote, in one push. As a flow for a server, and without
one as `python -m flows.rollback --name hospital --to v1.0.0`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from flows import tasks  # sets Prefect up, so it comes before Prefect

# isort: split
from prefect import flow, get_run_logger

from flows import command, origin, pipeline, promotion, registry, versions


def roll_back(name: str, to: str, *, root: Path = pipeline.HERE, remote: str = "origin") -> str:
    """Make the version `to` (v1.0.0) of a model prod; return what came of it in words.

    Raises ValueError for an unknown version, or one whose data are damaged or gone; Overtaken if someone
    else assigned prod meanwhile; Unreachable if a remote does not answer. Then nothing has changed.
    """
    versions.check_name(name)
    clone = origin.home(root)
    origin.check(clone, remote=remote)
    origin.bring(clone, name=name, remote=remote)
    wanted = versions.find(name, to, clone)
    try:
        live = versions.production(name, clone)
    except ValueError:  # a commit without a version, of which this is the cure
        live = None
    if wanted == live:
        return f"{wanted.tag} is prod already: nothing to do"
    files = registry.verify(wanted, clone, deliver=True)
    before = live.number if live else "no version"
    tag = promotion.next_assignment(name, clone)
    words = f"prod: back to {wanted.number}, {before} was"
    new = promotion.annotate(tag, wanted.commit, words, name=name, clone=clone)
    origin.send(clone, {f"refs/tags/{tag}": new}, remote=remote)
    origin.bring(clone, name=name, remote=remote)
    return f"{wanted.tag} is prod now, {before} was (tag {tag}); its {files} files are whole"


@tasks.patient()
def assign(name: str, to: str) -> str:
    """Do what `roll_back` does in the clone that the flow runs in."""
    return roll_back(name, to)


def title(name: str, to: str) -> str:
    """Say what a run is about."""
    return f"{name} back to {to}"


@flow(name="rollback", persist_result=False, flow_run_name=tasks.titled(title))
def rollback(name: str, to: str) -> str:
    """Make an older version prod again; return what came of it in words."""
    words = assign(name, to)
    get_run_logger().info(words)
    return words


def main() -> None:
    """Roll back what the command line names, without a server."""
    parser = argparse.ArgumentParser(prog="python -m flows.rollback", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--name", required=True, help="of the model, such as hospital")
    parser.add_argument("--to", required=True, metavar="VERSION", help="such as v1.0.0")
    parser.add_argument("--remote", default="origin", help="the git remote that holds the tags")
    found = parser.parse_args()
    with command.telling(
        interrupted="the old version is prod, or the new one is: ask `python -m flows.registry`"
    ):
        print(roll_back(found.name, found.to, remote=found.remote))


if __name__ == "__main__":
    main()
