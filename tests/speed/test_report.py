"""The report: ratios against the right contender, and a page that says everything that is in the numbers."""

from __future__ import annotations

import pytest

from cxr.speed import report
from cxr.speed.turns import Contender, Measured
from tests.speed import exported

GIB = 2**30


def one(toy, milliseconds: float, output=((0.25, 0.75),), **changes) -> Measured:
    make = exported.torch if changes.get("engine") == "pytorch" else exported.contender
    contender: Contender = make(toy, batch=1, **changes)
    ready = {
        "version": "1.0", "load_ms": 5.0, "first_ms": 1.0, "imports_bytes": 50_000_000,
        "input_sha256": "ab", "output": output,
    }  # fmt: skip
    return Measured(
        contender=contender, ready=ready, turns_ms=[[milliseconds] * 3, [2 * milliseconds] * 3],
        processor_ms=[milliseconds, 2 * milliseconds], peak_bytes=60_000_000,
    )  # fmt: skip


@pytest.fixture
def measured(toy) -> list[Measured]:
    small = {"model": "small"}
    return [
        one(toy, 8.0, engine="pytorch"),
        one(toy, 6.0, engine="pytorch", exact=False),
        one(toy, 3.0),
        one(toy, 1.5, precision="int8", output=((0.3, 0.7),)),
        one(toy, 2.0, engine="pytorch", output=((0.5, 0.5),), **small),
        one(toy, 1.0, output=((0.4, 0.6),), **small),
    ]


def test_ratios_are_to_the_first_models_faster_pytorch_and_to_its_own_engine(measured):
    rows = report.rows(measured, first="toy")
    assert [row["times_pytorch"] for row in rows] == [
        [x] * 3 for x in (0.75, 1.0, 2.0, 4.0, 3.0, 6.0)
    ]
    assert [row["times_first"][1] for row in rows] == [1.0, 1.0, 1.0, 2.0, 4.0, 3.0]


def test_a_row_holds_what_was_measured(measured):
    row = report.rows(measured, first="toy")[2]
    assert row["quartiles_ms"] == [3.0, 4.5, 6.0] and row["turn_medians_ms"] == [3.0, 6.0]
    assert row["runs"] == 6 and row["processor_ms"] == 4.5
    assert row["peak_bytes"] == 60_000_000 and row["imports_bytes"] == 50_000_000


def test_differences_are_to_the_models_own_pytorch(measured):
    differences = [row["difference"] for row in report.rows(measured, first="toy")]
    assert differences == pytest.approx([0, 0, 0, 0.05, 0, 0.1])


def test_other_images_are_refused(measured):
    measured[1].ready["input_sha256"] = "cd"
    with pytest.raises(ValueError, match="not scored the same images"):
        report.rows(measured, first="toy")


def tree(measured, **changes):
    about = {
        "size_px": 32, "parameters": 12_345, "macs": 6_700_000, "weights_bytes": 50_000,
        "files": {"float32": {"bytes": 60_000, "sha256": "x"}, "int8": {"bytes": 20_000, "sha256": "y"}},
    }  # fmt: skip
    missing = {
        **report.described(measured[2].contender),
        "engine": "openvino",
        "missing": "not there",
    }
    usual = {
        "batch": 1,
        "threads": 1,
        "engine": "onnxruntime",
        "exact": False,
        "precision": "float32",
    }
    good = {
        **usual, "model": "toy", "answers": True, "quartiles_ms": [1.0, 1.5, 2.0], "load_ms": 20.0,
        "first_ms": 3.0, "peak_bytes": 60_000_000, "charged_bytes": 30_000_000, "difference": 0.0,
    }  # fmt: skip
    bad = {**usual, "model": "large", "answers": False, "why": "out of memory"}
    return {
        "host": {"processor": "P", "cores": 2, "usable_cores": 1, "memory_bytes": 8 * GIB, "system": "L"},
        "load": {"others_cores": 0.02, "stolen_cores": 0.0}, "rounds": 2, "seconds": 0.5,
        "models": {"toy": about, "small": {**about, "files": {"float32": about["files"]["float32"]}}},
        "rows": [*report.rows(measured, first="toy"), missing],
        "edge": {"bounds": "a box", "memory_bytes": 512 * 2**20, "rows": [good, {**good, "peak_bytes": 800_000_000}, bad]},
        **changes,
    }  # fmt: skip


def test_the_page_says_it_all(measured):
    page = report.page(tree(measured))
    assert "1 of 2 cores, 8 GiB" in page and "BUSY" not in page
    for cells in (
        ("toy", "32 px", "12,345", "6.7 M", "0.06 MB", "0.02 MB", "0.05 MB"),
        ("toy", "ONNX Runtime", "4.50 [3.00, 6.00]", "4.50", "2.00", "1.00", "60 MB (50 MB)", "0.0e+00"),
        ("toy", "ONNX Runtime, int8", "2.25 [1.50, 3.00]", "2.25", "4.00", "2.00"),
        ("toy", "PyTorch, eager, the product's exact profile", "12.00 [8.00, 16.00]"),
        ("toy", "OpenVINO", "not there"),
        ("toy", "ONNX Runtime", "1", "yes", "1.50 [1.00, 2.00]", "23", "60 MB", "30 MB"),
        ("toy", "ONNX Runtime", "1", "only with libraries that others had loaded"),
        ("large", "ONNX Runtime", "1", "no: out of memory"),
    ):  # fmt: skip
        assert any(_cells(line)[: len(cells)] == [*cells] for line in page.splitlines()), cells


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_busy_machine_is_told(measured):
    page = report.page(tree(measured, load={"others_cores": 1.2, "stolen_cores": 0.0}))
    assert "THE MACHINE WAS BUSY" in page and "others used 1.20 cores" in page


def test_a_table_lines_up():
    assert report.table(["a", "long"], [["wide", "b"]]) == (
        "| a    | long |\n| ---- | ---- |\n| wide | b    |"
    )
