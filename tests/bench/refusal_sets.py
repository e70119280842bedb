"""Pictures that are no upright frontal chest X-ray, made by code or cut from photographs that are installed.

S is their side, N how many.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cxr import images, seeding
from cxr.preprocessing import resize

COUNT = 120


def photos(size_px: int) -> np.ndarray:
    """Return windows of scikit-learn's and matplotlib's sample photographs: a temple, a flower, a portrait."""
    import matplotlib
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "images"
    sample = Path(matplotlib.__file__).parent / "mpl-data/sample_data/grace_hopper.jpg"
    files = [
        path for path in (folder / "china.jpg", folder / "flower.jpg", sample) if path.exists()
    ]
    whole = [images.decode(path.read_bytes(), name=path.name).grey for path in files]
    rng, found = seeding.stream(1, "refusal", "photos"), []
    for number in range(COUNT):
        photo = whole[number % len(whole)]
        side = int(min(photo.shape) * rng.uniform(0.3, 1))
        top, left = (rng.integers(0, length - side + 1) for length in photo.shape)
        found.append(scaled(photo[top : top + side, left : left + side], size_px))
    return np.stack(found)


def scaled(image: np.ndarray, size_px: int) -> np.ndarray:
    """Return an image as the pipeline resizes it."""
    return resize.apply(np.ascontiguousarray(image), resize.Params(size_px=size_px, fit="stretch"))


def limbs(size_px: int) -> np.ndarray:
    """Return drawings of other parts of the body: one to four bones, each in its flesh, on black."""
    rng, found = seeding.stream(1, "refusal", "limbs"), []
    for _ in range(COUNT):
        image = np.zeros((size_px, size_px), np.uint8)
        for _ in range(rng.integers(1, 5)):
            left, lean = (int(rng.uniform(*x) * size_px) for x in ((0.2, 0.8), (-0.2, 0.2)))
            thick = max(1, int(rng.uniform(0.05, 0.2) * size_px))
            ends = (left, -5), (left + lean, size_px + 5)
            cv2.line(image, *ends, int(rng.uniform(60, 120)), 3 * thick)
            cv2.line(image, *ends, int(rng.uniform(150, 250)), thick)
        found.append(cv2.GaussianBlur(image, (5, 5), 1.2))
    return np.stack(found)


def noise(size_px: int) -> np.ndarray:
    """Return even noise, normal noise and plain grey in turns."""
    rng, shape = seeding.stream(1, "refusal", "noise"), (size_px, size_px)
    kinds = (
        lambda: rng.integers(0, 256, shape),
        lambda: np.clip(rng.normal(128, 40, shape), 0, 255),
        lambda: np.full(shape, rng.integers(0, 256)),
    )
    return np.stack([kinds[number % 3]().astype(np.uint8) for number in range(COUNT)])


def clouds(size_px: int) -> np.ndarray:
    """Return noise whose amplitude falls with the frequency, as in photographs."""
    rng, found = seeding.stream(1, "refusal", "clouds"), []
    across = np.fft.fftfreq(size_px)
    frequency = np.hypot(across[:, None], across[None])
    frequency[0, 0] = 1
    for _ in range(COUNT):
        waves = np.fft.fft2(rng.normal(size=(size_px, size_px))) / frequency ** rng.uniform(0.7, 2)
        grey = np.fft.ifft2(waves).real
        grey = (grey - grey.mean()) / grey.std()
        found.append(np.clip(128 + 50 * grey, 0, 255).astype(np.uint8))
    return np.stack(found)


def masks(size_px: int) -> np.ndarray:
    """Return white lungs on black, as segmentations are stored."""
    rng, found = seeding.stream(1, "refusal", "masks"), []
    for _ in range(COUNT):
        image = np.zeros((size_px, size_px), np.uint8)
        for centre in (0.3, 0.7):
            middle = int(size_px * (centre + rng.uniform(-0.03, 0.03))), size_px // 2
            axes = int(size_px * rng.uniform(0.12, 0.17)), int(size_px * rng.uniform(0.28, 0.4))
            cv2.ellipse(image, middle, axes, rng.uniform(-8, 8), 0, 360, 255, -1)
        found.append(image)
    return np.stack(found)


MADE = {"photos": photos, "limbs": limbs, "noise": noise, "clouds": clouds, "masks": masks}
TURNED = {
    "inverted": lambda x: 255 - x,
    "turned 90": lambda x: np.rot90(x, 1, (1, 2)),
    "turned 180": lambda x: x[:, ::-1, ::-1],
    "turned 270": lambda x: np.rot90(x, 3, (1, 2)),
    "upside down": lambda x: x[:, ::-1],
    "inverted, turned": lambda x: 255 - np.rot90(x, 1, (1, 2)),
}
"""Of held-out chest X-rays uint8 (N, S, S)."""


def turned(held_out_NSS: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same chest X-rays as no one should see them, by name."""
    return {name: np.ascontiguousarray(turn(held_out_NSS)) for name, turn in TURNED.items()}


def made(size_px: int) -> dict[str, np.ndarray]:
    """Return pictures that are none, by name."""
    return {name: make(size_px) for name, make in MADE.items()}
