"""control: what borders and files tell, by patient, exactly, and nothing of the chest."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxr import archives, control, images, seeding
from cxr.datasets import darkcovidnet
from cxr.metrics import auroc
from tests import factories


def case(n=400, **options):
    manifest = factories.manifest(n, **options)
    return manifest, factories.thumbnails(manifest)


def test_noise_tells_nothing():
    values = []
    for seed in range(5):
        manifest, thumbnails = case(400, multilabel=True, seed=seed)
        found = control.measure(manifest, thumbnails, seed=seed)
        values.append(found["auroc"]["value"])
        assert found["auroc"]["low"] < 0.5 < found["auroc"]["high"]
    assert abs(np.mean(values) - 0.5) < 0.03


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("file_bytes", 99_000, "files"),
        ("width_px", 512, "files"),
        ("file_format", "JPEG", "files"),
        ("bit_depth", 16, "files"),
        ("channels", 3, "files"),
        ("corner", None, "borders"),
        ("side", None, "borders"),
    ],
)
def test_each_shortcut_is_taken(column, value, kind):
    manifest, thumbnails = case()
    ill = (manifest["label:pneumonia"] == 1).to_numpy()
    if column == "corner":
        thumbnails[ill, :4, -4:] = 255
    elif column == "side":
        thumbnails[ill, :, 0] = 0
    else:
        manifest.loc[ill, column] = value
    found = control.measure(manifest, thumbnails, seed=1)
    other = {"files": "borders", "borders": "files"}[kind]
    assert found["auroc"]["value"] > 0.95 and found["auroc"]["low"] > 0.9
    assert found[kind] > 0.95
    assert abs(found[other] - 0.5) < 0.1


def test_the_chest_s_greys_and_the_table_are_not_seen():
    """A label that the middle, the grey statistics, age, view and source foretell wholly."""
    manifest, thumbnails = case()
    ill = (manifest["label:pneumonia"] == 1).to_numpy()
    thumbnails[ill, 4:-4, 4:-4] = 0
    manifest.loc[ill, ["grey_mean", "grey_std", "age_years"]] = [50.0, 20.0, 90.0]
    manifest.loc[ill, ["view", "source", "sex"]] = ["AP", "elsewhere", "M"]
    assert abs(control.measure(manifest, thumbnails, seed=1)["auroc"]["value"] - 0.5) < 0.1


def test_a_patient_s_images_stand_in_one_fold():
    """Files that are the patient's own tell a label by patient only if a fold tears patients apart."""
    manifest, thumbnails = case(600, images_per_patient=10)
    rng = seeding.stream(1, "own label")
    of_patient = pd.factorize(manifest["patient"])[0]
    manifest["label:normal"] = rng.integers(0, 2, 60)[of_patient].astype(float)
    manifest["file_bytes"] = rng.permutation(60)[of_patient] * 1000
    manifest["width_px"] = 200 + rng.permutation(60)[of_patient]
    torn = manifest.assign(patient=manifest["image"])
    honest, leaky = (
        control.measure(table, thumbnails, seed=1)["labels"]["normal"]["value"]
        for table in (manifest, torn)
    )
    assert leaky > 0.7 > 0.62 > honest


def test_order_of_rows_changes_no_bit_and_the_seed_does():
    manifest, thumbnails = case(multilabel=True)
    order = seeding.stream(1, "order").permutation(len(manifest))
    first = control.measure(manifest, thumbnails, seed=1)
    assert control.measure(manifest.iloc[order], thumbnails[order], seed=1) == first
    assert control.measure(manifest, thumbnails, seed=2) != first
    assert json.loads(json.dumps(first)) == first


def test_unknown_labels_unreadable_images_and_masks_have_no_part():
    manifest, thumbnails = case()
    whole = control.measure(manifest[:300], thumbnails[:300], seed=1)
    manifest.loc[300:319, ["label:normal", "label:pneumonia"]] = np.nan
    manifest.loc[320:359, "fault"], thumbnails[320:360] = "is damaged", 0
    manifest.loc[320:359, ["width_px", "file_format"]] = [np.nan, ""]
    manifest.loc[360:, "kind"] = "mask"
    found = control.measure(manifest, thumbnails, seed=1)
    assert found["images"] == 320
    assert found["labels"]["normal"]["images"] == whole["labels"]["normal"]["images"] == 300


def test_labels_with_other_unknown_images_are_fitted_each_on_its_own():
    manifest, thumbnails = case()
    manifest.loc[manifest["label:pneumonia"] == 1, "channels"] = 3
    manifest.loc[:99, "label:normal"] = np.nan
    found = control.measure(manifest, thumbnails, seed=1)["labels"]
    assert found["normal"]["images"] == 300 and found["pneumonia"]["images"] == 400
    assert min(label["value"] for label in found.values()) > 0.99


def test_a_label_of_few_patients_is_left_out_and_none_is_no_value():
    manifest, thumbnails = case()
    manifest["label:normal"] = 0.0
    manifest.loc[:17, "label:normal"] = 1.0  # nine patients
    found = control.measure(manifest, thumbnails, seed=1)
    assert list(found["labels"]) == ["pneumonia"]
    for empty in (0, 30):
        found = control.measure(manifest.iloc[:empty], thumbnails[:empty], seed=1)
        assert found["labels"] == {} and found["borders"] is None
        assert found["auroc"] == {"value": None, "low": None, "high": None}


def test_its_auroc_is_that_of_the_metrics():
    rng = seeding.stream(1, "auroc")
    scores = rng.integers(0, 30, (200, 3)) / 10
    truth = (rng.random((200, 3)) < [0.5, 0.1, 0.02]).astype(float)
    truth[rng.random((200, 3)) < 0.1] = np.nan
    patients = rng.integers(0, 80, 200)
    times = rng.integers(0, 3, (80, 7))
    found = control.auroc(scores, truth, patients, times)
    wanted = auroc.per_label(truth, scores, times.T[:, patients].astype(float))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_bins_hold_equally_many_and_equal_values_share_one():
    column = np.concatenate([np.zeros(500), seeding.stream(1, "bins").random(500) + 1])
    bins = control.binned(column[:, None])[:, 0]
    assert len(set(bins[:500])) == 1 and bins[0] not in bins[500:]
    counts = np.bincount(bins[500:])
    assert counts[counts > 0].max() <= 63
    assert set(control.binned(np.array([[8.0], [16.0], [8.0]]))[:, 0]) == {1, 2}


def test_real_covid_images_are_told_by_border_and_file():
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: the control is not measured on real images")
    root = Path(folder, "darkcovidnet")
    table = darkcovidnet.read(root)
    table = table[table["label:pneumonia"] == 0].reset_index(drop=True)
    rows, small = [], []
    for image in table["image"]:
        content = archives.read(root, image)
        grey = images.decode(content, name=image).grey
        rows.append((len(content), grey.shape[1], grey.shape[0]))
        small.append(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA))
    archives.close()
    table[["file_bytes", "width_px", "height_px"]] = rows
    table = table.assign(fault="", kind="image", channels=1, bit_depth=8, file_format="JPEG")
    found = control.measure(table, np.stack(small), seed=1)
    assert found["images"] == 624
    assert found["labels"]["covid"]["low"] > 0.98
    assert 0.8 < found["borders"] < 0.95
