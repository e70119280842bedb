"""Tests of cxr.dicom with broken files: each is named with fault and cure, tells nothing of the patient, crashes nothing."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from pydicom import uid

from cxr import dicom, seeding
from cxr.dicom import pixels
from tests import dicom_files as files


def grey(content):
    return dicom.decode(content, name="x.dcm").grey


def _with_length(content, length):
    """Write another length of the pixel data, explicit VR OW."""
    place = content.rindex(b"\xe0\x7f\x10\x00OW") + 8
    return content[:place] + struct.pack("<I", length) + content[place + 4 :]


def _syntax(name):
    data = files.dataset()
    content = files.written(data)
    old = uid.ExplicitVRLittleEndian.encode() + b"\0"
    new = name.encode()
    new += b"\0" * (len(new) % 2)
    place = content.index(old)
    head = content[: place - 2] + struct.pack("<H", len(new)) + new + content[place + len(old) :]
    group = head.index(b"\x02\x00\x00\x00UL\x04\x00") + 8
    length = struct.unpack("<I", head[group : group + 4])[0] + len(new) - len(old)
    return head[:group] + struct.pack("<I", length) + head[group + 4 :]


def _jpeg(**elements):
    stored = files.ramp(8, (40, 32)).astype(np.uint8)
    return files.compressed(files.jpeg(stored), uid.JPEGBaseline8Bit, stored, **elements)


def _stream(frame, syntax, **elements):
    return files.compressed(frame, syntax, files.ramp(), **elements)


def _bomb():
    """A JPEG of 60,000 x 60,000 pixels in its own header, in a DICOM file that claims 24 x 20."""
    frame = bytearray(files.jpeg(files.ramp(8).astype(np.uint8)))
    place = frame.index(b"\xff\xc0")
    frame[place + 5 : place + 9] = struct.pack(">HH", 60000, 60000)
    return files.compressed(bytes(frame), uid.JPEGBaseline8Bit, files.ramp(8).astype(np.uint8))


LOSSLESS = files.lossless_jpeg(files.ramp(), 12)
BAD = {
    "empty": (b"", "is no DICOM file"),
    "no preamble": (files.make()[132:], "is no DICOM file"),
    "another file": (b"\x89PNG" + bytes(400), "is no DICOM file"),
    "only the preamble": (bytes(128) + b"DICM", "transfer syntax none"),
    "no transfer syntax": (bytes(128) + b"DICM" + files.make()[200:], "transfer syntax none"),
    "JPEG-LS": (_syntax(uid.JPEGLSLossless), r"\.4\.80, read are .*: convert it"),
    "big endian": (_syntax(uid.ExplicitVRBigEndian), r"1\.2\.2, read are .*: convert it"),
    "deflated": (_syntax(uid.DeflatedExplicitVRLittleEndian), r"1\.99, read are .*convert it"),
    "video": (_syntax("1.2.840.10008.1.2.4.100"), r"4\.100, read are .*: convert it"),
    "no pixels": (files.make(PixelData=None), "holds no pixels"),
    "empty pixels": (files.make(PixelData=b""), "holds no pixels"),
    "no rows": (files.make(Rows=None), "lacks Rows"),
    "rows of zero": (files.make(Rows=0), "claims 20 x 0 pixels"),
    "no photometric": (files.make(PhotometricInterpretation=""), "photometric interpretation unknown"),
    "CMYK": (files.make(PhotometricInterpretation="CMYK"), "interpretation CMYK, .*convert it"),
    "huge": (files.make(Rows=65535, Columns=65535), "claims 65535 x 65535 pixels, the limit"),
    "frames": (files.make(NumberOfFrames=2), "holds 2 frames: save the X-ray alone"),
    "too few bytes": (files.make(PixelData=bytes(500)), "500 bytes of pixels, its header promises 960"),
    "too many bytes": (files.make(PixelData=bytes(962)), "962 bytes of pixels, its header promises 960"),
    "cut in the pixels": (files.make()[:-100], r"breaks off in its pixels \(860 of 960 bytes\)"),
    "cut in the header": (files.make()[:500], "(holds no pixels|lacks)"),
    "length beyond the end": (_with_length(files.make(), 4_000_000_000), "breaks off in its pixels"),
    "32 bits": (files.make(BitsAllocated=32, BitsStored=32, HighBit=31), "has 32 bits per sample"),
    "one bit": (files.make(BitsAllocated=1, BitsStored=1, HighBit=0), "has 1 bits per sample"),
    "impossible bits": (files.make(BitsStored=17), "contradict one another"),
    "two samples": (files.make(SamplesPerPixel=2), "MONOCHROME2 with 2 samples"),
    "colour of one sample": (files.make(PhotometricInterpretation="RGB"), "RGB with 1 samples"),
    "no window": (files.make(WindowCenter=5, WindowWidth=0), "a window of the width 0"),
    "slope of zero": (files.make(RescaleSlope=0, RescaleIntercept=5), "is rescaled by 0"),
    "huge slope": (files.make(RescaleSlope="1e300", RescaleIntercept=0), r"is rescaled by 1e\+300"),
    "unknown function": (files.make(WindowCenter=5, WindowWidth=9, VOILUTFunction="CURVE"), "VOILUTFunction"),
    "short LUT": (files.make(VOILUTSequence=files.sequence(LUTDescriptor=[99, 0, 8], LUTData=bytes(2))), "without its 99 entries"),
    "broken LUT": (files.make(VOILUTSequence=files.sequence(LUTDescriptor=[9, 0], LUTData=bytes(2))), "broken LUTDescriptor"),
    "palette without colours": (files.make(files.ramp(8).astype(np.uint8), PhotometricInterpretation="PALETTE COLOR"), "broken RedPalette"),
    "JPEG garbage": (_stream(b"\xff\xd8" + b"garbage!" * 40, uid.JPEGBaseline8Bit), "holds no JPEG stream"),
    "JPEG of another size": (_jpeg(Rows=39), "picture of 32 x 40 pixels, its header tells 32 x 39"),
    "JPEG bomb": (_bomb(), "picture of 60000 x 60000 pixels, its header tells 20 x 24"),
    "JPEG cut off": (_stream(LOSSLESS[:-60], uid.JPEGLosslessSV1), "a JPEG that breaks off"),
    "JPEG of too many bits": (_stream(files.lossless_jpeg(files.ramp(16), 16), uid.JPEGLosslessSV1), "more than the 12 bits"),
    "JPEG of colour": (_stream(files.jpeg(np.zeros((24, 20, 3), np.uint8)), uid.JPEGBaseline8Bit), "JPEG of 3 samples"),
    "JPEG 2000 garbage": (_stream(b"\xff\x4f\xff\x51" + bytes(200), uid.JPEG2000), "can't be unpacked"),
    "JPEG 2000 cut off": (_stream(files.jpeg_2000(files.ramp())[:-60], uid.JPEG2000Lossless), "can't be unpacked"),
    "JPEG 2000 of another size": (_stream(files.jpeg_2000(files.ramp()), uid.JPEG2000, Columns=21), "its header tells 21 x 24"),
    "RLE garbage": (_stream(b"\x02\0\0\0" + b"\x99" * 200, uid.RLELossless), "can't be unpacked"),
    "no frame": (_stream(b"\0\0", uid.JPEGLosslessSV1), "(holds no JPEG|can't be unpacked)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_is_named_with_fault_and_cure(kind):
    content, message = BAD[kind]
    with pytest.raises(ValueError, match=message) as caught:
        dicom.decode(content, name="ward/7.dcm")
    words = str(caught.value)
    assert words.startswith("ward/7.dcm ")
    assert any(x in words for x in ("get the file again", "take it out", "convert it", "save the"))
    assert not [secret for secret in files.SECRETS if secret in words]


def test_pixels_that_are_not_encapsulated_as_promised_are_refused():
    content = _syntax(uid.JPEGBaseline8Bit)
    with pytest.raises(ValueError, match=r"x (has pixels that can't be unpacked|holds no JPEG)"):
        dicom.decode(content, name="x")


def _bent(content, i):
    """Return `content` cut or with some bytes changed, each `i` in its own way."""
    rng = seeding.stream(7, "bent", str(i))
    bent = bytearray(content)
    if i % 3 == 0:
        return bytes(bent[: rng.integers(132, len(bent))])
    top = len(bent) if i % 3 == 1 else min(1400, len(bent))
    for _ in range(int(rng.integers(1, 6))):
        bent[int(rng.integers(132, top))] = int(rng.integers(256))
    return bytes(bent)


@pytest.mark.parametrize("kind", ["plain", "lossless", "baseline", "jpeg 2000", "rle"])
def test_bent_files_raise_value_errors_without_secrets_or_decode(kind):
    data = files.dataset()
    data.compress(uid.RLELossless, generate_instance_uid=False)
    content = {
        "plain": files.make(WindowCenter=1000, WindowWidth=800),
        "lossless": _stream(LOSSLESS, uid.JPEGLosslessSV1),
        "baseline": _jpeg(),
        "jpeg 2000": _stream(files.jpeg_2000(files.ramp()), uid.JPEG2000Lossless, BitsStored=16, HighBit=15),
        "rle": files.written(data),
    }[kind]  # fmt: skip
    assert grey(content).ndim == 2
    refused = 0
    for i in range(150):
        bent = _bent(content, i)
        try:
            assert grey(bent).dtype == np.uint8
        except ValueError as error:
            refused += 1
            assert not [secret for secret in files.SECRETS if secret in str(error)]
        try:
            dicom.facts(bent, name="x")
        except ValueError as error:
            assert not [secret for secret in files.SECRETS if secret in str(error)]
    assert refused >= 50


def test_nothing_is_printed_of_odd_values(capfd, caplog):
    content = files.make().replace(b"18200512", b"Nighting").replace(b"045Y", b"\xff\xfe??")
    assert math.isnan(dicom.facts(content, name="x").age_years)
    dicom.decode(content, name="x")
    assert capfd.readouterr() == ("", "")
    assert not [secret for secret in files.SECRETS if secret in caplog.text]


MEMORY = """
import sys
sys.path.insert(0, {root!r})
from cxr import dicom
print(dicom.decode(open(sys.argv[1], "rb").read(), name="x").grey.shape)
# not ru_maxrss: it holds what the parent had before exec
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def test_largest_picture_stays_under_a_gibibyte(tmp_path, python, root):
    side = int(math.sqrt(pixels.PIXEL_LIMIT))
    (tmp_path / "x.dcm").write_bytes(files.make(np.zeros((side, side), np.uint16)))
    done = python("-c", MEMORY.format(root=str(root)), str(tmp_path / "x.dcm"), pinned=True)
    assert done.returncode == 0, done.stderr
    shape, peak_mib = done.stdout.splitlines()
    assert shape == f"({side}, {side})"
    assert int(peak_mib) < 1024
