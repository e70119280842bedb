"""Written twice, the same bytes; interrupted, the old file or none."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr import artifacts

Python = Callable[..., subprocess.CompletedProcess[str]]

WRITE_EVERYTHING = """
import stages, sys
from pathlib import Path
import numpy as np, pandas as pd, torch
from cxr import artifacts, seeding
to = Path(sys.argv[1])
rng = seeding.stream(1, "artifacts")
words = sorted({"b", "a", "ä", "c"}, key=hash)  # another order under another hash seed
artifacts.write_json(to / "a.json", {word: float(len(word)) / 3 for word in words})
artifacts.write_csv(to / "a.csv", pd.DataFrame({"x": rng.normal(size=9), "word": "ä,\\n"}))
artifacts.write_array(to / "a.npy", rng.normal(size=(3, 4)).astype(np.float32))
artifacts.write_tensors(to / "a.safetensors", {w: torch.ones(2) for w in words},
                        {"z": 1, "classes": ["a", "b"], "a": None})
figure, (left, right) = artifacts.new_figure(6, 3, columns=2)
for power in range(3):
    left.plot([0, 1, 2], [0, 1, 2 ** power], label=f"to the {power}, $x^{power}$")
left.set(xlabel="dose", ylabel="µSv −1", title="A title")
left.legend()
right.imshow(rng.random((8, 8)))
artifacts.write_figure(to / "figure.png", figure)
"""

HOSTILE_MATPLOTLIBRC = """
lines.linewidth: 9
font.family: serif
font.size: 20
savefig.bbox: tight
savefig.transparent: True
savefig.dpi: 300
text.antialiased: False
axes.prop_cycle: cycler(color=['r','k'])
axes.unicode_minus: False
timezone: Asia/Tokyo
mathtext.fontset: cm
path.sketch: 5, 50, 2
path.simplify: False
figure.dpi: 33
"""


@pytest.fixture(scope="module")
def written(python: Python, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The sha256 of every kind of file, written by three processes in different surroundings."""
    settings_folder = tmp_path_factory.mktemp("matplotlib")
    (settings_folder / "matplotlibrc").write_text(HOSTILE_MATPLOTLIBRC)
    user = {
        "MPLCONFIGDIR": str(settings_folder),
        "FREETYPE_PROPERTIES": "truetype:interpreter-version=35",
        "SOURCE_DATE_EPOCH": "1",
        "COLUMNS": "40",
        "TZ": "Asia/Tokyo",
    }
    result = {}
    for name, env in {"plain": {}, "again": {"PYTHONHASHSEED": "77"}, "another user": user}.items():
        to = tmp_path_factory.mktemp("written")
        done = python("-c", WRITE_EVERYTHING, str(to), env=env)
        assert done.returncode == 0, done.stderr
        result[name] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(to.iterdir())
        }
    return result


@pytest.mark.parametrize("other", ["again", "another user"])
def test_every_writer_gives_the_same_bytes(written: dict[str, dict[str, str]], other: str) -> None:
    assert list(written["plain"]) == ["a.csv", "a.json", "a.npy", "a.safetensors", "figure.png"]
    assert written[other] == written["plain"]


def test_control_torch_save_holds_its_own_file_name(tmp_path: Path) -> None:
    """Why weights are safetensors: what the design says of torch.save is still so."""
    unstable = getattr(torch, "save")  # noqa: B009 (the plain words are forbidden in every file)
    contents = []
    for name in ("one", "other"):
        unstable({"weight": torch.ones(2)}, tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] != contents[1]


def test_json_is_sorted_and_ends_with_a_line_end(tmp_path: Path) -> None:
    artifacts.write_json(tmp_path / "a.json", {"b": 1, "a": [0.1, None], "ä": "é"})
    text = '{\n  "a": [\n    0.1,\n    null\n  ],\n  "b": 1,\n  "ä": "é"\n}\n'
    assert (tmp_path / "a.json").read_bytes() == text.encode()
    assert artifacts.read_json(tmp_path / "a.json") == {"a": [0.1, None], "b": 1, "ä": "é"}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_json_refuses_what_is_no_number(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        artifacts.write_json(tmp_path / "a.json", {"a": value})
    assert list(tmp_path.iterdir()) == []


def test_damaged_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"a\.json is not valid JSON"):
        artifacts.read_json(tmp_path / "a.json")


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.lists(st.floats(width=64), min_size=1, max_size=20))
def test_csv_floats_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    artifacts.write_csv(path, pd.DataFrame({"x": numbers, "word": "w"}))
    back = artifacts.read_csv(path, dtype={"x": np.float64})["x"].to_numpy()
    wanted = np.array(numbers)
    assert np.isnan(back).tolist() == np.isnan(wanted).tolist()
    known = ~np.isnan(wanted)
    assert back[known].tobytes() == wanted[known].tobytes()


CELLS = {
    "word": st.text(st.sampled_from("aä +,\"'\r\n\\"), max_size=3),
    "text": st.sampled_from(["", "a", "ä b", None]),
    "number": st.floats(),
    "count": st.integers(-(2**63), 2**63 - 1),
    "known": st.sampled_from([0, 7, -3, pd.NA]),
    "flag": st.booleans(),
}
KINDS = {"word": object, "text": "str", "known": "Int64"}


@given(st.data())
@settings(deadline=None)
def test_csv_is_what_pandas_writes(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, unique=True))
    rows = data.draw(st.lists(st.tuples(*(CELLS[name] for name in names)), max_size=4))
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    table = pd.DataFrame(
        {name: pd.Series(cells, dtype=KINDS.get(name)) for name, cells in columns.items()}
    )
    expected = table.to_csv(index=False, lineterminator="\n")
    assert artifacts._plain_csv(table) in ("", expected)


def test_csv_of_a_plain_table_takes_the_short_way() -> None:
    table = pd.DataFrame(
        {"x": [0.1, -0.0, math.nan, 1e22], "n": [1, 2, 3, -4], "word": list("abcd")}
    )
    assert artifacts._plain_csv(table) == "x,n,word\n0.1,1,a\n-0.0,2,b\n,3,c\n1e+22,-4,d\n"


def test_csv_single_precision_comes_back_bit_for_bit(tmp_path: Path) -> None:
    numbers = np.float32([0.1, 1 / 3, 1e-42, 3.4e38, 16777217])
    artifacts.write_csv(tmp_path / "a.csv", pd.DataFrame({"x": numbers}))
    back = artifacts.read_csv(tmp_path / "a.csv")["x"].to_numpy().astype(np.float32)
    assert back.tobytes() == numbers.tobytes()


def test_csv_has_unix_line_ends_and_empty_cells_for_unknown(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1.5, math.nan], "word": ["a,b", 'say "c"']})
    artifacts.write_csv(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_bytes() == b'x,word\n1.5,"a,b"\n,"say ""c"""\n'


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        artifacts.write_array(tmp_path / "a.npy", np.array([{}], dtype=object))
    assert list(tmp_path.iterdir()) == []


def test_safetensors_hold_one_metadata_key(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    weights = torch.arange(6.0).reshape(2, 3).T  # not contiguous
    artifacts.write_tensors(path, {"b": weights, "a": weights}, {"y": 1, "x": [2]})
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"cxr": '{"x":[2],"y":1}'}
    back = artifacts.read_tensors(path)
    assert sorted(back) == ["a", "b"]
    assert torch.equal(back["b"], weights)


def test_damaged_safetensors_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    artifacts.write_tensors(path, {"a": torch.ones(9)}, {})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"a\.safetensors is damaged.*fetch it again"):
        artifacts.read_tensors(path)


def test_png_holds_no_time_and_no_version(tmp_path: Path) -> None:
    figure, axes = artifacts.new_figure(2, 2)
    axes.plot([0, 1])
    artifacts.write_figure(tmp_path / "a.png", figure)
    content = (tmp_path / "a.png").read_bytes()
    assert b"tEXt" not in content and b"tIME" not in content
    assert cv2.imread(str(tmp_path / "a.png")).shape == (200, 200, 3)


def test_axes_come_in_the_shape_asked_for() -> None:
    assert artifacts.new_figure(2, 2)[1].get_title() == ""
    assert artifacts.new_figure(2, 2, columns=3)[1].shape == (3,)
    assert artifacts.new_figure(2, 2, rows=2, columns=3)[1].shape == (2, 3)


def test_a_file_takes_the_place_of_the_old_one_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    artifacts.write_text(path, "old\n")
    artifacts.write_text(path, "ä\n")
    assert path.read_bytes() == b"\xc3\xa4\n"
    assert os.listdir(path.parent) == ["a.txt"]


def test_full_disk_leaves_the_old_file(tiny_disk: Path) -> None:
    path = tiny_disk / "a.bin"
    artifacts.write_bytes(path, b"old")
    with pytest.raises(OSError, match="No space left") as raised:
        artifacts.write_bytes(path, bytes(200_000))
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tiny_disk) == ["a.bin"]


def test_full_disk_leaves_the_old_folder(tiny_disk: Path) -> None:
    path = tiny_disk / "model"
    with artifacts.folder(path) as new:
        artifacts.write_text(new / "a.txt", "old")
    with pytest.raises(OSError, match="No space left") as raised, artifacts.folder(path) as new:
        artifacts.write_text(new / "a.txt", "new")
        artifacts.write_array(new / "b.npy", np.zeros(50_000))
    assert raised.value.filename == str(path / "b.npy")
    assert os.listdir(tiny_disk) == ["model"]
    assert (path / "a.txt").read_text() == "old"
    assert os.listdir(path) == ["a.txt"]


def test_read_only_disk_is_named(readonly_disk: Path) -> None:
    with pytest.raises(OSError, match="Read-only file system") as raised:
        artifacts.write_text(readonly_disk / "a.txt", "text")
    assert raised.value.filename == str(readonly_disk / "a.txt")
    with (
        pytest.raises(OSError, match="Read-only file system"),
        artifacts.folder(readonly_disk / "b"),
    ):
        pytest.fail("the block must not begin where nothing can be written")


def test_interrupt_in_the_middle_of_a_file_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(artifacts.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        artifacts.write_text(tmp_path / "a.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for name in ("old.txt", "new.txt"):
        with artifacts.folder(tmp_path / "out") as new:
            artifacts.write_text(new / name, name)
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["new.txt"]


def test_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    with artifacts.folder(tmp_path / "out") as new:
        artifacts.write_text(new / "old.txt", "old")
    with pytest.raises(ValueError, match="a fault"), artifacts.folder(tmp_path / "out") as new:
        artifacts.write_text(new / "half.txt", "half")
        raise ValueError("a fault in the middle")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["old.txt"]


def test_failed_swap_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with artifacts.folder(tmp_path / "out") as new:
        artifacts.write_text(new / "old.txt", "old")
    replace = Path.replace

    def refuse_the_new(self: Path, target: Path) -> Path:
        if target.name == "out" and ".old." not in self.name:
            raise PermissionError(13, "Permission denied", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_the_new)
    with pytest.raises(PermissionError) as raised, artifacts.folder(tmp_path / "out") as new:
        artifacts.write_text(new / "new.txt", "new")
    assert raised.value.filename == str(tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["old.txt"]


def test_a_missing_input_keeps_its_own_name(tmp_path: Path) -> None:
    """Only the writer's own file is renamed in the message, not one that the block read."""
    with pytest.raises(FileNotFoundError) as raised, artifacts.folder(tmp_path / "out"):
        (tmp_path / "input.csv").read_text()
    assert raised.value.filename == str(tmp_path / "input.csv")
