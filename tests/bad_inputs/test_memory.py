"""The heavy bad inputs, each in a process of its own that runs the real stage and tells its largest memory."""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path

import pytest

from tests.bad_inputs import Bad, catalogue
from tests.bad_inputs.test_catalogue import CURE

HEAVY = [
    pytest.param(bad, id=bad.name, marks=[pytest.mark.slow] * bad.slow)
    for bad in catalogue.ALL
    if bad.heavy
]
MOST_BYTES = 2**30
INGEST = """
import json, resource, sys
from cxr import manifest
from stages import ingest
told = {"refused": "", "faults": {}}
try:
    ingest.main(sys.argv[1])
    table = manifest.read(ingest.MANIFESTS / f"{sys.argv[1]}.csv")
    told["faults"] = dict(zip(table["image"], table["fault"]))
    told["rows"] = json.loads(table.set_index("image").to_json(orient="index"))
except ValueError as error:
    told["refused"] = str(error)
# not ru_maxrss: that of a new process begins with its parent's
told["peak_bytes"] = 1024 * int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps(told))
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="NOT TESTED: only Linux tells the largest memory of a process"
)
@pytest.mark.parametrize("bad", HEAVY)
def test_heavy_input_takes_less_than_a_gibibyte(bad: Bad, tmp_path, python):
    root = tmp_path / "data/raw" / bad.dataset
    root.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bad.make(root)
    one = {"CXR_WORKERS": "1"}
    done = python("-c", INGEST, bad.dataset, cwd=tmp_path, env=one, pinned=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    print(f"{bad.name}: {told['peak_bytes'] / 2**20:.0f} MiB")
    assert told["peak_bytes"] < MOST_BYTES
    image = f"{bad.dataset}/{bad.file}"
    if bad.fate == "refused":
        assert re.search(bad.words, told["refused"]) and CURE.search(told["refused"]), told
        assert not (tmp_path / "data/manifests").exists()
    elif bad.fate == "noted":
        assert re.search(bad.words, told["faults"][image]), told["faults"]
        assert [name for name, fault in told["faults"].items() if fault] == [image]
    else:
        assert not any(told["faults"].values()), told["faults"]
        assert {name: told["rows"][image][name] for name in bad.values} == bad.values
    assert not list(Path(tmp_path).rglob("*.partial"))
