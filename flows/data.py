"""data: bring a downloaded data set into data/raw, let its reader look at it, and hand it to DVC.

Files are copied, never moved or linked, into a neighbour that takes the final name when it is
whole. A folder `weights` beside the download comes along: the networks of a study that starts
from pretrained weights need it, and `make data` is then the only command that fetches anything.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from flows import pipeline

RAW = Path("data/raw")
READERS = Path("cxr/datasets")
WEIGHTS = "weights"  # a plain folder of safetensors files: no reader, no manifest
_CHUNK = 1 << 20


def datasets() -> list[str]:
    """List the data sets that have a reader and are not made by a stage, sorted."""
    names = {path.stem for path in READERS.glob("*.py") if not path.stem.startswith("_")}
    made = {path.stem for path in Path("stages").glob("*.py")}
    return sorted(names - made)


def files(source: Path) -> dict[str, Path]:
    """Return {path inside: file} for a folder (or one file), sorted; refuse links that lead outside."""
    if source.is_file():
        return {source.name: source}
    root = source.resolve()
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(root)):
            raise ValueError(
                f"{path} is a link out of {source} or to a folder: replace it by what it means"
            )
        if path.is_file():
            found[path.relative_to(root).as_posix()] = path
        elif not path.is_dir():
            raise ValueError(f"{path} is neither a file nor a folder: remove it")
    if not found:
        raise ValueError(f"{source} holds no file: FROM must be the downloaded folder")
    return found


def bring(name: str, source: Path, target: Path) -> bool:
    """Copy `source` to `target`; tell whether anything was copied. Equal content is left alone.

    Raises ValueError where `target` holds something else (nothing is overwritten), where a link
    leads out of `source`, and where the disk is too small for the copy and DVC's own.
    """
    wanted = files(source)
    if target.exists():
        present = files(target) if any(target.iterdir()) else {}
        differing = _difference(wanted, present)
        if not differing:
            return False
        if present:
            raise ValueError(
                f"{target} already holds other content (first difference: {differing}): if {source} "
                f"is right, run `rm -r {target}` and try again"
            )
    need = 2 * sum(path.stat().st_size for path in wanted.values())
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if need > free:
        raise ValueError(
            f"{name} and DVC's copy of it need {need / 1e9:.1f} GB, {free / 1e9:.1f} GB are free "
            f"on the disk of {target.parent}: free some and try again"
        )
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        for inside, path in _track(wanted.items(), words=f"copying {name}"):
            (partial / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial / inside)
        if target.exists():
            target.rmdir()
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def bring_weights(source: Path) -> list[str]:
    """Copy the safetensors files of `source` that data/raw/weights lacks; return a line for each."""
    lines = []
    for inside, path in files(source).items():
        if not inside.endswith(".safetensors"):
            continue
        target = RAW / WEIGHTS / inside
        digest = sha256(path)
        if target.exists() and sha256(target) != digest:
            raise ValueError(f"{target} differs from {path}: remove the wrong one and try again")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
            try:
                shutil.copyfile(path, partial)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
            lines.append(f"{target}: copied from {path}, sha256 {digest}")
    return lines


def sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _difference(one: dict[str, Path], other: dict[str, Path]) -> str:
    """Name the first file in which two folders differ; empty if they are equal."""
    for inside in sorted({*one, *other}):
        if inside not in one or inside not in other or not _equal(one[inside], other[inside]):
            return inside
    return ""


def _equal(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and sha256(one) == sha256(other)


def _track(items: Iterable[tuple[str, Path]], *, words: str) -> Iterable[tuple[str, Path]]:
    from tqdm import tqdm

    return tqdm(list(items), desc=words, leave=False, disable=None)


def _layout(dataset: str) -> str:
    """Let the reader read the copy; return its words, raise ValueError with its complaint."""
    result = subprocess.run(
        [sys.executable, "-m", "stages", "--dataset", dataset],
        env=pipeline.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        words = result.stderr.strip().removeprefix("error: ")
        raise ValueError(
            f"{RAW / dataset} has not the layout that the reader expects: {words} "
            f"(it was copied; run `rm -r {RAW / dataset}` before the next try)"
        )
    return result.stdout.strip()


def add(dataset: str, source: Path) -> None:
    """Bring one data set, with the weights beside it, and say what happened."""
    if dataset not in (*datasets(), WEIGHTS):
        made = " (made by its stage)" if (Path("stages") / f"{dataset}.py").exists() else ""
        raise ValueError(
            f"unknown data set {dataset!r}{made}: known are {', '.join([*datasets(), WEIGHTS])}"
        )
    if not source.exists():
        raise ValueError(
            f"FROM={source} is missing: give the downloaded folder, e.g. FROM=../downloads/x"
        )
    if dataset == WEIGHTS:
        print("\n".join(bring_weights(source)) or f"{RAW / WEIGHTS} already holds them")
    else:
        copied = bring(dataset, source, RAW / dataset)
        print(f"{RAW / dataset}: {'copied from' if copied else 'already equals'} {source}")
        print(_layout(dataset))
        pipeline.add(str(RAW / dataset))
        companion = source.resolve().parent / WEIGHTS
        if companion.is_dir() and any(companion.glob("*.safetensors")):
            for line in bring_weights(companion):
                print(f"pretrained weights beside it: {line}")
    if (RAW / WEIGHTS).is_dir():
        pipeline.add(str(RAW / WEIGHTS))


def main() -> None:
    """Bring the data set named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.data", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", help=f"one of {', '.join([*datasets(), WEIGHTS])}")
    parser.add_argument("source", type=Path, help="the downloaded folder (or file)")
    arguments = parser.parse_args()
    try:
        add(arguments.dataset, arguments.source)
    except (ValueError, OSError, pipeline.Failed, pipeline.Locked) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
