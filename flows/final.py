"""final: run the study whole, and put on record that its test images were scored.

What is tried is judged on val (`make tune`); here a committed study meets its test set, and
reports/test_openings.csv gets a line for the results that it did not know yet, those of a run that
failed half way included. Bytes that come again tell nothing new and get none: `make repro` of what
was committed opens nothing.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping
from typing import Any

from flows import command, openings, pipeline, record, repository, study


def parameters() -> dict[str, Any]:
    """Return params.yaml."""
    if not study.PARAMS_FILE.exists():
        raise ValueError(f"{study.PARAMS_FILE} is missing: run `make study STUDY=<name>`")
    return study.parse(study.PARAMS_FILE.read_text(encoding="utf-8"), where=str(study.PARAMS_FILE))


def refusals(params: Mapping[str, Any]) -> list[str]:
    """Return why the test set can't be opened with these parameters now, each with its cure."""
    found, name = [], params.get("study")
    try:
        repository.commit("HEAD")
    except ValueError:
        found.append("there is no commit yet: commit first, an opening names one")
    if name in study.known():
        found += record.not_as_written(str(name))
    else:
        known = ", ".join(study.known()) or "none"
        found.append(
            f"params.yaml is of no study, but {name!r}: run `make study` with one of {known}"
        )
    return found + record.uncommitted()


def announcement(test: str, images: int, before: int) -> list[str]:
    """Return what is said before the test images are scored."""
    said = {0: "not opened yet", 1: "opened once before"}.get(
        before, f"opened {before} times before"
    )
    lines = [f"test set {test}, {images} images: {said}"]
    if before:
        lines.append(
            "warning: what was changed after a look at test images may be chosen on them; a model "
            f"scored now is opening {before + 1}, and its figures are to be told with that number"
        )
    return lines


def keep(about: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Add a line for those of the results `found` that have none; return what came of it in words.

    `about` holds the line's commit, study, seed, test and images; `found` is as of openings.results.
    """
    rows = openings.read()
    new = openings.unrecorded(rows, about["study"], found)
    if not new:
        return f"no model was evaluated anew: nothing to add to {openings.TABLE}"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    opening = str(openings.count(rows, about["test"]) + 1)
    scored = {"models": " ".join(new), "results": " ".join(new.values())}
    openings.append({**about, **scored, "date_utc": now, "opening": opening})
    return (
        f"{openings.TABLE}: opening {opening} of test set {about['test']}, {scored['models']}; "
        "commit it with dvc.lock and reports/"
    )


def run(params: Mapping[str, Any]) -> None:
    """Divide the images, say how often these test images were opened, run the rest, keep the line."""
    commit = repository.commit("HEAD")
    pipeline.update(openings.dividing(pipeline.graph())[-1].name)
    test, images = openings.test_set()
    words = announcement(test, images, openings.count(openings.read(), test))
    print("\n".join(words), flush=True)
    about = {"commit": commit, "study": params["study"], "seed": str(params["seed"])}
    about |= {"test": test, "images": str(images)}
    before, whole = openings.results(), False
    try:
        pipeline.update()
        whole = True
    finally:
        # of a run that failed, only what it made itself is known to be of these parameters
        after = openings.results()
        made = {model: x for model, x in after.items() if whole or before.get(model) != x}
        print(keep(about, made), flush=True)


def main() -> None:
    """Refuse with all reasons at once, or open the test set."""
    argparse.ArgumentParser(prog="python -m flows.final", description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()  # fmt: skip
    with command.telling(interrupted=command.GO_ON):
        params = parameters()
        if found := refusals(params):
            raise ValueError("\n".join(found))
        run(params)
    print(f"report: {pipeline.REPORT}")


if __name__ == "__main__":
    main()
