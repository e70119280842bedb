"""The doctor's probes repeat, know this class of machines, and notice another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from cxr import artifacts, doctor, numerics

ALL = sorted(doctor.PROBES)

# what a machine outside the class would do, by one pin set otherwise: which probes must notice
_OTHERS = {
    "ATEN_CPU_CAPABILITY=default": ["adamw_steps", "conv_backward"],
    "OPENBLAS_CORETYPE=Nehalem": ["factorizations", "matrix_product"],
    "NPY_DISABLE_CPU_FEATURES=X86_V3": ["elementary"],
}


@pytest.mark.parametrize("name", ALL)
def test_probes_repeat(name):
    probe = doctor.PROBES[name]
    first = probe()
    assert len(first) >= 4
    assert probe() == first


def test_this_machine_is_in_the_class():
    lines, same = doctor.diagnose(doctor.hashes(), artifacts.read_json(doctor.GOLDEN))
    assert same, "\n".join(lines)
    assert [line.split()[0] for line in lines] == ALL


def test_a_difference_and_a_missing_probe_are_named():
    lines, same = doctor.diagnose({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "0"})
    assert not same
    assert [" ".join(line.split()) for line in lines] == [
        "a same",
        "b DIFFERS",
        "c not in the golden file",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("pin", sorted(_OTHERS))
def test_another_instruction_set_is_noticed(pin):
    name, _, value = pin.partition("=")
    code = (
        "import json; from cxr import numerics; numerics.unpinned = lambda environment: []\n"
        "from cxr import doctor; print(json.dumps(doctor.hashes()))"
    )
    environment = {**os.environ, **numerics.PINS, name: value}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    found, golden = json.loads(said.stdout), artifacts.read_json(doctor.GOLDEN)
    assert [probe for probe in ALL if found[probe] != golden[probe]] == _OTHERS[pin]


def test_other_versions_than_locked_are_named():
    lock = doctor.LOCK.read_text()
    assert doctor.other_versions(lock) == []
    assert doctor.other_versions("numpy==0.1\n")[0].endswith(", locked 0.1")


def test_the_command_line_says_the_class():
    said = subprocess.run([sys.executable, "-m", "cxr.doctor"], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "byte-identical class: yes" in said.stdout
