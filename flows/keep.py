"""keep: put one network's weights aside, for another study to start from: transfer in two steps.

A network that one study trained on one data set is fine-tuned by the next on another. The file goes
from data/models/<model>/ to data/raw/weights/<name>.safetensors, where `make data DATASET=weights`
would put it, and DVC takes note of it. Prints the recipe that takes it up: the network's shape, the
file with its sha256, the grey normalisation it knows, and in a comment which study and commit made it.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flows import command, data, files, pipeline, record, repository, study

MODELS = Path("data/models")
FORMAT = 3  # of a model's config.json, as cxr/training/models.py writes it
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_]*")  # the name serves as a run's too


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One fold's network of a model: its weight file, and what takes that up."""

    model: str
    fold: int
    folds: int
    """networks that the model has"""
    path: Path
    sha256: str
    shape: dict[str, Any]
    """backbone and backbone_options, this fold's own"""
    greys: dict[str, float]
    """mean and std of the grey input that it was trained with"""
    size_px: int
    """side of the images that it was trained on"""


def known() -> list[str]:
    """List the models that are whole, sorted."""
    return sorted(path.parent.name for path in MODELS.glob("[!.]*/config.json"))


def read(model: str, fold: int) -> Kept:
    """Return one fold's network of a model.

    Raises ValueError for a model or a fold that is unknown, for a file that is not the one that
    config.json names, and for a network whose channels pruning has cut.
    """
    if model not in known():
        raise ValueError(f"unknown model {model!r}: {MODELS} holds {', '.join(known()) or 'none'}")
    folder = MODELS / model
    about = _json(folder / "config.json")
    if about.get("format") != FORMAT:
        raise ValueError(
            f"{folder}/config.json has format {about.get('format')!r}, this code reads {FORMAT}: "
            "run `make repro`"
        )
    if not 0 <= fold < about["folds"]:
        raise ValueError(f"{folder} has no fold {fold}: it has {about['folds']}, from 0")
    names = ("recipe.json", f"fold-{fold}.json", f"fold-{fold}.safetensors")
    recipe, own, weights = (_checked(folder / name, about) for name in names)
    shared, differing = _json(recipe), _json(own)
    if differing["pruning"]:
        raise ValueError(
            f"{model} is pruned: its channels are cut, so its tensors fit no network that a recipe "
            "can name; keep the run that it was cut from"
        )
    return Kept(
        model=model, fold=fold, folds=about["folds"],
        path=weights, sha256=about["files"][weights.name],
        shape={"backbone": shared["backbone"], "backbone_options": differing["backbone_options"]},
        greys={key: shared[key] for key in ("mean", "std")}, size_px=about["size_px"],
    )  # fmt: skip


def _checked(path: Path, about: dict[str, Any]) -> Path:
    """Return `path` if it is the file that the model's config names; raise ValueError otherwise."""
    wanted = about["files"].get(path.name)
    if wanted is None or not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc checkout` or `make repro` to get the model")
    found = data.sha256(path)
    if found != wanted:
        raise ValueError(
            f"{path} was changed: its sha256 is {found}, config.json says {wanted}; "
            "run `dvc checkout` or `make repro` to get the model again"
        )
    return path


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no valid JSON: {error}") from None


def bring(kept: Kept, name: str) -> Path:
    """Copy the weight file to data/raw/weights/<name>.safetensors, whole or not at all; return that.

    Raises ValueError for a name that is not plain, where another file has that name (nothing is
    overwritten), and where DVC knows weights that are not here: they would be forgotten.
    """
    if not _PLAIN.fullmatch(name):
        raise ValueError(
            f"AS={name!r} is not a plain name: use small letters, digits and _, it becomes the name "
            "of a file and of a run"
        )
    folder = data.RAW / data.WEIGHTS
    pointer = folder.with_name(f"{folder.name}.dvc")
    if pointer.exists() and not folder.is_dir():
        raise ValueError(f"{pointer} names weights that are not here: run `dvc pull {pointer}`")
    target = folder / f"{name}.safetensors"
    if target.exists() and (found := data.sha256(target)) != kept.sha256:
        raise ValueError(
            f"{target} holds other weights (sha256 {found}, not {kept.sha256}): take another name "
            "by AS=<name>, or remove it if no study needs it"
        )
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as partial:
            shutil.copyfile(kept.path, partial)
    return target


def origin(kept: Kept) -> list[str]:
    """Return lines that say which study and commit a network comes from, and what speaks against it."""
    text = study.PARAMS_FILE.read_text(encoding="utf-8")
    name = study.parse(text, where=str(study.PARAMS_FILE)).get("study")
    commit = repository.commit("HEAD")
    which = f"{kept.model}, fold {kept.fold} of {kept.folds}"
    lines = [f"{which}: study {name}, git commit {commit}, images of {kept.size_px} px"]
    doubts = [] if text == study.text(str(name)) else [f"{study.PARAMS_FILE} was changed by hand"]
    if strange := [path for path in repository.changed() if not record.RESULTS.match(path)]:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        doubts.append(f"not committed: {strange[0]}{more}")
    return [*lines, *(f"beware: {doubt}" for doubt in [*doubts, *_outdated(kept.model)])]


def _outdated(model: str) -> list[str]:
    """Say why the stages would not make the model as it is."""
    stages = pipeline.graph()
    makes = [place for place, stage in enumerate(stages) if f"{MODELS}/{model}" in stage.outs]
    if not makes:
        return [f"{study.PARAMS_FILE} lists no run that makes {model}: it comes from another study"]
    before = [stage.name for stage in stages[: makes[0] + 1]]
    changed = pipeline.status()
    old = [stage for stage in before if stage in changed]
    return [f"not up to date: {', '.join(old)}"] if old else []


def recipe(kept: Kept, target: Path, name: str) -> str:
    """Return YAML for study.yaml: a recipe `name` that starts from the file `target`."""
    weights = {"file": str(target), "sha256": kept.sha256}
    own = {**kept.shape, "weights": weights, **kept.greys}
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = None, 4096
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    buffer = io.StringIO()
    yaml.dump({"transfer": {"recipes": {name: own}}}, buffer)
    return buffer.getvalue()


def keep(model: str, fold: int, name: str) -> str:
    """Keep one network's weights under `name`; return its recipe with the comments above it."""
    kept = read(model, fold)
    lines = origin(kept)
    target = bring(kept, name)
    pipeline.add(str(target.parent))
    lines.append(f"commit {target.parent}.dvc; for study.yaml, with {name} in transfer.runs:")
    return "".join(f"# {line}\n" for line in lines) + recipe(kept, target, name)


def main() -> None:
    """Keep the network named on the command line and print its recipe."""
    parser = argparse.ArgumentParser(prog="python -m flows.keep", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("model", help="a folder of data/models")
    parser.add_argument("name", help="of the weight file, and of the run in the recipe")
    parser.add_argument("--fold", type=int, default=0, help="whose network, from 0")
    arguments = parser.parse_args()
    with command.telling(interrupted=command.NOTHING_HALF):
        print(keep(arguments.model, arguments.fold, arguments.name), end="")


if __name__ == "__main__":
    main()
