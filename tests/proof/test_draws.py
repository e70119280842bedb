"""What is drawn is valid, differs from number to number, and reaches every choice there is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cxr import plugins
from flows import study
from stages import __main__ as preflight
from tests.proof import draws

NUMBERS = range(60)


def composed(number: int, root: Path) -> dict:
    folder = root / study.STUDIES / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(study.HERE / study.STUDIES / "defaults.yaml", folder.parent)
    YAML(typ="safe", pure=True).dump(draws.study(number), folder / "study.yaml")
    return study.compose("drawn", root=root)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_run_would_not_trip_over_it(tmp_path, number):
    assert preflight.faults(composed(number, tmp_path)) == []


def test_a_number_says_all_and_no_two_are_alike():
    texts = [json.dumps(draws.study(number)) for number in NUMBERS]
    assert texts == [json.dumps(draws.study(number)) for number in NUMBERS]
    assert len(set(texts)) == len(texts)


def test_every_plug_in_that_a_study_of_phantom_images_can_name_is_drawn():
    said = json.dumps([draws.study(number) for number in NUMBERS])
    for folder in ("preprocessing", "pruning/criteria"):
        for name in plugins.names(folder):
            assert f'"{name}"' in said, f"{folder}/{name} is never drawn"
    for name in ("mobile", "cxr_cells", "bce", "asymmetric", "mask", "by_image", "held_out"):
        assert f'"{name}"' in said
