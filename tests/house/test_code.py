"""What the code may not say: no code on loading, no shell, no global chance, no clock, no machine's path."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import source

PYTHON = source.modules(*source.PACKAGES, "tests")
PRODUCT = source.modules(*source.PACKAGES)
HASHED = source.modules("cxr", "stages")

FORBIDDEN_IMPORTS = {
    "random": "every draw has a named stream: cxr.seeding",
    "pickle": "runs code on loading: cxr.artifacts",
    "dill": "runs code on loading: cxr.artifacts",
    "cloudpickle": "runs code on loading: cxr.artifacts",
    "marshal": "runs code on loading: cxr.artifacts",
    "shelve": "runs code on loading: cxr.artifacts",
}
FORBIDDEN_CALLS = {
    "torch.save": "holds its own file name, and is a pickle: artifacts.write_tensors",
    "torch.load": "a pickle: artifacts.read_tensors",
    "torch.manual_seed": "a global generator: seeding.torch_stream or torch_global",
    "torch.seed": "a global generator: seeding.torch_stream or torch_global",
    "joblib.dump": "a pickle: cxr.artifacts",
    "joblib.load": "a pickle: cxr.artifacts",
    "yaml.load": "runs code on loading: params.read_yaml",
    "os.system": "a shell: subprocess with a list",
    "os.popen": "a shell: subprocess with a list",
    "eval": "runs text as code",
    "exec": "runs text as code",
    "np.random.default_rng": "seeding.stream",
    "np.random.seed": "a global generator: seeding.stream",
}
FORBIDDEN_OPTIONS = {"shell": True, "allow_pickle": True, "weights_only": False}
ENTROPY = {"secrets", "uuid"}  # for flows alone: a password of a server, no result
TORCH_CHANCE = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
NUMPY_CHANCE = {"Generator", "Philox"}  # the only names of numpy.random that code may say
CLOCKS = {"time", "datetime"}
CLOCKED = {
    "cxr/progress.py": "tells a person how long is left",
    "stages/_stage.py": "notes durations in reports/host",
    "cxr/doctor.py": "says how long it took",
    "cxr/speed/contender.py": "times networks for reports/host",
    "cxr/speed/cgroup.py": "waits until a control group is empty",
    "cxr/training/sharded/gloo.py": "says how long processes wait for one another",
}
LISTINGS = {"glob", "rglob", "iterdir", "listdir", "scandir", "walk"}
ORDERLESS = {"sorted", "any", "all", "sum", "len", "set", "frozenset", "max", "min"}


def _calls(file: str) -> list[tuple[ast.Call, str]]:
    return [
        (node, ast.unparse(node.func))
        for node in ast.walk(source.tree(file))
        if isinstance(node, ast.Call)
    ]


def _faults(found: list[str]) -> str:
    return "\n" + "\n".join(found)


def test_no_module_that_draws_by_itself_or_runs_code_on_loading() -> None:
    found = [
        f"{file}: {name}: {FORBIDDEN_IMPORTS[name.split('.')[0]]}"
        for file in PYTHON
        for name in source.imported(file)
        if name.split(".")[0] in FORBIDDEN_IMPORTS
    ]
    assert not found, _faults(found)


def test_no_forbidden_call() -> None:
    found = []
    for file in PYTHON:
        for call, name in _calls(file):
            if reason := FORBIDDEN_CALLS.get(name.replace("numpy.", "np.")):
                found.append(f"{file}:{call.lineno}: {name}: {reason}")
            for option in call.keywords:
                value = getattr(option.value, "value", None)
                if option.arg in FORBIDDEN_OPTIONS and value is FORBIDDEN_OPTIONS[option.arg]:
                    found.append(f"{file}:{call.lineno}: {option.arg}={value}")
    assert not found, _faults(found)


def test_the_library_draws_from_no_global_generator() -> None:
    found = []
    for file in HASHED:
        for call, name in _calls(file):
            words = name.split(".")
            given = {option.arg for option in call.keywords}
            if words[0] == "torch" and words[-1] in TORCH_CHANCE and "generator" not in given:
                found.append(f"{file}:{call.lineno}: {name} without generator=")
            if (
                words[:2] in (["np", "random"], ["numpy", "random"])
                and words[2] not in NUMPY_CHANCE
            ):
                found.append(f"{file}:{call.lineno}: {name}: use cxr.seeding")
            in_place = words[-1] in {"uniform_", "normal_", "random_", "bernoulli_", "exponential_"}
            keyed = "generator" in given or "init" in words  # nn.init: inside seeding.torch_global
            if in_place and not keyed:
                found.append(f"{file}:{call.lineno}: {name} without generator=")
    found += [f"{x}: imports {y}" for x in HASHED for y in source.imported(x) if y in ENTROPY]
    assert not found, _faults(found)


def test_every_root_is_rounded_alike_on_every_processor() -> None:
    """torch.sqrt is MKL's, which starts from an estimate that makers of processors choose: cxr.exact."""
    found = []
    for file in HASHED:
        for call, name in _calls(file):
            of, _, last = name.rpartition(".")
            root = last in {"sqrt", "sqrt_", "_foreach_sqrt"} and of not in {"np", "math"}
            if root and file != "cxr/exact.py":
                found.append(f"{file}:{call.lineno}: {name}: exact.square_root")
            given = {option.arg: ast.unparse(option.value) for option in call.keywords}
            if name.startswith("torch.optim.") and given.get("fused") != "True":
                found.append(f"{file}:{call.lineno}: {name} without fused=True")
    assert not found, _faults(found)


def test_no_loader_whose_workers_outlive_an_epoch() -> None:
    """Its workers hold a copy of the data set that never hears of the next epoch: cxr.workers."""
    found = [
        f"{file}:{call.lineno}: {name}"
        for file in HASHED
        for call, name in _calls(file)
        if name.rpartition(".")[2] == "DataLoader"
    ]
    assert not found, _faults(found)


def test_no_clock_where_files_are_hashed() -> None:
    found = [
        f"{file}: imports {name}: no clock time enters a hashed file"
        for file in HASHED
        for name in source.imported(file)
        if name.split(".")[0] in CLOCKS and file not in CLOCKED
    ]
    assert not found, _faults(found)


def test_every_listing_is_sorted() -> None:
    """A folder's order is the file system's; sort it in the same expression."""
    found = []
    for file in HASHED:
        parents = {
            child: node
            for node in ast.walk(source.tree(file))
            for child in ast.iter_child_nodes(node)
        }
        for call, name in _calls(file):
            if "." not in name or name.split(".")[-1] not in LISTINGS or name.startswith("ast."):
                continue
            around, node = [], parents[call]
            while not isinstance(node, ast.stmt):
                around += [ast.unparse(node.func)] if isinstance(node, ast.Call) else []
                node = parents[node]
            if not ORDERLESS & set(around):
                found.append(f"{file}:{call.lineno}: {name}(…) is not sorted")
    assert not found, _faults(found)


def test_no_loop_over_a_set() -> None:
    found = []
    for file in PRODUCT:
        nodes = list(ast.walk(source.tree(file)))
        ordered = {
            id(part)
            for node in nodes
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ORDERLESS
            for part in ast.walk(node)
        }
        for node in nodes:
            if isinstance(node, ast.For | ast.comprehension) and id(node) not in ordered:
                loop = node.iter
                named = isinstance(loop, ast.Call) and ast.unparse(loop.func) in (
                    "set",
                    "frozenset",
                )
                if named or isinstance(loop, ast.Set | ast.SetComp):
                    found.append(f"{file}:{loop.lineno}: sort the set before iterating")
    assert not found, _faults(found)


def test_sorting_of_arrays_is_stable() -> None:
    found = [
        f'{file}:{call.lineno}: {name} without kind="stable"'
        for file in HASHED
        for call, name in _calls(file)
        if (name.endswith(".argsort") or name.endswith(".sort_values"))
        and not {"kind", "stable"} & {option.arg for option in call.keywords}
    ]
    assert not found, _faults(found)


def test_figures_come_from_the_house_style() -> None:
    """pyplot reads the user's matplotlibrc; artifacts.new_figure does not."""
    found = [file for file in PRODUCT if "matplotlib.pyplot" in source.imported(file)]
    assert found == []


MACHINE = ["../" + "shared", "/" + "work/", "/" + "root/", "/" + "home/"]
INDEX = [
    "--" + "index-url",
    "--" + "extra-index-url",
    "--" + "find-links",
    "pypi" + ".org",
    "pythonhosted" + ".org",
]
GIVEN = "--" + 'find-links "$(WHEELS)"'
"""A folder that whoever types the command names is none."""


LONGER = {  # files above 300 lines, each with the reason why it is one idea
    "flows/pipeline.py": "the one module that may know DVC: cutting it would make two",
}


@pytest.mark.parametrize("words", [*MACHINE, *INDEX])
def test_no_file_names_a_machines_path_or_a_package_index(words: str) -> None:
    """The set-up takes the index that the machine is configured for; only .ci/run knows its machine."""
    found = []
    for name in source.tracked():
        own = words in INDEX and name.startswith("tests/")  # a test may look for the words
        if (
            own
            or name == ".ci/run"
            or (source.ROOT / name).suffix in {".png", ".npy", ".safetensors"}
        ):
            continue
        text = (source.ROOT / name).read_text(encoding="utf-8", errors="replace")
        told = enumerate(text.replace(GIVEN, "").splitlines(), 1)
        lines = [place for place, line in told if words in line]
        found += [f"{name}:{place}" for place in lines]
    assert not found, _faults([f"{place} says {words}" for place in found])


@pytest.mark.parametrize("file", PYTHON)
def test_a_file_is_one_idea(file: str) -> None:
    lines = len((source.ROOT / file).read_text(encoding="utf-8").splitlines())
    limit = 450 if file.startswith("tests/") else 300
    assert lines <= limit or file in LONGER, (
        f"{file} has {lines} lines: cut it by ideas, or say why not"
    )
    if file.startswith("tests/") and lines == 0:
        return
    words = ast.get_docstring(source.tree(file))
    assert words, f"{file}: open with a docstring of one sentence"
    assert words.split("\n\n")[0][-1] in ".:;?", f"{file}: the docstring opens with no sentence"


def test_functions_fit_one_screen() -> None:
    found = []
    for file in PRODUCT:
        for node in ast.walk(source.tree(file)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > 60:
                    found.append(
                        f"{file}:{node.lineno}: {node.name} has {length} lines, at most 60"
                    )
    assert not found, _faults(found)


def test_import_floors_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=source.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: \d+ kept, 0 broken", done.stdout)


def test_every_stage_is_kept_apart() -> None:
    contracts = tomllib.loads((source.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (listed,) = [
        contract["modules"]
        for contract in contracts["tool"]["importlinter"]["contracts"]
        if contract["type"] == "independence"
    ]
    files = [name for name in source.modules("stages") if not name.startswith("stages/_")]
    assert sorted(listed) == [name.removesuffix(".py").replace("/", ".") for name in files]


# A test that stands elsewhere, or none, each with its reason.
MIRRORED_ELSEWHERE: dict[str, str] = {
    "cxr/__init__.py": "only words",
    "stages/__init__.py": "tests/test_numerics.py starts processes that import it",
    "stages/_stage.py": "tests/stages/test_stage.py",
    "stages/__main__.py": "tests/stages/test_preflight.py",
    "cxr/search/figures/__init__.py": "tests/search/figures/test_figures.py",
}
PLUGIN_FOLDERS = (
    *("cxr/datasets", "cxr/checks", "cxr/preprocessing", "cxr/search/spaces"),
    "cxr/search/proxies",
    "cxr/pruning/criteria",
)


def test_every_module_has_its_test() -> None:
    """`cxr/a/b.py` is tested by `tests/a/test_b.py`, stages by tests/stages, plug-ins by their contract."""
    lacking = []
    for file in PRODUCT:
        if file in MIRRORED_ELSEWHERE or source.only_words(file):
            continue
        folder, _, name = file.removeprefix("cxr/").rpartition("/")
        stem = name.removesuffix(".py")
        if f"cxr/{folder}" in PLUGIN_FOLDERS:
            around, _, last = f"tests/{folder}".rpartition("/")
            wanted = [
                f"tests/{folder}/test_{x}.py" for x in (stem, stem.strip("_"), last, "contract")
            ]
            wanted += [f"{around}/test_{last}.py"] if "/" in folder else []
        elif stem == "__init__":
            wanted = [f"tests/test_{folder}.py", f"tests/{folder}/test_{folder}.py"]
        else:
            around = f"{folder}/" if folder else ""
            wanted = [f"tests/{around}test_{stem.strip('_')}.py", f"tests/test_{folder}.py"]
        if not any((source.ROOT / name).is_file() for name in wanted):
            lacking.append(f"{file} has no test: write {wanted[0]}")
    assert not lacking, _faults(lacking)
    assert not [x for x in MIRRORED_ELSEWHERE if not (source.ROOT / x).is_file()]
