"""A control group of one core and little memory, and a process inside it: the small computer of a ward.

The kernel itself enforces it: the processor's time by quota, and memory by killing. The group is made
beneath the one that this process is in, so that no limit it was started under is left behind; with
cgroup v2, where a group with processes can't have such children, beneath the nearest group above.
Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html, mountinfo in
proc_pid_mountinfo(5).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PERIOD_US = 100_000
"""The quota counts over so long: the kernel's own default."""
_PATIENCE_S = 5.0  # a group is busy for a moment after its last process has ended


class Unavailable(Exception):
    """No such group can be made here; says why and what helps."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A group as `box` makes it; one folder with cgroup v2, one per controller with v1."""

    version: int
    folders: tuple[Path, ...]
    limits: Mapping[str, int]
    """cores and memory_bytes"""

    def enter(self) -> None:
        """Put the process that calls this into the group; its children stay in it."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def peak_bytes(self) -> int | None:
        """Return the most memory charged to the group; None with a kernel that doesn't count it.

        Files that others read before lie in memory at their charge: a process's own peak may be higher.
        """
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        path = self.folders[-1] / name
        return int(path.read_text(encoding="ascii")) if path.exists() else None

    def killed(self) -> int:
        """Return how many processes the kernel ended because the memory was full."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        lines = (self.folders[-1] / name).read_text(encoding="ascii").splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])


@contextlib.contextmanager
def box(*, cores: int, memory_bytes: int) -> Iterator[Box]:
    """Make a group with these limits, swap included, and remove it afterwards.

    Raises Unavailable.
    """
    limits = {"cores": cores, "memory_bytes": memory_bytes}
    hosts = _hosts(Path("/proc/self"))
    reasons = []
    for version, parents in hosts:
        try:
            made = _make(version, parents, limits)
        except OSError as error:
            reasons.append(f"{error.filename}: {error.strerror}")
            continue
        try:
            yield made
        finally:
            for folder in made.folders:
                _remove(folder)
        return
    raise Unavailable(
        f"{'; '.join(reasons) or 'no control groups for processor and memory are mounted'}; run as "
        "root, or inside `systemd-run --user --scope -p Delegate=yes`, or in a container of this size"
    )


def _make(version: int, parents: tuple[Path, ...], limits: Mapping[str, int]) -> Box:
    """Make the folders and write the limits; OSError, with nothing left behind, if that can't be."""
    made = Box(
        version=version,
        folders=tuple(parent / f"cxr-speed-{os.getpid()}" for parent in parents),
        limits=limits,
    )
    with contextlib.ExitStack() as undo:
        for folder in made.folders:
            folder.mkdir()
            undo.callback(_remove, folder)
        for path, value in _settings(made).items():
            if path.name.startswith("memory.memsw") and not path.exists():
                continue  # a kernel that counts no swap has none to limit
            path.write_text(str(value), encoding="ascii")
        undo.pop_all()
    return made


def _settings(made: Box) -> dict[Path, str | int]:
    """Return what is written into which file, in this order."""
    quota, memory = made.limits["cores"] * PERIOD_US, made.limits["memory_bytes"]
    first, last = made.folders[0], made.folders[-1]
    if made.version == 2:
        swap = {first / "memory.swap.max": 0} if (first / "memory.swap.max").exists() else {}
        return {first / "cpu.max": f"{quota} {PERIOD_US}", first / "memory.max": memory, **swap}
    return {
        first / "cpu.cfs_period_us": PERIOD_US,
        first / "cpu.cfs_quota_us": quota,
        last / "memory.limit_in_bytes": memory,
        last / "memory.memsw.limit_in_bytes": memory,
    }


def _hosts(process: Path) -> list[tuple[int, tuple[Path, ...]]]:
    """Return where groups may be made, best first: (version, folder of each controller's parent).

    `process` is the process's folder in /proc.
    """
    if not (process / "cgroup").exists():  # no Linux
        return []
    mounts = _mounts((process / "mountinfo").read_text(encoding="utf-8"))
    own: dict[str, str] = {}
    for line in (process / "cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), path)  # "" is version 2
    found: list[tuple[int, tuple[Path, ...]]] = []
    if {"cpu", "memory"} <= own.keys() & mounts.keys():
        found.append((1, tuple(_folder(*mounts[name], own[name]) for name in ("cpu", "memory"))))
    if "" in own and "" in mounts:
        top, here = mounts[""][1], _folder(*mounts[""], own[""])
        above = [here, *(folder for folder in here.parents if folder.is_relative_to(top))]
        found += [(2, (folder,)) for folder in above if _gives(folder, "cpu", "memory")]
    return found


def _mounts(mountinfo: str) -> dict[str, tuple[str, Path]]:
    """Return root and place of the mount of each controller; "" is cgroup v2."""
    found: dict[str, tuple[str, Path]] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, place = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        for name in names:
            found.setdefault(name, (root, Path(place)))
    return found


def _folder(root: str, place: Path, path: str) -> Path:
    """Return the folder of the group `path` under a mount that shows the groups from `root` on."""
    inside = path if root == "/" else path.removeprefix(root)
    return place / inside.strip("/")


def _gives(folder: Path, *controllers: str) -> bool:
    """Tell whether groups beneath a folder of cgroup v2 have these controllers."""
    try:
        text = (folder / "cgroup.subtree_control").read_text(encoding="ascii")
    except OSError:
        return False
    return set(controllers) <= set(text.split())


def _remove(folder: Path) -> None:
    """Remove an empty group, patiently."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return folder.rmdir()
        except FileNotFoundError:
            return None
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
