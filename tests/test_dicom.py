"""Tests of cxr.dicom: what a screen shows of a DICOM file, and what its header tells; broken ones: test_dicom_broken.py."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from cxr import dicom
from tests import dicom_files as files

REAL = "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm"


def grey(content):
    return dicom.decode(content, name="x.dcm").grey


def shown(values):
    """Grey values from 0 to 1, rounded half up."""
    return np.floor(255 * np.clip(values, 0, 1) + 0.5).astype(np.uint8)


def test_without_window_twelve_bits_go_from_smallest_to_largest():
    stored = files.ramp() // 4 + 100
    picture = dicom.decode(files.make(stored), name="x")
    assert (picture.channels, picture.bit_depth) == (1, 12)
    assert np.array_equal(picture.grey, shown((stored - 100.0) / (stored.max() - 100.0)))


def test_eight_bits_are_shown_as_they_are():
    stored = (files.ramp() // 32 + 20).astype(np.uint8)
    assert np.array_equal(grey(files.make(stored)), stored)
    doubled = grey(files.make(stored, RescaleSlope=2, RescaleIntercept=0))
    assert (doubled.min(), doubled.max()) == (0, 255)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": "1000", "WindowWidth": "1500"}])
def test_monochrome1_is_the_inverse(window):
    plain = grey(files.make(**window))
    turned = grey(files.make(PhotometricInterpretation="MONOCHROME1", **window))
    assert np.array_equal(turned, 255 - plain)


def test_windows_follow_their_formulas():
    """PS3.3, C.11.2.1.2.1 to C.11.2.1.3.2, here for the centre 1000 and the width 800."""
    x = files.ramp().astype(float)
    kinds = {
        "LINEAR": (x - 999.5) / 799 + 0.5,
        "LINEAR_EXACT": (x - 1000) / 800 + 0.5,
        "SIGMOID": 1 / (1 + np.exp(-4 * (x - 1000) / 800)),
    }
    for kind, expected in kinds.items():
        found = grey(files.make(WindowCenter=1000, WindowWidth=800, VOILUTFunction=kind))
        assert np.array_equal(found, shown(expected)), kind
    linear = grey(files.make(WindowCenter=1000, WindowWidth=800))
    assert np.array_equal(linear, shown(kinds["LINEAR"]))


def test_window_is_that_of_rescaled_values_and_the_first_counts():
    found = grey(
        files.make(
            RescaleSlope="0.5", RescaleIntercept="-100",
            WindowCenter=["400", "9"], WindowWidth=["300", "3"],
        )
    )  # fmt: skip
    x = files.ramp() * 0.5 - 100
    assert np.array_equal(found, shown((x - 399.5) / 299 + 0.5))


def test_window_of_width_one_is_a_threshold():
    found = grey(files.make(WindowCenter=1000, WindowWidth=1))
    assert np.array_equal(found, np.where(files.ramp() > 999.5, 255, 0))


def test_voi_lut_comes_before_a_window():
    entries = (np.arange(256) ** 2 // 64).astype(np.uint16)
    item = files.sequence(LUTDescriptor=[256, 1000, 10], LUTData=entries.tobytes())
    found = grey(files.make(VOILUTSequence=item, WindowCenter=1, WindowWidth=1))
    place = np.clip(files.ramp().astype(int) - 1000, 0, 255)
    assert np.array_equal(found, shown(np.minimum(entries[place], 1023) / 1023))


def test_modality_lut_takes_the_place_of_the_slope():
    entries = np.arange(4096)[::-1].astype(np.uint16)
    item = files.sequence(
        LUTDescriptor=[4096, 0, 16], LUTData=entries.tobytes(), ModalityLUTType="US"
    )
    found = grey(files.make(ModalityLUTSequence=item))
    assert np.array_equal(found, shown((4095.0 - files.ramp()) / 4095))


def test_signed_values_of_twelve_bits():
    stored = files.ramp().astype(np.int16) - 2048
    found = grey(files.make(stored, WindowCenter=0, WindowWidth=4096))
    assert np.array_equal(found, shown((stored + 0.5) / 4095 + 0.5))
    assert np.array_equal(grey(files.make(stored & 0xFFF, PixelRepresentation=1)), grey(files.make(stored)))  # fmt: skip


def test_bits_beyond_the_stored_ones_count_for_nothing():
    low, high = files.ramp() | 0xF000, files.ramp() << 4 | 0xF
    assert np.array_equal(grey(files.make(low)), grey(files.make()))
    assert np.array_equal(grey(files.make(high, HighBit=15)), grey(files.make()))


def test_padding_is_black_and_out_of_the_range():
    stored = files.ramp() // 2 + 500
    stored[:, :3], stored[:, 3] = 0, 4
    plain = files.ramp() // 2 + 500
    body = stored[:, 4:].astype(float)
    for photometric, sign in (("MONOCHROME2", 1), ("MONOCHROME1", -1)):
        found = grey(
            files.make(
                stored, PhotometricInterpretation=photometric, PixelPaddingValue=0,
                PixelPaddingRangeLimit=4,
            )
        )  # fmt: skip
        assert not found[:, :4].any()
        expected = shown((body - body.min()) / (body.max() - body.min()))
        assert np.array_equal(found[:, 4:], expected if sign > 0 else 255 - expected)
    assert grey(files.make(plain, PixelPaddingValue=0)).min() == 0


def test_constant_picture_is_black():
    assert not grey(files.make(np.full((16, 16), 77, np.uint16))).any()


def test_colour_becomes_brightness():
    rgb = np.stack([files.ramp(8), files.ramp(8)[::-1], files.ramp(8)[:, ::-1]], -1).astype(np.uint8)  # fmt: skip
    expected = np.array(Image.fromarray(rgb).convert("L"))
    picture = dicom.decode(files.make(rgb), name="x")
    assert (picture.channels, picture.bit_depth) == (3, 8)
    assert np.array_equal(picture.grey, expected)
    planes = np.ascontiguousarray(np.moveaxis(rgb, 2, 0)).tobytes()
    assert np.array_equal(grey(files.make(rgb, PlanarConfiguration=1, PixelData=planes)), expected)
    ybr = grey(files.make(rgb, PhotometricInterpretation="YBR_FULL"))
    assert np.array_equal(ybr, rgb[:, :, 0])
    pairs = rgb.reshape(-1, 2, 3)
    half = np.concatenate([pairs[:, :, 0], pairs[:, 0, 1:]], axis=1).tobytes()
    half = grey(files.make(rgb, PhotometricInterpretation="YBR_FULL_422", PixelData=half))
    assert np.array_equal(half, rgb[:, :, 0])


def test_palette_becomes_brightness():
    tables = {}
    for i, name in enumerate(("Red", "Green", "Blue")):
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        entries = (257 * np.roll(np.arange(256), 50 * i)).astype("<u2")
        tables[f"{name}PaletteColorLookupTableData"] = entries.tobytes()
    stored = files.ramp(8).astype(np.uint8)
    found = grey(files.make(stored, PhotometricInterpretation="PALETTE COLOR", **tables))
    colours = np.stack([np.roll(np.arange(256), 50 * i)[stored] for i in range(3)], -1)
    expected = np.array(Image.fromarray(colours.astype(np.uint8)).convert("L"))
    assert np.array_equal(found, expected)


def test_implicit_vr_is_read():
    data = files.dataset(WindowCenter=1000, WindowWidth=800)
    data.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    assert np.array_equal(grey(files.written(data)), grey(files.make(WindowCenter=1000, WindowWidth=800)))  # fmt: skip


def test_odd_number_of_bytes_may_be_made_even():
    stored = files.ramp(8, (5, 5)).astype(np.uint8)
    assert np.array_equal(grey(files.make(stored, PixelData=stored.tobytes() + b"\0")), stored)


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLossless])
@pytest.mark.parametrize("bits", [12, 16])
def test_lossless_jpeg_is_what_was_stored(syntax, bits):
    stored = files.ramp(bits)
    elements = {"BitsStored": bits, "HighBit": bits - 1}
    content = files.compressed(files.lossless_jpeg(stored, bits), syntax, stored, **elements)
    assert np.array_equal(grey(content), grey(files.make(stored, **elements)))


def test_jpeg_2000_is_what_was_stored():
    for bits in (8, 16):
        stored = files.ramp(bits).astype(f"u{bits // 8}")
        elements = {"BitsStored": bits, "HighBit": bits - 1}
        content = files.compressed(
            files.jpeg_2000(stored), uid.JPEG2000Lossless, stored, **elements
        )
        assert np.array_equal(grey(content), grey(files.make(stored, **elements)))


def test_run_lengths_are_what_was_stored():
    for stored in (files.ramp(), np.stack([files.ramp(8).astype(np.uint8)] * 3, -1) // [1, 2, 3]):
        stored = stored.astype(np.uint16 if stored.ndim == 2 else np.uint8)
        data = files.dataset(stored)
        data.compress(uid.RLELossless, generate_instance_uid=False)
        assert np.array_equal(grey(files.written(data)), grey(files.make(stored)))


def test_jpeg_is_what_pillow_reads():
    stored = files.ramp(8, (40, 32)).astype(np.uint8)
    stream = files.jpeg(stored)
    found = grey(files.compressed(stream, uid.JPEGBaseline8Bit, stored))
    assert np.array_equal(found, np.array(Image.open(io.BytesIO(stream))))
    colour = np.stack([stored, stored[::-1], stored // 2], -1)
    stream = files.jpeg(colour)
    found = grey(files.compressed(stream, uid.JPEGBaseline8Bit, colour, PhotometricInterpretation="YBR_FULL_422"))  # fmt: skip
    image = Image.open(io.BytesIO(stream))
    image.draft("YCbCr", image.size)
    assert np.array_equal(found, np.asarray(image)[:, :, 0])
    stream = files.jpeg_2000(colour)
    found = grey(files.compressed(stream, uid.JPEG2000Lossless, colour, PhotometricInterpretation="YBR_RCT"))  # fmt: skip
    assert np.array_equal(found, np.array(Image.fromarray(colour).convert("L")))


def test_twelve_bit_jpeg_is_read():
    import imagecodecs

    stored = files.ramp()
    stream = imagecodecs.jpeg8_encode(stored, level=100, bitspersample=12)
    found = grey(files.compressed(stream, uid.JPEGExtended12Bit, stored, WindowCenter=2048, WindowWidth=4096))  # fmt: skip
    assert np.abs(found.astype(int) - (files.ramp() >> 4)).max() <= 1


def test_facts_are_those_of_the_header_and_hide_the_patient():
    found = dicom.facts(files.make(), name="x")
    assert (found.sex, found.age_years, found.view, found.modality) == ("F", 45.0, "PA", "DX")
    assert (found.laterality, found.photometric) == ("L", "MONOCHROME2")
    assert found.patient == "MRN445566"
    assert set(found.names) == {"MRN445566", "Nightingale", "Florence", "18200512", "ACC778899"}
    assert not [secret for secret in files.SECRETS if secret in repr(found)]


@pytest.mark.parametrize(
    ("text", "years"),
    [("045Y", 45.0), ("62", 62.0), ("018M", 1.5), ("026W", 0.4983), ("010D", 0.0274),
     ("", math.nan), ("old", math.nan), ("45YY", math.nan), ("-4Y", math.nan)],
)  # fmt: skip
def test_age_in_years(text, years):
    data = files.dataset()
    data.PatientAge = text
    found = dicom.facts(files.written(data), name="x").age_years
    assert found == years or (math.isnan(found) and math.isnan(years))


@pytest.mark.parametrize(
    ("position", "view"),
    [("PA", "PA"), ("AP", "AP"), ("LL", "LATERAL"), ("RL", "LATERAL"), ("", ""), ("LLD", "")],
)
def test_view(position, view):
    assert dicom.facts(files.make(ViewPosition=position), name="x").view == view


def _real(name):
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: no real DICOM file is read")
    return Path(folder, "fullsize", name).read_bytes()


def test_real_monochrome1_is_the_inverse_of_its_twin():
    plain = dicom.decode(_real(REAL), name=REAL)
    turned = dicom.decode(_real("Fake_MONOHR1.dcm"), name="Fake_MONOHR1.dcm")
    assert plain.grey.shape == (1024, 1024)
    assert plain.bit_depth == 8
    assert np.array_equal(turned.grey, 255 - plain.grey)
    assert (plain.grey.min(), plain.grey.max()) == (0, 254)
    found = dicom.facts(_real(REAL), name=REAL)
    assert (found.sex, found.age_years, found.view, found.modality) == ("M", 62.0, "PA", "CR")


def test_real_jpeg_2000_through_its_window():
    content = _real("RG1_J2KI.dcm")
    picture = dicom.decode(content, name="RG1_J2KI.dcm")
    assert (picture.grey.shape, picture.bit_depth) == ((1955, 1841), 15)
    # stored 803 to 26512, window 15000 of 30000, MONOCHROME1
    ends = [255 - math.floor(255 * ((x - 14999.5) / 29999 + 0.5) + 0.5) for x in (26512, 803)]
    assert [picture.grey.min(), picture.grey.max()] == ends
