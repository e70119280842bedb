"""The contract of every reader in cxr/datasets: its source, its sample, and the table it reads."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import archives, images, plugins
from cxr.datasets._source import Source

COLUMNS = ["image", "source", "patient", "view", "age_years", "sex", "given_split"]


@pytest.fixture(params=plugins.names("datasets"))
def reader(request):
    return plugins.load("datasets", request.param)


@pytest.fixture
def root(reader, tmp_path):
    reader.sample(tmp_path)
    yield tmp_path
    archives.close()


def test_source_is_complete(reader):
    source = reader.SOURCE
    assert isinstance(source, Source)
    for name in ("title", "licence", "hint"):
        assert getattr(source, name).strip(), f"SOURCE.{name} is empty"
    assert bool(source.url) == bool(source.citation) or source.redistributable
    assert source.url == "" or source.url.startswith("https://")
    assert all(count > 0 for count in source.images.values())
    assert all(len(digest) == 64 for digest in source.sha256.values())
    assert "\n" not in source.hint


def test_sample_is_read_as_a_table(reader, root):
    table = reader.read(root)
    labels = [name for name in table.columns if name.startswith("label:")]
    kind = ["kind"] if "kind" in table else []
    assert sorted(table.columns) == sorted([*COLUMNS, *kind, *labels])
    if kind:
        assert set(table["kind"]) <= {"image", "mask"}
    assert 2 <= len(table) <= 12
    assert table["image"].is_unique
    assert len(labels) >= 2
    assert set(np.unique(table[labels].to_numpy(dtype=float))) <= {0.0, 1.0}
    assert set(table["given_split"]) <= {"train", "val", "test", ""}
    assert set(table["view"]) <= {"PA", "AP", "LATERAL", ""}
    assert set(table["sex"]) <= {"F", "M", ""}
    assert table["age_years"].dtype == np.float64
    assert table[["image", "source", "patient"]].notna().all(axis=None)


def test_sample_images_are_members_that_decode(reader, root):
    table = reader.read(root)
    assert set(table["image"]) <= set(archives.members(root))
    for member in table["image"]:
        image = images.decode(archives.read(root, member), name=member)
        assert min(image.grey.shape) >= 8


def test_labels_are_those_of_the_source(reader, root):
    labels = [name for name in reader.read(root).columns if name.startswith("label:")]
    if reader.SOURCE.images:
        assert sorted(reader.SOURCE.images) == sorted(
            name.removeprefix("label:") for name in labels
        )


def test_reading_twice_gives_the_same(reader, root):
    assert reader.read(root).equals(reader.read(root))


def test_empty_folder_is_named_with_a_cure(reader, tmp_path):
    with pytest.raises(ValueError, match=r"\S") as caught:
        reader.read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value)) > len(str(tmp_path)) + 20
