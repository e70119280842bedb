"""A box goes where the pixels go that it was drawn around."""

import numpy as np
import pytest

from cxr import plugins, seeding
from cxr.explaining import geometry
from cxr.preprocessing import _chain

PAD, STRETCH = ({"name": "resize", "size_px": 64, "fit": fit} for fit in ("pad", "stretch"))


@pytest.mark.parametrize(("height", "width"), [(160, 160), (200, 120), (90, 333), (40, 30)])
@pytest.mark.parametrize(
    "steps", [[STRETCH], [PAD], [{**PAD, "size_px": 111}, STRETCH], [{**STRETCH, "size_px": 50}, PAD]],
    ids=["stretch", "pad", "both", "twice"],
)  # fmt: skip
def test_a_bright_rectangle_stays_in_its_box(height, width, steps):
    left, top, right, bottom = 0.2 * width, 0.4 * height, 0.6 * width, 0.9 * height
    image = np.zeros((height, width), np.uint8)
    corners = [round(x) for x in (top, bottom, left, right)]
    image[corners[0] : corners[1], corners[2] : corners[3]] = 255
    prepared = _chain.apply(image, _chain.build(steps, where="steps"))
    shares = np.array(
        [[corners[2] / width, corners[0] / height, corners[3] / width, corners[1] / height]]
    )
    ((left, top, right, bottom),) = geometry.through(
        shares, steps, width_px=width, height_px=height
    )
    rows, columns = np.nonzero(prepared >= 128)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(np.array(found) - [left, top, right, bottom]).max() <= 1.0
    covered = geometry.mask(np.array([[left, top, right, bottom]]), prepared.shape[0])
    assert (covered != (prepared >= 128)).mean() < 0.02


@pytest.mark.parametrize("name", [x for x in plugins.names("preprocessing") if x != "resize"])
def test_every_step_is_followed_or_moves_nothing(name):
    assert name in geometry.STILL, f"write in cxr/explaining/geometry.py where {name} moves a box"
    settings = {
        "clahe": {"clip_limit": 2.0, "tiles": 4},
        "gaussian_blur": {"kernel_px": 5, "sigma_px": 1.0},
    }
    image = seeding.stream(1, "grey").integers(60, 90, (64, 64)).astype(np.uint8)
    image[20:30, 40:44] = 200
    chain = _chain.build([{"name": name, **settings[name]}, STRETCH], where="steps")
    changed = _chain.apply(image, chain).astype(float)
    covered = geometry.mask(np.array([[40.0, 20.0, 44.0, 30.0]]), 64)
    assert covered.sum() == 40 and changed[covered].min() > np.percentile(changed[~covered], 98)


def test_a_step_of_which_nothing_is_known_is_refused():
    with pytest.raises(ValueError, match="where crop moves a box is unknown: write it in"):
        geometry.through(np.zeros((1, 4)), [{"name": "crop"}], width_px=8, height_px=8)


def test_a_mask_holds_the_pixels_whose_middle_is_inside_and_never_none():
    assert np.argwhere(geometry.mask(np.array([[1.4, 0.5, 3.5, 1.6]]), 4)).tolist() == [
        [0, 1], [0, 2], [1, 1], [1, 2],
    ]  # fmt: skip
    assert np.argwhere(geometry.mask(np.array([[2.6, 1.6, 2.9, 1.9]]), 4)).tolist() == [[1, 2]]
    assert np.argwhere(geometry.mask(np.array([[3.9, 3.9, 4.0, 4.0]]), 4)).tolist() == [[3, 3]]
    both = np.array([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]])
    assert geometry.mask(both, 4).sum() == 7
    assert geometry.mask(np.zeros((0, 4)), 4).sum() == 0
