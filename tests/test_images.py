"""Tests of cxr.images: what is decoded, to which grey, and what is refused by name."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cxr import images, seeding


def picture(height=40, width=50, bands=0):
    shape = (height, width, bands) if bands else (height, width)
    return seeding.stream(0, "picture").integers(0, 256, shape, dtype=np.uint8)


def stored(image, suffix="png", **options):
    """Return the bytes of a Pillow image or array saved in a format."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format=suffix, **options)
    return buffer.getvalue()


def png(width, height, depth, colour, rows):
    """Return a PNG made by hand, for forms that Pillow can't write."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def test_grey_png_comes_back_exactly():
    decoded = images.decode(stored(picture()), name="a.png")
    assert np.array_equal(decoded.grey, picture())
    assert (decoded.channels, decoded.bit_depth, decoded.grey.dtype) == (1, 8, np.uint8)


def test_sixteen_bits_keep_the_high_byte():
    values = (np.arange(40 * 50, dtype=np.uint16) * 32).reshape(40, 50)
    decoded = images.decode(stored(Image.fromarray(values)), name="a.png")
    assert decoded.bit_depth == 16
    assert np.array_equal(decoded.grey, (values >> 8).astype(np.uint8))
    tiff = images.decode(stored(Image.fromarray(values), "tiff"), name="a.tif")
    assert tiff.bit_depth == 16
    assert np.array_equal(tiff.grey, decoded.grey)


def test_sixteen_bit_colour_with_alpha():
    pixel = struct.pack(">4H", 0x80FF, 0x8000, 0x8001, 0x0000)
    decoded = images.decode(png(3, 2, 16, 6, (b"\0" + pixel * 3) * 2), name="a.png")
    assert (decoded.channels, decoded.bit_depth) == (4, 16)
    assert np.array_equal(decoded.grey, np.full((2, 3), 0x80))


def test_colour_becomes_grey_and_alpha_is_dropped():
    rgb = picture(bands=3)
    grey = np.array(Image.fromarray(rgb).convert("L"))
    assert np.array_equal(images.decode(stored(rgb), name="a.png").grey, grey)
    for alpha in (0, 255):
        rgba = np.dstack([rgb, np.full(rgb.shape[:2], alpha, np.uint8)])
        decoded = images.decode(stored(rgba), name="a.png")
        assert decoded.channels == 4
        assert np.array_equal(decoded.grey, grey)


def test_palette_cmyk_and_one_bit():
    palette = Image.fromarray(picture()).convert("P")
    decoded = images.decode(stored(palette), name="a.png")
    assert (decoded.channels, decoded.bit_depth) == (3, 8)
    assert np.array_equal(decoded.grey, picture())
    transparent = images.decode(stored(palette, transparency=b"\0" * 256), name="a.png")
    assert np.array_equal(transparent.grey, picture())
    cmyk = images.decode(stored(Image.new("CMYK", (9, 9), (0, 0, 0, 55)), "jpeg"), name="a.jpg")
    assert cmyk.channels == 4
    assert np.abs(cmyk.grey.astype(int) - 200).max() <= 2
    bits = images.decode(stored(Image.new("1", (9, 9), 1)), name="a.png")
    assert (bits.bit_depth, int(bits.grey.min())) == (1, 255)


def test_the_content_decides_not_the_ending():
    decoded = images.decode(stored(picture(), "jpeg"), name="a.png")
    assert decoded.grey.shape == (40, 50)


@pytest.mark.parametrize("suffix", ["png", "jpeg", "bmp", "tiff", "webp"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_truncated_image_is_refused(suffix, share):
    options = {"lossless": True} if suffix == "webp" else {}
    whole = stored(picture(200, 200), suffix, **options)
    assert images.decode(whole, name="whole").grey.shape == (200, 200)
    with pytest.raises(ValueError, match=r"^set/cut\.x (is damaged|is no).*get the file again"):
        images.decode(whole[: int(len(whole) * share)], name="set/cut.x")


def test_opencv_would_take_the_truncated_jpeg(tmp_path):
    """The reason why Pillow decodes; if this fails, the reason is gone."""
    whole = stored(picture(200, 200), "jpeg")
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 7 // 10])
    assert cv2.imread(str(tmp_path / "cut.jpg"), cv2.IMREAD_GRAYSCALE).shape == (200, 200)


def test_png_without_its_end_or_with_a_flipped_bit_is_refused():
    whole = stored(picture(64, 64))
    with pytest.raises(ValueError, match="is damaged"):
        images.decode(whole[:-12], name="a.png")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    with pytest.raises(ValueError, match="is damaged"):
        images.decode(bytes(flipped), name="a.png")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a.png is empty \(0 bytes\): get the file again"),
        (b"<html>not found</html>", "a.png is no PNG, JPEG, BMP, TIFF or WEBP file .*take it out"),
        (bytes(128) + b"DICM" + bytes(90), "a.png has the transfer syntax none, .*convert it to"),
        (stored(Image.new("F", (4, 4)), "tiff"), "32 bits per pixel, .* save it with 8 or 16 bits"),
        (png(30_000, 30_000, 1, 0, b""), "claims far more pixels than the limit of 64000000"),
        (png(8000, 8001, 1, 0, b""), "claims 8000 x 8001 pixels, more than the limit of 64000000"),
        (png(8000, 8001, 8, 0, b""), "claims 8000 x 8001 pixels, more than the limit of 64000000"),
        (png(65_536, 1, 8, 0, b""), "claims 65536 x 1 pixels, .* 65535 on a side"),
    ],
)
def test_what_is_no_x_ray_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        images.decode(content, name="a.png")


def test_several_pictures_in_one_file_are_refused():
    pages = [Image.fromarray(picture()), Image.fromarray(255 - picture())]
    content = stored(pages[0], "tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="holds several pictures: save the X-ray alone"):
        images.decode(content, name="a.tif")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "LA", "1"])
def test_strips_are_converted_as_the_whole_is(monkeypatch, mode):
    suffix = "jpeg" if mode == "CMYK" else "png"
    content = stored(Image.fromarray(picture(bands=3)).convert(mode), suffix)
    whole = images.decode(content, name="a").grey
    monkeypatch.setattr(images, "_STRIP_PIXELS", 7 * 50)
    assert np.array_equal(images.decode(content, name="a").grey, whole)


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
def test_note_on_how_to_turn_the_picture_is_not_followed(suffix):
    note = Image.Exif()
    note[274] = 6
    decoded = images.decode(stored(picture(), suffix, exif=note), name="a")
    assert np.array_equal(decoded.grey, images.decode(stored(picture(), suffix), name="a").grey)


def test_jpeg_without_its_middle_is_refused_and_pillow_would_take_it():
    whole = stored(picture(200, 200), "jpeg")
    start = whole.index(b"\xff\xda") + 14
    cut = whole[: start + 5000] + whole[-2:]
    assert np.array(Image.open(io.BytesIO(cut))).shape == (200, 200)
    with pytest.raises(ValueError, match=r"a.jpg is damaged \(Corrupt JPEG data: premature end"):
        images.decode(cut, name="a.jpg")


def test_a_few_bytes_too_many_before_the_end_of_a_jpeg_harm_nothing():
    whole = stored(picture(), "jpeg")
    decoded = images.decode(whole[:-2] + b"\0\0\0" + whole[-2:], name="a.jpg")
    assert np.array_equal(decoded.grey, images.decode(whole, name="a.jpg").grey)


def test_what_libraries_print_is_kept_from_the_screen_and_the_screen_comes_back(capfd):
    whole = stored(Image.fromarray(picture()).convert("1"), "tiff", compression="group4")
    broken = whole[:40] + b"\xff" * 20 + whole[60:]
    with pytest.raises(ValueError, match=r"a.tif is damaged \("):
        images.decode(broken, name="a.tif")
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_pixel_hash_tells_shape_and_pixels():
    grey = np.zeros((4, 6), np.uint8)
    assert images.pixels_sha256(grey) == images.pixels_sha256(grey.copy())
    assert images.pixels_sha256(grey) != images.pixels_sha256(grey.reshape(6, 4))
    assert images.pixels_sha256(grey) != images.pixels_sha256(grey + 1)
    assert images.pixels_sha256(grey).startswith("94345ae22b56c174")


def test_difference_hash_is_known_and_near_for_near_images():
    ramp = np.tile(np.arange(90, dtype=np.uint8), (80, 1))
    assert images.difference_hash(ramp) == "f" * 16
    assert images.difference_hash(ramp[:, ::-1].copy()) == "0" * 16
    scene = cv2.GaussianBlur(picture(160, 160), (31, 31), 8)
    hashes = [int(images.difference_hash(x), 16) for x in (scene, scene[::2, ::2].copy())]
    assert (hashes[0] ^ hashes[1]).bit_count() <= 3


def test_real_originals_decode():
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: no real images to decode")
    files = sorted(Path(folder, "fullsize").iterdir())
    decoded = {
        path.name: images.decode(path.read_bytes(), name=path.name)
        for path in files
        if images.is_image(path.name)
    }
    assert len(decoded) == 13
    assert decoded["00000001_000.png"].grey.shape == (1024, 1024)
    sixteen = decoded["23E99E2E-447C-46E5-8EB2-D35D12473C39.png"]
    assert (sixteen.channels, sixteen.bit_depth) == (4, 16)
