"""delivery: what of a download goes into data/raw/<dataset>, and bringing it there whole or not at all.

Files are copied, never moved or linked, and many loose images are packed (flows/packing.py); the
reader must then see the same set as before. A neighbour takes the final name when it is whole.
What is there already may grow by files that are new in the download; nothing is changed or removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import packing

_SECONDS_BETWEEN_LINES = 15.0

Survey = Callable[[Path], dict[str, Any]]
"""What a reader finds in a folder: `words` for a person, `digest` equal for equal sets."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What is to be written into data/raw/<dataset>: paths there, with the files they come from."""

    copies: dict[str, Path]
    packs: dict[str, dict[str, Path]]
    """Each new archive with its members."""

    @property
    def bytes(self) -> int:
        """Return the size of all that is to be written."""
        loose = [*self.copies.values()]
        loose += [file for members in self.packs.values() for file in members.values()]
        return sum(file.stat().st_size for file in loose)

    def words(self) -> str:
        """Say what it takes."""
        packed = sum(map(len, self.packs.values()))
        parts = [f"{len(self.copies)} files to copy"] if self.copies else []
        parts += [f"{packed} loose images to pack into {', '.join(self.packs)}"] if packed else []
        return f"{' and '.join(parts)}, {_size(self.bytes)} here and as much again for DVC"


def files(source: Path, *, links: bool = False) -> dict[str, Path]:
    """Return {path inside: file} for a folder (or one file), sorted, without a file manager's litter.

    Raises ValueError on a link to a folder and, without `links` (which DVC's cache makes of our own
    files), on one that leads outside.
    """
    if source.is_file():
        return {source.name: source}
    root = source.resolve()
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
            continue
        if path.is_symlink() and not (
            path.is_file() and (links or path.resolve().is_relative_to(root))
        ):
            raise ValueError(
                f"{path} is a link out of {source} or to a folder: replace it by what it means"
            )
        if path.is_file():
            found[name] = path
        elif not path.is_dir():
            raise ValueError(f"{path} is neither a file nor a folder: remove it")
    if not found and not links:
        raise ValueError(f"{source} holds no file: FROM must be the downloaded folder")
    return found


def bring(name: str, source: Path, target: Path, survey: Survey) -> str:
    """Copy what `target` lacks of `source`; return what was done. Equal content is left alone.

    Raises ValueError where `survey` refuses, where `target` holds something that `source` has not or
    has otherwise (nothing is overwritten), where a link leads out of `source`, and where the disk is
    too small for the copy and DVC's own.
    """
    wanted = files(source)
    print(
        f"{source}: {len(wanted)} files, {_size(_total(wanted))}; looking at their layout",
        flush=True,
    )
    seen = _look(source, wanted, survey)
    print(seen["words"], flush=True)
    _sweep(target)
    present = files(target, links=True) if target.is_dir() else {}
    if len(loose := packing.images(present)) > packing.LOOSE_LIMIT:
        raise ValueError(
            f"{target} holds {len(loose)} loose images, too many for DVC: move the folder "
            "elsewhere and give it as FROM, they are packed on the way"
        )
    new = _new(source, wanted, target, present)
    if not new:
        return f"{target} already equals {source}"
    task = _deliver({path: wanted[path] for path in new}, present)
    print(f"{name}: {task.words()}", flush=True)
    _check_space(name, task, target)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _write(task, partial, words=f"copying {name}")
        written = {path: partial / path for path in (*task.copies, *task.packs)}
        if task.packs:
            _check_packed(seen, {**present, **written}, survey)
        _publish(partial, target, list(written))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    done = f"grown by {len(written)} files" if present else "copied"
    return f"{target}: {done} from {source}"


def _look(source: Path, wanted: Mapping[str, Path], survey: Survey) -> dict[str, Any]:
    """Let the reader look at the download where it lies; a lone file is shown in a folder."""
    if source.is_dir():
        return survey(source)
    with _view(wanted) as folder:
        try:
            return survey(folder)
        except ValueError as error:
            raise ValueError(str(error).replace(str(folder), str(source.parent))) from None


def _new(
    source: Path, wanted: Mapping[str, Path], target: Path, present: Mapping[str, Path]
) -> list[str]:
    """Return what `target` lacks, sorted; raise ValueError if it holds anything else than `wanted`."""
    lacking = set(wanted)
    first = ""
    with _told(_total(present), words=f"comparing with {target}") as told:
        for path, file in present.items():
            packed = [] if path in wanted else packing.members(file)
            lacking -= {path, *packed}
            if packed:
                first = first or packing.differing(file, wanted)
            elif path not in wanted or not _equal(file, wanted[path]):
                first = first or path
            told(file.stat().st_size)
    if first:
        raise ValueError(
            f"{target} already holds other content (first difference: {first}): files may be added "
            f"to {source}, not changed or removed; if {source} is right as it is, run "
            f"`rm -r {target}` and try again"
        )
    return sorted(lacking)


def _deliver(new: Mapping[str, Path], present: Mapping[str, Path]) -> Delivery:
    """Decide what is copied and what is packed."""
    loose = packing.images(new)
    if len(loose) + len(packing.images(present)) <= packing.LOOSE_LIMIT:
        loose = []
    packs = packing.plan(loose, [*new, *present])
    copies = {path: file for path, file in new.items() if path not in set(loose)}
    return Delivery(
        copies=copies,
        packs={pack: {path: new[path] for path in members} for pack, members in packs.items()},
    )


def _write(task: Delivery, folder: Path, *, words: str) -> None:
    """Copy and pack into the new `folder`."""
    folder.mkdir(parents=True)
    with _told(task.bytes, words=words) as told:
        for path, file in task.copies.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / path)
            told(file.stat().st_size)
        for pack, members in task.packs.items():
            packing.write(folder / pack, members, told)


def _check_packed(seen: dict[str, Any], content: Mapping[str, Path], survey: Survey) -> None:
    """Let the reader read what would lie in data/raw; raise ValueError if it sees another set."""
    with _view(content) as folder:
        again = survey(folder)
    if again["digest"] != seen["digest"]:
        raise ValueError(
            "the reader does not see the same set once the loose images are packed (unpacked: "
            f"{seen['words']}; packed: {again['words']}): put them into one zip archive, with the "
            "folders that it expects, and give that as FROM"
        )


def _publish(partial: Path, target: Path, paths: list[str]) -> None:
    """Give what was written its final name: all at once, or file by file where more lies there."""
    with contextlib.suppress(OSError):
        target.rmdir()  # an empty one may be in the way
    if not target.exists():
        partial.replace(target)
        return
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (partial / path).replace(target / path)


def _check_space(name: str, task: Delivery, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    need, free = 2 * task.bytes, shutil.disk_usage(target.parent).free
    if need > free:
        raise ValueError(
            f"{name} and DVC's copy of it need {_size(need)}, {_size(free)} are free on the disk "
            f"of {target.parent}: free some and try again"
        )


def _sweep(target: Path) -> None:
    """Remove what a killed copy left beside `target`."""
    for path in sorted(target.parent.glob(f".{target.name}.*.partial")):
        try:
            os.kill(int(path.name.split(".")[-2]), 0)
        except ProcessLookupError:
            shutil.rmtree(path)
        except (PermissionError, ValueError):
            continue  # another user's copy still runs, or no copy of ours


@contextlib.contextmanager
def _view(content: Mapping[str, Path]) -> Iterator[Path]:
    """Yield a folder that shows {path: file} by links, for a reader to look at before it is made."""
    with tempfile.TemporaryDirectory(prefix="cxrepro-data-") as name:
        folder = Path(name) / "view"
        for path, file in content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to(file.resolve())
        yield folder


def _equal(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while part := first.read(1 << 20):
            if part != second.read(1 << 20):
                return False
    return True


def _total(content: Mapping[str, Path]) -> int:
    return sum(file.stat().st_size for file in content.values())


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e8 else f"{number / 1e6:.1f} MB"


@contextlib.contextmanager
def _told(total: int, *, words: str) -> Iterator[Callable[[int], object]]:
    """Yield a function that hears how many bytes are done: a bar on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=words, unit="B", unit_scale=True, leave=False) as bar:
            yield bar.update
        return
    start = last = time.monotonic()
    done = 0

    def tell(number: int) -> None:
        nonlocal done, last
        done += number
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES and 0 < done < total:
            last, left = now, (now - start) / done * (total - done)
            line = f"  {words}: {_size(done)} of {_size(total)}, about {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    yield tell
