"""What strace says of a program is what the program did."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.proof import opened

pytestmark = pytest.mark.skipif(
    not shutil.which("strace"), reason="NOT TESTED: no strace here (Debian: package strace)"
)

PROGRAM = """\
import os, subprocess, sys, threading
open("read").read()
open("missing").read() if os.path.exists("missing") else None
os.listdir("folder")
with open("folder/.new.partial", "w") as file:
    file.write("x")
os.replace("folder/.new.partial", 'folder/neü "n')
open("both", "r+").write("x")
thread = threading.Thread(target=lambda: open("thread").read())
thread.start(); thread.join()
subprocess.run([sys.executable, "-c", "open('child').read()"], check=True)
open("/etc/hostname").read()
"""


def test_it_says_what_was_read_listed_and_written(tmp_path):
    root = tmp_path / "project"
    (root / "folder").mkdir(parents=True)
    for name in ("read", "both", "thread", "child", "never"):
        (root / name).write_text("text")
    command = [*opened.TRACE, str(tmp_path / "records"), sys.executable, "-c", PROGRAM]
    subprocess.run(command, cwd=root, check=True)
    found = opened.below(root, tmp_path / "records")
    assert found.read == {"read", "both", "thread", "child"}
    assert found.listed >= {"folder"}
    assert found.written == {"folder/.new.partial", 'folder/neü "n', "both"}
