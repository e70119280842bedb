"""pull: bring the data of this checkout off its DVC remote, looked at first, and all but what you may not have.

    python -m flows.pull --without nih14

For who has no licence for a data set: all results come, that set's raw data stay away. Said at the end:
which stages can't be made again here, since they read what is not there. `--without` takes a path too:
data/prepared, say, which holds the same pictures small. The run cache comes along.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows import command, data, guard, guard_data, pipeline, store

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo


def pull(without: Sequence[str] = (), *, root: Path = pipeline.HERE) -> list[str]:
    """Bring everything but what is left out; return words on what came and on what can't be made.

    Raises Refused, with nothing written, where something would lead out of the checkout; ValueError for
    something to leave out that nobody knows; Unreachable if the remote does not give all.
    """
    guard.check_commit("HEAD", root=root)
    with store.dvc_repository(root) as repo:
        cache = Path(repo.cache.local.path)
        guard.check_folder(root, cache=cache)
        every = [out for out in guard_data.outputs(repo) if out.use_cache and out.hash_info]
        left = _left_out(without, every, repo)
        chosen = [out for out in every if not _inside(out.fs_path, left)]
        guard_data.check(repo, chosen)
        runs = guard_data.bring_runs(repo)
        _bring(repo, chosen)
        if missing := sorted(
            _relative(Path(out.fs_path), repo) for out in chosen if not out.exists
        ):
            raise pipeline.Failed(
                f"DVC did not bring {', '.join(missing)}: does .gitignore or .dvcignore hide the pointer?"
            )
        guard.check_folder(root, cache=cache)
        lines = [f"{len(chosen)} outputs and {runs} new entries of the run cache are here"]
        if left:
            lines.append(f"left out: {', '.join(_relative(path, repo) for path in left)}")
            lines += _not_again(repo, left)
        return lines


def _left_out(without: Sequence[str], every: Sequence[Output], repo: Repo) -> list[Path]:
    """Return the paths that names of data sets, or paths, leave out; raise ValueError if one is nobody's."""
    found = []
    for word in without:
        place = Path(word) if "/" in word else data.RAW / word
        path = Path(repo.root_dir) / place
        if not any(_inside(out.fs_path, [path]) for out in every):
            known = sorted(_relative(Path(out.fs_path), repo) for out in every)
            raise ValueError(f"nothing here is {place}: known are {', '.join(known)}")
        found.append(path)
    return found


def _inside(path: str, folders: Sequence[Path]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _relative(path: Path, repo: Repo) -> str:
    return path.relative_to(repo.root_dir).as_posix()


def _bring(repo: Repo, chosen: Sequence[Output]) -> None:
    """Let DVC fetch and check out; a pointer's target is the pointer, which DVC may overlook by its path."""
    from dvc.exceptions import DvcException

    targets = {
        out.stage.path if out.stage.is_data_source else str(out.fs_path) for out in chosen
    }  # fmt: skip
    try:
        repo.pull(targets=sorted(targets))
    except (DvcException, OSError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise pipeline.Unreachable(f"`dvc pull`: {words}") from error


def _not_again(repo: Repo, left: Sequence[Path]) -> Iterator[str]:
    """Say which stages read what was left out, and what becomes of the others."""
    from dvc.stage import PipelineStage

    readers = [
        stage.name
        for stage in repo.index.stages
        if isinstance(stage, PipelineStage) and any(_inside(dep.fs_path, left) or Path(dep.fs_path) in path.parents for dep in stage.deps for path in left)
    ]  # fmt: skip
    if readers:
        yield (
            f"can't be made again here: {', '.join(sorted(readers))}; the others can, from what came: "
            "`dvc repro --allow-missing`"
        )


def main() -> None:
    """Pull, and print what came."""
    parser = argparse.ArgumentParser(prog="python -m flows.pull", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--without", action="append", default=[], metavar="NAME",
                        help="a data set whose raw data stay away, or a path; again for more")  # fmt: skip
    without = parser.parse_args().without
    with command.telling(interrupted=command.GO_ON):
        print("\n".join(pull(without)))


if __name__ == "__main__":
    main()
