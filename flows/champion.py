"""champion: what the gate needs beside the challenger, brought into data/champion, and the list it is judged on.

The acceptance list is frozen once, studies/<study>/acceptance.csv: the test images of the first
division, by name, file and labels. What the champion said of them is taken from the commit of its
version, where its reports lie in git. DVC keeps data/champion, so that the verdict can be made again.
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

from flows import files, openings, pipeline, repository, study
from flows.registry import Version

FOLDER = Path("data/champion")
MANIFEST = Path("data/manifest.csv")
VERDICT = Path("reports/gate/verdict.json")
BROUGHT = {
    "predictions.csv": "reports/evaluate/{model}/plots/predictions.csv",
    "metrics.json": "reports/evaluate/{model}/metrics.json",
    "export.json": "reports/export/{model}/metrics.json",
}
"""By its name in FOLDER, where a version's commit has it."""
_DIGITS = 12


def acceptance(name: str) -> Path:
    """Return the file that holds the acceptance list of the study `name`."""
    return study.STUDIES / name / "acceptance.csv"


def freeze(name: str, root: Path) -> None:
    """Write the acceptance list of a study: the images that are test in any fold, sorted, with their labels.

    Raises ValueError if no image is.
    """
    tested = set(openings.tested(root / openings.SPLITS))
    if not tested:
        raise ValueError(f"{openings.SPLITS}: no image is test: raise split.fractions.test")
    with (root / MANIFEST).open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        labels = [column for column in rows.fieldnames or [] if column.startswith("label:")]
        columns = ["image", "sha256", *labels]
        kept = [{key: row[key] for key in columns} for row in rows if row["image"] in tested]
    kept.sort(key=lambda row: row["image"])
    files.write(root / acceptance(name), files.table(columns, kept))


def digits(name: str, root: Path) -> str:
    """Return by which digits the ledger knows the acceptance list of a study."""
    content = (root / acceptance(name)).read_bytes()
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def bring(name: str, root: Path, *, best: Version | None, times: int) -> None:
    """Write data/champion for a study: its list, the champion's results, and let DVC take note of it.

    `best` is the champion, None while there is none; `times`: how often the list was opened, this time
    included. Raises ValueError if the champion's commit lacks a result.
    """
    folder = root / FOLDER
    announce(root, best=best, times=times)
    files.write(folder / "acceptance.csv", (root / acceptance(name)).read_text(encoding="utf-8"))
    if best is not None:
        model = challenger(repository.git("show", f"{best.commit}:{study.PARAMS_FILE}", root=root))
        for file, place in BROUGHT.items():
            path = f"{best.commit}:{place.format(model=model)}"
            files.write(folder / file, repository.git("show", path, root=root))
    pipeline.add(FOLDER.as_posix(), root)


def announce(root: Path, *, best: Version | None, times: int) -> None:
    """Say in data/champion who the champion is, as the preflight wants to know before anything runs."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    about = {"version": best and best.tag, "openings": times}
    text = json.dumps(about, sort_keys=True, indent=2) + "\n"
    files.write(root / FOLDER / "about.json", text)


def challenger(params: str) -> str:
    """Return the model that the gate holds against the champion, of the text of params.yaml.

    Raises ValueError if there is none.
    """
    tree = study.parse(params, where=str(study.PARAMS_FILE))
    models = tree.get("gate", {}).get("models") or []
    if not models:
        raise ValueError(
            f"gate.models of study {tree.get('study')} is empty: name the model that is to become "
            "the champion, one of models and of export.models"
        )
    return str(models[0])


def read_verdict(root: Path) -> tuple[str, str, str]:
    """Return verdict, reason in a line, and the whole text of what the gate wrote."""
    content = (root / VERDICT).read_text(encoding="utf-8")
    found = json.loads(content)
    return found["verdict"], "; ".join([*found["reasons"], *found["warnings"]]), content
