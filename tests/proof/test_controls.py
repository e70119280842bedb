"""The proofs can fail: code with a fault of each kind makes other bytes, and the file is named.

A stage's program is given a fault, as a careless change would; it runs twice alone, the second time under
the condition that such a fault can't bear. What differs must be the file that the fault is in.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.proof import alone, conditions

pytestmark = pytest.mark.slow

REPORT = "reports/split/metrics.json"
ELSEWHERE = "another place, zone, mask, hash seed, three workers"
AS_RECORDED = "as recorded"
BEFORE_MAIN = 'if __name__ == "__main__":\n'
FAULTY = """\
_honest = main


{fault}


def main() -> str:
    import json

    words = _honest()
    path = Path("{report}")
    path.write_text(json.dumps({{**json.loads(path.read_text()), "fault": fault()}}))
    return words


if __name__ == "__main__":
"""
FAULTS = {
    "a global generator": (
        AS_RECORDED,
        "def fault():\n    import numpy as np\n\n    return np.random.rand()",
    ),
    "a time stamp": (
        "eight years later",
        "def fault():\n    import time\n\n    return time.strftime('%Y')",
    ),
    "an unsorted listing": (
        "folders listed backwards",
        "def fault():\n    return [path.name for path in Path('cxr').iterdir()]",
    ),
    "its own place": (ELSEWHERE, "def fault():\n    return str(Path.cwd())"),
    "who runs it": ("another user", "def fault():\n    import os\n\n    return os.getuid()"),
    "a loader whose workers stay and never hear of the next epoch": (
        ELSEWHERE,
        """\
class _Images:
    epoch = 0

    def __len__(self):
        return 4

    def __getitem__(self, place):
        return 10 * self.epoch + place


def fault():
    import os

    from torch.utils.data import DataLoader

    images, workers = _Images(), int(os.environ.get("CXR_WORKERS", "1")) - 1
    loader = DataLoader(images, num_workers=workers, persistent_workers=workers > 0)
    seen = []
    for images.epoch in range(3):
        seen += [int(x) for x in loader]
    return seen""",
    ),
}
PINS = {  # what is taken away, and where the bits then change; None: on a wider processor alone
    "the hash seed": ('    "PYTHONHASHSEED": "1",\n', ELSEWHERE),
    "the time zone": ('    "TZ": "UTC",\n', ELSEWHERE),
}


def twice(entry: alone.Entry, root: Path, tmp_path: Path, condition: str, *edits) -> list[str]:
    """Run a stage whose files `edits` have changed, as recorded and under the condition; return what differs."""
    folders = []
    for place, name in enumerate((AS_RECORDED, condition)):
        scratch = tmp_path / str(place)
        scratch.mkdir(parents=True)
        with conditions.CONDITIONS[name](scratch) as setting:
            folder = scratch / setting.folder
            alone.lay(entry, root, folder)
            for path, old, new in edits:
                text = (folder / path).read_text(encoding="utf-8")
                assert old in text
                (folder / path).write_text(text.replace(old, new), encoding="utf-8")
            said = alone.run(entry, folder, before=setting.before, **setting.environment)
        assert said.returncode == 0, said.stdout + said.stderr
        folders.append(folder)
    return alone.differing(entry, *folders)


def set_or_skip(condition: str, tmp_path: Path) -> None:
    try:
        with conditions.CONDITIONS[condition](tmp_path):
            pass
    except conditions.CannotSet as error:
        pytest.skip(f"NOT PROVED: {error}")
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught_and_its_file_named(small, tmp_path, name):
    condition, fault = FAULTS[name]
    set_or_skip(condition, tmp_path)
    faulty = FAULTY.format(fault=fault, report=REPORT)
    edit = ("stages/split.py", BEFORE_MAIN, faulty)
    assert twice(alone.first(small, "split"), small, tmp_path, condition, edit) == [REPORT]


@pytest.mark.parametrize("name", PINS)
def test_a_missing_pin_is_caught(small, tmp_path, name):
    """What each of them holds still: the order of a set of words, the hour of a date."""
    pin, condition = PINS[name]
    fault = (
        "def fault():\n    import time\n\n"
        "    return [list({'opacity', 'effusion', 'ground_glass', 'normal'}), time.strftime('%H', time.localtime(0))]"
    )
    faulty = FAULTY.format(fault=fault, report=REPORT)
    use = ("stages/split.py", BEFORE_MAIN, faulty)
    split = alone.first(small, "split")
    assert twice(split, small, tmp_path / "kept", condition, use) == []
    without = ("cxr/numerics.py", pin, "")
    assert twice(split, small, tmp_path / "gone", condition, use, without) == [REPORT]


def test_two_threads_are_caught(small, tmp_path):
    """How a sum is cut among threads decides its last bits."""
    transfer, folder = alone.first(small, "transfer"), tmp_path / "stage"
    alone.lay(transfer, small, folder)
    numerics = folder / "cxr/numerics.py"
    text = numerics.read_text(encoding="utf-8")
    for old, new in (('"OMP_NUM_THREADS": "1"', '"OMP_NUM_THREADS": "2"'),
                     ("set_num_threads(1)", "set_num_threads(2)")):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    numerics.write_text(text, encoding="utf-8")
    said = alone.run(transfer, folder)
    assert said.returncode == 0, said.stdout + said.stderr
    weights = [x for x in alone.differing(transfer, small, folder) if x.endswith(".safetensors")]
    assert weights
