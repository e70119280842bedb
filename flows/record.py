"""record: keep of a finished study what proves it later, beside its study.yaml, in plain git.

lock file, parameters, metrics, the commit of the code, the processor, the durations, and what `make
speed` measured if it was asked to: numbers and hashes only, no pixels, no weights, no rows per image.
How often the test set was opened is part of a result: one that reports/test_openings.csv does not know
(`make final` tells it) is not recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from flows import data, files, openings, pipeline, repository, study

# What a run of a study changes; anything else must be committed before a record is made.
RESULTS = re.compile(
    r"params\.yaml$|dvc\.lock$|reports/|studies/[^/]+/record/|data/raw/[^/]+\.dvc$"
)
# The stages whose numbers are kept, each with a folder per run or model in reports/.
BY_ITEM = ("search", "distill", "prune", "finish", "evaluate", "export")
# What `make speed` leaves, if somebody asked it to.
SPEED = Path("reports/host/speed.json")
# The study whose images are made by code: `make repro` of it opens no one's test set.
SYNTHETIC = "phantom"


def folder(name: str) -> Path:
    """Return the folder that holds the record of the study `name`."""
    return study.STUDIES / name / "record"


def refusals(name: str) -> list[str]:
    """Return why the study can't be recorded now, each with its cure; empty if it can."""
    found = not_as_written(name) + uncommitted()
    if not found and (outdated := pipeline.status()):
        found.append(f"not up to date: {', '.join(outdated)}; run `make repro`")
    return found or unopened(name)


def not_as_written(name: str) -> list[str]:
    """Return, as a refusal, that params.yaml is not what `make study` writes."""
    if study.PARAMS_FILE.read_text(encoding="utf-8") == study.text(name):
        return []
    return [
        f"params.yaml is not the study {name}: run `make study STUDY={name}`, or keep what you "
        f"changed in {study.STUDIES / name / 'study.yaml'}"
    ]


def uncommitted() -> list[str]:
    """Return, as a refusal, that more differs from HEAD than the results."""
    strange = [path for path in repository.changed() if not RESULTS.match(path)]
    if not strange:
        return []
    return [
        f"git knows changes besides the results, first {strange[0]}: commit them first, "
        "results are kept for one commit"
    ]


def unopened(name: str) -> list[str]:
    """Return, as a refusal, the models whose present results stand in no line of the openings."""
    if name == SYNTHETIC:
        return []
    models = openings.unrecorded(openings.read(), name, openings.results())
    if not models:
        return []
    return [
        f"{openings.TABLE} has no line of study {name} with these results of {', '.join(models)}: "
        "run `make final`, which says how often the test set was opened"
    ]


def metrics() -> dict[str, Any]:
    """Return the numbers of compare, of each model's evaluation and of each search and pruning."""
    result: dict[str, Any] = {"compare": _json(Path("reports/compare/metrics.json"))}
    for stage in BY_ITEM:
        for path in sorted(Path("reports", stage).glob("*/metrics.json")):
            result.setdefault(stage, {})[path.parent.name] = _json(path)
    return result


def data_hashes(lock: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return md5, size and number of files of each raw data set that an ingest stage read."""
    found = {}
    for name, entry in lock.items():
        if not name.startswith("ingest@"):
            continue
        for dep in entry.get("deps", []):
            if dep["path"].startswith("data/raw/"):
                keys = ("md5", "size", "nfiles")
                found[name.partition("@")[2]] = {key: dep[key] for key in keys if key in dep}
    return found


def host(lock: dict[str, Any]) -> dict[str, Any]:
    """Return what only this machine knows: durations per stage, processor, cores.

    A stage names its note after its command, which two stages of dvc.yaml may share
    (`transfer-searched@a` runs `python -m stages.transfer a`), `-` between the names of an item.
    """
    seconds = {}
    for name, entry in lock.items():
        _, _, command = entry["cmd"].partition(" -m stages.")
        program, *item = command.split()
        noted = f"{program}@{'-'.join(item)}" if item else program
        path = Path("reports/host") / f"{noted}.json"
        if path.exists():
            seconds[name] = _json(path).get("seconds")
    return {"processor": processor(), "cores": os.cpu_count(), "seconds": seconds}


def speed(path: Path) -> dict[str, Any] | None:
    """Return what `make speed` measured; None if it did not, or of models that have changed since."""
    if not path.exists():
        return None
    found = _json(path)
    for name, about in found["models"].items():
        config = Path("data/models") / name / "config.json"
        if not config.exists() or data.sha256(config) != about["config_sha256"]:
            return None
    return found


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def write(name: str) -> Path:
    """Write the record of the study `name`; raise ValueError that lists why it can't be."""
    found = refusals(name)
    if found:
        raise ValueError("\n".join(found))
    target, commit = folder(name), repository.commit("HEAD")
    lock, numbers = pipeline.read_lock(), metrics()
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(pipeline.LOCK_FILE, target / "dvc.lock")
    shutil.copyfile(study.PARAMS_FILE, target / "params.yaml")
    _write_json(target / "metrics.json", numbers)
    about = {"commit": commit, "study": name, "data": data_hashes(lock)}
    _write_json(target / "record.json", about)
    _write_json(target / "host.json", host(lock))
    if (measured := speed(SPEED) or speed(target / SPEED.name)) is not None:
        _write_json(target / SPEED.name, measured)
    else:
        (target / SPEED.name).unlink(missing_ok=True)
    return target


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: run `make repro`") from None


def _write_json(path: Path, tree: Any) -> None:
    files.write(path, json.dumps(tree, sort_keys=True, indent=2, ensure_ascii=False) + "\n")


def main() -> None:
    """Record the study named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.record", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("name", help="a folder of studies/")
    name = parser.parse_args().name
    try:
        target = write(name)
    except (ValueError, OSError, pipeline.Failed, pipeline.Locked) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        sys.exit(1)
    print(
        f"{target}: {', '.join(sorted(path.name for path in target.iterdir()))}; commit this folder"
    )


if __name__ == "__main__":
    main()
