"""A decoder answers with a picture or with words, and has no more than it needs."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cxr import answering
from cxr.serving import decoder
from tests.bad_inputs.pictures import chest, stored

PNG = stored(chest())
Python = Callable[..., subprocess.CompletedProcess[str]]


def test_files_in_answers_out(model: answering.Model) -> None:
    files = io.BytesIO(b"".join(len(x).to_bytes(8, "big") + x for x in (PNG, PNG[:-20], PNG)))
    answers = io.BytesIO()
    decoder.work(model, files, answers)
    picture = decoder.message(b"P", model.prepare(PNG, "x").tobytes())
    said = answers.getvalue().removeprefix(decoder.message(b"P", b""))
    assert said.startswith(picture + b"R") and said.endswith(picture)
    assert b"the picture is damaged" in said


def test_a_picture_crosses_whole(model: answering.Model) -> None:
    found = decoder.prepared(model, PNG)[1 + decoder.LENGTH_BYTES :]
    square = np.frombuffer(found, np.uint8).reshape(model.size_px, model.size_px)
    assert np.array_equal(square, model.prepare(PNG, "x"))


def test_a_confined_process_has_no_disk_and_no_memory_without_end(
    python: Python, tmp_path: Path
) -> None:
    script = """
from pathlib import Path
from cxr.serving import decoder
decoder.confine(64)
for what in (lambda: bytearray(10 * 2**20), lambda: bytearray(100 * 2**20), lambda: Path("x").write_bytes(b"a")):
    try:
        what()
        print("done")
    except (MemoryError, OSError) as error:
        print(type(error).__name__)
"""
    done = python("-c", script, cwd=tmp_path)
    assert done.stdout.split() == ["done", "MemoryError", "OSError"], done.stderr
    assert (tmp_path / "x").read_bytes() == b""
