"""What every stage's command line does: words before, one result line after, one clear line on failure.

Durations go to reports/host/, which git and DVC ignore: no clock time enters a hashed file.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import errno
import inspect
import itertools
import os
import sys
import textwrap
import time
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

_EXPECTED = (ValueError, OSError)


def run(
    stage: str,
    main: Callable[..., str],
    params: type | None,
    *,
    item: str | tuple[str, ...] = (),
    show: Callable[..., str] | None = None,
) -> None:
    """Run `main` (with the item's name where the stage has items) as `python -m stages.<stage>`.

    An item may have several names, a run and a cut say: `main` gets each, and DVC joins them by "-".
    `main` returns the result line. With `--show` the stage runs nothing and prints what `show`
    returns. A ValueError or OSError becomes one line on stderr and exit 1; any other error is a bug
    of ours and keeps its traceback.
    """
    items = (item,) if isinstance(item, str) else item
    arguments, only_show = _arguments(stage, main, params, items, show)
    name = f"{stage}@{'-'.join(arguments)}" if arguments else stage
    start = time.perf_counter()
    try:
        result = show(*arguments) if show and only_show else main(*arguments)
    except _EXPECTED as error:
        if os.environ.get("CXR_TRACEBACK") == "1":
            raise
        print(f"{name}: error: {_line(error)}", file=sys.stderr, flush=True)
        sys.exit(1)
    if only_show:
        print(result, flush=True)
        return
    seconds = time.perf_counter() - start
    _note_host(name, seconds)
    print(f"{name}: {result} ({seconds:.1f} s)", flush=True)


def _arguments(
    stage: str, main: Callable[..., str], params: type | None, items: tuple[str, ...],
    show: Callable[..., str] | None,
) -> tuple[list[str], bool]:  # fmt: skip
    """Return the item's names, if the stage has items, and whether only to show."""
    module = sys.modules[main.__module__]
    parser = argparse.ArgumentParser(
        prog=f"python -m stages.{stage}",
        description=module.__doc__,
        epilog=_describe(stage, params) if params else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for item in items:
        parser.add_argument(item, help=f"the {item}'s name in params.yaml")
    if show:
        parser.add_argument("--show", action="store_true", help=show.__doc__)
    parsed = parser.parse_args()
    return [getattr(parsed, item) for item in items], bool(show and parsed.show)


def _describe(stage: str, params: type) -> str:
    """List the stage's parameters and their meanings as the source documents them."""
    return "\n".join([f"parameters (params.yaml, section {stage}):", *_fields(params, "  ")])


def _fields(record: type, indent: str) -> Iterator[str]:
    """Yield a line per field: its name, type and the words under it; nested records indented."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0].body  # type: ignore[attr-defined]
    hints = typing.get_type_hints(record)
    for field, words in itertools.pairwise([*body, None]):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        documented = isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant)
        meaning = f"  {words.value.value}" if documented else ""
        yield f"{indent}{field.target.id}: {ast.unparse(field.annotation)}{meaning}"
        kind = hints[field.target.id]
        for part in (kind, *typing.get_args(kind)):
            if dataclasses.is_dataclass(part):
                yield from _fields(typing.cast(type, part), indent + "  ")


def _line(error: Exception) -> str:
    """Say an error in one line; a full disk and a forbidden folder with their cure."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        cure = {
            errno.ENOSPC: "; free space on that disk and run again",
            errno.EDQUOT: "; free some of your quota on that disk and run again",
            errno.EACCES: "; make it readable and writable for this user and run again",
            errno.EROFS: "; it lies on a read-only disk: make it writable and run again",
            errno.ENOENT: "; run the stage that makes it, or `make repro`",
        }.get(error.errno, "")
        return f"{error.filename}: {error.strerror}{cure}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the disk; free some and run again"
    return str(error)


def _note_host(name: str, seconds: float) -> None:
    """Keep the duration beside the reports; a folder that can't be written is no reason to fail."""
    from cxr import artifacts

    path = Path("reports/host") / f"{name}.json"
    with contextlib.suppress(OSError):
        artifacts.write_json(path, {"seconds": round(seconds, 2), "cpus": os.cpu_count()})
