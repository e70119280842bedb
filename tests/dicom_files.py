"""DICOM files made by code, for tests to bend; a person is named in every element that could name one."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom import encaps, uid

SECRETS = (
    "Nightingale", "Florence", "MRN445566", "18200512", "St Thomas", "ACC778899", "19100813",
    "Derbyshire", "Seacole", "night watch 12",
)  # fmt: skip
"""What stands in the elements of `make` and may stand nowhere else."""


def ramp(bits: int = 12, shape: tuple[int, int] = (24, 20)) -> np.ndarray:
    """Return uint16 (H, W) with values from 0 to the largest of so many bits."""
    steps = np.linspace(0, (1 << bits) - 1, shape[0] * shape[1])
    return steps.round().astype(np.uint16).reshape(shape)


def dataset(stored: np.ndarray | None = None, **elements: Any) -> pydicom.Dataset:
    """Return an uncompressed 12-bit MONOCHROME2 radiograph; an element given as None is taken out."""
    stored = ramp() if stored is None else stored
    data = pydicom.Dataset()
    data.file_meta = pydicom.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
    data.file_meta.MediaStorageSOPInstanceUID = uid.UID("1.2.826.0.1.3680043.8.498.1")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID = "Nightingale^Florence", "MRN445566"
    data.PatientBirthDate, data.StudyDate = "18200512", "19100813"
    data.InstitutionName, data.AccessionNumber = "St Thomas", "ACC778899"
    data.PatientAddress, data.ReferringPhysicianName = "Derbyshire", "Seacole^Mary"
    data.PatientSex, data.PatientAge = "F", "045Y"
    data.Modality, data.ViewPosition, data.ImageLaterality = "DX", "PA", "L"
    block = data.private_block(0x0011, "A MAKER OF MACHINES", create=True)
    block.add_new(0x01, "LO", "Nightingale Florence, night watch 12")
    data.Rows, data.Columns = stored.shape[:2]
    data.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    data.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
    bits = 8 * stored.itemsize
    data.BitsAllocated, data.BitsStored = bits, 12 if bits == 16 else bits
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(stored.dtype.kind == "i")
    if stored.ndim == 3:
        data.PlanarConfiguration = 0
    data.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    for name, value in elements.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def sequence(**elements: Any) -> list[pydicom.Dataset]:
    """Return a sequence of one item."""
    item = pydicom.Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return [item]


def written(data: pydicom.Dataset) -> bytes:
    """Return the bytes of a file."""
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def make(stored: np.ndarray | None = None, **elements: Any) -> bytes:
    """Return the bytes of `dataset(…)`."""
    return written(dataset(stored, **elements))


def compressed(frame: bytes, syntax: uid.UID, stored: np.ndarray, **elements: Any) -> bytes:
    """Return a file whose pixels are the stream `frame`; the header is that of `stored`."""
    data = dataset(stored, **elements)
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encaps.encapsulate([frame])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return written(data)


def jpeg(grey: np.ndarray, **options: Any) -> bytes:
    """Return uint8 (H, W) or (H, W, 3) as a baseline JPEG."""
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def lossless_jpeg(stored: np.ndarray, bits: int) -> bytes:
    """Return uint16 (H, W) as a lossless JPEG of so many bits."""
    return imagecodecs.jpeg8_encode(stored, lossless=True, predictor=1, bitspersample=bits)


def jpeg_2000(stored: np.ndarray) -> bytes:
    """Return uint8 (H, W), (H, W, 3) or uint16 (H, W) as a lossless JPEG 2000 of 8 or 16 bits."""
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "JPEG2000", irreversible=False, no_jp2=True)
    return file.getvalue()
