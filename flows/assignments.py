"""assignments: keep the split of a study as an input, so that no image ever changes its part again.

Writes studies/<name>/assignments.csv from data/splits.csv: each image that has a part, and its part
in each fold; no group, which would name a patient. Whoever commits it publishes the images' names:
of private data use ids that say nothing. Prints the lines for study.yaml that take the file up. Of a
study that grows by itself, which its pinned.yaml tells, the file only grows, and `pin` names it there.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from flows import files, openings, pipeline, study
from flows.repository import HERE

EXCLUDED = "excluded"
Parts = dict[str, tuple[str, ...]]


def path(name: str) -> Path:
    """Return the file that holds the assignments of the study `name`."""
    return study.STUDIES / name / "assignments.csv"


def parse(text: str) -> tuple[list[str], Parts]:
    """Return the fold columns, and by image its part in each; images without any part are left out."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    folds = [column for column in rows.fieldnames or [] if column.startswith("fold_")]
    parts = {row["image"]: tuple(row[fold] for fold in folds) for row in rows}
    return folds, {image: own for image, own in parts.items() if set(own) != {EXCLUDED}}


def moved(before: Parts, after: Parts) -> list[str]:
    """Return the images that stand in another part than before, sorted; being left out is no move."""
    return sorted(
        image
        for image in before.keys() & after.keys()
        if len(before[image]) != len(after[image])
        or any(
            one not in (other, EXCLUDED) and other != EXCLUDED
            for one, other in zip(before[image], after[image], strict=True)
        )
    )


def grown(before: Parts, after: Parts) -> Parts:
    """Return all that ever had a part: what is gone or left out keeps it, should it come back."""
    result = before | after
    for image in before.keys() & after.keys():
        pairs = zip(before[image], after[image], strict=True)
        result[image] = tuple(old if new == EXCLUDED else new for old, new in pairs)
    return result


def write(name: str, *, root: Path = HERE) -> str:
    """Write the file of the study in the checkout `root` and return its sha256.

    Raises ValueError where it would not be the study's split, or would move an image.
    """
    if (root / study.PARAMS_FILE).read_text(encoding="utf-8") != study.text(name, root=root):
        raise ValueError(
            f"params.yaml is not the study {name}: run `make study STUDY={name}` and `make repro`"
        )
    current = pipeline.graph(root)
    before = [stage.name for stage in openings.dividing(current)]
    changed = pipeline.status(root, current=current)
    if outdated := [stage for stage in changed if stage in before]:
        raise ValueError(
            f"not up to date: {', '.join(outdated)}; run `make repro TARGET={before[-1]}`"
        )
    folds, parts = parse((root / openings.SPLITS).read_text(encoding="utf-8"))
    target = root / path(name)
    if target.exists():
        _, old = parse(target.read_text(encoding="utf-8"))
        if lost := moved(old, parts):
            raise ValueError(
                f"{len(lost)} images of {target} stand elsewhere in {openings.SPLITS}, first {lost[0]!r}: "
                f"let split.assignments of the study name that file, or delete it to start anew"
            )
        if (target.parent / study.PINNED).exists():
            parts = grown(old, parts)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["image", *folds])
    writer.writerows([image, *parts[image]] for image in sorted(parts))
    files.write(target, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue().encode()).hexdigest()


def pin(name: str, *, frozen: Sequence[str] = ("test",), root: Path = HERE) -> list[str]:
    """Keep the split of the study, let its pinned.yaml name the file, and write its params.yaml.

    Returns what changed in params.yaml, one line per key; raises ValueError as `write` does.
    """
    sha256 = write(name, root=root)
    assignments = {"file": path(name).as_posix(), "sha256": sha256}
    pins = {"split.assignments": assignments, "split.frozen": list(frozen)}
    return study.pin(name, pins, root=root)


def main() -> None:
    """Keep the split of the study named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.assignments", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("name", help="a folder of studies/")
    name = parser.parse_args().name
    try:
        sha256 = write(name)
    except (ValueError, OSError, pipeline.Failed, pipeline.Locked) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        sys.exit(1)
    print(f"# commit {path(name)} and put this into {study.STUDIES / name / 'study.yaml'}:")
    print(f"split:\n  assignments: {{file: {path(name)}, sha256: {sha256}}}")
    print("  frozen: [test] # nothing new enters these parts; [] lets test grow")


if __name__ == "__main__":
    main()
