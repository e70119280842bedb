"""The contract of every step in cxr/preprocessing, the steps' own facts, and the chain."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from cxr import params, plugins, seeding
from cxr.preprocessing import _chain, clahe, gaussian_blur, resize

EXAMPLES = {
    "clahe": {"clip_limit": 2.0, "tiles": 8},
    "gaussian_blur": {"kernel_px": 5, "sigma_px": 1.1},
    "resize": {"size_px": 48, "fit": "stretch"},
}


def picture(height, width):
    return seeding.stream(0, "picture").integers(0, 256, (height, width), dtype=np.uint8)


def settings(name):
    assert name in EXAMPLES, f"add an example of {name}'s Params to this test"
    return params.build(plugins.load("preprocessing", name).Params, EXAMPLES[name], where=name)


@pytest.fixture(params=plugins.names("preprocessing"))
def step(request):
    return request.param


def test_params_are_a_frozen_record_without_defaults(step):
    record = plugins.load("preprocessing", step).Params
    assert record.__dataclass_params__.frozen
    for field in dataclasses.fields(record):
        assert field.kw_only
        assert field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING


@pytest.mark.parametrize("shape", [(60, 50), (8, 9), (300, 20), (48, 48)])
def test_uint8_image_in_and_out(step, shape):
    module, image = plugins.load("preprocessing", step), picture(*shape)
    before = image.copy()
    result = module.apply(image, settings(step))
    assert (result.dtype, result.ndim) == (np.uint8, 2)
    assert step == "resize" or result.shape == shape
    assert np.array_equal(image, before), "a step must not change its input"
    assert np.array_equal(result, module.apply(image, settings(step)))


def test_flat_image_stays_flat(step):
    result = plugins.load("preprocessing", step).apply(
        np.full((50, 60), 0, np.uint8), settings(step)
    )
    assert len(np.unique(result)) == 1


def test_stretch_fills_and_pad_keeps_the_aspect():
    image = np.full((40, 80), 200, np.uint8)
    assert (resize.apply(image, resize.Params(size_px=20, fit="stretch")) == 200).all()
    padded = resize.apply(image, resize.Params(size_px=20, fit="pad"))
    assert (padded[5:15] == 200).all()
    assert (padded[:5] == 0).all() and (padded[15:] == 0).all()
    thin = resize.apply(np.full((500, 1), 9, np.uint8), resize.Params(size_px=20, fit="pad"))
    assert int((thin == 9).any(axis=0).sum()) == 1


def test_shrinking_averages_areas():
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)
    assert (resize.apply(checkers, resize.Params(size_px=16, fit="stretch")) == 100).all()


@pytest.mark.parametrize(
    ("shape", "sha256"),
    [((97, 61), "decb"), ((20, 30), "fa9f"), ((30, 100), "360c")],
    ids=["shrink", "grow", "both"],
)
def test_resized_bytes_are_known(shape, sha256):
    """Fixed-point and area averages: the same on every processor."""
    result = resize.apply(picture(*shape), resize.Params(size_px=48, fit="stretch"))
    assert hashlib.sha256(result.tobytes()).hexdigest()[:4] == sha256


def test_blur_spreads_a_point_and_keeps_its_sum():
    image = np.zeros((21, 21), np.uint8)
    image[10, 10] = 250
    blurred = gaussian_blur.apply(image, gaussian_blur.Params(kernel_px=5, sigma_px=1.0))
    assert blurred[10, 10] == blurred.max() < 60
    assert (blurred > 0).sum() == 25
    assert abs(int(blurred.sum()) - 250) < 15


def test_clahe_raises_contrast():
    image = (picture(64, 64) // 16 + 100).astype(np.uint8)
    result = clahe.apply(image, clahe.Params(clip_limit=4.0, tiles=4))
    assert result.std() > 1.5 * image.std()


@pytest.mark.parametrize(
    ("module", "values", "message"),
    [
        (resize, {"size_px": 4, "fit": "pad"}, "size_px must lie in 8..2048, not 4"),
        (gaussian_blur, {"kernel_px": 4, "sigma_px": 1.0}, "kernel_px must be odd"),
        (gaussian_blur, {"kernel_px": 3, "sigma_px": 0.0}, "sigma_px must be above 0"),
        (clahe, {"clip_limit": 0.0, "tiles": 8}, "clip_limit must be above 0"),
        (clahe, {"clip_limit": 2.0, "tiles": 0}, "tiles must lie in 1..32, not 0"),
    ],
)
def test_values_out_of_range_are_named(module, values, message):
    with pytest.raises(ValueError, match=message):
        module.Params(**values)


def test_chain_sends_an_image_through_its_steps_in_order():
    steps = [{"name": "gaussian_blur", **EXAMPLES["gaussian_blur"]},
             {"name": "resize", **EXAMPLES["resize"]}]  # fmt: skip
    chain = _chain.build(steps, where="steps")
    by_hand = resize.apply(
        gaussian_blur.apply(picture(90, 70), settings("gaussian_blur")), settings("resize")
    )
    assert np.array_equal(_chain.apply(picture(90, 70), chain), by_hand)
    other_way = _chain.apply(picture(90, 70), chain[::-1])
    assert not np.array_equal(other_way, by_hand)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"name": "sharpen"}], "unknown preprocessing 'sharpen': known are clahe, gaussian_blur"),
        ([{"size_px": 9}], r"steps\[0\].name is missing: known are clahe"),
        ([{"name": "resize", "size_px": 48}], r"steps\[0\].fit is missing: expected one of"),
        ([{"name": "resize", "size_px": 48, "fit": "crop"}], r"steps\[0\].fit must be one of"),
        ([{"name": "resize", "size_px": 48, "fit": "pad", "x": 1}], r"steps\[0\].x is unknown"),
        ([{"name": "clahe", "clip_limit": 2.0, "tiles": 8}], "steps has no resize"),
        ([], "steps has no resize"),
    ],
)
def test_faulty_steps_are_named(steps, message):
    with pytest.raises(ValueError, match=message):
        _chain.build(steps, where="steps")
