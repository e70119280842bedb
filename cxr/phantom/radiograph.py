"""One image of a patient: view and pose, the sum of attenuations, exposure and display."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxr import seeding
from cxr.phantom import devices, organs
from cxr.phantom.bones import bones
from cxr.phantom.findings import filled
from cxr.phantom.patient import Patient
from cxr.phantom.shapes import Field, blurred
from cxr.phantom.space import Space
from cxr.phantom.vessels import vessels

_AP_SHARE = 0.35

# Lowest and highest value of what changes from image to image.
_POSE = {
    "scale": (1.06, 1.21),
    "tilt": (-0.05, 0.05),  # in the image plane, in radians
    "turn": (-0.05, 0.05),  # about the long axis: how far the front moves against the back
    "shift_x": (-0.06, 0.06),
    "shift_y": (0.0, 0.10),
    "breath": (-0.04, 0.05),  # diaphragm lower (+) or higher (-)
    "scapula": (0.86, 1.0),  # inner edge of the shoulder blades, in half widths of the cage
    "magnified": (0.97, 1.05),  # heart
    "scatter": (0.10, 0.25),  # of the direct signal
    "noise": (0.004, 0.009),
    "blur": (0.004, 0.007),
    "middle": (0.47, 0.61),  # grey of the middle pixel
    "low": (-0.14, -0.02),  # ends of the display's window, beyond the darkest and brightest pixels
    "high": (0.02, 0.16),
}
# Added for AP: the patient lies or sits, breathes in less, the tube is near and weak.
_POSE_AP = {
    "scale": (-0.04, 0.02),
    "tilt": (-0.05, 0.05),
    "turn": (-0.04, 0.04),
    "breath": (-0.11, -0.01),
    "scapula": (-0.28, -0.14),
    "magnified": (0.07, 0.17),
    "scatter": (0.10, 0.25),
    "noise": (0.001, 0.009),
    "blur": (0.001, 0.005),
    "high": (-0.04, 0.06),
}

_LETTERS = {
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "R": ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
}


@dataclass(frozen=True, kw_only=True)
class Radiograph:
    """One image of a patient."""

    number: int
    """From 0 in the order of examination."""
    view: str
    """PA or AP."""
    pixels_HW: np.ndarray
    """uint8, square, dense is bright."""


def radiographs(seed: int, who: Patient, *, image_px: int) -> list[Radiograph]:
    """Make the patient's 1 to 3 images."""
    rng = seeding.stream(seed, "phantom", "count", who.index)
    count = int(rng.choice([1, 2, 3], p=[0.3, 0.4, 0.3]))
    return [_radiograph(seed, who, number, image_px) for number in range(count)]


def posed(
    seed: int, who: Patient, number: int
) -> tuple[str, dict[str, float], np.random.Generator]:
    """Draw how a patient lies for an image: view, pose (keys of _POSE), and the stream for what comes after."""
    rng = seeding.stream(seed, "phantom", "image", who.index, number)
    view = "AP" if rng.random() < _AP_SHARE else "PA"
    pose = {name: float(rng.uniform(*limits)) for name, limits in _POSE.items()}
    for name, limits in _POSE_AP.items():
        pose[name] += float(rng.uniform(*limits)) * (view == "AP")
    return view, pose, rng


def _radiograph(seed: int, who: Patient, number: int, image_px: int) -> Radiograph:
    view, pose, rng = posed(seed, who, number)
    space = Space(seed, who, pose, image_px)
    attenuation = _attenuation(space)
    if rng.random() < (0.4 if view == "AP" else 0.03):
        attenuation += devices.electrodes(space, rng=rng)
    pixels = _displayed(_exposed(attenuation, pose, rng), pose)
    if rng.random() < 0.8:
        _stamp(pixels, rng)
    return Radiograph(number=number, view=view, pixels_HW=_collimated(pixels, rng))


def _attenuation(space: Space) -> Field:
    """Add up everything in the beam's way, as the logarithm of what it lets through."""
    body, heart, middle = organs.body(space), organs.heart(space), organs.mediastinum(space)
    lungs = sum(organs.air(space, side) * (1 - filled(space, side)) for side in (-1, 1))
    air = lungs * (1 - np.maximum(0.86 * heart, 0.80 * middle))
    organic = 0.30 * heart + 0.12 * middle - 0.30 * organs.airways(space)
    total = space.anatomy["density"] + organic + organs.soft_tissue(space)
    total += space.anatomy["bone"] * bones(space)
    total = total * body - 1.5 * air
    total += 0.48 * vessels(space) * np.minimum(1.25 * air, 1)  # unseen where no air is beside them
    return np.maximum(total, 0)


def _exposed(attenuation_HW: Field, pose: dict[str, float], rng: np.random.Generator) -> Field:
    """Return what the detector reports: the logarithm of a blurred, scattered, grainy exposure."""
    size = attenuation_HW.shape[0]
    direct = blurred(np.exp(-attenuation_HW), pose["blur"] * size / 2)
    signal = direct + pose["scatter"] * blurred(direct, 0.16 * size)
    grain = 1.9 * blurred(rng.standard_normal((size, size)), 0.55)
    signal += pose["noise"] * np.sqrt(signal) * grain  # quanta: variance goes with the signal
    # the tube's heel and an uneven detector
    axis, (down, across) = np.linspace(-1, 1, size), rng.normal(0, 0.05, 2)
    return -np.log(np.maximum(signal, 1e-3)) + down * axis[:, None] + across * axis[None, :]


def _displayed(density_HW: Field, pose: dict[str, float]) -> np.ndarray:
    """Return uint8 through a window whose curve puts the middle pixel at a drawn grey.

    Automatic processing does so, and it keeps the mean grey from telling what the chest holds.
    """
    rim = density_HW.shape[0] // 8
    darkest, middle, brightest = np.percentile(density_HW[rim:-rim, rim:-rim], [1.0, 50.0, 99.0])
    span = brightest - darkest
    low, high = darkest + pose["low"] * span, brightest + pose["high"] * span
    place = np.clip((middle - low) / (high - low), 0.05, 0.95)
    curve = np.log(pose["middle"]) / np.log(place)
    grey = np.clip((density_HW - low) / (high - low), 0, 1) ** curve
    return np.round(255 * grey).astype(np.uint8)


def _stamp(pixels_HW: np.ndarray, rng: np.random.Generator) -> None:
    """Print a lead letter into an upper corner: R at the patient's right, which is image left."""
    size = pixels_HW.shape[0]
    letter = "R" if rng.random() < 0.5 else "L"
    dot = max(1, round(size * rng.uniform(0.006, 0.012)))
    bitmap = np.array([[int(bit) for bit in row] for row in _LETTERS[letter]])
    mark = np.kron(bitmap, np.ones((dot, dot), dtype=np.int64)) > 0
    y, x = int(size * rng.uniform(0.03, 0.16)), int(size * rng.uniform(0.03, 0.09))
    if letter == "L":
        x = size - x - mark.shape[1]
    corner = pixels_HW[y : y + mark.shape[0], x : x + mark.shape[1]]
    corner[mark] = np.maximum(corner[mark], 225)


def _collimated(pixels_HW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the image with the strips black that the tube's shutters left unexposed, if any."""
    size = pixels_HW.shape[0]
    widths = (rng.random(4) < 0.15) * rng.uniform(0.01, 0.05, 4) * size
    top, bottom, left, right = (int(width) for width in widths)
    lit = (slice(top, size - bottom), slice(left, size - right))
    framed = np.zeros_like(pixels_HW)
    framed[lit] = pixels_HW[lit]
    return framed
