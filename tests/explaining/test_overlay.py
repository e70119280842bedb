"""Overlays show sign and strength, sheets all images, figures the same bytes each time."""

import numpy as np

from cxr import artifacts
from cxr.explaining import overlay
from cxr.explaining.sanity import Cascade


def shown(title="mass | mass 0.90"):
    ramp = np.linspace(-1, 1, 144).reshape(12, 12)
    image = np.full((12, 12), 100, np.uint8)
    return overlay.Shown(
        image_SS=image, map_SS=ramp, boxes_K4=np.array([[2.0, 3.0, 6.0, 9.0]]), title=title
    )


def cascade(rank=0.2, steps=3):
    values = np.full((2, steps), rank)
    return Cascade(
        layers=[f"layer{i}" for i in range(steps)], shares_T=np.linspace(0.1, 1, steps),
        rank_DT=values, ssim_DT=values / 2,
    )  # fmt: skip


def test_colours_say_for_and_against_and_how_much():
    one = shown()
    found = overlay.blended(one.image_SS, one.map_SS).astype(int)
    for_it, against, little = found[11, 11], found[0, 0], found[6, 0]
    assert for_it[0] > 150 > for_it[2] and against[2] > 100 > against[0]
    assert np.abs(little - 100).max() <= 2
    flat = overlay.blended(one.image_SS, np.zeros((12, 12)))
    assert np.array_equal(flat, np.full((12, 12, 3), 100))


def test_a_sheet_shows_every_image_and_its_boxes_twice():
    figure = overlay.sheet([shown(f"image {i}") for i in range(5)], title="toy")
    drawn = [axis for axis in figure.axes if axis.images]
    assert len(drawn) == 10 and len(figure.axes) == 16
    assert [len(axis.patches) for axis in drawn] == [1] * 10
    left, low = drawn[0].patches[0].get_xy()
    assert (left, low) == (1.5, 2.5) and drawn[0].patches[0].get_width() == 4
    titles = [axis.get_title("left") for axis in drawn]
    assert titles[::2] == [f"image {i}" for i in range(5)] and set(titles[1::2]) == {""}


def test_the_sanity_figure_starts_at_the_trained_network():
    figure = overlay.sanity([cascade(), cascade(0.4), cascade(9.0, steps=2)], 0.6, title="toy")
    (axis,) = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in axis.lines}
    assert np.allclose(lines["rank correlation"], [1, 0.3, 0.3, 0.3])
    assert np.allclose(lines["SSIM"], [1, 0.15, 0.15, 0.15])
    assert np.allclose(lines["rank correlation with another image's map"], 0.6)
    words = [tick.get_text() for tick in axis.get_xticklabels()]
    assert words == ["trained", "layer0", "layer1", "layer2"]
    unknown = overlay.sanity([cascade(np.nan)], float("nan"), title="toy").axes[0]
    assert len(unknown.lines) == 3


def test_bytes_are_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        artifacts.write_figure(tmp_path / name, overlay.sheet([shown()], title="toy"))
        artifacts.write_figure(tmp_path / f"{name}s", overlay.sanity([cascade()], 0.1, title="toy"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "ones").read_bytes() == (tmp_path / "twos").read_bytes()
