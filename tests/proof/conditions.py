"""The conditions that must not matter: who runs a stage, where, when, on what and beside whom.

As reproducible-builds.org varies them. Each is a command that goes before the stage's, an environment, and
a name for its folder; one that this machine can't set says why.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

BACKWARDS = """\
import os

def _backwards(path="."):
    return sorted(_listdir(path), reverse=True)


class _Backwards:
    def __init__(self, path="."):
        with _scandir(path) as entries:
            self._left = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._left)

    def close(self):
        self._left = iter(())


_listdir, _scandir = os.listdir, os.scandir
os.listdir, os.scandir = _backwards, _Backwards
"""
"""a sitecustomize.py: every listing of a folder comes in the reverse of its names' order"""
_CGROUP = Path("/sys/fs/cgroup")


SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
"""
"""faketime 0.9.10 answers Python's own with EINVAL while it leaves the monotonic clock alone"""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a condition is set for one run."""

    before: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "stage"


Maker = Callable[[Path], contextlib.AbstractContextManager[Setting]]
CONDITIONS: dict[str, Maker] = {}


class CannotSet(RuntimeError):
    """This machine lacks what the condition needs."""


def condition(name: str) -> Callable[[Callable[[Path], Iterator[Setting]]], Maker]:
    """Enter a condition under its name; it may keep things in the folder it is given."""

    def entered(make: Callable[[Path], Iterator[Setting]]) -> Maker:
        CONDITIONS[name] = contextlib.contextmanager(make)
        return CONDITIONS[name]

    return entered


def _needs(program: str, package: str) -> str:
    """Return where a program is; raise CannotSet if it is not here."""
    found = shutil.which(program)
    if not found:
        raise CannotSet(f"no {program} on this machine (Debian: package {package})")
    return found


def _at_start(scratch: Path, code: str) -> dict[str, str]:
    """Return the environment in which Python runs this code before any program."""
    (scratch / "site").mkdir()
    (scratch / "site/sitecustomize.py").write_text(code, encoding="utf-8")
    return {"PYTHONPATH": str(scratch / "site")}


@condition("as recorded")
def _plain(_: Path) -> Iterator[Setting]:
    yield Setting()


@condition("another place, zone, mask, hash seed, three workers")
def _elsewhere(_: Path) -> Iterator[Setting]:
    yield Setting(
        before=("sh", "-c", 'umask 077; exec "$@"', "sh"),
        environment={"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "4711", "CXR_WORKERS": "3"},
        folder="a place with spaces/" + "long " * 30 + "/ünd",
    )


@condition("folders listed backwards")
def _listed_backwards(scratch: Path) -> Iterator[Setting]:
    yield Setting(environment=_at_start(scratch, BACKWARDS))


@condition("eight years later")
def _later(scratch: Path) -> Iterator[Setting]:
    yield Setting(
        before=(_needs("faketime", "faketime"), "2034-02-28 23:59:50"),
        environment={"FAKETIME_DONT_FAKE_MONOTONIC": "1", **_at_start(scratch, SLEEP)},
    )


@condition("another user")
def _another_user(_: Path) -> Iterator[Setting]:
    before = (_needs("unshare", "util-linux"), "--user")
    if subprocess.run([*before, "true"], capture_output=True).returncode:
        raise CannotSet("the kernel gives no user namespaces")
    yield Setting(before=before, environment={"USER": "nobody", "HOME": "/nonexistent"})


@condition("one core that others use too")
def _busy(_: Path) -> Iterator[Setting]:
    pinned = (_needs("taskset", "util-linux"), "-c", str(min(os.sched_getaffinity(0))))
    others = [subprocess.Popen([*pinned, sys.executable, "-c", "while True: pass"])]
    try:
        yield Setting(before=pinned, environment={"CXR_WORKERS": "2"})
    finally:
        for other in others:
            other.kill()
            other.wait()


@condition("half a core and 3 GB")
def _cgroup(scratch: Path) -> Iterator[Setting]:
    """A control group of this run's own, of either version."""
    groups = _groups(f"cxr-proof-{os.getpid()}")
    try:
        yield Setting(before=inside(groups))
    finally:
        for group in groups:
            group.rmdir()


def inside(groups: Iterable[Path]) -> tuple[str, ...]:
    """Return the words before a command that put it into control groups, given by their folders."""
    files = " ".join(f"'{group}/cgroup.procs'" for group in groups)
    return ("sh", "-c", f'for file in {files}; do echo $$ > "$file"; done; exec "$@"', "sh")


def _groups(name: str) -> list[Path]:
    """Make the control groups that limit a run; raise CannotSet where the kernel lets us not."""
    whole = (_CGROUP / "cgroup.controllers").exists()
    limits = (
        {"": {"cpu.max": "50000 100000", "memory.max": str(3 << 30)}} if whole
        else {"cpu": {"cpu.cfs_quota_us": "50000"}, "memory": {"memory.limit_in_bytes": str(3 << 30)}}
    )  # fmt: skip
    made: list[Path] = []
    try:
        for controller, values in limits.items():
            made.append(_CGROUP / controller / name)
            made[-1].mkdir()
            for file, value in values.items():
                (made[-1] / file).write_text(value, encoding="ascii")
    except OSError as error:
        for group in made:
            with contextlib.suppress(OSError):
                group.rmdir()
        raise CannotSet(f"no control group may be made here ({error})") from None
    return made


@condition("glibc without AVX-512")
def _narrow(_: Path) -> Iterator[Setting]:
    """glibc picks its own routines (exp, log, memcpy) by processor; ours are pinned by cxr.numerics."""
    hidden = ",".join(f"-AVX512{name}" for name in ("F", "VL", "BW", "DQ", "CD", "ER", "PF"))
    yield Setting(environment={"GLIBC_TUNABLES": f"glibc.cpu.hwcaps={hidden}"})
