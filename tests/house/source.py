"""Read the project's own code as trees: which module imports which, what it asks of params and plug-ins."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("cxr", "stages", "flows")
WHOLE_FILE = "params.yaml:"  # in dvc.yaml: every parameter there is


@functools.cache
def tracked() -> tuple[str, ...]:
    """Every file that git tracks or would (neither ignored nor deleted), sorted."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(name for name in set(listed.split("\0")) if (ROOT / name).is_file()))


def modules(*folders: str) -> list[str]:
    """The Python files under `folders`, as paths from the root, sorted."""
    return [name for name in tracked() if name.endswith(".py") and name.split("/")[0] in folders]


@functools.cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=file)


def only_words(file: str) -> bool:
    """Tell whether a module holds nothing but its docstring: it can't change a byte."""
    return all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for node in tree(file).body
    )


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs: function bodies too, but not what stands under `if TYPE_CHECKING:`."""
    yield node
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from running(child)


def _file(dotted: str) -> str | None:
    """The file of a module of ours, or None."""
    stem = dotted.replace(".", "/")
    for name in (f"{stem}.py", f"{stem}/__init__.py"):
        if (ROOT / name).is_file():
            return name
    return None


def _with_packages(dotted: str) -> Iterator[str]:
    """The files that importing `dotted` runs: its own and those of the packages around it."""
    words = dotted.split(".")
    for length in range(1, len(words) + 1):
        if found := _file(".".join(words[:length])):
            yield found


@functools.cache
def imported(file: str) -> frozenset[str]:
    """The names of modules that `file` imports anywhere, as dotted words (ours and others')."""
    found = set()
    package = file.removesuffix("/__init__.py").removesuffix(".py").split("/")
    package = package if file.endswith("__init__.py") else package[:-1]
    for node in running(tree(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found.add(start)
            found |= {f"{start}.{alias.name}" for alias in node.names}
    return frozenset(found)


def plugin_folders(file: str) -> frozenset[str]:
    """The folders of which `file` loads or lists plug-ins, as paths from the root."""
    found = set()
    for node in running(tree(file)):
        if not isinstance(node, ast.Call) or file == "cxr/plugins.py":
            continue
        if ast.unparse(node.func) in ("plugins.load", "plugins.names"):
            first = node.args[0]
            assert isinstance(first, ast.Constant) and isinstance(first.value, str), (
                f"{file}:{node.lineno}: name the plug-in folder in quotes, so that dvc.yaml can be "
                "compared with it"
            )
            found.add(f"cxr/{first.value}")
    return frozenset(found)


def inside(folder: str) -> list[str]:
    """Every file in a package folder and below that can change a byte."""
    listed = [name for name in tracked() if name.startswith(f"{folder}/")]
    return [name for name in listed if not (name.endswith(".py") and only_words(name))]


@functools.cache
def closure(file: str) -> frozenset[str]:
    """Every file of cxr and stages that running `file` may use: imports, plug-ins, files beside them."""
    seen: set[str] = set()
    waiting = [file, *_with_packages(file.split("/")[0])]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for dotted in imported(name):
            if dotted.split(".")[0] in PACKAGES:
                waiting += _with_packages(dotted)
        for folder in plugin_folders(name):
            waiting += [path for path in inside(folder) if path.endswith(".py")]
    beside = {
        path
        for path in tracked()
        if path.startswith("cxr/") and not path.endswith(".py")
        and any(name.rpartition("/")[0] == path.rpartition("/")[0] for name in seen)
    }  # fmt: skip
    return frozenset({name for name in seen if not only_words(name)} | beside)


def asked_params(file: str) -> set[str]:
    """The sections of params.yaml that `file` reads; `*` where a run's name goes."""
    found = set()
    for node in running(tree(file)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name == "params.seed":
            found.add("seed")
        elif name == "params.read_yaml" and "PARAMS_FILE" in ast.unparse(node.args[0]):
            found.add(WHOLE_FILE)
        elif name in ("params.load", "params.value"):
            section = node.args[1 if name == "params.load" else 0]
            assert isinstance(section, ast.Constant | ast.JoinedStr), (
                f"{file}:{node.lineno}: write the section of params.yaml in quotes"
            )
            found.add(_pattern(section))
    return found


def _pattern(section: ast.expr) -> str:
    if isinstance(section, ast.Constant):
        return str(section.value)
    assert isinstance(section, ast.JoinedStr)
    parts = [str(x.value) if isinstance(x, ast.Constant) else "*" for x in section.values]
    return "".join(parts)
